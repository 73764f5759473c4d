"""Retries: how long it is waited before what failed is tried again. Each wait doubles the one before it, up to a bound.

Kept in memory: after a restart everything is tried once more. What keeps its failures in rows asks :func:`growing_wait` alone.
No clock is read here.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta


def growing_wait(failures: int, *, first: timedelta, longest: timedelta) -> timedelta:
    """Return how long to wait after *failures* in a row, from 1: *first*, twice as long each time, *longest* at most."""
    return min(longest, first * (1 << min(failures - 1, 30)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failed:
    times: int
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """When each of several things is tried again, by name. Only one thread at a time uses it."""

    first: timedelta
    longest: timedelta
    _failed: dict[str, _Failed] = field(default_factory=dict, init=False)

    def waiting(self, now: datetime) -> frozenset[str]:
        """Return the names of what is not to be tried again yet; at the end of its wait a thing is no more among them."""
        return frozenset(name for name, failed in self._failed.items() if now < failed.until)

    def after_failure(self, name: str, *, now: datetime, at_least: timedelta = timedelta(0)) -> None:
        """Have *name* wait now that it failed once more; *at_least* is what somebody else asks for."""
        times = 1 + (self._failed[name].times if name in self._failed else 0)
        wait = max(growing_wait(times, first=self.first, longest=self.longest), at_least)
        self._failed[name] = _Failed(times=times, until=now + wait)

    def after_success(self, name: str) -> None:
        """Forget how often *name* failed."""
        self._failed.pop(name, None)
