"""The operator's door: the ``countersign`` command. What each command needs is :mod:`bot.cli.desk`; the app provides it."""
