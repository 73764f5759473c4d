"""Marks: which cards a unit of work makes out of date, noted in its own transaction.

A card is level-triggered: its row says which revision is wanted and which is shown, and the relay (:mod:`models.outbox.cards`)
draws
the subject as it is *now* wherever they differ. So all that a write does here is to raise the wanted revision, once a unit, and
only for what a card shows: while a cluster is down, executions are claimed and put back every few seconds, and updates of
cards are scarce. What goes first where not all can go at once is noted in the same row, so that the relay finds it by an index.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import and_, bindparam, case, or_, select, update

from approvals.verbs.verb import Effect
from approvals.workflow.alert import AlertGroup, AlertState
from approvals.workflow.execution import Execution, Phase, seen_phase
from approvals.workflow.monitor import RefusedDeliveries, is_news
from approvals.workflow.pause import Consent, Pause
from approvals.workflow.request import Request, State
from approvals.workflow.votes import Vote
from models.engine.columns import TEXT
from models.engine.prepared import Asked, Prepared, PreparedRows, rows_into
from models.store.tables import Precedence, Subject, cards, gate

_COLUMNS: Final = (
    "subject", "channel", "kind", "precedence", "agent", "due_at", "made_at", "closed", "wanted", "shown", "failures",
    "thread_failures",
)  # fmt: skip
_FIRST: Final = {Subject.PAUSE: Precedence.NOTICE, Subject.REQUEST: Precedence.QUESTION}
"""What a new card comes as; anything else informs."""
_NEW: Final = PreparedRows(
    lambda count: rows_into(cards, _COLUMNS, count=count, epoch=select(gate.c.epoch).scalar_subquery())
)
_CLOSED: Final = bindparam("the_closed", type_=cards.c.closed.type)
_ENDS: Final = and_(cards.c.kind == Subject.REQUEST.value, _CLOSED, ~cards.c.closed)
_WANTED: Final = Prepared(
    update(cards)
    .where(cards.c.subject == bindparam("the_subject", type_=TEXT))
    .values(
        wanted=cards.c.wanted + 1,
        closed=or_(cards.c.closed, _CLOSED),
        precedence=case(
            (and_(_ENDS, cards.c.thread_ts.is_not(None)), Precedence.BUTTONS.value),
            (_ENDS, Precedence.REST.value),
            else_=cards.c.precedence,
        ),
    )
)
_Shown = tuple[Phase, Effect | None, str]


def shown_of(execution: Execution) -> _Shown:
    """Return what a card shows of an execution."""
    return seen_phase(execution), execution.effect, execution.message


@dataclass(slots=True, kw_only=True)
class _CardChange:
    closed: bool = False
    """Whether its subject has its outcome, so that what can be clicked must go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _New:
    """What a new card says of its place among the others."""

    channels: tuple[str, ...]
    made_at: datetime
    agent: str = ""
    """Who asks, where somebody does: no agent takes more than its share of a channel's pace."""
    due_at: datetime | None = None
    """The deadline of a question."""

    @classmethod
    def of(cls, noun: Request | Pause | AlertGroup | RefusedDeliveries) -> "_New | None":
        """Return it for a noun's first revision; None for a later one, whose cards are there."""
        if noun.revision != 1:
            return None
        match noun:
            case Request():
                return cls(channels=(noun.channel,), made_at=noun.asked_at, agent=noun.agent, due_at=noun.deadline)
            case Pause():
                return cls(channels=noun.channels, made_at=noun.engaged_at)
            case AlertGroup():
                return cls(channels=(noun.channel,), made_at=noun.opened_at)
            case RefusedDeliveries():
                return cls(channels=(noun.channel,), made_at=noun.since)


class Marks:
    """The cards that one unit of work makes, and those that it makes out of date."""

    def __init__(self) -> None:
        """Begin with none."""
        self._new: dict[tuple[str, str], dict[str, Any]] = {}
        self._stale: dict[str, _CardChange] = {}
        self._stood: dict[str, _Shown] = {}

    def stood(self, execution: Execution) -> None:
        """Note how an execution stands before what is written next: its row is locked, so nobody else moves it."""
        self._stood[execution.id] = shown_of(execution)

    def note(self, noun: object) -> None:
        """Note what a written noun means for cards."""
        match noun:
            case Request():
                if noun.state is not State.REFUSED:
                    closed = noun.state is not State.PENDING
                    self._touch(Subject.REQUEST, noun.id, closed=closed, new=_New.of(noun))
            case Vote():
                self._stale.setdefault(noun.escalation, _CardChange())
            case Execution():
                if self._stood.get(noun.id) != shown_of(noun):
                    self._stale.setdefault(noun.escalation, _CardChange())
                self.stood(noun)
            case Pause():
                closed = not noun.is_open
                self._touch(Subject.PAUSE, noun.id, closed=closed, new=_New.of(noun))
            case Consent():
                self._stale.setdefault(noun.pause, _CardChange())
            case AlertGroup():
                closed = noun.state is AlertState.RESOLVED
                self._touch(Subject.ALERT, noun.id, closed=closed, new=_New.of(noun))
            case RefusedDeliveries() if noun.channel and (noun.revision == 1 or is_news(noun)):
                # It is shown like an alert, and no faster: there is nothing to answer.
                self._touch(Subject.ALERT, noun.id, closed=True, new=_New.of(noun))
            case _:
                pass  # A token has no card; an attempt comes with its execution, an alert with its group.

    def taken(self) -> list[Asked]:
        """Return what writes the marks, which are forgotten: new cards, then those to be drawn again, each in order."""
        new, stale = self._new, self._stale
        self._new, self._stale = {}, {}
        made = {subject for subject, _ in new}
        return _NEW.of([new[key] for key in sorted(new)]) + [
            (_WANTED, {"the_subject": subject, "the_closed": stale[subject].closed})
            for subject in sorted(stale.keys() - made)
        ]

    def _touch(self, kind: Subject, subject: str, *, closed: bool, new: "_New | None") -> None:
        if new is None:
            self._stale.setdefault(subject, _CardChange()).closed |= closed
            return
        for channel in new.channels:
            self._new[subject, channel] = {
                "subject": subject,
                "channel": channel,
                "kind": kind.value,
                "precedence": _FIRST.get(kind, Precedence.INFORMATION).value,
                "agent": new.agent,
                "due_at": new.due_at or new.made_at,
                "made_at": new.made_at,
                "closed": closed,
                "wanted": 1,
                "shown": 0,
                "failures": 0,
                "thread_failures": 0,
            }
