"""Tasks: what the relay is told to show, and how much waits."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from approvals.identity.names import Channel
from approvals.workflow.retries import growing_wait
from models.engine.columns import INSTANT, instant_at
from models.store.tables import Precedence, Subject, cards

LONGEST_WAIT: Final = timedelta(minutes=5)
"""The longest pause between two tries to show one card."""


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
    def place(self) -> "PacePlace":
        """Where its queue takes turns with others."""
        return self.precedence, self.pace

    @property
    def queue(self) -> "AgentQueue":
        """The queue it waits in: what one agent asks in one channel."""
        return self.channel, self.agent


PacePlace = tuple[Precedence, str]


AgentQueue = tuple[str, str]


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


def backoff(failures: int, *, longest: timedelta = LONGEST_WAIT) -> timedelta:
    """Return how long to wait after one more failure: a second, doubled each time, five minutes at most unless said."""
    return growing_wait(failures + 1, first=timedelta(seconds=1), longest=longest)


def row_with_instants(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row with its instants as such; each row is read by itself, so that a bad one keeps no other from being shown."""
    return {
        name: instant_at(value) if value is not None and cards.c[name].type is INSTANT else value
        for name, value in row.items()
    }


def task_of(row: Mapping[str, Any], refs: tuple[str, ...]) -> Task:
    """Return the task that a card's *row* stands for, whose known copies are *refs*."""
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
