"""Rates: how often something may happen, by key, in bounded memory. No clock is read here.

Each key has a bucket of so many tokens that fills at a steady pace; a bucket is kept as one number, the instant at which it
will be full again, so a key that has not been seen for a while needs no memory at all.

Several replicas share what one may take: each gives out its part of the pace and of the burst, so that a caller who goes from one
to the next gets no more than from one alone.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

Clock = Callable[[], float]
"""Returns seconds that never run backwards."""

MOST_KEYS: Final = 4096
"""How many keys are told apart at once; about half a megabyte."""

_EVERYBODY_ELSE: Final = ""
"""The bucket of those for whom there is no room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """So many a second on the long run, and so many at once."""

    per_second: float
    burst: int

    @property
    def interval(self) -> float:
        """Seconds in which one token comes back."""
        return 1.0 / self.per_second

    def part(self, replicas: int) -> "Rate":
        """Return what one of so many *replicas* gives out; one at once at least, or nothing would ever pass there."""
        return Rate(per_second=self.per_second / replicas, burst=max(1, self.burst // replicas))


def _alone() -> int:
    """Return how many replicas share a rate where nobody says otherwise."""
    return 1


class Buckets:
    """One bucket a key.

    When there are too many keys, only full buckets are forgotten. Were the oldest dropped whatever its state, a guesser with
    many addresses could flush its own count; so whoever finds no room shares one bucket with all others that found none.
    """

    def __init__(
        self, rate: Rate, *, clock: Clock, most_keys: int = MOST_KEYS, replicas: Callable[[], int] = _alone
    ) -> None:
        """Begin with every bucket full.

        Args:
            rate: What all replicas give out together.
            clock: Tells the time.
            most_keys: How many keys are told apart at once.
            replicas: Returns how many replicas share the rate, this one included.
        """
        self._whole = rate
        self._replicas = replicas
        self._clock = clock
        self._most_keys = most_keys
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        """Return how many keys are remembered."""
        return len(self._full_at)

    def take(self, key: str) -> float:
        """Take one token of *key*; return 0, or in how many seconds there will be one, and then nothing was taken."""
        now, rate = self._clock(), self._rate
        kept = self._place_of(key, now)
        full_at = max(self._full_at.get(kept, now), now)
        missing = full_at - now - (rate.burst - 1) * rate.interval
        if missing > 0:
            return missing
        self._full_at[kept] = full_at + rate.interval
        self._full_at.move_to_end(kept)
        return 0.0

    def give_back(self, key: str) -> None:
        """Put back a token that was taken for nothing."""
        kept = key if key in self._full_at else _EVERYBODY_ELSE
        if kept in self._full_at:
            self._full_at[kept] -= self._rate.interval

    @property
    def _rate(self) -> Rate:
        return self._whole.part(self._replicas())

    def _place_of(self, key: str, now: float) -> str:
        if key in self._full_at or len(self._full_at) < self._most_keys:
            return key
        oldest = next(iter(self._full_at))
        if self._full_at[oldest] > now:
            return _EVERYBODY_ELSE
        del self._full_at[oldest]
        return key
