"""Standstills: says in an environment's channel that nothing starts there, and later that changes start again.

Approvers would wonder why an approved change waits. Said once a reason, after it has lasted for a moment: a start's checks take
some seconds and are no news. What is said lives in memory: after a restart it is said again where it still holds.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, Generic, TypeVar

import structlog

from approvals.policy import Policy
from bot.clearances import Clearances
from bot.delivery import Pace, Poster, Undelivered

log = structlog.get_logger(__name__)

PATIENCE: Final = timedelta(seconds=45)
"""How long nothing may start before it is said."""

AGAIN: Final = timedelta(minutes=10)
"""How long it is waited after a post that did not go through."""

M = TypeVar("M")


class Standstills(Generic[M]):
    """Says it, a channel's pace permitting."""

    def __init__(
        self,
        clearances: Clearances,
        poster: Poster[M],
        *,
        policy: Callable[[], Policy],
        draw: Callable[[str, str | None], M],
        now: Callable[[], datetime],
    ) -> None:
        """Begin with nothing said.

        Args:
            clearances: Who holds what.
            poster: Of messages.
            policy: The one in force.
            draw: Draws why nothing starts in an environment or, with None, that changes start again.
            now: The aware instant.
        """
        self._clearances = clearances
        self._poster = poster
        self._policy = policy
        self._draw = draw
        self._now = now
        self._said: dict[str, str] = {}
        self._not_before: dict[str, datetime] = {}

    def __call__(self) -> None:
        """Say what has changed."""
        for name, environment in self._policy().environments.items():
            holds = self._clearances.holds(name)
            now = self._now()
            if holds and now - holds[0].since >= PATIENCE and self._said.get(name) != holds[0].obstacle.code:
                if self._say(environment.channel, name, holds[0].obstacle.sentence, now):
                    self._said[name] = holds[0].obstacle.code
            elif not holds and name in self._said and self._say(environment.channel, name, None, now):
                del self._said[name]

    def _say(self, channel: str, environment: str, why: str | None, now: datetime) -> bool:
        if now < self._not_before.get(environment, now) or not self._poster.may_post(channel, Pace.INFORMATION):
            return False
        try:
            self._poster.post(channel, self._draw(environment, why), pace=Pace.INFORMATION)
        except Undelivered as error:
            log.warning("standstill.not_said", environment=environment, why=error.reason)
            self._not_before[environment] = now + AGAIN
            return False
        return True
