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

Waiting is not progress: what cannot go on is told once for each reason, at most :data:`MOST_WAITS` times, and from then on only
the instant of its next look moves. So an execution has a bounded number of events, however long it waits.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from approvals.audit.events import ITSELF, AuditEvent, EventKind, Transition, request_stream
from approvals.canonical import Value
from approvals.change.plan import Change
from approvals.errors import Clash
from approvals.facts import ADDED, facts_of
from approvals.identity.names import EscalationId, ExecutionId
from approvals.identity.place import Place
from approvals.verbs.verb import Effect, Progress
from approvals.workflow.comparison import Comparison

LEASE: Final = timedelta(seconds=60)
"""How long a worker may hold an execution without a word: longer than any call to the cluster takes."""

START_TO_SEND: Final = timedelta(seconds=5)
"""How long may pass between the start record and the send, until its first byte leaves; the end is included."""

EFFECT_DEADLINE: Final = timedelta(minutes=15)
"""How long an effect may stand still; a Deployment's own deadline is 10 minutes unless it says otherwise."""

LONGEST_WATCH: Final = timedelta(days=1)
"""How long after the write its effect is looked at while it moves, and how long a truth may be late."""

UNDO_WATCH: Final = timedelta(minutes=1)
"""How long after *done* it is watched whether somebody sets it back; an autoscaler looks every 15 seconds."""

ROUNDS: Final = 3
"""How often a change that provably did not land may be planned and sent anew."""

UNSENT_WAIT: Final = timedelta(seconds=5)
"""How long it is waited after a start of which nothing left; after each further one twice as long, eight times at most."""

UNSENT_DOUBLINGS: Final = 3
"""A cluster that comes back is used within the minute, and one that stays away does not fill the thread with starts."""

RESEND_WAIT: Final = timedelta(seconds=10)
"""How long it is waited after the second send of the same bytes was lost, too; after each further one twice as long."""

DOUBLINGS: Final = 5
"""How often that wait doubles. The approval's end is what ends the sends: at most eight in the longest validity there is."""

MOST_WAITS: Final = 30
"""How many reasons to wait are told of one execution; two that alternate would otherwise fill the trail and the thread."""

FEWER_LINES: Final = 4
"""A rollout's next line comes when a quarter more time has passed than at its last: 20 lines in 5 minutes, 45 in a day."""

LONGEST_WAIT: Final = timedelta(minutes=5)
"""The longest wait between two looks at an execution that keeps failing on a fault of ours."""

LONGEST_OUTAGE_WAIT: Final = timedelta(seconds=40)
"""The same where only the cluster or Slack does not answer: once it is back it is used within the minute."""

TOKEN_LEEWAY: Final = timedelta(seconds=61)
"""How long after its expiry an API server was measured to still accept a token."""


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


def queued(
    *,
    execution_id: ExecutionId,
    escalation: EscalationId,
    place: Place,
    cluster_uid: str,
    object_uid: str,
    fingerprint: str,
    valid_until: datetime,
    now: datetime,
) -> Transition[Execution]:
    """Return the transition that queues a freshly approved change."""
    execution = Execution(
        id=execution_id,
        escalation=escalation,
        step=0,
        state=Phase.QUEUED,
        revision=1,
        agent=place.agent,
        environment=place.environment,
        namespace=place.namespace,
        cluster_uid=cluster_uid,
        object_uid=object_uid,
        fingerprint=fingerprint,
        valid_until=valid_until,
        due_at=now,
    )
    return _moved(EventKind.EXECUTION_QUEUED, execution, now=now)


def claim(execution: Execution, *, now: datetime, leader: int = 0) -> Transition[Execution]:
    """Return the transition by which a worker takes a queued execution, or one whose lease has lapsed.

    What an earlier leader has merely claimed is taken at once: of it nothing was sent, and whatever that leader still writes
    is fenced. What it has armed or begun to send may be on its way: there the execution's own lease has to lapse.

    What was armed and never sent is claimed to be armed again; what may have been sent keeps its state and only
    changes hands, to be read back.

    What has landed is followed without a claim: a lease on it would only keep the others from looking.

    Args:
        execution: As it is.
        now: The instant.
        leader: The generation of the lease that the worker leads under; 0 where it leads under none.

    Raises:
        Clash: Another worker holds it, or there is nothing left to carry out.
    """
    if execution.is_over or execution.state is Phase.APPLIED:
        raise Clash("There is nothing left to carry out.")
    is_held = execution.lease_until is not None and now < execution.lease_until
    if is_held and not is_left_behind(execution, leader=leader):
        raise Clash("Another worker holds it.")
    state = Phase.CLAIMED if execution.state in {Phase.QUEUED, Phase.ARMED} else execution.state
    claimed = replace(_held(execution, now=now, state=state, generation=execution.generation + 1), leader=leader)
    return _moved(EventKind.EXECUTION_CLAIMED, claimed, now=now)


