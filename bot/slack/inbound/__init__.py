"""What comes from Slack: connections, payloads, clicks, commands and forms."""
