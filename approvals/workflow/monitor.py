"""Monitors: what does not get through. Where its deliveries are refused, alarms stop without a sound, so people hear of it.

One row stands for what one monitor was refused within an hour, which is how often people are told at most. A monitor is told
apart by its environment and its name: a second token of it buys no second post.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from approvals.identity.names import Channel
from approvals.identity.tokens import Token

HOUR: Final = timedelta(hours=1)
"""How long one row stands for what is refused: people are told once in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedDeliveries:
    """What one monitor was refused within an hour of the first."""

    id: str
    environment: str
    monitor: str
    channel: Channel
    """Where people are told; empty where they are not: whoever shows a token that is over may not post, and is counted only."""
    follows: str
    """The id of the row before it, of the same monitor and channel; empty for the first. So two writers cannot both begin one."""
    token: str
    """The id of the token of the first."""
    codes: Mapping[str, int]
    """How many, by the code of the refusal."""
    since: datetime
    last_at: datetime
    revision: int = 1

    @property
    def count(self) -> int:
        """How many were refused in all."""
        return sum(self.codes.values())

    def is_open(self, *, now: datetime) -> bool:
        """Tell whether what is refused now belongs to it: until an hour after the first, that instant excluded."""
        return now < self.since + HOUR


def refused(
    last: RefusedDeliveries | None, *, new_id: str, token: Token, channel: Channel, code: str, now: datetime
) -> RefusedDeliveries:
    """Return the row that stands for one more refused delivery.

    Args:
        last: The latest row of the same monitor and channel.
        new_id: The id of a new one.
        token: A monitor's, good or not.
        channel: Where people are told, or empty.
        code: Why.
        now: The unit's instant.
    """
    if last is not None and last.is_open(now=now):
        codes = {**last.codes, code: last.codes.get(code, 0) + 1}
        return replace(last, codes=dict(sorted(codes.items())), last_at=now, revision=last.revision + 1)
    (environment,) = token.environments
    return RefusedDeliveries(
        id=new_id,
        environment=environment,
        monitor=token.holder,
        channel=channel,
        follows="" if last is None else last.id,
        token=token.id,
        codes={code: 1},
        since=now,
        last_at=now,
    )


def is_news(row: RefusedDeliveries) -> bool:
    """Tell whether people are shown the new number: at 1, 2, 4, 8 and so on, since a card is drawn as often as it changes."""
    return row.count & (row.count - 1) == 0
