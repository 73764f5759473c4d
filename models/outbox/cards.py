"""Cards: which messages must be posted or drawn again, for the relay that does it.

A card is level-triggered: its row holds the revision that is wanted and the one that is shown, and whoever draws it draws its
subject as it is *now*. So an outage ends in one redraw, never in a replay of what is stale. Which are behind is asked of the
rows, never of a cursor over ids, which was measured to lose what commits late. A post is written down before and after, in a
stream of its own that causes no posts; one that was begun and never finished is shown as such, so that its
replacement can say what it is. The lines of the thread under a card are :mod:`models.outbox.thread_lines`.

What goes first is the row's precedence; among equals the queues of a channel's agents take turns (:mod:`models.engine.turns`),
each in
the order in which its questions fall due. Both are found by an index, however much waits.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, bindparam, case, func, literal_column, or_, select, update

from approvals.audit.events import DELIVERY_STREAM, ITSELF, AuditEvent, EventKind
from approvals.canonical import Value
from approvals.errors import Missing
from approvals.identity.names import Channel
from approvals.ports.store import Urgency
from approvals.workflow.retries import growing_wait
from models.engine.columns import INSTANT, NUMBER, TEXT, instant_at
from models.engine.logs import Logger
from models.engine.prepared import Prepared, together
from models.engine.statements import insert_unless_taken
from models.engine.turns import Turns
from models.store.store import SqlStore
from models.store.tables import Precedence, Subject, cards, message_refs
from models.store.unit_of_work import SqlUnitOfWork

log = Logger(__name__)

LONGEST_WAIT: Final = timedelta(minutes=5)
"""The longest pause between two tries to show one card."""

_LONGEST: Final = {
    Precedence.NOTICE: timedelta(seconds=15),
    Precedence.QUESTION: timedelta(seconds=15),
    Precedence.BUTTONS: timedelta(minutes=1),
}
"""The same for what cannot wait so long: the shortest deadline is a minute, and whoever sees a button may click it."""

UNSEEN_AFTER: Final = timedelta(seconds=15)
"""From then on a question that stands nowhere is said to be unseen: several tries of one that nothing holds up take less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One card that does not show its subject as it is."""

    subject: str
    kind: Subject
    channel: Channel
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
    precedence: Precedence
    agent: str
    """Who asks; empty where nobody does."""
    due_at: datetime
    """The deadline of a question; of anything else when it began."""
    failures: int
    """How many tries to show it have failed since one did not."""

    @property
    def pace(self) -> str:
        """The pace it waits for: the channel's for a post; empty for an update, which waits for the whole workspace's."""
        return "" if self.refs else self.channel

    @property
    def place(self) -> "_Place":
        """Where its queue takes turns with others."""
        return self.precedence, self.pace

    @property
    def queue(self) -> "_Queue":
        """The queue it waits in: what one agent asks in one channel."""
        return self.channel, self.agent


_Place = tuple[Precedence, str]
_Queue = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """How much there is to be shown."""

    behind: int
    """Cards that do not show their subject as it is."""
    failing: int
    """Those among them whose last try failed."""
    unseen: int
    """Questions whose deadline runs and that have stood nowhere for :data:`UNSEEN_AFTER` or longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unseen:
    """One question that stands nowhere while its deadline runs."""

    subject: str
    channel: Channel
    deadline: datetime
    failures: int
    """How many tries to show it have failed."""


_KEYS: Final = (
    cards.c.subject == bindparam("the_subject", type_=TEXT),
    cards.c.channel == bindparam("the_channel", type_=TEXT),
)
_BEHIND: Final[ColumnElement[bool]] = literal_column("shown < wanted")
"""Spelt out as in the indexes, so that either engine sees that they fit; likewise the next two."""
_TO_POST: Final = and_(_BEHIND, literal_column("thread_ts IS NULL"))
_TO_REDRAW: Final = and_(_BEHIND, literal_column("thread_ts IS NOT NULL"))
_QUEUE: Final = (cards.c.precedence, cards.c.channel, cards.c.agent)
_TIME_HAS_COME: Final = and_(
    or_(cards.c.retry_at.is_(None), cards.c.retry_at <= bindparam("now", type_=INSTANT)),
    or_(cards.c.refused_at.is_(None), cards.c.refused_at < cards.c.wanted),
)
_THIS_QUEUE: Final = (
    cards.c.precedence == bindparam("precedence", type_=NUMBER),
    cards.c.channel == bindparam("channel", type_=TEXT),
    cards.c.agent == bindparam("agent", type_=TEXT),
)
_COLUMNS: Final = tuple(cards.c)