def is_left_behind(execution: Execution, *, leader: int) -> bool:
    """Tell whether an earlier leader than *leader* has claimed an execution, and done no more."""
    return execution.state is Phase.CLAIMED and 0 < execution.leader < leader


def arm(
    execution: Execution,
    *,
    resource_version: str,
    object_generation: int,
    request_hash: str,
    image: str | None = None,
    epoch: int,
    now: datetime,
) -> Transition[Execution]:
    """Return the start record: from its commit on, the change may be sent.

    Raises:
        Clash: The execution is not claimed.
    """
    _expect(execution, Phase.CLAIMED)
    number = execution.attempts + 1
    attempt = Attempt(
        execution=execution.id,
        number=number,
        resource_version=resource_version,
        object_generation=object_generation,
        request_hash=request_hash,
        image=image,
        epoch=epoch,
        armed_at=now,
    )
    armed = _held(execution, now=now, state=Phase.ARMED, attempts=number)
    return _moved(EventKind.EXECUTION_ARMED, armed, now=now, attempt=attempt)


def sending(
    execution: Execution, attempt: Attempt, *, token_id: str | None, token_expires_at: datetime, now: datetime
) -> Transition[Execution]:
    """Return the transition committed right before the bytes go out, the first time or again.

    It also writes down the token that was minted for the send: its id and its end, never the token. What is sent again is
    still not known to have landed: it keeps the sentence that says why, and looks no different.

    Raises:
        Clash: It is not armed (or, for a resend, being read back), or too much time has passed since it was.
    """
    _expect(execution, Phase.ARMED, Phase.SENDING, Phase.UNKNOWN)
    if execution.state is Phase.ARMED and now - attempt.armed_at > START_TO_SEND:
        raise Clash("Too long between the start record and the send.", code="slow")
    sent = replace(
        attempt,
        sending_at=attempt.sending_at or now,
        sends=attempt.sends + 1,
        token_id=token_id,
        token_expires_at=token_expires_at,
    )
    is_resend = attempt.sends > 0
    going = replace(_held(execution, now=now, state=Phase.SENDING), message=execution.message if is_resend else "")
    return _moved(EventKind.EXECUTION_SENDING, going, now=now, attempt=sent)


def applied(
    execution: Execution,
    attempt: Attempt,
    *,
    now: datetime,
    http_status: int | None,
    audit_id: str | None,
    comparison: Comparison | None,
    read_back: bool,
    approvers: tuple[str, ...] = (),
) -> Transition[Execution]:
    """Return the transition for a write that took effect; where it is as planned, its effect is followed from here on.

    Args:
        execution: It may have been sent.
        attempt: Its start record.
        now: The instant.
        http_status: Of the answer, if there was one.
        audit_id: The API server's own id of the call, likewise.
        comparison: How the whole target compares with what was planned; None where it could not be seen yet.
        read_back: Whether the answer was lost and a look has shown that it landed.
        approvers: Who is to be told if it is not as planned; they are told once.
    """
    _expect(execution, Phase.SENDING, Phase.UNKNOWN)
    closed = replace(attempt, fate=Fate.APPLIED, http_status=http_status, audit_id=audit_id)
    found = comparison or Comparison()
    effect, reason, message = _landed_as(found, read_back=read_back)
    done = replace(
        execution,
        state=Phase.APPLIED,
        revision=execution.revision + 1,
        lease_until=None,
        due_at=now,
        effect=effect,
        effect_deadline=now + EFFECT_DEADLINE,
        landed_at=now,
        reason=reason,
        message=message,
        compared=comparison is not None,
        drift=found.told,
    )
    told = () if found.is_as_planned or execution.drift else approvers
    return _moved(EventKind.EXECUTION_APPLIED, done, now=now, attempt=closed, approvers=told)


