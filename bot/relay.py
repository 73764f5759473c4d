"""The relay: shows people what the rows say. The scheduler ticks it; it decides nothing and can be late without harm.

One step looks at the cards that do not show their subject as it is *now*, draws them and hands them to the workspace; then it
tells the threads what happened. Nothing stale is ever replayed. A post is written down before it is made and after it
succeeded, so a crash between the two leads to a replacement that says what it is and rings no phone a second time. No call to
the workspace is made inside a transaction. What nobody foresaw costs the one card or thread that met it: it is written down as
failed and waits for its next try, like anything else that was not delivered.
"""

from collections.abc import Callable
from typing import Final, Generic, TypeVar, cast

import structlog

from approvals.canonical import decode
from approvals.plan import JsonObject
from approvals.ports import Journey, Milestone, Store
from bot.delivery import (
    Drawn,
    Gone,
    Later,
    NotAsApproved,
    Occasion,
    Painter,
    Poster,
    Rejected,
    Told,
    Uncertain,
    Unsendable,
)
from models.cards import Cards, Task
from models.thread_lines import Line, ThreadLines

M = TypeVar("M")

CARDS_A_STEP: Final = 20
"""How many posts of one channel, and how many updates, a step looks at: more than any pace lets through at once."""

LINES_A_STEP: Final = 100
"""How many lines of one channel a step looks at."""

