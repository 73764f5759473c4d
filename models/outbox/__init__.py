"""What waits to be shown: cards, thread lines and digests, as rows."""
