"""Every message that is shown in Slack, drawn from values; the painter reads the rows."""
