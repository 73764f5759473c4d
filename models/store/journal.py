"""Journal: one unit of work's events, written as its last statements before the commit.

Each event takes the next place in its stream. The place comes from the stream's own row, raised in one statement, streams
in the order of their names: so writers of one stream queue for no longer than a commit takes, never lock crosswise, and no
place is ever skipped. (Taking the highest place plus one was measured to abort 1,375 of 1,600 appends by 16 writers.) The
bytes that are hashed are the bytes that are stored. Free texts go beside them, each with a salt of its own, and only their
hashes into the bytes.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Dialect, Insert, bindparam, cast, func, insert, select, text, union_all

from approvals.audit.events import AuditEvent, EventKind, body_hash, body_of, private_hash
from models.engine.columns import NUMBER, TEXT
from models.engine.prepared import MOST_ROWS, Asked, Prepared, PreparedRows, QueryResult, insert_of, numbered, rows_into
from models.store.tables import cards, events, streams, thread_lines, untrusted_texts

NewSalt = Callable[[], str]
"""Returns a fresh salt of at least 128 random bits, as text."""

Rows = Sequence[Mapping[str, Any]]

_PLACES: Final = Prepared(
    text(
        "INSERT INTO streams (name, last) VALUES (:name, :count)"
        " ON CONFLICT (name) DO UPDATE SET last = streams.last + excluded.last RETURNING last"
    ).bindparams(bindparam("name", type_=TEXT), bindparam("count", type_=NUMBER)),
    columns=[streams.c.last],
)

_EVENT: Final = ("stream", "sequence", "body", "hash")
_TEXT: Final = tuple(untrusted_texts.c.keys())
_EVENTS: Final = insert_of(events, *_EVENT)

_TEXTS: Final = insert_of(untrusted_texts, *_TEXT)


def _events_on_postgresql(count: int, *, prefix: str = "") -> Insert:
    # The transaction's own number, so that the sealer can tell which transactions may still commit (models/audit/sealer.py).
    written_in = cast(cast(func.pg_current_xact_id(), TEXT), NUMBER)
    return rows_into(events, _EVENT, count=count, prefix=prefix, written_in=written_in)


_EVENTS_ON_POSTGRESQL: Final = PreparedRows(_events_on_postgresql)


def _lines(count: int) -> Insert:
    """Return the insert of the delivery rows of that many events: one for each channel in which the subject has a card."""
    lines = (
        select(
            bindparam(f"stream_{place}", type_=TEXT),
            bindparam(f"sequence_{place}", type_=NUMBER),
            cards.c.channel,
            cards.c.subject,
        ).where(cards.c.subject == bindparam(f"subject_{place}", type_=TEXT))
        for place in range(count)
    )
    return insert(thread_lines).from_select(["stream", "sequence", "channel", "subject"], union_all(*lines))


_LINES: Final = PreparedRows(_lines)

_EVENT_OF: Final = "event_"
_TEXT_OF: Final = "text_"


@lru_cache(256)
def _whole(told: int, said: int, lines: int) -> Prepared:
    """Return the insert of so many events, texts and delivery rows at once.

    PostgreSQL takes them in one trip, and checks at its end that what refers to an event found it. SQLite has no such
    statement, and no trips.
    """
    parts = [_events_on_postgresql(told, prefix=_EVENT_OF).cte("told")]
    if said:
        parts.append(rows_into(untrusted_texts, _TEXT, count=said, prefix=_TEXT_OF).cte("said"))
    return Prepared(_lines(lines).add_cte(*parts))


_UNTOLD: Final = frozenset(
    {
        EventKind.REQUEST_ASKED_AGAIN,
        EventKind.EXECUTION_CLAIMED,
        EventKind.EXECUTION_SENDING,
        EventKind.EXECUTION_RETRIED,
        EventKind.EXECUTION_STILL_UNKNOWN,
        EventKind.ALERT_FIRING,
        EventKind.ALERT_RESOLVED,
        EventKind.ALERT_GROUP_CHANGED,
    }
)
_TOLD: Final = ("request.", "answer.", "execution.", "pause.", "alert.")


def is_told(kind: EventKind) -> bool:
    """Tell whether an event belongs in the readable thread under a card; housekeeping does not."""
    return kind not in _UNTOLD and kind.value.startswith(_TOLD)


def subject_of(event: AuditEvent) -> str:
    """Return what an event is about: the id of a request, a pause, an alert or a group of them; else its stream's name."""
    kind, _, name = event.stream.partition(":")
    if kind == "request":
        return name
    for noun in ("pause", "alert", "group"):
        facts = event.data.get(noun)
        if isinstance(facts, Mapping):
            return str(facts["id"])
    return str(event.data.get("pause_id", event.stream))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Placed:
    """An event at its place, as it is stored."""

    event: AuditEvent
    sequence: int
    body: bytes
    salts: Mapping[str, str]


