"""Unseen: says that a question stands nowhere while its deadline runs. Its silence would deny what nobody could have answered.

The scheduler ticks it. Log, metric and ``countersign status`` tell the operator; the agent sees it at its escalation.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import structlog

from models.outbox.cards import Cards

log = structlog.get_logger(__name__)

TOLD_AT_ONCE: Final = 50
"""How many questions are named in the log at once; all of them are counted."""


@dataclass(kw_only=True)
class WatchUnseen:
    """The tick."""

    cards: Cards
    count: Callable[[int], None]
    """Is told how many there are."""
    _told: frozenset[str] = field(default=frozenset(), init=False)

    def __call__(self) -> None:
        """Count the questions that nobody can see, and name each of them in the log once."""
        self.count(self.cards.backlog().unseen)
        unseen = self.cards.unseen(limit=TOLD_AT_ONCE)
        for one in unseen:
            if one.subject not in self._told:
                log.error(
                    "question.unseen",
                    subject=one.subject,
                    channel=one.channel,
                    deadline=one.deadline.isoformat(),
                    failed_tries=one.failures,
                )
        self._told = frozenset(one.subject for one in unseen)
