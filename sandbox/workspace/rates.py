"""Slack's rates: how many calls fit, and how long a caller who was turned away must wait."""

import math
from collections.abc import Callable, Hashable
from dataclasses import dataclass

_KEYS_MOST = 10_000


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float


class Rates:
    """Token buckets, one for each key; a key is a method, or a method in a channel."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._buckets: dict[Hashable, _Bucket] = {}

    def wait_for(self, key: Hashable, *, per_second: float, burst: int) -> int:
        """Take one call and return 0, or take none and return the whole seconds to wait, at least 1."""
        now = self._now()
        bucket = self._buckets.setdefault(key, _Bucket(tokens=float(burst), filled_at=now))
        bucket.tokens = min(float(burst), bucket.tokens + max(0.0, now - bucket.filled_at) * per_second)
        bucket.filled_at = now
        if bucket.tokens >= 1.0:
            bucket.tokens -= 1.0
            self._forget_oldest()
            return 0
        return max(1, math.ceil((1.0 - bucket.tokens) / per_second))

    def _forget_oldest(self) -> None:
        # Keys come from callers (channels), so a caller must not be able to grow this for ever.
        while len(self._buckets) > _KEYS_MOST:
            del self._buckets[next(iter(self._buckets))]
