"""Thread lines: the readable trail under each card, one line an event, in order.

Edge-triggered: an event inserts its own delivery rows in its own transaction (:mod:`models.store.journal`), so none is lost
whatever
order transactions commit in. A line waits until its card stands; where Slack refuses one for now, its whole thread
waits, so that the story is never told out of order.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import and_, bindparam, case, func, or_, select, tuple_, update

from approvals.identity.names import Channel
from models.engine.columns import INSTANT, NUMBER, TEXT
from models.outbox.tasks import backoff
from models.store.store import SqlStore
from models.store.tables import Precedence, cards, events, thread_lines, untrusted_texts


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One event that is to be told under one card."""

    stream: str
    sequence: int
    subject: str
    channel: Channel
    """``TEAM:CHANNEL``."""
    thread_ts: str
    """The message under which it belongs."""
    body: bytes
    """The event's stored bytes."""
    texts: Mapping[str, str]
    """The free texts that stand beside it, by name: people's and agents' words, to be shown as such."""
    closed: bool
    """Whether its subject has its outcome."""
    informs: bool
    """Whether it is about what asks nobody anything."""
    failures: int
    """How many tries to tell something in its thread have failed since one did not."""


_OF_CARD: Final = and_(thread_lines.c.subject == cards.c.subject, thread_lines.c.channel == cards.c.channel)
_OF_EVENT: Final = and_(thread_lines.c.stream == events.c.stream, thread_lines.c.sequence == events.c.sequence)
_INFORMS: Final = case((cards.c.precedence == Precedence.INFORMATION.value, 1), else_=0)
_PLACED: Final = (
    select(
        thread_lines.c.stream,
        thread_lines.c.sequence,
        thread_lines.c.subject,
        thread_lines.c.channel,
        cards.c.thread_ts,
        cards.c.closed,
        cards.c.thread_failures,
        _INFORMS.label("informs"),
        events.c.id,
        func.row_number().over(partition_by=thread_lines.c.channel, order_by=(_INFORMS, events.c.id)).label("place"),
    )
    .join(cards, _OF_CARD)
    .join(events, _OF_EVENT)
    .where(
        thread_lines.c.done_at.is_(None),
        cards.c.thread_ts.is_not(None),
        or_(cards.c.thread_retry_at.is_(None), cards.c.thread_retry_at <= bindparam("now", type_=INSTANT)),
    )
    .subquery()
)
_LINES: Final = (
    select(_PLACED, events.c.body)
    .join(events, events.c.id == _PLACED.c.id)
    .where(_PLACED.c.place <= bindparam("limit", type_=NUMBER))
    .order_by(_PLACED.c.informs, _PLACED.c.id)
)
_TEXTS: Final = select(
    untrusted_texts.c.stream, untrusted_texts.c.sequence, untrusted_texts.c.name, untrusted_texts.c.text
).where(
    tuple_(untrusted_texts.c.stream, untrusted_texts.c.sequence).in_(bindparam("places", expanding=True)),
    untrusted_texts.c.text.is_not(None),
)
_DONE: Final = update(thread_lines).where(
    thread_lines.c.stream == bindparam("the_stream", type_=TEXT),
    thread_lines.c.sequence == bindparam("the_sequence", type_=NUMBER),
    thread_lines.c.channel == bindparam("the_channel", type_=TEXT),
)
_SETTLE: Final = update(thread_lines).where(
    thread_lines.c.subject == bindparam("the_subject", type_=TEXT),
    thread_lines.c.channel == bindparam("the_channel", type_=TEXT),
    thread_lines.c.done_at.is_(None),
)
_THREAD: Final = update(cards).where(
    cards.c.subject == bindparam("the_subject", type_=TEXT), cards.c.channel == bindparam("the_channel", type_=TEXT)
)
_FAILURES: Final = (
    select(cards.c.thread_failures)
    .where(
        cards.c.subject == bindparam("the_subject", type_=TEXT), cards.c.channel == bindparam("the_channel", type_=TEXT)
    )
    .with_for_update()
)
_WAITING: Final = select(func.count()).where(thread_lines.c.done_at.is_(None))


class ThreadLines:
    """The lines that are still to be told, as the relay asks for and reports them."""

    def __init__(self, store: SqlStore) -> None:
        """Keep the store whose rows these are."""
        self._store = store

    def waiting(self, *, limit: int) -> tuple[Line, ...]:
        """Return what can be told now, at most *limit* lines of each channel: oldest first, what only informs after the rest.

        Each thread's lines are in order.

        Channels are counted apart because each has a pace of its own: a busy one would otherwise keep the others silent.
        """
        with self._store.reading() as reading:
            rows = reading.connection.execute(_LINES, {"now": reading.now, "limit": limit}).all()
            texts = _texts_of(reading.connection, sorted({(row.stream, row.sequence) for row in rows}))
        return tuple(_line(row, texts[row.stream, row.sequence]) for row in rows)

    def posted(self, line: Line, ts: str) -> None:
        """Write down that *line* now stands in its thread as *ts*."""
        with self._store.writing() as uow:
            uow.connection.execute(_DONE, _place(line) | {"done_at": uow.now, "ts": ts})
            uow.connection.execute(_THREAD, _card(line) | {"thread_failures": 0, "thread_retry_at": None})

    def failed(self, line: Line, *, permanent: bool, wait: timedelta | None = None) -> None:
        """Write down that *line* could not be told: given up where *permanent*, else its thread waits for a while.

        Args:
            line: What was tried.
            permanent: Whether trying again is no use.
            wait: How long Slack asked us to wait; else twice as long as the last time, five minutes at most.
        """
        with self._store.writing() as uow:
            if permanent:
                uow.connection.execute(_DONE, _place(line) | {"done_at": uow.now})
                return
            failures = uow.connection.execute(_FAILURES, _card(line)).scalar_one()
            changes = {
                "thread_failures": failures + 1,
                "thread_retry_at": uow.now + (backoff(failures) if wait is None else wait),
            }
            uow.connection.execute(_THREAD, _card(line) | changes)

    def settle(self, subject: str, channel: Channel) -> None:
        """Write down that nothing more is told under a card: its last copy was taken away after its subject had its outcome."""
        with self._store.writing() as uow:
            uow.connection.execute(_SETTLE, {"the_subject": subject, "the_channel": channel, "done_at": uow.now})

    def count(self) -> int:
        """Return how many lines are still to be told."""
        with self._store.reading() as reading:
            return int(reading.connection.execute(_WAITING).scalar_one())


def _texts_of(connection: Any, places: Sequence[tuple[str, int]]) -> Mapping[tuple[str, int], dict[str, str]]:
    texts: dict[tuple[str, int], dict[str, str]] = defaultdict(dict)
    if places:
        for row in connection.execute(_TEXTS, {"places": places}):
            texts[row.stream, row.sequence][row.name] = row.text
    return texts


def _line(row: Any, texts: Mapping[str, str]) -> Line:
    return Line(
        stream=row.stream,
        sequence=row.sequence,
        subject=row.subject,
        channel=row.channel,
        thread_ts=row.thread_ts,
        body=bytes(row.body),
        texts=texts,
        closed=bool(row.closed),
        informs=bool(row.informs),
        failures=row.thread_failures,
    )


def _place(line: Line) -> dict[str, Any]:
    return {"the_stream": line.stream, "the_sequence": line.sequence, "the_channel": line.channel}


def _card(line: Line) -> dict[str, Any]:
    return {"the_subject": line.subject, "the_channel": line.channel}
