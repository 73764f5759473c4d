"""Comparisons that print ratios of one run, never bare times: a ratio survives the move to another machine."""
