"""Orphans: messages that were sent while the lease went to another process. Whoever sent one sees that it comes right.

A process may be stopped between its last look at the lease and its call to the workspace. What it sends when it wakes up may
stand in the channel after what the new leader has sent. It writes nothing that only the leader may: like any process that meets
an unknown copy, it takes the copy in, or has the card drawn once more. The leader draws it as it is then.
"""

from typing import Protocol

import structlog

from approvals.errors import Refused
from approvals.identity.names import Channel

log = structlog.get_logger(__name__)


class OrphanCards(Protocol):
    """The state of cards, as any process may change it."""

    def adopt(self, subject: str, channel: Channel, ts: str) -> None:
        """Take in a copy."""
        ...

    def draw_again(self, subject: str, channel: Channel) -> None:
        """Have a card drawn once more."""
        ...


class Orphans:
    """What was sent too late."""

    def __init__(self, cards: OrphanCards) -> None:
        """Keep who is told, under no lease."""
        self._cards = cards

    def hand_over(self, subject: str, channel: Channel, ts: str | None) -> None:
        """Take in the copy *ts*, or, where it was an update, have its card drawn once more; what fails is logged.

        A copy that could not be taken in is adopted at its first click.
        """
        try:
            if ts is None:
                self._cards.draw_again(subject, channel)
            else:
                self._cards.adopt(subject, channel, ts)
        except Refused as error:
            log.warning("orphan.left", subject=subject, channel=channel, why=error.for_operators)
        else:
            log.warning("orphan.handed_over", subject=subject, channel=channel, posted=ts is not None)