LINES_A_MESSAGE: Final = 5
"""How many events of one thread are told in one message: a channel takes about one message a second."""

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
    ) -> None:
        """Keep what it reads, draws and sends with; *failed* is told whenever something nobody foresaw comes of a message."""
        self._store = store
        self._cards = cards
        self._lines = lines
        self._painter = painter
        self._poster = poster
        self._journey = journey
        self._failed = failed

    def step(self) -> int:
        """Return how many messages were delivered: as many as the workspace's pace allows now, the most pressing first."""
        delivered = sum(self._try_to_show(task) for task in self._cards.behind(limit=CARDS_A_STEP))
        return delivered + sum(self._try_to_tell(lines) for lines in self._threads())

    def _try_to_show(self, task: Task) -> int:
        try:
            return self._show(task)
        except Exception:
            # The outermost loop of one card: without it a card would be posted at each tick, and what is behind it never.
            log.exception("card.failed", subject=task.subject, channel=task.channel)
            self._failed("relay")
            # A post that was begun is in doubt now; where none was, nothing is more in doubt than before.
            self._cards.failed(task, reason="unforeseen", permanent=False, may_have_arrived=True)
            return 0

    def _show(self, task: Task) -> int:
        if task.closed and task.shown and not task.refs:
            self._cards.shown(task)  # Its last copy is gone and there is nothing left to answer.
            return 0
        if not (self._poster.may_update() if task.refs else self._poster.may_post(task.channel)):
            return 0
        try:
            message = self._draw(task)
        except (NotAsApproved, Unsendable, LookupError) as error:
            reason = {NotAsApproved: "not_as_approved", Unsendable: "unsendable"}.get(type(error), "no_such_subject")
            log.warning("card.not_drawn", subject=task.subject, reason=reason, why=str(error))
            self._cards.failed(task, reason=reason, permanent=True)
            return 0
        return self._update(task, message) if task.refs else self._post(task, message)

    def _draw(self, task: Task) -> M:
        drawn = Drawn(subject=task.subject, kind=task.kind.value, channel=task.channel, revision=task.wanted)
        with self._store.reading() as reading:
            return self._painter.card(reading, drawn, _occasion(task))

    def _post(self, task: Task, message: M) -> int:
        self._cards.posting(task)
        self._journey.reached(Milestone.CARD_POSTING, task.subject)
        try:
            ts = self._poster.post(task.channel, message)
        except Later as error:
            self._cards.failed(task, reason=error.reason, permanent=False, wait=error.wait)
            return 0
        except Uncertain as error:
            self._cards.failed(task, reason=error.reason, permanent=False, may_have_arrived=True)
            return 0
        except (Gone, Rejected) as error:
            self._refused(task, error)
            return 0
        self._journey.reached(Milestone.CARD_SENT, task.subject)
        self._cards.posted(task, ts)
        self._journey.reached(Milestone.CARD_POSTED, task.subject)
        return 1

    def _update(self, task: Task, message: M) -> int:
        """Draw every known copy anew; a copy that somebody deleted is forgotten, and an open card is posted again."""
        updated = 0
        for ts in task.refs:
            if not self._poster.may_update():
                return updated
            try:
                self._poster.update(task.channel, ts, message)
            except Gone:
                self._cards.lost(task.subject, task.channel, ts)
                continue
            except (Later, Uncertain) as error:  # An update can be made twice.
                wait = error.wait if isinstance(error, Later) else None
                self._cards.failed(task, reason=error.reason, permanent=False, wait=wait)
                return updated
            except Rejected as error:
                self._refused(task, error)
                return updated
            updated += 1
        self._cards.shown(task)
        return updated

    def _refused(self, task: Task, error: Gone | Rejected) -> None:
        """Give the card up, unless somebody still waits for it and an administrator can set right what is wrong."""
        log.warning("card.refused", subject=task.subject, channel=task.channel, reason=error.reason)
        mendable = isinstance(error, Rejected) and error.mendable and not task.closed
        self._cards.failed(task, reason=error.reason, permanent=not mendable)

    def _threads(self) -> list[list[Line]]:
        """Return what there is to tell, oldest thread first, a message's worth of each."""
        threads: dict[tuple[str, str], list[Line]] = {}
        for line in self._lines.waiting(limit=LINES_A_STEP):
            threads.setdefault((line.channel, line.thread_ts), []).append(line)
        return [lines[:LINES_A_MESSAGE] for lines in threads.values()]

    def _try_to_tell(self, lines: list[Line]) -> int:
        try:
            return self._tell(lines)
        except Exception:
            # The outermost loop of one thread, for the same reason.
            log.exception("thread.failed", subject=lines[0].subject, channel=lines[0].channel)
            self._failed("relay")
            self._lines.failed(lines[0], permanent=False)
            return 0

    def _tell(self, lines: list[Line]) -> int:
        first = lines[0]
        if not self._poster.may_post(first.channel):
            return 0
        message = self._draw_lines(lines)
        if message is None:
            return self._tell(lines[:1]) if len(lines) > 1 else self._give_up(first)
        try:
            ts = self._poster.post(first.channel, message, thread=first.thread_ts)
        except Gone:
            self._cards.lost(first.subject, first.channel, first.thread_ts)
        except (Later, Uncertain) as error:  # Told twice is better than never.
            wait = error.wait if isinstance(error, Later) else None
            self._lines.failed(first, permanent=False, wait=wait)
        except Rejected as error:
            log.warning("thread.refused", subject=first.subject, channel=first.channel, reason=error.reason)
            for line in lines:
                self._lines.failed(line, permanent=True)
        else:
            for line in lines:
                self._lines.posted(line, ts)
            return 1
        return 0

    def _draw_lines(self, lines: list[Line]) -> M | None:
        """Return the message that tells *lines*, or None where none can: drawing reads nothing, so it ends the same again."""
        try:
            return self._painter.lines(tuple(_event(line) for line in lines))
        except Unsendable as error:
            log.warning("thread.not_drawn", subject=lines[0].subject, why=str(error))
        except Exception:
            log.exception("thread.not_drawn", subject=lines[0].subject)
            self._failed("relay")
        return None

    def _give_up(self, line: Line) -> int:
        self._lines.failed(line, permanent=True)
        return 0


def _occasion(task: Task) -> Occasion:
    if task.refs:
        return Occasion.UPDATE
    return Occasion.REPLACEMENT if task.interrupted or task.shown else Occasion.FIRST


def _event(line: Line) -> Told:
    body = cast("JsonObject", decode(line.body))
    return Told(kind=body["kind"], actor=body["actor"], data=body["data"], texts=line.texts)
