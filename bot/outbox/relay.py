"""The relay: shows people what the rows say. The scheduler ticks it; it decides nothing and can be late without harm.

One step looks at the cards that do not show their subject as it is *now*, draws them and hands them to the workspace; then it
tells the threads what happened, and what only informs comes last. Nothing stale is ever replayed. A post is written down before
it is made and after it succeeded, so a crash between the two leads to a replacement that says what it is and rings no phone a
second time. No call to the workspace is made inside a transaction.

What is refused is tried again, with growing waits, until it is shown: only where the message itself is not acceptable does a
plainer one go out in its place, at last one line without buttons. What nobody foresaw costs the one card or thread that met it:
it is written down as failed and waits for its next try, like anything else that was not delivered.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Final, Generic, TypeVar, cast

import structlog

from approvals.audit.events import facts_of_body
from approvals.change.plan import JsonObject
from approvals.errors import Unavailable
from approvals.identity.names import Channel
from approvals.ports.journey import Journey, Milestone
from approvals.ports.store import Store
from bot.outbox.delivery import (
    Detail,
    Drawn,
    DrawReason,
    MessageGone,
    NoSubject,
    NotAsApproved,
    Pace,
    Painter,
    Poster,
    Rejected,
    Stuck,
    ThreadEvent,
    Uncertain,
    Undelivered,
    Unsendable,
)
from models.outbox.cards import Cards
from models.outbox.tasks import Task
from models.outbox.thread_lines import Line, ThreadLines
from models.store.fence import LeaseLost
from models.store.tables import Precedence

M = TypeVar("M")

CARDS_A_STEP: Final = 20
"""How many posts of one channel, and how many updates, a step looks at: more than any pace lets through at once."""

LINES_A_STEP: Final = 100
"""How many lines of one channel a step looks at."""

LINES_A_MESSAGE: Final = 5
"""How many events of one thread are told in one message: a channel takes about one message a second."""

OTHERS_A_STEP: Final = 5
"""How often a step calls for what nobody waits for before it looks again: a question that comes in meanwhile goes first."""

FAULTS_BEFORE_LINE: Final = 3
"""After so many tries in a row that met a fault of ours, one line says what cannot be drawn: about seven seconds."""

log = structlog.get_logger(__name__)


class Relay(Generic[M]):
    """Brings cards and threads up to date. One at a time: a second one would post cards twice."""

    def __init__(
        self,
        *,
        store: Store,
        cards: Cards,
        lines: ThreadLines,
        painter: Painter[M],
        poster: Poster[M],
        journey: Journey,
        failed: Callable[[str], None],
        hand_over: Callable[[str, Channel, str | None], None],
    ) -> None:
        """Keep what it reads, draws and sends with.

        Args:
            store: What is read.
            cards: The state of all cards, and
            lines: of all threads, written under the lease.
            painter: Draws.
            poster: Sends.
            journey: Is told of each step of a card.
            failed: Is told whenever something nobody foresaw comes of a message.
            hand_over: Is told the subject, the channel and, of a post, the timestamp of what was sent while the lease went to
                another process.
        """
        self._store = store
        self._cards = cards
        self._lines = lines
        self._painter = painter
        self._poster = poster
        self._journey = journey
        self._failed = failed
        self._hand_over = hand_over
        self._faults: Counter[tuple[str, str]] = Counter()
        self._calls = 0
        self._talkative: frozenset[str] = frozenset()
        """Channels in whose threads something was to be told when that was last looked at, besides what had failed."""

    def step(self) -> int:
        """Return how many messages were delivered: as many as the workspace's pace allows now, the most pressing first."""
        tasks = self._cards.behind(limit=CARDS_A_STEP)
        crowded = self._talkative | {task.pace for task in tasks if not task.failures}
        delivered = sum(self._try_to_show(task, crowded) for task in tasks if task.precedence < Precedence.REST)
        most = self._calls + OTHERS_A_STEP
        for work in self._others(tasks, crowded):
            delivered += work()
            if self._calls >= most:
                break
        return delivered

    def _others(self, tasks: Iterable[Task], crowded: frozenset[str]) -> Iterator[Callable[[], int]]:
        """Give what nobody waits for: the rest of the cards, what their threads are told, and at last what informs."""
        yield from (partial(self._try_to_show, one, crowded) for one in tasks if one.precedence is Precedence.REST)
        threads = self._threads()  # Asked for now: a card that has just been drawn may have lost its thread.
        self._talkative = frozenset(lines[0].channel for lines in threads if not lines[0].failures)
        yield from (partial(self._try_to_tell, lines, crowded) for lines in threads if not lines[0].informs)
        yield from (
            partial(self._try_to_show, one, crowded) for one in tasks if one.precedence is Precedence.INFORMATION
        )
        yield from (partial(self._try_to_tell, lines, crowded) for lines in threads if lines[0].informs)

    def _try_to_show(self, task: Task, crowded: frozenset[str]) -> int:
        pace = _pace(
            informs=task.precedence is Precedence.INFORMATION, failed=bool(task.failures), crowd=task.pace in crowded
        )
        try:
            return self._show(task, pace)
        except LeaseLost:
            raise  # Nothing more is ours to do, nor to write down.
        except Unavailable as error:
            # Where the store still does not answer, writing this down raises, and the tick says that once for all cards.
            self._cards.failed(task, reason="unforeseen", permanent=False, may_have_arrived=True)
            log.warning("card.waits", subject=task.subject, channel=task.channel, why=error.for_operators)
            self._failed("relay")
            return 0
        except Exception:
            # The outermost loop of one card: without it a card would be posted at each tick, and what is behind it never.
            log.exception("card.failed", subject=task.subject, channel=task.channel)
            self._failed("relay")
            # A post that was begun is in doubt now; where none was, nothing is more in doubt than before.
            self._cards.failed(task, reason="unforeseen", permanent=False, may_have_arrived=True)
            return 0

    def _show(self, task: Task, pace: Pace) -> int:
        if task.closed and task.shown and not task.refs:
            # Its last copy was taken away, and there is nothing left to answer.
            self._cards.shown(task)
            self._lines.settle(task.subject, task.channel)
            return 0
        if not (self._poster.may_update(pace) if task.refs else self._poster.may_post(task.channel, pace)):
            return 0
        least = Detail.LINE if self._faults[_key(task)] >= FAULTS_BEFORE_LINE else Detail.FULL
        for detail in Detail:
            if detail < least:
                continue
            try:
                message = self._draw(task, detail)
            except NotAsApproved as error:
                self._not_drawn(task, "not_as_approved", error)
                least = Detail.LINE
                continue
            except Unsendable as error:
                self._not_drawn(task, "unsendable", error)
                continue
            except NoSubject as error:
                self._not_drawn(task, "no_such_subject", error, permanent=True)
                return 0
            if (delivered := self._deliver(task, message, pace)) is not None:
                return delivered
        return 0

    def _draw(self, task: Task, detail: Detail) -> M:
        """Return the message in that much detail.

        Raises:
            NotAsApproved, Unsendable: It can only be drawn plainer.
            NoSubject: There is nothing to draw.
            Unavailable: The store cannot be read.
        """
        drawn = Drawn(
            subject=task.subject, kind=task.kind.value, channel=task.channel, revision=task.wanted, detail=detail
        )
        try:
            with self._store.reading() as reading:
                return self._painter.card(reading, drawn, _occasion(task))
        except (NotAsApproved, Unsendable, NoSubject, Unavailable):
            raise
        except Exception:
            self._faults[_key(task)] += 1
            raise

    def _not_drawn(self, task: Task, reason: str, error: Exception, *, permanent: bool = False) -> None:
        log.warning("card.not_drawn", subject=task.subject, reason=reason, why=str(error))
        self._cards.failed(task, reason=reason, permanent=permanent)

    def _deliver(self, task: Task, message: M, pace: Pace) -> int | None:
        """Return how many messages were delivered, or None where the workspace will never take this one."""
        delivered = self._update(task, message, pace) if task.refs else self._post(task, message, pace)
        if delivered is not None:
            self._faults.pop(_key(task), None)
        return delivered

    def _post(self, task: Task, message: M, pace: Pace) -> int | None:
        self._cards.posting(task)
        self._journey.reached(Milestone.CARD_POSTING, task.subject)
        self._calls += 1
        try:
            ts = self._poster.post(task.channel, message, pace=pace)
        except Uncertain as error:
            self._cards.failed(task, reason=error.reason, permanent=False, may_have_arrived=True)
            return 0
        except Undelivered as error:
            return self._refused(task, error)
        self._journey.reached(Milestone.CARD_SENT, task.subject)
        try:
            self._cards.posted(task, ts)
        except LeaseLost:
            self._hand_over(task.subject, task.channel, ts)
            raise
        self._journey.reached(Milestone.CARD_POSTED, task.subject)
        return 1

    def _update(self, task: Task, message: M, pace: Pace) -> int | None:
        """Draw every known copy anew; a copy that somebody deleted is forgotten, and an open card is posted again.

        A copy that cannot be changed any more is forgotten too, and then even a closed card is posted again, so that what it
        says is not the last word.
        """
        try:
            return self._update_all(task, message, pace)
        except LeaseLost:
            # It may have reached the workspace after the update of whoever leads now, and then shows what is over.
            self._hand_over(task.subject, task.channel, None)
            raise

    def _update_all(self, task: Task, message: M, pace: Pace) -> int | None:
        updated, stuck = 0, False
        for ts in task.refs:
            if not self._poster.may_update(pace):
                return updated
            self._calls += 1
            try:
                self._poster.update(task.channel, ts, message, pace=pace)
            except MessageGone:
                self._cards.lost(task.subject, task.channel, ts)
                continue
            except Stuck as error:
                log.warning("card.stuck", subject=task.subject, channel=task.channel, reason=error.reason)
                self._cards.stuck(task.subject, task.channel, ts)
                stuck = True
                continue
            except Undelivered as error:  # An update whose reply was lost can be made twice.
                return self._refused(task, error, updated=updated)
            updated += 1
        if not updated and stuck:
            return 0
        self._cards.shown(task)
        if not updated and task.closed:
            self._lines.settle(task.subject, task.channel)
        return updated

    def _refused(self, task: Task, error: Undelivered, *, updated: int = 0) -> int | None:
        """Write down that it comes again; return None where it must be a plainer message, else what was updated already."""
        log.warning("card.refused", subject=task.subject, channel=task.channel, reason=error.reason)
        self._cards.failed(task, reason=error.reason, permanent=False, wait=error.wait)
        return None if isinstance(error, Rejected) else updated

    def _threads(self) -> list[list[Line]]:
        """Return what there is to tell, oldest thread first, a message's worth of each."""
        threads: dict[tuple[str, str], list[Line]] = {}
        for line in self._lines.waiting(limit=LINES_A_STEP):
            threads.setdefault((line.channel, line.thread_ts), []).append(line)
        return [lines[:LINES_A_MESSAGE] for lines in threads.values()]

    def _try_to_tell(self, lines: list[Line], crowded: frozenset[str]) -> int:
        first = lines[0]
        pace = _pace(informs=first.informs, failed=bool(first.failures), crowd=first.channel in crowded)
        try:
            return self._tell(lines, pace)
        except LeaseLost:
            raise
        except Unavailable as error:
            self._lines.failed(first, permanent=False)
            log.warning("thread.waits", subject=first.subject, channel=first.channel, why=error.for_operators)
            self._failed("relay")
            return 0
        except Exception:
            # The outermost loop of one thread, for the same reason.
            log.exception("thread.failed", subject=first.subject, channel=first.channel)
            self._failed("relay")
            self._lines.failed(first, permanent=False)
            return 0

    def _tell(self, lines: list[Line], pace: Pace) -> int:
        first = lines[0]
        if not self._poster.may_post(first.channel, pace):
            return 0
        drawn = False
        for detail in Detail:
            message = self._draw_lines(lines, detail)
            if message is None:
                continue
            drawn = True
            if (delivered := self._deliver_lines(lines, message, pace)) is not None:
                return delivered
        if drawn:
            self._lines.failed(first, permanent=False)
            return 0
        return self._tell(lines[:1], pace) if len(lines) > 1 else self._give_up(first)

    def _deliver_lines(self, lines: list[Line], message: M, pace: Pace) -> int | None:
        """Return how many messages were delivered, or None where the workspace will never take this one."""
        first = lines[0]
        self._calls += 1
        try:
            ts = self._poster.post(first.channel, message, thread=first.thread_ts, pace=pace)
        except (MessageGone, Stuck):
            self._without_thread(first)
        except Rejected as error:
            log.warning("thread.refused", subject=first.subject, channel=first.channel, reason=error.reason)
            return None
        except Undelivered as error:  # Told twice is better than never.
            self._lines.failed(first, permanent=False, wait=error.wait)
        else:
            for line in lines:
                self._lines.posted(line, ts)
            return 1
        return 0

    def _without_thread(self, line: Line) -> None:
        """Put an open card again; have a closed one drawn again first, which shows whether it is really gone."""
        if not line.closed:
            self._cards.lost(line.subject, line.channel, line.thread_ts)
            return
        self._lines.failed(line, permanent=False)
        self._cards.draw_again(line.subject, line.channel)

    def _draw_lines(self, lines: list[Line], detail: Detail) -> M | None:
        """Return the message that tells *lines*, or None where none can: drawing reads nothing, so it ends the same again."""
        try:
            return self._painter.lines(tuple(_event(line) for line in lines), detail)
        except Unsendable as error:
            log.warning("thread.not_drawn", subject=lines[0].subject, why=str(error))
        except Exception:
            log.exception("thread.not_drawn", subject=lines[0].subject)
            self._failed("relay")
        return None

    def _give_up(self, line: Line) -> int:
        self._lines.failed(line, permanent=True)
        return 0


def _key(task: Task) -> tuple[str, str]:
    return task.subject, task.channel


def _pace(*, informs: bool, failed: bool, crowd: bool) -> Pace:
    if informs:
        return Pace.INFORMATION
    return Pace.AGAIN if failed and crowd else Pace.DECISION


def _occasion(task: Task) -> DrawReason:
    if task.refs:
        return DrawReason.UPDATE
    return DrawReason.REPLACEMENT if task.interrupted or task.shown else DrawReason.FIRST


def _event(line: Line) -> ThreadEvent:
    body = cast("JsonObject", facts_of_body(line.body))
    return ThreadEvent(
        subject=line.subject, kind=body["kind"], actor=body["actor"], data=body["data"], texts=line.texts
    )
