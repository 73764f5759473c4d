"""Digests: which weekly digests were posted, over which part of the chain, so that each goes out once.

At most one is recorded for a week and channel. One that was begun and never finished may stand in the channel: its
successor is told so, and can name what it replaces.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, select, update

from approvals.audit.events import DELIVERY_STREAM, ITSELF, AuditEvent, EventKind
from approvals.canonical import Value
from approvals.errors import Settled
from approvals.identity.names import Channel
from approvals.presentation.digest import Head
from models.engine.columns import TEXT
from models.engine.statements import insert_unless_taken
from models.store.store import SqlStore
from models.store.tables import digests
from models.store.unit_of_work import SqlUnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A digest that is about to be posted."""

    week: str
    """ISO week, such as ``2026-W47``."""
    channel: Channel
    first: int
    """The first number of the chain that the channel's digest before it did not reach."""
    head: Head
    interrupted_at: datetime | None = None
    """When an earlier try was begun whose outcome was never written; it may stand in the channel."""


_KEYS: Final = (
    digests.c.week == bindparam("the_week", type_=TEXT),
    digests.c.channel == bindparam("the_channel", type_=TEXT),
)
_NEW: Final = insert_unless_taken(digests)
_ONE: Final = select(digests).where(*_KEYS).with_for_update()
_POSTED: Final = select(digests.c.posted_at).where(*_KEYS, digests.c.posted_at.is_not(None))
_CHANGE: Final = update(digests).where(*_KEYS)
_REACHED: Final = (
    select(digests.c.last)
    .where(digests.c.channel == bindparam("the_channel", type_=TEXT), digests.c.posted_at.is_not(None))
    .order_by(digests.c.last.desc())
    .limit(1)
)


class Digests:
    """The record of posted digests."""

    def __init__(self, store: SqlStore) -> None:
        """Keep the store whose rows these are."""
        self._store = store

    def was_posted(self, *, week: str, channel: Channel) -> bool:
        """Tell whether *week*'s digest stands in *channel*."""
        with self._store.reading() as reading:
            found = reading.connection.execute(_POSTED, {"the_week": week, "the_channel": channel}).scalar_one_or_none()
        return found is not None

    def begin(self, *, week: str, channel: Channel, head: Head) -> Begun:
        """Write down that *week*'s digest is about to be posted, up to *head*; committed before the call that posts it.

        Raises:
            Settled: It was posted already.
        """
        with self._store.writing() as uow:
            reached = uow.connection.execute(_REACHED, {"the_channel": channel}).scalar_one_or_none()
            begun = Begun(week=week, channel=channel, first=(reached or 0) + 1, head=head)
            row = {"week": week, "channel": channel, **_range(begun), "begun_at": uow.now}
            if uow.connection.execute(_NEW, row).rowcount == 0:
                begun = _begin_again(uow, begun)
            facts: dict[str, Value] = {
                "subject": f"digest:{week}",
                "channel": channel,
                "replaces": begun.interrupted_at is not None,
            }
            uow.record(_told(uow, EventKind.CARD_POSTING, facts | _range(begun)))
        return begun

    def posted(self, begun: Begun, ts: str) -> None:
        """Write down that the digest now stands in its channel as *ts*."""
        with self._store.writing() as uow:
            uow.connection.execute(_CHANGE, _keys(begun) | {"posted_at": uow.now, "ts": ts})
            facts: dict[str, Value] = {"week": begun.week, "channel": begun.channel, "head": begun.head.chain, "ts": ts}
            uow.record(_told(uow, EventKind.DIGEST_POSTED, facts | _range(begun)))


def _begin_again(uow: SqlUnitOfWork, begun: Begun) -> Begun:
    found = uow.connection.execute(_ONE, _keys(begun)).one()
    if found.posted_at is not None:
        raise Settled("This week's digest was posted already.", code="digest_posted")
    uow.connection.execute(_CHANGE, _keys(begun) | _range(begun) | {"begun_at": uow.now})
    return replace(begun, interrupted_at=found.begun_at)


def _keys(begun: Begun) -> dict[str, Value]:
    return {"the_week": begun.week, "the_channel": begun.channel}


def _range(begun: Begun) -> dict[str, Value]:
    return {"first": begun.first, "last": begun.head.number}


def _told(uow: SqlUnitOfWork, kind: EventKind, facts: Mapping[str, Value]) -> AuditEvent:
    return AuditEvent(kind=kind, stream=DELIVERY_STREAM, actor=ITSELF, at=uow.now, data=facts)