def _landed_as(found: Comparison, *, read_back: bool) -> tuple[Effect, Reason | None, str]:
    """Return what is made of a comparison: only what certainly came with our own write is a failure of it."""
    if found.is_as_planned:
        return (
            Effect.IN_PROGRESS,
            None,
            "Applied; the reply was lost and it was read back." if read_back else "Applied.",
        )
    if found.came_with_it:
        return Effect.FAILED, Reason.DRIFT, "The cluster changed something else with it than was approved."
    many = "1 field differs" if len(found.differences) == 1 else f"{len(found.differences)} fields differ"
    sentence = f"{many} from what was approved; whether that came with our write or since cannot be told."
    return Effect.DIFFERS, None, f"The reply was lost. {sentence}" if read_back else sentence


def found_different(
    execution: Execution, comparison: Comparison, *, now: datetime, approvers: tuple[str, ...]
) -> Transition[Execution]:
    """Return what the first look at the whole target makes of an effect that is followed, where it is not as planned.

    Raises:
        Clash: There is no effect to follow any more.
    """
    _expect(execution, Phase.APPLIED)
    if execution.is_over and not execution.is_watched:
        raise Clash("The effect has ended.", code="execution_moved")
    effect, reason, message = _landed_as(comparison, read_back=False)
    over = replace(
        execution,
        revision=execution.revision + 1,
        lease_until=None,
        effect=effect,
        watched_until=None,
        reason=reason,
        message=message,
        compared=True,
        drift=comparison.told,
    )
    return _moved(EventKind.EXECUTION_EFFECT, over, now=now, approvers=approvers)


def rejected(
    execution: Execution,
    attempt: Attempt,
    *,
    now: datetime,
    http_status: int | None,
    audit_id: str | None,
    message: str,
) -> Transition[Execution]:
    """Return the transition for a write that the API server refused."""
    _expect(execution, Phase.SENDING, Phase.UNKNOWN)
    closed = replace(attempt, fate=Fate.REJECTED, http_status=http_status, audit_id=audit_id)
    over = _ended(execution, Phase.REJECTED, Reason.REFUSED_BY_CLUSTER, message)
    return _moved(EventKind.EXECUTION_REJECTED, over, now=now, attempt=closed)


def unknown(
    execution: Execution,
    attempt: Attempt,
    *,
    now: datetime,
    message: str,
    look_again: timedelta,
    drift: tuple[Change, ...] = (),
    approvers: tuple[str, ...] = (),
) -> Transition[Execution]:
    """Return the transition for a write of which it is not known whether it landed. Its target stays locked.

    It is news once for each reason: what became of the *attempt* tells, since the execution is *sending* again by the time
    that a resend is lost. A server that fails every write would otherwise fill the thread. What the target has otherwise than
    was planned is *drift*; the approvers are told of it once.
    """
    _expect(execution, Phase.SENDING, Phase.UNKNOWN)
    closed = replace(attempt, fate=Fate.UNKNOWN)
    lost = replace(
        execution,
        state=Phase.UNKNOWN,
        revision=execution.revision + 1,
        lease_until=None,
        due_at=now + look_again,
        waits=execution.waits + 1,
        message=_told(execution, message),
        drift=drift or execution.drift,
    )
    told = approvers if drift and not execution.drift else ()
    again = attempt.fate is Fate.UNKNOWN and message == execution.message
    kind = EventKind.EXECUTION_STILL_UNKNOWN if again else EventKind.EXECUTION_UNKNOWN
    return _moved(kind, lost, now=now, attempt=closed, approvers=told)


def not_landed(execution: Execution, attempt: Attempt, *, now: datetime, message: str) -> Transition[Execution]:
    """Return the transition for a write that provably did not land: it is planned anew, at most :data:`ROUNDS` times."""
    _expect(execution, Phase.SENDING, Phase.UNKNOWN)
    closed = replace(attempt, fate=Fate.NOT_LANDED)
    if execution.rounds + 1 >= ROUNDS:
        over = _ended(execution, Phase.VOIDED, Reason.CONTENDED, VOID_SENTENCES[Reason.CONTENDED])
        return _moved(EventKind.EXECUTION_VOIDED, over, now=now, attempt=closed)
    again = replace(_held(execution, now=now, state=Phase.CLAIMED), rounds=execution.rounds + 1, message=message)
    return _moved(EventKind.EXECUTION_RETRIED, again, now=now, attempt=closed)


