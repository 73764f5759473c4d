"""Stand-ins for what a demo or a test has no access to. They import nothing of ours, so they cannot share our mistakes."""
