"""Ids, tokens and message timestamps as Slack makes them: opaque, unique, and different in every run."""

import secrets
from collections.abc import Callable


def opaque(prefix: str = "", *, size: int = 10) -> str:
    """Return *prefix* and 2 * *size* random hexadecimal digits, upper case."""
    return prefix + secrets.token_hex(size).upper()


def secret(prefix: str = "") -> str:
    """Return *prefix* and 32 random bytes in hexadecimal."""
    return prefix + secrets.token_hex(32)


class Timestamps:
    """Gives each message a ``ts``: seconds, a dot, six digits; never twice, never going back.

    Slack promises that a ts is unique in its channel; here it is unique in the
    workspace. A clock that stands still (a frozen test) still gives new ones.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._last = 0

    def next(self) -> str:
        """Return a ts later than every one before."""
        self._last = max(self._last + 1, int(self._now() * 1_000_000))
        return f"{self._last // 1_000_000}.{self._last % 1_000_000:06d}"
