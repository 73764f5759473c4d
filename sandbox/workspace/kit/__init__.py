"""Block Kit as Slack accepts it: every limit and shape the stand-in enforces, and nothing about drawing."""
