"""The pulse: every few seconds the service writes that it lives and how its legs are, for whoever looks from another process.

Writing is a test, too: a store that can be read and not written takes nothing on, and this is where that is noticed first.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from approvals.errors import Unavailable
from bot.health.legs import Leg, LegKind, Legs
from models.store.heartbeats import Heartbeats

BEAT_SECONDS: Final = 5.0


class Pulse:
    """Writes the heartbeat of one service."""

    def __init__(self, legs: Legs, heartbeats: Heartbeats, *, now: Callable[[], datetime]) -> None:
        """Begin now, with nothing written."""
        self._legs = legs
        self._heartbeats = heartbeats
        self._now = now
        self._started_at = now()

    def beat(self) -> None:
        """Write that the service lives; a store that cannot be written is a leg that fails, and is no fault of the tick."""
        self._legs.review()
        legs = [_facts(leg) for leg in self._legs.all()]
        try:
            self._heartbeats.beat(started_at=self._started_at, now=self._now(), legs=legs)
        except Unavailable as error:
            self._legs.failing(LegKind.STORE, code=error.cause_code, why=error.for_operators)
        else:
            self._legs.good(LegKind.STORE)

    def stop(self) -> None:
        """Write that the service stops in good order, where the store lets it."""
        try:
            self._heartbeats.stop(self._now())
        except Unavailable as error:
            self._legs.failing(LegKind.STORE, code=error.cause_code, why=error.for_operators)


def _facts(leg: Leg) -> dict[str, str]:
    return {
        "part": leg.part.value,
        "of": leg.of,
        "state": leg.state.value,
        "code": leg.code,
        "why": leg.why,
        "since": leg.since.isoformat(),
    }
