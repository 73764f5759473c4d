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
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, Final

from approvals.audit.events import DELIVERY_STREAM, ITSELF, AuditEvent, EventKind
from approvals.canonical import Value
from approvals.errors import Missing
from approvals.identity.names import Channel
from approvals.ports.store import Urgency
from models.engine.logs import Logger
from models.engine.prepared import together
from models.engine.turns import Turns
from models.outbox.card_queries import (
    AGAIN,
    BACKLOG,
    BEFORE_ALL,
    CARD,
    CHANGE,
    COLUMNS,
    COUNT_UNSEEN,
    FAILED,
    FIRST_SHOWN,
    KNOWN,
    LOOKS,
    NEW_REF,
    REF_LOST,
    REFS,
    SHOWN,
    UNSEEN,
)
from models.outbox.tasks import (
    LONGEST_WAIT,
    UNSEEN_AFTER,
    AgentQueue,
    Backlog,
    PacePlace,
    Task,
    Unseen,
    backoff,
    row_with_instants,
    task_of,
)
from models.store.store import SqlStore
from models.store.tables import Precedence, Subject
from models.store.unit_of_work import SqlUnitOfWork

log = Logger(__name__)


_LONGEST: Final = {
    Precedence.NOTICE: timedelta(seconds=15),
    Precedence.QUESTION: timedelta(seconds=15),
    Precedence.BUTTONS: timedelta(minutes=1),
}
"""The same for what cannot wait so long: the shortest deadline is a minute, and whoever sees a button may click it."""


class Cards:
    """The state of all cards, as the relay asks for and reports it."""

    def __init__(self, store: SqlStore) -> None:
        """Keep the store whose rows these are."""
        self._store = store
        self._turns: Turns[PacePlace, AgentQueue] = Turns()
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
            waiting = {queue for look in range(len(LOOKS)) for queue in _queues(reading.connection, look)}
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
            return task_of(row_with_instants(row), refs)
        except (ArithmeticError, TypeError, ValueError):
            if row["subject"] not in self._unreadable:
                self._unreadable.add(row["subject"])
                log.exception("card.unreadable", subject=row["subject"], channel=row["channel"])
            return None

    def _in_turn(self, tasks: Iterable[Task]) -> Iterator[Task]:
        """Give the tasks by precedence, and within one each queue in its turn."""
        for _, equals in groupby(sorted(tasks, key=_by_precedence_and_due), key=lambda task: task.precedence):
            queues: dict[tuple[PacePlace, AgentQueue], list[Task]] = {}
            for task in equals:
                queues.setdefault((task.place, task.queue), []).append(task)
            yield from self._turns.in_order(queues)

    def posting(self, task: Task) -> None:
        """Write down that *task* is about to be posted; committed before the call that posts it."""
        self._turns.took(task.place, task.queue)
        with self._store.writing() as uow:
            uow.connection.execute(CHANGE, _keys(task) | {"posting_at": uow.now})
            uow.record(_told(uow, EventKind.CARD_POSTING, task, revision=task.wanted, replaces=task.interrupted))

    def posted(self, task: Task, ts: str) -> None:
        """Write down that *task* now stands in its channel as *ts*; its thread is there from now on."""
        with self._store.writing() as uow:
            self._know(uow, task.subject, task.channel, ts)
            uow.connection.execute(CHANGE, _keys(task) | {"thread_ts": ts, "posting_at": None})
            uow.connection.execute(FIRST_SHOWN, _keys(task) | {"shown_at": uow.now})
            uow.connection.execute(SHOWN, _keys(task) | {"revision": task.wanted})
            uow.record(_told(uow, EventKind.CARD_POSTED, task, revision=task.wanted, ts=ts))

    def shown(self, task: Task) -> None:
        """Write down that every known copy shows the wanted revision."""
        self._turns.took(task.place, task.queue)
        with self._store.writing() as uow:
            uow.connection.execute(SHOWN, _keys(task) | {"revision": task.wanted})

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
            row = uow.connection.execute(CARD, _keys(task)).one()
            after = backoff(row.failures, longest=longest) if wait is None else wait
            changes: dict[str, Any] = {"retry_at": uow.now + after}
            if permanent:
                changes["refused_at"] = task.wanted
            if not (may_have_arrived or task.interrupted):
                # An earlier post in doubt stays so, whatever became of this one.
                changes["posting_at"] = None
            uow.connection.execute(FAILED, _keys(task) | changes)
            uow.record(
                _told(uow, EventKind.CARD_FAILED, task, revision=task.wanted, reason=reason, permanent=permanent)
            )

    def subject_of(self, channel: Channel, ts: str, *, lane: Urgency = Urgency.NORMAL) -> str | None:
        """Return what the message *ts* of a channel shows, as far as we know of it."""
        with self._store.database.asking(lane) as connection:
            found = KNOWN.rows(connection, {"the_channel": channel, "the_ts": ts})
        return next((str(subject) for (subject,) in found), None)

    def adopt(self, subject: str, channel: Channel, ts: str) -> None:
        """Take in a copy that we lost track of: it is drawn again with the others, and can carry the thread.

        Raises:
            Missing: There is no such card in that channel.
        """
        with self._store.writing() as uow:
            row = uow.connection.execute(CARD, _place(subject, channel)).one_or_none()
            if row is None:
                raise Missing("There is no such card in this channel.")
            if not self._know(uow, subject, channel, ts):
                return
            changes: dict[str, Any] = {"precedence": _precedence_of(row, stands=True)}
            if row.thread_ts is None:
                changes |= {"thread_ts": ts, "posting_at": None}
            uow.connection.execute(CHANGE, _place(subject, channel) | changes)
            uow.connection.execute(FIRST_SHOWN, _place(subject, channel) | {"shown_at": uow.now})
            uow.connection.execute(AGAIN, _place(subject, channel))
            uow.record(_told_of(uow, EventKind.CARD_POSTED, subject, channel, ts=ts, adopted=True))

    def lost(self, subject: str, channel: Channel, ts: str) -> None:
        """Write down that the copy *ts* is gone; an open card without any other is posted anew."""
        with self._store.writing() as uow:
            row = self._without(uow, subject, channel, ts)
            if row is not None and not row.closed:
                uow.connection.execute(AGAIN, _place(subject, channel))

    def stuck(self, subject: str, channel: Channel, ts: str) -> None:
        """Write down that the copy *ts* stands and cannot be changed any more: without any other, the card is posted anew.

        Even where its subject has its outcome: nobody took the message away, so what it says must not be the last word.
        """
        with self._store.writing() as uow:
            row = self._without(uow, subject, channel, ts)
            if row is not None:
                # It is one more copy that may be seen: its replacement says so, and rings no phone again.
                changes = {"shown": 0, "posting_at": uow.now, "retry_at": None}
                uow.connection.execute(CHANGE, _place(subject, channel) | changes)

    def draw_again(self, subject: str, channel: Channel) -> None:
        """Have a card drawn again, changed or not: whether its message is still there shows in that."""
        with self._store.writing() as uow:
            uow.connection.execute(AGAIN, _place(subject, channel))

    def backlog(self) -> Backlog:
        """Return how much there is to be shown."""
        with self._store.reading() as reading:
            row = reading.connection.execute(BACKLOG).one()
            unseen = reading.connection.execute(COUNT_UNSEEN, _unseen_at(reading.now)).scalar_one()
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
        row = uow.connection.execute(CARD, _place(subject, channel)).one_or_none()
        if row is None or not _mark_lost(uow, channel, ts) or row.thread_ts != ts:
            return None
        left = _refs_of(uow.connection, {subject})[subject, channel]
        changes = {"thread_ts": left[0] if left else None, "precedence": _precedence_of(row, stands=bool(left))}
        uow.connection.execute(CHANGE, _place(subject, channel) | changes)
        return None if left else row

    def _know(self, uow: SqlUnitOfWork, subject: str, channel: Channel, ts: str) -> bool:
        row = {"channel": channel, "ts": ts, "subject": subject, "known_at": uow.now}
        return uow.connection.execute(NEW_REF, row).rowcount == 1


