"""What is shown to people, from rows to the workspace: the relay, its paces and its retries."""