class Journal:
    """The events of one unit of work, in the order in which they were told."""

    def __init__(self, new_salt: NewSalt) -> None:
        """Keep where salts come from."""
        self._new_salt = new_salt
        self._events: list[AuditEvent] = []

    def add(self, told: Iterable[AuditEvent]) -> None:
        """Take events down, to be written by what :meth:`taken` returns."""
        self._events.extend(told)

    def places(self) -> list[Asked]:
        """Return what takes the places for everything taken down: each stream's row once, in the order of their names.

        Only what the answers tell may come after it, and the commit: from here on nobody else writes to these streams.
        """
        counts = Counter(event.stream for event in self._events)
        return [(_PLACES, {"name": stream, "count": counts[stream]}) for stream in sorted(counts)]

    def taken(self, dialect: Dialect, places: Sequence[QueryResult]) -> list[Asked]:
        """Return what writes everything taken down, which is forgotten; *places* is what :meth:`places` was answered.

        Only the commit comes after it.
        """
        told, self._events = self._events, []
        placed = [self._at_place(event, sequence) for event, sequence in _placed(told, places)]
        return _writes(
            dialect,
            told=[_event_row(one) for one in placed],
            said=[row for one in placed for row in _text_rows(one)],
            lines=[_line(one) for one in placed if is_told(one.event.kind)],
        )

    def _at_place(self, event: AuditEvent, sequence: int) -> _Placed:
        salts = {name: self._new_salt() for name in event.private}
        hashes = {name: private_hash(salts[name], private) for name, private in event.private.items()}
        body = body_of(event, sequence=sequence, private=hashes)
        return _Placed(event=event, sequence=sequence, body=body, salts=salts)


def _writes(dialect: Dialect, *, told: Rows, said: Rows, lines: Rows) -> list[Asked]:
    sqlite = dialect.name == "sqlite"
    if sqlite or not lines or max(len(told), len(said), len(lines)) > MOST_ROWS:
        events_told = (_EVENTS if sqlite else _EVENTS_ON_POSTGRESQL).of(told)
        return [*events_told, *_TEXTS.of(said), *_LINES.of(lines)]
    values = numbered(told, prefix=_EVENT_OF) | numbered(said, prefix=_TEXT_OF) | numbered(lines)
    return [(_whole(len(told), len(said), len(lines)), values)]


def _placed(told: list[AuditEvent], places: Sequence[QueryResult]) -> list[tuple[AuditEvent, int]]:
    """Return each event with its place, in the order told."""
    counts = Counter(event.stream for event in told)
    before = {}
    for stream, answer in zip(sorted(counts), places, strict=True):
        ((last,),) = answer.rows
        before[stream] = last - counts[stream]
    placed = []
    for event in told:
        before[event.stream] += 1
        placed.append((event, before[event.stream]))
    return placed


def _event_row(one: _Placed) -> dict[str, Any]:
    return {"stream": one.event.stream, "sequence": one.sequence, "body": one.body, "hash": body_hash(one.body)}


def _text_rows(one: _Placed) -> list[dict[str, Any]]:
    place = {"stream": one.event.stream, "sequence": one.sequence, "subject": subject_of(one.event)}
    return [
        place | {"name": name, "salt": one.salts[name], "text": private} for name, private in one.event.private.items()
    ]


def _line(one: _Placed) -> dict[str, Any]:
    return {"stream": one.event.stream, "sequence": one.sequence, "subject": subject_of(one.event)}