def _next_queue(waiting: ColumnElement[bool]) -> tuple[Select[Any], ...]:
    """Return the questions for the first queue behind a given one, the first that finds one counts.

    So all queues are found without reading what waits in them. As one comparison of three columns, SQLite reads on from the
    beginning of the precedence: 27 ms at 100,000 cards.
    """
    precedence, channel, agent = _QUEUE
    at_precedence, in_channel, _ = _THIS_QUEUE
    after = (
        (at_precedence, in_channel, agent > bindparam("agent", type_=TEXT)),
        (at_precedence, channel > bindparam("channel", type_=TEXT)),
        (precedence > bindparam("precedence", type_=NUMBER),),
    )
    return tuple(select(*_QUEUE).where(waiting, *one).order_by(*_QUEUE).limit(literal_column("1")) for one in after)


def _first_of(waiting: ColumnElement[bool]) -> Select[Any]:
    """Return the question for what is due in one queue, the nearest deadline first."""
    return (
        select(*_COLUMNS)
        .where(waiting, *_THIS_QUEUE, _TIME_HAS_COME)
        .order_by(cards.c.due_at, cards.c.subject)
        .limit(bindparam("limit", type_=NUMBER))
    )


NEXT_TO_POST: Final = _next_queue(_TO_POST)
FIRST_TO_POST: Final = _first_of(_TO_POST)
NEXT_TO_REDRAW: Final = _next_queue(_TO_REDRAW)
FIRST_TO_REDRAW: Final = _first_of(_TO_REDRAW)
_LOOKS: Final = tuple(
    (tuple(Prepared(one, columns=_QUEUE) for one in queues), Prepared(first))
    for queues, first in ((NEXT_TO_POST, FIRST_TO_POST), (NEXT_TO_REDRAW, FIRST_TO_REDRAW))
)
_BEFORE_ALL: Final = {"precedence": -1, "channel": "", "agent": ""}
_REFS: Final = (
    select(message_refs.c.subject, message_refs.c.channel, message_refs.c.ts)
    .where(message_refs.c.subject.in_(bindparam("subjects", expanding=True)), message_refs.c.lost_at.is_(None))
    .order_by(message_refs.c.ts)
)
_CHANGE: Final = update(cards).where(*_KEYS)
_REVISION: Final = bindparam("revision", type_=NUMBER)
_STANDS: Final = case(
    # What had its outcome while it was drawn may still show its buttons.
    (and_(cards.c.kind == Subject.REQUEST.value, cards.c.closed, cards.c.wanted > _REVISION), Precedence.BUTTONS.value),
    (cards.c.kind == Subject.REQUEST.value, Precedence.REST.value),
    else_=cards.c.precedence,
)
"""What goes before what from the moment on in which a card stands."""
_SHOWN: Final = (
    update(cards)
    .where(*_KEYS, cards.c.shown < _REVISION)
    .values(shown=_REVISION, failures=0, retry_at=None, refused_at=None, precedence=_STANDS)
)
_FIRST_SHOWN: Final = update(cards).where(*_KEYS, cards.c.shown_at.is_(None))
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
_UNSEEN: Final = and_(
    _TO_POST,
    cards.c.precedence == literal_column(str(Precedence.QUESTION.value)),
    cards.c.shown_at.is_(None),
    cards.c.made_at <= bindparam("before", type_=INSTANT),
    cards.c.due_at > bindparam("now", type_=INSTANT),
)
UNSEEN: Final = (
    select(cards.c.subject, cards.c.channel, cards.c.due_at, cards.c.failures)
    .where(_UNSEEN)
    .order_by(cards.c.due_at)
    .limit(bindparam("limit", type_=NUMBER))
)
_COUNT_UNSEEN: Final = select(func.count()).where(_UNSEEN)
_BACKLOG: Final = select(
    func.count().label("behind"), func.coalesce(func.sum(case((cards.c.failures > 0, 1), else_=0)), 0).label("failing")
).where(_BEHIND)


