"""Executions: how one approved change is carried out, at most once.

::

    queued -> claimed -> armed -> sending -> applied | rejected | unknown
    claimed | armed -> voided(reason)      armed -> claimed (arm again)      sending -> claimed (that attempt did not land)
    unknown -> applied | claimed | voided(never landed) | abandoned(by a person)
    effect, apart: in_progress -> verified | failed | timed_out | overtaken | differs | undone
    late truth: timed_out | failed -> verified | differs | undone    timed_out -> failed    verified -> undone

*Armed* is the start record: it, and then *sending*, are committed before a byte is written to the cluster. A lost reply is
*unknown*: it is read back, never resent blindly. Each write to the row names the lease's *generation*, so a worker that was
frozen and woke up changes nothing.

Waiting is not progress: what cannot go on is told once for each reason, at most
:data:`~approvals.workflow.transition.MOST_WAITS` times, and from then on only the instant of its next look moves. So an
execution has a bounded number of events, however long it waits.

Here are the row and its phases. Read on in the order of its life: :mod:`~approvals.workflow.starting`,
:mod:`~approvals.workflow.landing`, :mod:`~approvals.workflow.setbacks`, :mod:`~approvals.workflow.voiding`,
:mod:`~approvals.workflow.following`. They all move it by :mod:`~approvals.workflow.transition`.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from approvals.change.plan import Change
from approvals.facts import ADDED
from approvals.identity.names import EscalationId, ExecutionId
from approvals.identity.place import Place
from approvals.verbs.verb import Effect

LEASE: Final = timedelta(seconds=60)
"""How long a worker may hold an execution without a word: longer than any call to the cluster takes."""


class Phase(StrEnum):
    """Where an execution stands. Stored; never renamed."""

    QUEUED = "queued"
    CLAIMED = "claimed"
    ARMED = "armed"
    SENDING = "sending"
    APPLIED = "applied"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    VOIDED = "voided"
    ABANDONED = "abandoned"


class Reason(StrEnum):
    """Why an execution was voided, or ended otherwise than applied. Stored; never renamed."""

    DENIED = "denied"
    CANCELLED = "cancelled"
    TOKEN_REVOKED = "token_revoked"  # noqa: S105 - the name of a reason
    """The agent token it was asked with was revoked."""
    PAUSED = "paused"
    LAPSED = "lapsed"
    """The approval's validity ended before it could start."""
    DRIFT = "drift"
    AUTHORITY = "authority"
    POLICY = "policy"
    TAMPERED = "tampered"
    """The stored plan is not the one that was approved."""
    SLOW = "slow"
    """Too long between the start record and the send."""
    CONTENDED = "contended"
    UNPLANNABLE = "unplannable"
    NOT_PERMITTED = "not_permitted"
    REFUSED_BY_CLUSTER = "refused_by_cluster"
    NEVER_LANDED = "never_landed"
    UPGRADED = "upgraded"
    """It was asked in another form than this release's."""


_STOPPABLE: Final = frozenset({Phase.QUEUED, Phase.CLAIMED})


_OVER: Final = frozenset({Phase.REJECTED, Phase.VOIDED, Phase.ABANDONED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One authorised attempt to carry out one step of an approved change."""

    id: ExecutionId
    escalation: EscalationId
    step: int
    """Which step of the plan, from 0."""
    state: Phase
    revision: int
    agent: str
    environment: str
    namespace: str
    cluster_uid: str
    object_uid: str
    fingerprint: str
    valid_until: datetime
    """The last instant, excluded, at which it may start."""
    due_at: datetime
    """When a worker should next look at it."""
    generation: int = 0
    """The lease's: raised by every claim."""
    lease_until: datetime | None = None
    leader: int = field(default=0, metadata=ADDED)
    """Under which generation of the leader's lease it was claimed last; 0 where that is not known."""
    attempts: int = 0
    rounds: int = 0
    """How many attempts provably did not land."""
    waits: int = 0
    """How many reasons to wait, or to doubt its effect, were told of it."""
    effect: Effect | None = None
    doubted: bool = False
    """Whether the last that was told of its effect is a doubt: that it failed, seen once, or that it could not be looked at."""
    effect_deadline: datetime | None = None
    """Until when it may stand still: it moves on with every event that tells that something has moved."""
    landed_at: datetime | None = None
    """When it was known that the write had landed."""
    pace: str = ""
    """What the last event knew of its pods: a look that finds another has seen it move."""
    watched_until: datetime | None = None
    """Until when it is looked at after its end: whether a late truth corrects it, or somebody undoes it."""
    reason: Reason | None = None
    message: str = ""
    """A sentence of ours about the last thing that happened."""
    compared: bool = False
    """Whether the whole target was seen after the write and compared with what was planned."""
    drift: tuple[Change, ...] = ()
    """What was otherwise than approved, secrets hidden: before the start, with the write or since; ``before`` is the approved."""

    @property
    def place(self) -> Place:
        """Where it acts, and for whom."""
        return Place(agent=self.agent, environment=self.environment, namespace=self.namespace)

    @property
    def is_waiting(self) -> bool:
        """Whether a look at it found that it cannot start yet: until one finds that it can, it is looked at unclaimed."""
        return self.state is Phase.QUEUED and self.message != ""

    @property
    def can_still_be_stopped(self) -> bool:
        """Whether nothing of it has been armed: a denial, a cancel and a pause may still void it."""
        return self.state in _STOPPABLE

    @property
    def is_over(self) -> bool:
        """Whether it has ended: only a late look at its effect may find something new."""
        return self.state in _OVER or (self.state is Phase.APPLIED and self.effect not in {None, Effect.IN_PROGRESS})

    @property
    def is_watched(self) -> bool:
        """Whether its effect has ended and is looked at for a while longer."""
        return self.is_over and self.watched_until is not None


class Fate(StrEnum):
    """What became of one attempt."""

    OPEN = "open"
    APPLIED = "applied"
    NOT_SENT = "not_sent"
    NOT_LANDED = "not_landed"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    NEVER_LANDED = "never_landed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One start record: the bytes it would send, and the state of the object they are conditional on."""

    execution: ExecutionId
    number: int
    """From 1."""
    resource_version: str
    object_generation: int
    request_hash: str
    """SHA-256 of the bytes."""
    epoch: int
    """The pause epoch that the start passed."""
    armed_at: datetime
    sending_at: datetime | None = None
    sends: int = 0
    """How often the same bytes were sent."""
    token_id: str | None = None
    token_expires_at: datetime | None = None
    fate: Fate = Fate.OPEN
    http_status: int | None = None
    audit_id: str | None = None
    """The API server's own id of the call."""
    image: str | None = None
    """Under which hash it is kept what the whole target is to look like afterwards (:mod:`approvals.change.image`)."""


def seen_phase(execution: Execution) -> Phase:
    """Return the phase that people are shown.

    One that is claimed still waits: whether it can start is not known yet. What is sent again after a lost reply is as unknown
    as it was: while a server fails every write, it says nothing new.
    """
    if execution.state is Phase.CLAIMED:
        return Phase.QUEUED
    is_resend = execution.state is Phase.SENDING and execution.message != ""
    return Phase.UNKNOWN if is_resend else execution.state
