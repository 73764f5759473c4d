"""The small parts that every message of Slack's is made of."""