class Cards:
    """The state of all cards, as the relay asks for and reports it."""

    def __init__(self, store: SqlStore) -> None:
        """Keep the store whose rows these are."""
        self._store = store
        self._turns: Turns[_Place, _Queue] = Turns()
        self._unreadable: set[str] = set()
        """Cards whose rows were told of as unreadable."""

    def behind(self, *, limit: int) -> tuple[Task, ...]:
        """Return what has to be shown now, the most pressing first: at most *limit* posts of each channel, and as many updates.

        Pause notices come first, then cards whose buttons must go, then questions that nobody has seen, then the rest, and
        information last. Among equals agents take turns, whoever was served longest ago first; an agent's own are in the order
        of their deadlines. Posts and updates are counted apart because they wait apart: what one pace holds back would otherwise
        fill the places of what is free to go. What failed just now, or has no subject, is left out until its time.
        """
        with self._store.reading() as reading:
            waiting = {queue for look in range(len(_LOOKS)) for queue in _queues(reading.connection, look)}
            rows = _first_rows(reading.connection, waiting, now=reading.now, limit=limit) if waiting else []
            refs = _refs_of(reading.connection, {row["subject"] for row in rows})
        tasks = [
            task for row in rows if (task := self._readable(row, refs[row["subject"], row["channel"]])) is not None
        ]
        self._turns.forget_all_but(task.place for task in tasks)
        return tuple(_at_most(self._in_turn(tasks), limit))

    def _readable(self, row: Mapping[str, Any], refs: tuple[str, ...]) -> Task | None:
        """Return the task that *row* tells of; None where it cannot be read, which is logged once and costs no other card."""
        try:
            return _task(_read(row), refs)
        except (ArithmeticError, TypeError, ValueError):
            if row["subject"] not in self._unreadable:
                self._unreadable.add(row["subject"])
                log.exception("card.unreadable", subject=row["subject"], channel=row["channel"])
            return None

    def _in_turn(self, tasks: Iterable[Task]) -> Iterator[Task]:
        """Give the tasks by precedence, and within one each queue in its turn."""
        for _, equals in groupby(sorted(tasks, key=_by_precedence_and_due), key=lambda task: task.precedence):
            queues: dict[tuple[_Place, _Queue], list[Task]] = {}
            for task in equals:
                queues.setdefault((task.place, task.queue), []).append(task)
            yield from self._turns.in_order(queues)

    def posting(self, task: Task) -> None:
        """Write down that *task* is about to be posted; committed before the call that posts it."""
        self._turns.took(task.place, task.queue)
        with self._store.writing() as uow:
            uow.connection.execute(_CHANGE, _keys(task) | {"posting_at": uow.now})
            uow.record(_told(uow, EventKind.CARD_POSTING, task, revision=task.wanted, replaces=task.interrupted))

    def posted(self, task: Task, ts: str) -> None:
        """Write down that *task* now stands in its channel as *ts*; its thread is there from now on."""
        with self._store.writing() as uow:
            self._know(uow, task.subject, task.channel, ts)
            uow.connection.execute(_CHANGE, _keys(task) | {"thread_ts": ts, "posting_at": None})
            uow.connection.execute(_FIRST_SHOWN, _keys(task) | {"shown_at": uow.now})
            uow.connection.execute(_SHOWN, _keys(task) | {"revision": task.wanted})
            uow.record(_told(uow, EventKind.CARD_POSTED, task, revision=task.wanted, ts=ts))

    def shown(self, task: Task) -> None:
        """Write down that every known copy shows the wanted revision."""
        self._turns.took(task.place, task.queue)
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
            permanent: Whether trying again is no use until the subject changes: there is none.
            may_have_arrived: Whether a post's reply was lost, so that it may stand in the channel.
            wait: How long Slack asked us to wait; else twice as long as the last time, five minutes at most, and a few seconds
                for a question that nobody has seen, unless each try may leave one more copy.
        """
        self._turns.took(task.place, task.queue)
        longest = LONGEST_WAIT if may_have_arrived else _LONGEST.get(task.precedence, LONGEST_WAIT)
        with self._store.writing() as uow:
            row = uow.connection.execute(_CARD, _keys(task)).one()
            after = backoff(row.failures, longest=longest) if wait is None else wait
            changes: dict[str, Any] = {"retry_at": uow.now + after}
            if permanent:
                changes["refused_at"] = task.wanted
            if not (may_have_arrived or task.interrupted):
                # An earlier post in doubt stays so, whatever became of this one.
                changes["posting_at"] = None
            uow.connection.execute(_FAILED, _keys(task) | changes)
            uow.record(
                _told(uow, EventKind.CARD_FAILED, task, revision=task.wanted, reason=reason, permanent=permanent)
            )

    def subject_of(self, channel: Channel, ts: str, *, lane: Urgency = Urgency.NORMAL) -> str | None:
        """Return what the message *ts* of a channel shows, as far as we know of it."""
        with self._store.database.asking(lane) as connection:
            found = _KNOWN.rows(connection, {"the_channel": channel, "the_ts": ts})
        return next((str(subject) for (subject,) in found), None)

    def adopt(self, subject: str, channel: Channel, ts: str) -> None:
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
            changes: dict[str, Any] = {"precedence": _precedence_of(row, stands=True)}
            if row.thread_ts is None:
                changes |= {"thread_ts": ts, "posting_at": None}
            uow.connection.execute(_CHANGE, _place(subject, channel) | changes)
            uow.connection.execute(_FIRST_SHOWN, _place(subject, channel) | {"shown_at": uow.now})
            uow.connection.execute(_AGAIN, _place(subject, channel))
            uow.record(_told_of(uow, EventKind.CARD_POSTED, subject, channel, ts=ts, adopted=True))

    def lost(self, subject: str, channel: Channel, ts: str) -> None:
        """Write down that the copy *ts* is gone; an open card without any other is posted anew."""
        with self._store.writing() as uow:
            row = self._without(uow, subject, channel, ts)
            if row is not None and not row.closed:
                uow.connection.execute(_AGAIN, _place(subject, channel))

    def stuck(self, subject: str, channel: Channel, ts: str) -> None:
        """Write down that the copy *ts* stands and cannot be changed any more: without any other, the card is posted anew.

        Even where its subject has its outcome: nobody took the message away, so what it says must not be the last word.
        """
        with self._store.writing() as uow:
            row = self._without(uow, subject, channel, ts)
            if row is not None:
                # It is one more copy that may be seen: its replacement says so, and rings no phone again.
                changes = {"shown": 0, "posting_at": uow.now, "retry_at": None}
                uow.connection.execute(_CHANGE, _place(subject, channel) | changes)

    def draw_again(self, subject: str, channel: Channel) -> None:
        """Have a card drawn again, changed or not: whether its message is still there shows in that."""
        with self._store.writing() as uow:
            uow.connection.execute(_AGAIN, _place(subject, channel))

    def backlog(self) -> Backlog:
        """Return how much there is to be shown."""
        with self._store.reading() as reading:
            row = reading.connection.execute(_BACKLOG).one()
            unseen = reading.connection.execute(_COUNT_UNSEEN, _unseen_at(reading.now)).scalar_one()
        return Backlog(behind=row.behind, failing=int(row.failing), unseen=unseen)

    def unseen(self, *, limit: int) -> tuple[Unseen, ...]:
        """Return questions that have stood nowhere for :data:`UNSEEN_AFTER` while their deadline runs, the nearest first."""
        with self._store.reading() as reading:
            rows = reading.connection.execute(UNSEEN, _unseen_at(reading.now) | {"limit": limit}).all()
        return tuple(
            Unseen(subject=row.subject, channel=row.channel, deadline=row.due_at, failures=row.failures) for row in rows
        )

    def _without(self, uow: SqlUnitOfWork, subject: str, channel: Channel, ts: str) -> Any:
        """Forget the copy *ts*, and return the card's row if that was its last one."""
        row = uow.connection.execute(_CARD, _place(subject, channel)).one_or_none()
        if row is None or not _mark_lost(uow, channel, ts) or row.thread_ts != ts:
            return None
        left = _refs_of(uow.connection, {subject})[subject, channel]
        changes = {"thread_ts": left[0] if left else None, "precedence": _precedence_of(row, stands=bool(left))}
        uow.connection.execute(_CHANGE, _place(subject, channel) | changes)
        return None if left else row

    def _know(self, uow: SqlUnitOfWork, subject: str, channel: Channel, ts: str) -> bool:
        row = {"channel": channel, "ts": ts, "subject": subject, "known_at": uow.now}
        return uow.connection.execute(_NEW_REF, row).rowcount == 1


