"""Cards: which messages must be posted or drawn again, for the relay that does it.

A card is level-triggered: its row holds the revision that is wanted and the one that is shown, and whoever draws it draws its
subject as it is *now*. So an outage ends in one redraw, never in a replay of what is stale. Which are behind is asked of the
rows, never of a cursor over ids, which was measured to lose what commits late. A post is written down before and after, in a
stream of its own that causes no posts; one that was begun and never finished is shown as such, so that its
replacement can say what it is. The lines of the thread under a card are :mod:`models.thread_lines`.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import and_, bindparam, case, func, or_, select, update

from approvals.audit import DELIVERY_STREAM, ITSELF, AuditEvent, Kind
from approvals.canonical import Value
from approvals.errors import Missing
from approvals.ports import Lane
from models.columns import INSTANT, NUMBER, TEXT
from models.prepared import Prepared
from models.statements import insert_unless_taken
from models.store import SqlStore
from models.tables import Subject, cards, message_refs
from models.unit_of_work import SqlUnitOfWork

LONGEST_WAIT: Final = timedelta(minutes=5)
"""The longest pause between two tries to show one card."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One card that does not show its subject as it is."""

    subject: str
    kind: Subject
    channel: str
    """``TEAM:CHANNEL``."""
    wanted: int
    shown: int
    """0 where it was never shown."""
    closed: bool
    """Whether its subject has its outcome."""
    refs: tuple[str, ...]
    """The known copies, by Slack's ``ts``, oldest first; none where it has to be posted."""
    thread_ts: str | None
    """The copy whose thread is the readable trail."""
    interrupted: bool
    """Whether a post was begun and its outcome never written: it may stand in the channel, unknown to us."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """How much there is to be shown."""

    behind: int
    """Cards that do not show their subject as it is."""
    given_up: int
    """Those among them that Slack refuses for good, until something changes."""


_KEYS: Final = (
    cards.c.subject == bindparam("the_subject", type_=TEXT),
    cards.c.channel == bindparam("the_channel", type_=TEXT),
)
_BEHIND: Final = cards.c.shown < cards.c.wanted
_GIVEN_UP: Final = cards.c.refused_at >= cards.c.wanted
_POSTED: Final = cards.c.thread_ts.is_not(None)
_RANK: Final = case(
    (cards.c.kind == Subject.PAUSE.value, 0),
    (and_(cards.c.closed, _POSTED), 1),
    (cards.c.thread_ts.is_(None), 2),
    else_=3,
)
_QUEUE: Final = case((_POSTED, ""), else_=cards.c.channel)
"""What waits for the same pace: the posts of one channel, or the updates of the whole workspace."""
_RANKED: Final = (
    select(
        cards,
        _RANK.label("rank"),
        func.row_number().over(partition_by=_QUEUE, order_by=(_RANK, cards.c.subject, cards.c.channel)).label("place"),
    )
    .where(
        _BEHIND,
        or_(cards.c.retry_at.is_(None), cards.c.retry_at <= bindparam("now", type_=INSTANT)),
        or_(cards.c.refused_at.is_(None), cards.c.refused_at < cards.c.wanted),
    )
    .subquery()
)
TASKS: Final = (
    select(_RANKED)
    .where(_RANKED.c.place <= bindparam("limit", type_=NUMBER))
    .order_by(_RANKED.c.rank, _RANKED.c.subject, _RANKED.c.channel)
)
_REFS: Final = (
    select(message_refs.c.subject, message_refs.c.channel, message_refs.c.ts)
    .where(message_refs.c.subject.in_(bindparam("subjects", expanding=True)), message_refs.c.lost_at.is_(None))
    .order_by(message_refs.c.ts)
)
_CHANGE: Final = update(cards).where(*_KEYS)
_SHOWN: Final = (
    update(cards)
    .where(*_KEYS, cards.c.shown < bindparam("revision", type_=NUMBER))
    .values(shown=bindparam("revision", type_=NUMBER), failures=0, retry_at=None, refused_at=None)
)
_FAILED: Final = update(cards).where(*_KEYS).values(failures=cards.c.failures + 1)
_AGAIN: Final = update(cards).where(*_KEYS).values(wanted=cards.c.wanted + 1)
_NEW_REF: Final = insert_unless_taken(message_refs)
_REF_LOST: Final = update(message_refs).where(
    message_refs.c.channel == bindparam("the_channel", type_=TEXT),
    message_refs.c.ts == bindparam("the_ts", type_=TEXT),
    message_refs.c.lost_at.is_(None),
)
_KNOWN: Final = Prepared(
    select(message_refs.c.subject).where(
        message_refs.c.channel == bindparam("the_channel", type_=TEXT),
        message_refs.c.ts == bindparam("the_ts", type_=TEXT),
    )
)
_CARD: Final = select(cards).where(*_KEYS).with_for_update()
_BACKLOG: Final = select(
    func.count().label("behind"), func.coalesce(func.sum(case((_GIVEN_UP, 1), else_=0)), 0).label("given_up")
).where(_BEHIND)


class Cards:
    """The state of all cards, as the relay asks for and reports it."""

    def __init__(self, store: SqlStore) -> None:
        """Keep the store whose rows these are."""
        self._store = store

    def behind(self, *, limit: int) -> tuple[Task, ...]:
        """Return what has to be shown now, the most pressing first: at most *limit* posts of each channel, and as many updates.

        Pause notices come first, then cards whose buttons must go, then those that have to be posted, then the rest. They are
        counted apart because they wait apart: what one pace holds back would otherwise fill the places of what is free to go.
        What failed just now, or is refused for good, is left out until its time.
        """
        with self._store.reading() as reading:
            rows = reading.connection.execute(TASKS, {"now": reading.now, "limit": limit}).all()
            refs = _refs_of(reading.connection, {row.subject for row in rows})
        return tuple(_task(row, refs[row.subject, row.channel]) for row in rows)

    def posting(self, task: Task) -> None:
        """Write down that *task* is about to be posted; committed before the call that posts it."""
        with self._store.writing() as uow:
            uow.connection.execute(_CHANGE, _keys(task) | {"posting_at": uow.now})
            uow.record(_told(uow, Kind.CARD_POSTING, task, revision=task.wanted, replaces=task.interrupted))

    def posted(self, task: Task, ts: str) -> None:
        """Write down that *task* now stands in its channel as *ts*; its thread is there from now on."""
        with self._store.writing() as uow:
            self._know(uow, task.subject, task.channel, ts)
            uow.connection.execute(_CHANGE, _keys(task) | {"thread_ts": ts, "posting_at": None})
            uow.connection.execute(_SHOWN, _keys(task) | {"revision": task.wanted})
            uow.record(_told(uow, Kind.CARD_POSTED, task, revision=task.wanted, ts=ts))

    def shown(self, task: Task) -> None:
        """Write down that every known copy shows the wanted revision."""
        with self._store.writing() as uow:
            uow.connection.execute(_SHOWN, _keys(task) | {"revision": task.wanted})

    def failed(
        self,
        task: Task,
        *,
        reason: str,
        permanent: bool,
        may_have_arrived: bool = False,
        wait: timedelta | None = None,
    ) -> None:
        """Write down that *task* could not be shown, and when to try again.

        Args:
            task: What was tried.
            reason: Slack's error code, or ours.
            permanent: Whether trying again is no use until the subject changes.
            may_have_arrived: Whether a post's reply was lost, so that it may stand in the channel.
            wait: How long Slack asked us to wait; else twice as long as the last time, five minutes at most.
        """
        with self._store.writing() as uow:
            row = uow.connection.execute(_CARD, _keys(task)).one()
            changes: dict[str, Any] = {"retry_at": uow.now + (backoff(row.failures) if wait is None else wait)}
            if permanent:
                changes["refused_at"] = task.wanted
            if not (may_have_arrived or task.interrupted):
                # An earlier post in doubt stays so, whatever became of this one.
                changes["posting_at"] = None
            uow.connection.execute(_FAILED, _keys(task) | changes)
            uow.record(_told(uow, Kind.CARD_FAILED, task, revision=task.wanted, reason=reason, permanent=permanent))

    def subject_of(self, channel: str, ts: str, *, lane: Lane = Lane.NORMAL) -> str | None:
        """Return what the message *ts* of a channel shows, as far as we know of it."""
        with self._store.database.asking(lane) as connection:
            found = _KNOWN.rows(connection, {"the_channel": channel, "the_ts": ts})
        return next((str(subject) for (subject,) in found), None)

    def adopt(self, subject: str, channel: str, ts: str) -> None:
        """Take in a copy that we lost track of: it is drawn again with the others, and can carry the thread.

        Raises:
            Missing: There is no such card in that channel.
        """
        with self._store.writing() as uow:
            row = uow.connection.execute(_CARD, _place(subject, channel)).one_or_none()
            if row is None:
                raise Missing("There is no such card in this channel.")
            if not self._know(uow, subject, channel, ts):
                return
            if row.thread_ts is None:
                changes = {"thread_ts": ts, "posting_at": None}
                uow.connection.execute(_CHANGE, _place(subject, channel) | changes)
            uow.connection.execute(_AGAIN, _place(subject, channel))
            uow.record(_told_of(uow, Kind.CARD_POSTED, subject, channel, ts=ts, adopted=True))

    def lost(self, subject: str, channel: str, ts: str) -> None:
        """Write down that the copy *ts* is gone; an open card without any other is posted anew."""
        with self._store.writing() as uow:
            row = uow.connection.execute(_CARD, _place(subject, channel)).one_or_none()
            if row is None or not _mark_lost(uow, channel, ts):
                return
            if row.thread_ts != ts:
                return
            left = _refs_of(uow.connection, {subject})[subject, channel]
            uow.connection.execute(_CHANGE, _place(subject, channel) | {"thread_ts": left[0] if left else None})
            if not left and not row.closed:
                uow.connection.execute(_AGAIN, _place(subject, channel))

    def backlog(self) -> Backlog:
        """Return how much there is to be shown."""
        with self._store.reading() as reading:
            row = reading.connection.execute(_BACKLOG).one()
        return Backlog(behind=row.behind, given_up=row.given_up)

    def _know(self, uow: SqlUnitOfWork, subject: str, channel: str, ts: str) -> bool:
        row = {"channel": channel, "ts": ts, "subject": subject, "known_at": uow.now}
        return uow.connection.execute(_NEW_REF, row).rowcount == 1


def backoff(failures: int) -> timedelta:
    """Return how long to wait after one more failure: a second, doubled each time, five minutes at most."""
    return min(timedelta(seconds=2 ** min(failures, 16)), LONGEST_WAIT)


def _refs_of(connection: Any, subjects: Iterable[str]) -> Mapping[tuple[str, str], tuple[str, ...]]:
    refs: dict[tuple[str, str], tuple[str, ...]] = defaultdict(tuple)
    if wanted := sorted(subjects):
        for row in connection.execute(_REFS, {"subjects": wanted}):
            refs[row.subject, row.channel] += (row.ts,)
    return refs


def _mark_lost(uow: SqlUnitOfWork, channel: str, ts: str) -> bool:
    found = uow.connection.execute(_REF_LOST, {"the_channel": channel, "the_ts": ts, "lost_at": uow.now})
    return found.rowcount == 1


def _task(row: Any, refs: tuple[str, ...]) -> Task:
    return Task(
        subject=row.subject,
        kind=Subject(row.kind),
        channel=row.channel,
        wanted=row.wanted,
        shown=row.shown,
        closed=row.closed,
        refs=refs,
        thread_ts=row.thread_ts,
        interrupted=row.posting_at is not None,
    )


def _keys(task: Task) -> dict[str, Any]:
    return _place(task.subject, task.channel)


def _place(subject: str, channel: str) -> dict[str, Any]:
    return {"the_subject": subject, "the_channel": channel}


def _told(uow: SqlUnitOfWork, kind: Kind, task: Task, **facts: Value) -> AuditEvent:
    return _told_of(uow, kind, task.subject, task.channel, **facts)


def _told_of(uow: SqlUnitOfWork, kind: Kind, subject: str, channel: str, **facts: Value) -> AuditEvent:
    data = {"subject": subject, "channel": channel, **facts}
    return AuditEvent(kind=kind, stream=DELIVERY_STREAM, actor=ITSELF, at=uow.now, data=data)
