"""The audit book: the record as a reader meets it: sealed events in order, the unsealed tail, one stream's story.

Everything is read in batches by the key it is ordered by, so a reader of a million events holds a few thousand of them. What
is judged of it is :mod:`approvals.audit.events`; how it is sealed is :mod:`models.audit.sealer`.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, LargeBinary, and_, bindparam, cast, exists, func, select

from approvals.audit.events import ITSELF, Beside, Sealed, facts_of_body
from approvals.facts import instant_of
from approvals.presentation.digest import UNREADABLE, Head, Record
from models.engine.columns import NUMBER, TEXT
from models.engine.database import Database
from models.store.tables import events, seals, untrusted_texts

BATCH: Final = 2000
"""How many records are held at once."""

OUT_OF_ORDER: Final = timedelta(minutes=1)
"""How far the instants of neighbours in the chain can disagree: longer than any transaction of ours may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEvent:
    """One event of one stream, with what stands beside it."""

    record: Record
    number: int | None
    """Its seal's number; None while it is not sealed."""
    body: bytes
    texts: Mapping[str, str]
    """The free texts that were not erased, by name."""
    altered: tuple[str, ...] = ()
    """The names of those that are not what was written, and are left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tail:
    """The events that are written and not yet sealed."""

    events: int
    streams: tuple[str, ...]


_SAME: Final = and_(seals.c.stream == events.c.stream, seals.c.sequence == events.c.sequence)
# SQLite keeps a text where somebody put one in place of the bytes. Cast, it is a record to be named, not a fault to fall over.
_BODY: Final = cast(events.c.body, LargeBinary).label("body")
_SEALED: Final = (
    select(seals.c.number, seals.c.stream, seals.c.sequence, _BODY, events.c.hash, seals.c.chain)
    .join(events, _SAME)
    .where(seals.c.number > bindparam("after", type_=NUMBER), seals.c.number <= bindparam("through", type_=NUMBER))
    .order_by(seals.c.number)
    .limit(BATCH)
)
_HEAD: Final = select(seals.c.number, seals.c.chain).order_by(seals.c.number.desc()).limit(1)
_UNSEALED: Final = (
    select(events.c.stream, func.count().label("events"))
    .where(~exists().where(_SAME))
    .group_by(events.c.stream)
    .order_by(events.c.stream)
)
_STORY: Final = (
    select(events.c.sequence, _BODY, seals.c.number)
    .outerjoin(seals, _SAME)
    .where(events.c.stream == bindparam("stream", type_=TEXT))
    .order_by(events.c.sequence)
)
_BESIDE: Final = (
    untrusted_texts.c.name,
    func.coalesce(untrusted_texts.c.salt, "").label("salt"),
    untrusted_texts.c.text,
)
_TEXTS: Final = (
    select(untrusted_texts.c.sequence.label("place"), *_BESIDE)
    .where(untrusted_texts.c.stream == bindparam("stream", type_=TEXT), untrusted_texts.c.text.is_not(None))
    .order_by(untrusted_texts.c.sequence, untrusted_texts.c.name)
)
_TEXTS_SEALED: Final = (
    select(seals.c.number.label("place"), *_BESIDE)
    .join(
        untrusted_texts,
        and_(seals.c.stream == untrusted_texts.c.stream, seals.c.sequence == untrusted_texts.c.sequence),
    )
    .where(
        seals.c.number > bindparam("after", type_=NUMBER),
        seals.c.number <= bindparam("through", type_=NUMBER),
        untrusted_texts.c.text.is_not(None),
    )
    .order_by(seals.c.number, untrusted_texts.c.name)
)


class AuditBook:
    """The record, to be read."""

    def __init__(self, database: Database) -> None:
        """Keep the database whose rows these are."""
        self._database = database

    def head(self) -> Head | None:
        """Return where the chain stands; None before the first seal."""
        with self._database.reading() as connection:
            return _head(connection)

    def sealed(self, *, after: int = 0, through: int | None = None) -> Iterator[Sealed]:
        """Return the sealed events with numbers above *after*, up to *through*, in the order of the chain.

        What is sealed while the caller reads is left out: it ends at the head as of the first record, unless *through*
        says otherwise.
        """
        last = through if through is not None else self._last()
        while batch := self._batch(after, last):
            yield from batch
            after = batch[-1].number

    def records(self, *, since: datetime | None = None, through: int | None = None) -> Iterator[Record]:
        """Return the sealed events from about *since* on, in the order of the chain: none that is later is missing.

        One that cannot be read is :data:`approvals.presentation.digest.UNREADABLE`, as of the one before it: ``audit verify``
        names it.
        """
        after = 0 if since is None else self._before(since - OUT_OF_ORDER)
        at = since or datetime.min.replace(tzinfo=UTC)
        for one in self.sealed(after=after, through=through):
            record = _record_or_none(one.body)
            if record is None:
                record = Record(stream=one.stream, sequence=one.sequence, kind=UNREADABLE, actor=ITSELF, at=at, data={})
            at = record.at
            yield record

    def tail(self) -> Tail:
        """Return what is written and not yet sealed."""
        with self._database.reading() as connection:
            rows = connection.execute(_UNSEALED).all()
        return Tail(events=sum(row.events for row in rows), streams=tuple(row.stream for row in rows))

    def story(self, stream: str) -> tuple[StoredEvent, ...]:
        """Return every event of one stream, sealed or not, in order."""
        with self._database.reading() as connection:
            rows = connection.execute(_STORY, {"stream": stream}).all()
            beside = _beside(connection.execute(_TEXTS, {"stream": stream}))
        return tuple(_told(row, beside[row.sequence]) for row in rows)

    def _last(self) -> int:
        head = self.head()
        return 0 if head is None else head.number

    def _batch(self, after: int, through: int) -> list[Sealed]:
        with self._database.reading() as connection:
            rows = connection.execute(_SEALED, {"after": after, "through": through}).all()
            places = {"after": after, "through": rows[-1].number if rows else after}
            beside = _beside(connection.execute(_TEXTS_SEALED, places))
        none: tuple[Beside, ...] = ()
        return [
            Sealed(
                number=number,
                stream=stream,
                sequence=sequence,
                body=bytes(body),
                hashed=hashed,
                chain=chain,
                beside=beside.get(number, none),
            )
            for number, stream, sequence, body, hashed, chain in rows
        ]

    def _before(self, at: datetime) -> int:
        """Return a number before which everything is earlier than *at*, by halving: instants rise along the chain."""
        low, high = 0, self._last()
        while low < high:
            middle = (low + high + 1) // 2
            (found,) = self._batch(middle - 1, middle)
            record = _record_or_none(found.body)
            if record is not None and record.at < at:
                low = middle
            else:
                high = middle - 1
        return low


def _record_or_none(body: bytes) -> Record | None:
    """Return the event whose stored bytes these are, or None where they are none."""
    try:
        return record_of(body)
    except (ValueError, TypeError, KeyError):
        return None


def record_of(body: bytes) -> Record:
    """Return the event whose stored bytes these are."""
    facts: Any = facts_of_body(body)
    return Record(
        stream=facts["stream"],
        sequence=facts["sequence"],
        kind=facts["kind"],
        actor=facts["actor"],
        at=instant_of(facts["at"]),
        data=facts["data"],
    )


def _head(connection: Connection) -> Head | None:
    row = connection.execute(_HEAD).one_or_none()
    return None if row is None else Head(number=row.number, chain=row.chain)


def _beside(rows: Iterable[Any]) -> Mapping[int, tuple[Beside, ...]]:
    """Return the texts by place; what somebody put there that is no text is not what was written either."""
    found: dict[int, tuple[Beside, ...]] = defaultdict(tuple)
    for row in rows:
        found[row.place] += (Beside(name=row.name, salt=str(row.salt), text=str(row.text)),)
    return found


def _told(row: Any, beside: tuple[Beside, ...]) -> StoredEvent:
    body = bytes(row.body)
    facts = facts_of_body(body)
    return StoredEvent(
        record=record_of(body),
        number=row.number,
        body=body,
        texts={one.name: one.text for one in beside if one.is_as_written(facts)},
        altered=tuple(one.name for one in beside if not one.is_as_written(facts)),
    )