def backoff(failures: int, *, longest: timedelta = LONGEST_WAIT) -> timedelta:
    """Return how long to wait after one more failure: a second, doubled each time, five minutes at most unless said."""
    return growing_wait(failures + 1, first=timedelta(seconds=1), longest=longest)


def _queues(connection: Any, look: int) -> Iterator[tuple[int, int, str, str]]:
    """Give every queue in which something waits; the *look* is 0 for posts, 1 for updates."""
    # Nothing comes before the first of all, so that only the last question can find it: most steps end with it.
    found = _LOOKS[look][0][-1].rows(connection, _BEFORE_ALL)
    while found:
        precedence, channel, agent = found[0]
        yield look, precedence, channel, agent
        behind = {"precedence": precedence, "channel": channel, "agent": agent}
        answers = together(connection, [(question, behind) for question in _LOOKS[look][0]])
        found = next((answer.rows for answer in answers if answer.rows), ())


def _first_rows(
    connection: Any, waiting: Iterable[tuple[int, int, str, str]], *, now: datetime, limit: int
) -> list[dict[str, Any]]:
    asked = [
        (
            _LOOKS[look][1],
            {"precedence": precedence, "channel": channel, "agent": agent, "now": now, "limit": limit},
        )
        for look, precedence, channel, agent in sorted(waiting)
    ]
    names = [column.name for column in _COLUMNS]
    return [dict(zip(names, row, strict=True)) for answer in together(connection, asked) for row in answer.rows]


