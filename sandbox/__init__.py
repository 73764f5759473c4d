"""Stand-ins for what a demo or a test has no access to: a Slack workspace, a cluster, an agent.

They import nothing of ours, so that they cannot share our mistakes; only :mod:`bot.app` starts them.
"""