def disarm(
    execution: Execution, attempt: Attempt, *, now: datetime, wait: timedelta, message: str
) -> Transition[Execution]:
    """Return the transition for a start of which no byte left: the execution waits and starts over while the approval lasts."""
    _expect(execution, Phase.ARMED, Phase.SENDING)
    closed = replace(attempt, fate=Fate.NOT_SENT)
    waiting = _waiting(execution, now=now, wait=wait, message=message)
    return _moved(EventKind.EXECUTION_RETRIED, waiting, now=now, attempt=closed)


def put_back(execution: Execution, *, now: datetime, wait: timedelta, message: str) -> Transition[Execution]:
    """Return the transition by which an execution that cannot start just now waits for its turn."""
    _expect(execution, Phase.QUEUED, Phase.CLAIMED)
    return _moved(EventKind.EXECUTION_RETRIED, _waiting(execution, now=now, wait=wait, message=message), now=now)


def is_told(execution: Execution, message: str) -> bool:
    """Tell whether it is on record already that *execution* waits for this reason, or for too many reasons to tell more."""
    return execution.waits > 0 and (message == execution.message or execution.waits >= MOST_WAITS)


def set_back(
    execution: Execution, attempt: Attempt | None, *, now: datetime, wait: timedelta, message: str
) -> Transition[Execution] | None:
    """Return what a look that could not be finished makes of an execution; None where nothing new is to be told.

    What was not sent waits and lapses with its approval. What may have been sent is unknown, and its target stays locked. What
    has landed is followed on until its deadline.

    Args:
        execution: As its locked row is.
        attempt: Its newest start record.
        now: The instant of the look.
        wait: Until the next one.
        message: Why it could not be finished.
    """
    if execution.is_over:
        return None
    unsent = attempt if execution.state is Phase.ARMED else None
    if execution.state in {Phase.QUEUED, Phase.CLAIMED, Phase.ARMED} and now >= execution.valid_until:
        return void(execution, Reason.LAPSED, now=now, attempt=unsent)
    if execution.state is Phase.APPLIED:
        blind = Progress(effect=Effect.IN_PROGRESS, sentence=message)
        return followed(execution, blind, now=now, look_again=wait, is_seen=False)
    if execution.state in {Phase.QUEUED, Phase.UNKNOWN} and is_told(execution, message):
        return None
    if unsent is not None:
        return disarm(execution, unsent, now=now, wait=wait, message=message)
    if attempt is not None and execution.state in {Phase.SENDING, Phase.UNKNOWN}:
        return unknown(execution, attempt, now=now, message=message, look_again=wait)
    return put_back(execution, now=now, wait=wait, message=message)


def abandon(
    execution: Execution, attempt: Attempt | None, *, now: datetime, actor: str, reason: str
) -> Transition[Execution]:
    """Return the transition by which a person gives up on an outcome that nothing can tell; the target is free again.

    The event tells of the start record *attempt* where that can be read.

    Raises:
        Clash: It is known, or a worker is finding it out.
    """
    _expect(execution, Phase.SENDING, Phase.UNKNOWN)
    if execution.state is Phase.SENDING and execution.lease_until is not None and now < execution.lease_until:
        until = f"{execution.lease_until:%Y-%m-%d %H:%M:%S} UTC"
        raise Clash(
            f"It is sending, and whether it landed is still being found out. Try again after {until}.",
            code="not_unknown",
        )
    over = _ended(execution, Phase.ABANDONED, None, "A person has looked at the target and closed this.")
    moved = _moved(EventKind.EXECUTION_ABANDONED, over, now=now, actor=actor, attempt=attempt)
    event = replace(moved.events[0], private={"reason": reason})
    return replace(moved, events=(event,))


