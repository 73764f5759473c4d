"""The operator's door: the ``countersign`` command. What each command needs is :mod:`bot.cli.parts`; the app provides it."""