def _queues(connection: Any, look: int) -> Iterator[tuple[int, int, str, str]]:
    """Give every queue in which something waits; the *look* is 0 for posts, 1 for updates."""
    # Nothing comes before the first of all, so that only the last question can find it: most steps end with it.
    found = LOOKS[look][0][-1].rows(connection, BEFORE_ALL)
    while found:
        precedence, channel, agent = found[0]
        yield look, precedence, channel, agent
        behind = {"precedence": precedence, "channel": channel, "agent": agent}
        answers = together(connection, [(question, behind) for question in LOOKS[look][0]])
        found = next((answer.rows for answer in answers if answer.rows), ())


def _first_rows(
    connection: Any, waiting: Iterable[tuple[int, int, str, str]], *, now: datetime, limit: int
) -> list[dict[str, Any]]:
    asked = [
        (
            LOOKS[look][1],
            {"precedence": precedence, "channel": channel, "agent": agent, "now": now, "limit": limit},
        )
        for look, precedence, channel, agent in sorted(waiting)
    ]
    names = [column.name for column in COLUMNS]
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
        for row in connection.execute(REFS, {"subjects": wanted}):
            refs[row.subject, row.channel] += (row.ts,)
    return refs


def _mark_lost(uow: SqlUnitOfWork, channel: Channel, ts: str) -> bool:
    found = uow.connection.execute(REF_LOST, {"the_channel": channel, "the_ts": ts, "lost_at": uow.now})
    return found.rowcount == 1


def _keys(task: Task) -> dict[str, Any]:
    return _place(task.subject, task.channel)


def _place(subject: str, channel: Channel) -> dict[str, Any]:
    return {"the_subject": subject, "the_channel": channel}


def _told(uow: SqlUnitOfWork, kind: EventKind, task: Task, **facts: Value) -> AuditEvent:
    return _told_of(uow, kind, task.subject, task.channel, **facts)


def _told_of(uow: SqlUnitOfWork, kind: EventKind, subject: str, channel: Channel, **facts: Value) -> AuditEvent:
    data = {"subject": subject, "channel": channel, **facts}
    return AuditEvent(kind=kind, stream=DELIVERY_STREAM, actor=ITSELF, at=uow.now, data=data)