def void(
    execution: Execution,
    reason: Reason,
    *,
    now: datetime,
    actor: str = ITSELF,
    attempt: Attempt | None = None,
    message: str = "",
    drift: tuple[Change, ...] = (),
    approvers: tuple[str, ...] = (),
) -> Transition[Execution]:
    """Return the transition by which an execution ends without having touched the cluster.

    Where the target is no longer what was approved, *drift* says in what, and the *approvers* are told.

    Raises:
        Clash: It may have been sent, so that this could be untrue.
    """
    allowed = {Phase.QUEUED, Phase.CLAIMED, Phase.ARMED}
    if reason is Reason.NEVER_LANDED:
        allowed = {Phase.UNKNOWN}
    _expect(execution, *allowed)
    closed = None
    if attempt is not None:
        closed = replace(attempt, fate=Fate.NEVER_LANDED if reason is Reason.NEVER_LANDED else Fate.NOT_SENT)
    over = replace(_ended(execution, Phase.VOIDED, reason, message or _why_void(execution, reason)), drift=drift)
    told = approvers if drift else ()
    return _moved(EventKind.EXECUTION_VOIDED, over, now=now, actor=actor, attempt=closed, approvers=told)


def _why_void(execution: Execution, reason: Reason) -> str:
    """Return the sentence; where the approval ran out, also what it waited for last: else the end would hide the cause."""
    if reason is Reason.LAPSED and execution.waits > 0 and execution.message:
        return f"{VOID_SENTENCES[reason]} It waited: {execution.message}"
    return VOID_SENTENCES[reason]


VOID_SENTENCES: Final[Mapping[Reason, str]] = {
    Reason.DENIED: "Denied before it started.",
    Reason.CANCELLED: "Taken back by the agent before it started.",
    Reason.TOKEN_REVOKED: "The token it was asked with was revoked before it started.",
    Reason.PAUSED: "A pause stopped it before it started.",
    Reason.LAPSED: "The approval lapsed before it could start.",
    Reason.DRIFT: "The target is not as it was approved any more.",
    Reason.AUTHORITY: "Too few of the approvals still count.",
    Reason.POLICY: "The policy in force now denies it.",
    Reason.TAMPERED: "The stored plan is not the one that was approved.",
    Reason.SLOW: "It took too long between the start and the send.",
    Reason.CONTENDED: "Others kept changing the target; it was not applied.",
    Reason.UNPLANNABLE: "It cannot be previewed any more.",
    Reason.NOT_PERMITTED: "The executor's account could not be used.",
    Reason.REFUSED_BY_CLUSTER: "The cluster refused it.",
    Reason.NEVER_LANDED: "The lost write can no longer land.",
    Reason.UPGRADED: "An upgrade of Countersign ended it before it started.",
}


def followed(
    execution: Execution, progress: Progress, *, now: datetime, look_again: timedelta, is_seen: bool = True
) -> Transition[Execution] | None:
    """Return what one look at the effect changes, or None where nothing worth writing down does.

    What moves is followed on, a day at most: it is timed out once it has stood still for :data:`EFFECT_DEADLINE`.

    A failure is believed when it is seen twice running: right after a write the API server was measured to show the new
    generation with the old rollout's failed condition for some 40 ms. How far a rollout is, is told ever more rarely
    (:data:`FEWER_LINES`): pods that come and go are no events.

    Args:
        execution: It has landed.
        progress: What the look showed.
        now: Its instant.
        look_again: How long until the next one.
        is_seen: Whether the target was seen; otherwise the sentence says why not.

    Raises:
        Clash: There is no effect to follow, or it has ended: a look taken before that has nothing to say any more.
    """
    _expect(execution, Phase.APPLIED)
    if execution.is_over:
        raise Clash("The effect has ended.", code="execution_moved")
    effect, sentence = progress.effect, progress.sentence
    is_believed = sentence == execution.message or execution.waits >= MOST_WAITS
    is_doubted = not is_seen or (effect is Effect.FAILED and not is_believed)
    if is_doubted:
        effect = Effect.IN_PROGRESS
    has_moved = is_seen and execution.pace not in {"", progress.pace}
    at_deadline = execution.effect_deadline is not None and now >= execution.effect_deadline
    if effect is Effect.IN_PROGRESS and at_deadline and not (has_moved and now < _last_look(execution, now)):
        effect = Effect.TIMED_OUT
        sentence = f"{'Not finished when we stopped looking.' if is_seen else 'Not followed to its end.'} {sentence}"
    is_news = effect is not execution.effect or is_doubted is not execution.doubted
    is_due = _is_time_for_a_line(execution, now) or (is_doubted and execution.waits < MOST_WAITS)
    if not is_news and not at_deadline and (sentence == execution.message or not is_due):
        return None
    deadline = execution.effect_deadline
    if has_moved and deadline is not None:
        deadline = max(deadline, min(now + EFFECT_DEADLINE, _last_look(execution, now)))
    seen = replace(
        execution,
        revision=execution.revision + 1,
        lease_until=None,
        due_at=now + look_again,
        waits=execution.waits + is_doubted,
        effect=effect,
        effect_deadline=deadline,
        pace=progress.pace if is_seen else execution.pace,
        watched_until=_watched_until(effect, execution, now),
        doubted=is_doubted,
        message=sentence,
    )
    return _moved(EventKind.EXECUTION_EFFECT, seen, now=now)


