"""Ports: what the use cases need from outside, as small protocols. Who implements them is named in :mod:`bot.app`.

The store's methods are called inside one transaction; no method of any other port may be. Locks are taken in the order
gate, environment, request, execution, target, token, and the streams last of all, when the transaction commits. After its locks
are taken a unit of work reads :attr:`UnitOfWork.now` once: that is the instant everything in it is judged at.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from approvals.accounts import ServiceAccount
from approvals.action import ProposedAction
from approvals.alert import Alert, AlertGroup
from approvals.audit import AuditEvent, Transition
from approvals.escalation import Plea
from approvals.execution import Attempt, Execution
from approvals.monitor import RefusedDeliveries
from approvals.pause import Consent, Pause, Scope
from approvals.people import Authority
from approvals.plan import Bound, Change, Evidence, Preview
from approvals.policy import Policy
from approvals.request import Request, Vote
from approvals.tokens import Token
from approvals.verb import Occasion, Verb


class NewId(Protocol):
    """Makes ids."""

    def __call__(self, prefix: str, /) -> str:
        """Return a fresh id such as ``esc_01J...``: *prefix*, an underscore, and 26 characters that sort by time."""
        ...


class Lane(StrEnum):
    """How urgent a write or a question is: pause and deny go before everything else, and wait for nobody's look."""

    URGENT = "urgent"
    NORMAL = "normal"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPlan:
    """A plan as it was stored: the bytes that were hashed, and what was seen."""

    fingerprint: str
    bound: bytes
    evidence: Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some of an agent's requests, newest first, and where to go on."""

    requests: tuple[Request, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounds:
    """What a judgement on one request rests on, beside its row."""

    now: datetime
    epoch: int
    votes: tuple[Vote, ...]
    """The live ones, oldest first."""
    pauses: tuple[Pause, ...]
    """The open ones, and at least those that ended after the oldest of the votes, or *epoch*."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How an agent stands just before it asks."""

    now: datetime
    asked: Request | None
    """What it has asked under the same key, if anything."""
    body_hash: str | None
    """The hash of the body that came under that key."""
    pending: int
    """How many of its questions wait for an answer."""
    pauses: tuple[Pause, ...]
    """The open ones, whomever they cover."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectAsked:
    """What was asked for one effect."""

    question: Request | None
    """The pending request that is the very same question."""
    lately: tuple[Request, ...]
    """The latest requests of the effect, whoever asked, newest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One request as it lies there, and what whoever answers it needs to know before any lock is taken."""

    now: datetime
    request: Request
    votes: tuple[Vote, ...]
    """The live ones, oldest first."""
    plan: StoredPlan | None
    """The one that its fingerprint names. It never changes, so it need not be read again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One free text, and the event beside which it stands."""

    kind: str
    """The event's."""
    actor: str
    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldBack:
    """What only informs and waits to be shown in one channel, which takes so many such posts a minute."""

    count: int
    """At least one."""
    since: datetime
    """When the oldest of it came in."""


class Reading(Protocol):
    """What can be asked of the store without changing it; one consistent look."""

    @property
    def now(self) -> datetime:
        """The store's instant: the same for the whole unit, taken when first asked for."""
        ...

    def epoch(self) -> int:
        """Return the pause epoch."""
        ...

    def pauses(self, *, ended_after: int | None = None) -> tuple[Pause, ...]:
        """Return the open pauses and, if asked, those that ended in an epoch above *ended_after*."""
        ...

    def pause(self, pause_id: str) -> Pause | None:
        """Return one pause, open or not."""
        ...

    def consents(self, pause_id: str) -> tuple[Consent, ...]:
        """Return the agreements to end one pause so far."""
        ...

    def request(self, request_id: str) -> Request | None:
        """Return one request."""
        ...

    def question(self, request_id: str) -> Question | None:
        """Return one request with its votes and its plan."""
        ...

    def requests_of(
        self,
        agent: str,
        *,
        state: str | None,
        limit: int,
        cursor: str | None,
        environments: frozenset[str] = frozenset(),
        namespaces: frozenset[str] = frozenset(),
    ) -> Page:
        """Return an agent's requests, newest first, at most *limit* of them; a page may be short while its cursor goes on.

        Rows that cannot be read are left out.

        Args:
            agent: Whose.
            state: In which state alone; None for any.
            limit: At most.
            cursor: The id before which to begin; None for the newest.
            environments: In which alone; empty for any.
            namespaces: In which alone; empty for any.
        """
        ...

    def standing(self, agent: str, key: str | None) -> Standing:
        """Return how *agent* stands just before it asks under an idempotency key."""
        ...

    def effect_asked(self, effect_key: str, question_key: str, *, since: datetime) -> EffectAsked:
        """Return what was asked for one effect: the pending question with *question_key*, and what :meth:`same_effect` gives."""
        ...

    def same_effect(self, effect_key: str, *, since: datetime) -> tuple[Request, ...]:
        """Return the latest requests of one effect that were asked or decided after *since*, newest first, 20 at most."""
        ...

    def overdue(self, *, limit: int) -> tuple[str, ...]:
        """Return the ids of pending requests whose deadline is not after :attr:`now`, most overdue first."""
        ...

    def is_in_play(self, scope: Scope) -> bool:
        """Tell whether something in *scope* waits for an answer, or was approved and is not over."""
        ...

    def resumes_due(self, *, limit: int) -> tuple[str, ...]:
        """Return the ids of open pauses whose duration is over and whose resume was not asked for, longest due first."""
        ...

    def asked_with_revoked_tokens(self, *, limit: int) -> tuple[str, ...]:
        """Return the ids of open requests whose token is revoked and that do not say so yet, at most *limit* of them.

        Open are those that wait for an answer, and approved ones whose execution is queued or claimed.
        """
        ...

    def votes(self, request_id: str) -> tuple[Vote, ...]:
        """Return the live votes on one request, oldest first."""
        ...

    def execution_of(self, request_id: str) -> Execution | None:
        """Return the execution of one request, if it was approved."""
        ...

    def execution(self, execution_id: str) -> Execution | None:
        """Return one execution."""
        ...

    def due_executions(self, *, limit: int) -> tuple[str, ...]:
        """Return the ids of executions a worker should look at now: due, and not leased to another.

        Those come first whose last look could be finished, however long the others have been due: what failed just now never
        stands before what was not looked at; what has ended and is only watched on comes last. Of equals, the longest due comes
        first.
        """
        ...

    def setbacks(self, execution_id: str) -> int:
        """Return how many looks in a row at one execution could not be finished; zero where there is none."""
        ...

    def under_way_on(self, cluster_uid: str, object_uid: str) -> tuple[Execution, ...]:
        """Return what is not over on one target, oldest first."""
        ...

    def last_attempt(self, execution_id: str) -> Attempt | None:
        """Return the newest start record of one execution."""
        ...

    def plan(self, fingerprint: str) -> StoredPlan | None:
        """Return one stored plan."""
        ...

    def image(self, hashed: str) -> bytes | None:
        """Return one stored image, as it lies there."""
        ...

    def texts(self, subject: str) -> Mapping[str, str]:
        """Return the free texts that stand beside a subject's events, by name, the newest of each; erased ones are left out."""
        ...

    def said(self, subject: str) -> tuple[Said, ...]:
        """Return all of them, oldest first, each with who said it on which occasion."""
        ...

    def shown_at(self, request_id: str) -> datetime | None:
        """Return when a card of one request first stood in its channel, as far as is known; None where none did."""
        ...

    def perhaps_shown(self, request_ids: Sequence[str]) -> frozenset[str]:
        """Return those among *request_ids* of which a card stood in its channel, or may have: a post's reply was lost."""
        ...

    def held_back(self, channel: str, *, besides: str) -> HeldBack | None:
        """Return what only informs and waits to be posted in *channel*, *besides* one subject; None where nothing does."""
        ...

    def token_by_hash(self, hashed: str) -> Token | None:
        """Return the token with that hash."""
        ...

    def token(self, token_id: str) -> Token | None:
        """Return one token, good or not."""
        ...

    def tokens(self) -> tuple[Token, ...]:
        """Return all tokens, oldest first."""
        ...

    def last_alert(self, environment: str, fingerprint: str) -> Alert | None:
        """Return the last time that an alert burnt, told apart by what its sender keeps."""
        ...

    def open_alert_group(self, environment: str, key: str) -> AlertGroup | None:
        """Return the group of alerts with that key that has not resolved."""
        ...

    def alert_group(self, group_id: str) -> AlertGroup | None:
        """Return one group of alerts by its id."""
        ...

    def alerts_in(self, group_id: str, *, limit: int) -> tuple[Alert, ...]:
        """Return alerts of one group, at most *limit*: those that burn first, the latest start first."""
        ...

    def last_refused(self, environment: str, monitor: str, channel: str) -> RefusedDeliveries | None:
        """Return what one monitor was refused last, as it is told in *channel*."""
        ...

    def refused_deliveries(self, refused_id: str) -> RefusedDeliveries | None:
        """Return one row of refused deliveries by its id."""
        ...

    def refused_lately(self, *, since: datetime, limit: int) -> tuple[RefusedDeliveries, ...]:
        """Return what monitors were refused after *since*, the latest first, at most *limit* rows."""
        ...

    def policy_text(self, version: str) -> str | None:
        """Return the text of a policy version that was once loaded."""
        ...


class UnitOfWork(Reading, Protocol):
    """One transaction: it commits when the ``with`` block ends well, and changes nothing otherwise."""

    def lock_gate(self, *, exclusive: bool) -> None:
        """Take the start gate until the commit: shared by a start, exclusively by a pause and a resume."""
        ...

    def enter_gate(self) -> tuple[Pause, ...]:
        """Take the start gate, shared, and return the open pauses, read once it is held: where no other lock follows."""
        ...

    def lock_environment(self, environment: str) -> None:
        """Take one environment's lock, so that what is counted over it holds until the commit."""
        ...

    def lock_request(self, request_id: str) -> Request | None:
        """Take one request's row and return it as it is once the lock is held."""
        ...

    def lock_execution(self, execution_id: str) -> Execution | None:
        """Take one execution's row and return it as it is once the lock is held."""
        ...

    def lock_pause(self, pause_id: str) -> Pause | None:
        """Take one pause's row and return it as it is once the lock is held."""
        ...

    def lock_token(self, token_id: str) -> Token | None:
        """Return one token as it is once no revocation of it is under way; none can be until the commit."""
        ...

    def raise_epoch(self) -> int:
        """Raise the pause epoch by one and return it; the gate is held exclusively."""
        ...

    def advance_clock(self) -> timedelta:
        """Write the instant before which the clock may not fall back; return how far it has, zero as a rule.

        Only the sweep's tick calls this: as a row that everybody writes it would halve the throughput.
        """
        ...

    def grounds(self, request_id: str) -> Grounds:
        """Return what a judgement on one request rests on, read once every lock is held.

        The instant is read first, then the epoch, then votes and pauses: read in another order, an answer could be judged by a
        pause state older than its own epoch.
        """
        ...

    def stoppable_executions(self, scope: Scope) -> tuple[Execution, ...]:
        """Return, locked, every execution in *scope* that is queued or claimed.

        One whose row cannot be read is left out: nothing can start it either, and it must not keep a pause from the others.
        """
        ...

    def look_later(self, execution_id: str, at: datetime, *, setbacks: int = 0) -> None:
        """Have workers look at an execution no earlier than *at*, if it is not over; nothing told of it changes.

        Args:
            execution_id: Whose row is locked, or cannot be read.
            at: When.
            setbacks: How many looks in a row could not be finished. Whatever is saved of an execution sets it to zero.
        """
        ...

    def watch_later(self, execution_id: str, at: datetime | None) -> None:
        """Have workers look at an execution that has ended no earlier than *at*, or never again; nothing told of it changes."""
        ...

    def end_watches(self, execution: Execution) -> None:
        """Have nobody look any more at the others that have ended on the same target; nothing told of them changes."""
        ...

    def lock_rolling(self, execution: Execution) -> tuple[Execution, ...]:
        """Return, locked, the other executions that have landed on the same target and whose effect is still followed."""
        ...

    def save(self, transition: Transition) -> None:
        """Take down the new nouns and their events, to be written before anything else is asked or the block ends.

        Where a noun is not at the revision before the new one, because somebody was faster, the writing raises
        :class:`approvals.errors.Clash`: from whatever is asked next, or from the end of the block.
        """
        ...

    def record(self, event: AuditEvent) -> None:
        """Write an event that changes nothing, such as a refusal."""
        ...

    def save_plan(self, plan: StoredPlan) -> None:
        """Store a plan; the same plan twice is once."""
        ...

    def save_image(self, hashed: str, image: bytes) -> None:
        """Store an image under its hash; the same image twice is once."""
        ...

    def lock_target(self, execution: Execution) -> bool:
        """Take the target's lock for *execution*; False where another execution holds it."""
        ...

    def release_target(self, execution: Execution) -> None:
        """Give the target's lock back, if *execution* holds it."""
        ...

    def keep_policy(self, policy: Policy, text: str) -> bool:
        """Store a policy version's text; False where it was stored before."""
        ...


class Mishaps(Protocol):
    """Is told what went wrong with one row of a sweep, which is left aside so that the others are not kept waiting."""

    def happened(self, sweep: str, subject: str, error: Exception) -> None:
        """Note that *sweep* could not deal with the row *subject*, and why."""
        ...


class Store(Protocol):
    """Remembers everything. What a block raises, its questions and its end raise, whatever the engine has met."""

    def reading(self, lane: Lane = Lane.NORMAL) -> AbstractContextManager[Reading]:
        """Return a look at the store.

        Raises:
            approvals.errors.Unavailable: The store cannot be reached, is too busy or broken, or a row cannot be read.
        """
        ...

    def glancing(self, lane: Lane = Lane.NORMAL) -> AbstractContextManager[Reading]:
        """Return a look that is quicker and no snapshot: each answer is of its own instant.

        For what only prepares a transaction, in which everything that matters is read again under its locks.

        Raises:
            approvals.errors.Unavailable: As :meth:`reading`.
        """
        ...

    def writing(self, lane: Lane = Lane.NORMAL) -> AbstractContextManager[UnitOfWork]:
        """Return a transaction.

        Raises:
            approvals.errors.Clash: Somebody was faster; nothing was changed.
            approvals.errors.Unavailable: As :meth:`reading`; after its end it may mean that the reply was lost.
        """
        ...


class Policies(Protocol):
    """Knows the policy in force."""

    def current(self) -> Policy:
        """Return it."""
        ...


class Directory(Protocol):
    """Asks the workspace who is who. It never raises: what it cannot find out is missing, or as old as it says."""

    def authority(
        self,
        *,
        accounts: Iterable[str],
        groups: Iterable[str],
        at: datetime,
        anew: bool = False,
        within: timedelta = timedelta(0),
        lane: Lane = Lane.NORMAL,
    ) -> Authority:
        """Return what is known of *accounts* and *groups*.

        Args:
            accounts: ``TEAM:USER`` ids; they are asked about now.
            groups: ``TEAM:SUBTEAM`` ids; lists at most 10 s old may be used again.
            at: The store's instant before the call: the stamp of what is asked about now.
            anew: Whether group lists must be asked for again, too.
            within: How old what is known of an account may be not to be asked for again; nothing is by default.
            lane: Urgent for who pauses or denies: what is asked in it never waits for what others ask.
        """
        ...


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

    def preview(
        self, *, environment: str, agent: str, verb: Verb, action: ProposedAction, occasion: Occasion
    ) -> Preview:
        """Return what *action* would change, by dry run, as the planner.

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """Why nothing may start in an environment now."""

    code: str
    """For programs, and for what an unauthenticated caller may see: a word of ours that names no environment."""
    sentence: str
    """For people: what it is and what to do, in words of ours, without the environment's name."""


class Clearance(Protocol):
    """Knows where changes may start now: in no environment whose checks have not passed, or whose fences do not stand (I18).

    It answers at once, from memory: it is asked under the locks of a start.
    """

    def obstacle(self, environment: str) -> Obstacle | None:
        """Return why nothing may start in *environment* now, or None where changes may.

        An environment that nobody has cleared has an obstacle.
        """
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


class Milestone(StrEnum):
    """The durable steps of an escalation's way, by name, in order. Tests stop the process at them; logs name them."""

    PLANNED = "planned"
    OPENED = "opened"
    VOTED = "voted"
    CLAIMED = "claimed"
    REPLANNED = "replanned"
    ARMED = "armed"
    MINTED = "minted"
    BEFORE_SENDING = "before_sending"
    SENDING = "sending"
    REPLIED = "replied"
    OUTCOME = "outcome"
    ROLLING = "rolling"
    EFFECT = "effect"
    CARD_POSTING = "card_posting"
    CARD_SENT = "card_sent"
    CARD_POSTED = "card_posted"


class Journey(Protocol):
    """Is told of every milestone."""

    def reached(self, milestone: Milestone, subject: str) -> None:
        """Note that *subject* has come to *milestone*: what came before it is durable."""
        ...


def plea_among(texts: Mapping[str, str]) -> dict[str, str]:
    """Return the agent's own words among all that stands beside a request: a voter's reason is not the agent's."""
    return {name: text for name, text in texts.items() if name == "rationale" or name.startswith("evidence ")}


def texts_of(plea: Plea) -> dict[str, str]:
    """Return an agent's words by name, as they stand beside the events."""
    texts = {"rationale": plea.rationale}
    for number, exhibit in enumerate(plea.exhibits, start=1):
        texts[f"evidence {number} title"] = exhibit.title
        texts[f"evidence {number} text"] = exhibit.text
    return texts
