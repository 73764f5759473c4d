"""Ids that count, so that a run can be repeated and a whole event compared."""

import itertools


class CountingIds:
    """Makes ids such as ``esc_00000000000000000000000001``."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def __call__(self, prefix: str) -> str:
        """Return the next id."""
        return f"{prefix}_{next(self._numbers):026d}"