def _last_look(execution: Execution, now: datetime) -> datetime:
    """Return when an effect is looked at for the last time, however much it moves."""
    return (execution.landed_at or now) + LONGEST_WATCH


def _watched_until(effect: Effect, execution: Execution, now: datetime) -> datetime | None:
    """Return how long an effect is looked at after it has come to *effect*; None where nothing new can be learnt."""
    if effect is Effect.VERIFIED:
        return now + UNDO_WATCH
    return _last_look(execution, now) if effect in _LATER_TRUTHS else None


_LATER_TRUTHS: Final[Mapping[Effect, frozenset[Effect]]] = {
    Effect.TIMED_OUT: frozenset({Effect.VERIFIED, Effect.FAILED, Effect.DIFFERS, Effect.UNDONE}),
    Effect.FAILED: frozenset({Effect.VERIFIED, Effect.DIFFERS, Effect.UNDONE}),
    Effect.VERIFIED: frozenset({Effect.UNDONE}),
}
"""What a look after the end may still find. A rollout that had failed may go on once its quota is raised."""


def corrected(
    execution: Execution, progress: Progress, *, now: datetime, look_again: timedelta
) -> Transition[Execution] | None:
    """Return what a look at an effect that has ended corrects, or None where it stays as it was told.

    Args:
        execution: It is watched on.
        progress: What the look showed.
        now: Its instant.
        look_again: How long until the next look, where there is one.

    Raises:
        Clash: Nobody watches it any more.
    """
    _expect(execution, Phase.APPLIED)
    if not execution.is_watched or execution.effect is None:
        raise Clash("The effect is watched no more.", code="execution_moved")
    if progress.effect not in _LATER_TRUTHS.get(execution.effect, frozenset()):
        return None
    later = replace(
        execution,
        revision=execution.revision + 1,
        lease_until=None,
        due_at=now + look_again,
        effect=progress.effect,
        pace=progress.pace,
        watched_until=_watched_until(progress.effect, execution, now),
        message=progress.sentence,
    )
    return _moved(EventKind.EXECUTION_EFFECT, later, now=now)


def _is_time_for_a_line(execution: Execution, now: datetime) -> bool:
    """Tell whether a quarter more time has passed since the write than had at the last event."""
    if execution.landed_at is None:
        return True
    return now - execution.due_at >= (execution.due_at - execution.landed_at) / FEWER_LINES


def overtaken(execution: Execution, *, by: str, now: datetime) -> Transition[Execution]:
    """Return the transition that ends the watch over a rollout, because the escalation *by* has changed the same target since.

    Raises:
        Clash: There is no rollout to watch.
    """
    _expect(execution, Phase.APPLIED)
    if execution.is_over:
        raise Clash("The effect has ended.", code="execution_moved")
    over = replace(
        execution,
        revision=execution.revision + 1,
        lease_until=None,
        effect=Effect.OVERTAKEN,
        message=f"{by}, a newer change of the same target, was applied before it had finished.",
    )
    return _moved(EventKind.EXECUTION_EFFECT, over, now=now)


def can_resend(attempt: Attempt, *, resource_version_now: str) -> bool:
    """Tell whether the object is still at the attempt's resource version, so that the same bytes can land at most once."""
    return attempt.resource_version == resource_version_now


