"""The clock that everything rests on: where it steps back, deadlines stand still until it has caught up, and that is said."""

from datetime import timedelta
from typing import Final

from approvals.usecases.people.expire import STEP_WORTH_TELLING, Expire
from bot.health.legs import LegKind, Legs

_DEADLINES: Final = "Time stands still for deadlines until it has caught up (docs/operations.md)."


class ClockWatch:
    """Remembers how far the clock is behind its latest instant, so that each step is written down once."""

    def __init__(self, expire: Expire, legs: Legs) -> None:
        """Keep who compares the clock with the store's latest instant, and where to say it."""
        self._expire = expire
        self._legs = legs
        self._behind = timedelta(0)

    def look(self) -> timedelta:
        """Compare, and return how far the clock is behind."""
        self._behind = self._expire.watch_clock(known=self._behind)
        return self._behind

    def tell(self) -> None:
        """Compare, and say whether the clock can be relied on."""
        behind = self.look()
        if behind > STEP_WORTH_TELLING:
            why = f"The clock is {round(behind.total_seconds())} seconds behind its latest instant. {_DEADLINES}"
            self._legs.failing(LegKind.CLOCK, code="stepped_back", why=why)
        else:
            self._legs.good(LegKind.CLOCK)
