"""Waits: how long a loop pauses before it tries again what failed. No clock is read here, and nothing sleeps.

Each wait doubles the one before it, up to a bound, and a part of it is left to chance: processes that lost the same server at one
moment do not all come back at one moment.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

_SMALLEST_PART: Final = 0.5
"""The part of a wait that is never left to chance."""


@dataclass(slots=True, kw_only=True)
class Backoff:
    """The waits of one loop, in seconds."""

    first: float
    most: float
    chance: Callable[[], float]
    """Returns a number from 0 to 1."""
    _failures: int = field(default=0, init=False)

    @property
    def failures(self) -> int:
        """Failures in a row."""
        return self._failures

    def after_failure(self, *, at_least: float = 0.0) -> float:
        """Return how long to wait now that one more try has failed; *at_least* is what the other side asked for, in seconds."""
        grown = self.first * 2.0 ** min(self._failures, 30)
        self._failures += 1
        share = _SMALLEST_PART + (1.0 - _SMALLEST_PART) * self.chance()
        return max(min(grown, self.most) * share, at_least)

    def after_success(self) -> None:
        """Begin again with the first wait."""
        self._failures = 0