def leaves_within(attempt: Attempt) -> timedelta:
    """Return how long after its *sending* was committed a send may begin to leave: what is left of :data:`START_TO_SEND`.

    Before a write the object is read once more, and an API server may be slow to answer; a pause that is engaged meanwhile
    is in force. A resend counts from the look at the gate that was committed with it: its start record may be hours old.
    """
    if attempt.sends > 1 or attempt.sending_at is None:
        return START_TO_SEND
    return START_TO_SEND - (attempt.sending_at - attempt.armed_at)


def wait_after_unsent(attempt: Attempt) -> timedelta:
    """Return how long after a start of which nothing left the next one is made: each is told in the thread (I13)."""
    return UNSENT_WAIT * (1 << min(attempt.number - 1, UNSENT_DOUBLINGS))


def seen_phase(execution: Execution) -> Phase:
    """Return the phase that people are shown.

    One that is claimed still waits: whether it can start is not known yet. What is sent again after a lost reply is as unknown
    as it was: while a server fails every write, it says nothing new.
    """
    if execution.state is Phase.CLAIMED:
        return Phase.QUEUED
    is_resend = execution.state is Phase.SENDING and execution.message != ""
    return Phase.UNKNOWN if is_resend else execution.state


def wait_after_loss(attempt: Attempt) -> timedelta:
    """Return how long after a send that told nothing the target is read back, and the same bytes sent again if they may be.

    After the first at once: a read mostly tells. A server that fails the second as well may go on failing, and each send costs
    it a token, a look and a write (I13), so from then on each wait is twice the last.
    """
    resends = attempt.sends - 1
    return RESEND_WAIT * 2 ** min(resends - 1, DOUBLINGS) if resends > 0 else timedelta(0)


def cannot_land_any_more(attempt: Attempt, *, now: datetime, request_timeout: timedelta) -> bool:
    """Tell whether the attempt's token is certainly dead, so that a send still under way can no longer be let in."""
    return attempt.token_expires_at is not None and now > attempt.token_expires_at + TOKEN_LEEWAY + request_timeout


def _expect(execution: Execution, *states: Phase) -> None:
    if execution.state not in states:
        raise Clash(f"The execution is {execution.state.value}.", code="execution_moved")


def _held(
    execution: Execution,
    *,
    now: datetime,
    state: Phase | None = None,
    generation: int | None = None,
    attempts: int | None = None,
) -> Execution:
    return replace(
        execution,
        state=state or execution.state,
        revision=execution.revision + 1,
        generation=execution.generation if generation is None else generation,
        attempts=execution.attempts if attempts is None else attempts,
        lease_until=now + LEASE,
        due_at=now + LEASE,
        message=execution.message if state in {None, execution.state, Phase.CLAIMED} else "",
    )


def _waiting(execution: Execution, *, now: datetime, wait: timedelta, message: str) -> Execution:
    return replace(
        execution,
        state=Phase.QUEUED,
        revision=execution.revision + 1,
        lease_until=None,
        due_at=now + wait,
        waits=execution.waits + 1,
        message=_told(execution, message),
    )


def _told(execution: Execution, message: str) -> str:
    """Return *message* as it goes on record: the last of many says that it is the last."""
    last = " From here on only the log tells why it waits."
    return f"{message}{last}" if execution.waits + 1 == MOST_WAITS else message


def _ended(execution: Execution, state: Phase, reason: Reason | None, message: str) -> Execution:
    return replace(
        execution, state=state, revision=execution.revision + 1, lease_until=None, reason=reason, message=message
    )


def _moved(
    kind: EventKind,
    execution: Execution,
    *,
    now: datetime,
    actor: str = ITSELF,
    attempt: Attempt | None = None,
    approvers: tuple[str, ...] = (),
) -> Transition[Execution]:
    data: dict[str, Value] = {"execution": facts_of(execution)}
    nouns: tuple[object, ...] = (execution,)
    if attempt is not None:
        data["attempt"] = facts_of(attempt)
        nouns = (execution, attempt)
    if approvers:
        data["approvers"] = list(approvers)
    event = AuditEvent(kind=kind, stream=request_stream(execution.escalation), actor=actor, at=now, data=data)
    return Transition(noun=execution, nouns=nouns, events=(event,))
