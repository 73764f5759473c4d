"""Operations: what the operator's commands find out or do, over parts that they are given. :mod:`bot.cli` parses and prints."""
