"""The approvers' door: cards, clicks, commands and modals. The only importer of Slack's libraries besides the app."""