def _by_precedence_and_due(task: Task) -> tuple[Precedence, datetime, str]:
    return task.precedence, task.due_at, task.subject


def _at_most(tasks: Iterable[Task], limit: int) -> Iterator[Task]:
    """Give *limit* tasks of each pace: the posts of one channel, or the updates of the whole workspace."""
    given: Counter[str] = Counter()
    for task in tasks:
        given[task.pace] += 1
        if given[task.pace] <= limit:
            yield task


def _precedence_of(row: Any, *, stands: bool) -> int:
    """Return what goes before what for a card of which a copy *stands*, or none does any more."""
    if row.kind != Subject.REQUEST.value:
        return int(row.precedence)
    if row.closed:
        return Precedence.BUTTONS.value if stands else Precedence.REST.value
    return Precedence.REST.value if stands else Precedence.QUESTION.value


def _unseen_at(now: datetime) -> dict[str, Any]:
    return {"now": now, "before": now - UNSEEN_AFTER}


def _refs_of(connection: Any, subjects: Iterable[str]) -> Mapping[tuple[str, str], tuple[str, ...]]:
    refs: dict[tuple[str, str], tuple[str, ...]] = defaultdict(tuple)
    if wanted := sorted(subjects):
        for row in connection.execute(_REFS, {"subjects": wanted}):
            refs[row.subject, row.channel] += (row.ts,)
    return refs


def _mark_lost(uow: SqlUnitOfWork, channel: Channel, ts: str) -> bool:
    found = uow.connection.execute(_REF_LOST, {"the_channel": channel, "the_ts": ts, "lost_at": uow.now})
    return found.rowcount == 1


def _read(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row with its instants as such; each row is read by itself, so that a bad one keeps no other from being shown."""
    return {
        name: instant_at(value) if value is not None and cards.c[name].type is INSTANT else value
        for name, value in row.items()
    }


def _task(row: Mapping[str, Any], refs: tuple[str, ...]) -> Task:
    return Task(
        subject=row["subject"],
        kind=Subject(row["kind"]),
        channel=row["channel"],
        wanted=row["wanted"],
        shown=row["shown"],
        closed=bool(row["closed"]),
        refs=refs,
        thread_ts=row["thread_ts"],
        interrupted=row["posting_at"] is not None,
        precedence=Precedence(row["precedence"]),
        agent=row["agent"],
        due_at=row["due_at"],
        failures=row["failures"],
    )


def _keys(task: Task) -> dict[str, Any]:
    return _place(task.subject, task.channel)


def _place(subject: str, channel: Channel) -> dict[str, Any]:
    return {"the_subject": subject, "the_channel": channel}


def _told(uow: SqlUnitOfWork, kind: EventKind, task: Task, **facts: Value) -> AuditEvent:
    return _told_of(uow, kind, task.subject, task.channel, **facts)


def _told_of(uow: SqlUnitOfWork, kind: EventKind, subject: str, channel: Channel, **facts: Value) -> AuditEvent:
    data = {"subject": subject, "channel": channel, **facts}
    return AuditEvent(kind=kind, stream=DELIVERY_STREAM, actor=ITSELF, at=uow.now, data=data)
