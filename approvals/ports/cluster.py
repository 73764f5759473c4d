"""The cluster: plans, tokens, writes and looks."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from approvals.change.action import Wish
from approvals.change.plan import Bound, Change, Preview
from approvals.identity.accounts import ServiceAccount
from approvals.verbs.verb import PlanSeed, Verb


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """A workload's own pods and the warnings about it, raw, as many as were asked for."""

    pods: tuple[Mapping[str, Any], ...] = ()
    events: tuple[Mapping[str, Any], ...] = ()
    """The newest last."""


class Cluster(Protocol):
    """The cluster door: the only way to any Kubernetes API server. Every method may block; none runs in a transaction.

    A method raises the refusals that it lists and nothing else, whatever the door meets. That an account of ours or one of its
    rights is not there is an outage of ours: unavailable, and never the fault of whoever asks.
    """

    def preview(self, wish: Wish, *, verb: Verb, occasion: PlanSeed) -> Preview:
        """Return what *wish* would change, by dry run, as the planner.

        Raises:
            approvals.errors.Unplannable: It cannot be previewed: no such target, refused by the server, fenced.
            approvals.errors.Unavailable: The cluster could not be asked.
        """
        ...

    def mint(self, *, environment: str, account: ServiceAccount) -> "Credential":
        """Return a fresh token of *account*, good for 600 seconds, kept in memory only.

        Raises:
            approvals.errors.Forbidden: The bot may not mint it, or the server minted another identity.
            approvals.errors.Unavailable: The cluster could not be asked.
        """
        ...

    def send(
        self, *, environment: str, bound: Bound, step: int, body: bytes, credential: "Credential", within: timedelta
    ) -> "Reply":
        """Write one step, sending exactly *body*, once, and return what came back. Never raises for an answer or its lack.

        *body* begins to leave at most *within* after this is called, or it is :attr:`Came.NOT_SENT`.
        """
        ...

    def observe(self, *, environment: str, agent: str, bound: Bound, step: int) -> Mapping[str, Any] | None:
        """Return the step's object as it is now, raw, read as the observer; None where it is gone.

        Raises:
            approvals.errors.Unavailable: The cluster could not be asked.
        """
        ...

    def surroundings(
        self, *, environment: str, agent: str, bound: Bound, step: int, workload: Mapping[str, Any], since: datetime
    ) -> Surroundings:
        """Return what stands around the step's object, seen just now as *workload*: read as the observer, and bounded.

        It tells why pods do not come up, and is nothing to decide by: whoever may make pods or events there may forge it.

        Args:
            environment: Which cluster.
            agent: Whose observer.
            bound: The plan.
            step: The number of its step.
            workload: The raw object.
            since: Events that were last seen before this are left out.

        Raises:
            approvals.errors.Unavailable: The cluster could not be asked, or does not let the observer read it.
        """
        ...

    def mac(self, text: str) -> str:
        """Return the keyed hash that stands for a value which is not shown; nothing is asked for it."""
        ...


class Credential(Protocol):
    """A minted token. It shows nothing of itself but its id and its end."""

    @property
    def token_id(self) -> str | None:
        """The id by which the API server's own audit log knows it."""
        ...

    @property
    def expires_at(self) -> datetime:
        """When it ends, by the server."""
        ...


class Came(StrEnum):
    """What came back from one write."""

    APPLIED = "applied"
    CONFLICT = "conflict"
    """Somebody changed the object in between: 409."""
    REJECTED = "rejected"
    """The server understood and refused."""
    BUSY = "busy"
    """The server did not take it on: 429."""
    EXPIRED = "expired"
    """The credential was not taken: 401."""
    NOT_SENT = "not_sent"
    """No connection came about, or not in time, so nothing left."""
    LOST = "lost"
    """It may have taken effect: a timeout, a reset, a cut reply, a 5xx."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back from one write."""

    came: Came
    status: int | None = None
    audit_id: str | None = None
    message: str = ""
    """A sentence of ours, with the server's reason code and field paths, never its text."""
    as_planned: bool = True
    """For an applied write: whether the server's answer holds the planned values and no others changed."""
    departures: tuple[Change, ...] = ()
    """For one that does not: what is otherwise; ``before`` is what was planned."""
