"""What is asked of Slack and sent to it: its directory, its channels, its refusals."""
