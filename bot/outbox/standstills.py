"""Standstills: says in an environment's channel that nothing starts there, and later that changes start again.

Approvers would wonder why an approved change waits. Said once a reason, after it has lasted for a moment: a start's checks take
some seconds and are no news. What is said lives in memory: after a restart it is said again where it still holds. What is refused
comes again, with growing waits, and what Slack does not take for its shape goes out plainer; one environment costs no other.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, Generic, TypeVar

import structlog

from approvals.errors import is_outage
from approvals.identity.names import Channel
from approvals.policy.policy import Policy
from approvals.workflow.retries import Retries
from bot.health.clearances import Clearances
from bot.outbox.delivery import Detail, Pace, Poster, Undelivered, post_plainer

log = structlog.get_logger(__name__)

PATIENCE: Final = timedelta(seconds=45)
"""How long nothing may start before it is said."""

FIRST_WAIT: Final = timedelta(seconds=10)
LONGEST_WAIT: Final = timedelta(minutes=10)
"""How long it is waited after a post that did not go through: doubled each time."""

M = TypeVar("M")


class Standstills(Generic[M]):
    """Says it, a channel's pace permitting."""

    def __init__(
        self,
        clearances: Clearances,
        poster: Poster[M],
        *,
        policy: Callable[[], Policy],
        draw: Callable[[str, str | None, Detail], M],
        now: Callable[[], datetime],
        failed: Callable[[str], None],
    ) -> None:
        """Begin with nothing said.

        Args:
            clearances: Who holds what.
            poster: Of messages.
            policy: The one in force.
            draw: Draws why nothing starts in an environment or, with None, that changes start again, in how much detail.
            now: The aware instant.
            failed: Is told when something nobody foresaw comes of one.
        """
        self._clearances = clearances
        self._poster = poster
        self._policy = policy
        self._draw = draw
        self._now = now
        self._failed = failed
        self._said: dict[str, str] = {}
        self._again = Retries(first=FIRST_WAIT, longest=LONGEST_WAIT)

    def __call__(self) -> None:
        """Say what has changed."""
        for name, environment in self._policy().environments.items():
            try:
                self._look(name, environment.channel)
            except Exception as error:
                if is_outage(error):
                    raise
                # One environment's notice that cannot be made must not cost the others theirs; it is tried again.
                log.exception("standstill.failed", environment=name)
                self._failed("standstills")
                self._again.after_failure(name, now=self._now())

    def _look(self, name: str, channel: Channel) -> None:
        holds = self._clearances.holds(name)
        now = self._now()
        if holds and now - holds[0].since >= PATIENCE and self._said.get(name) != holds[0].obstacle.code:
            if self._say(channel, name, holds[0].obstacle.sentence, now):
                self._said[name] = holds[0].obstacle.code
        elif not holds and name in self._said and self._say(channel, name, None, now):
            del self._said[name]

    def _say(self, channel: Channel, environment: str, why: str | None, now: datetime) -> bool:
        if environment in self._again.waiting(now) or not self._poster.may_post(channel, Pace.INFORMATION):
            return False
        messages = (self._draw(environment, why, detail) for detail in (Detail.FULL, Detail.LINE))
        try:
            post_plainer(self._poster, channel, messages, pace=Pace.INFORMATION)
        except Undelivered as error:
            log.warning("standstill.not_said", environment=environment, why=error.reason)
            self._again.after_failure(environment, now=now, at_least=error.wait or timedelta(0))
            return False
        self._again.after_success(environment)
        return True
