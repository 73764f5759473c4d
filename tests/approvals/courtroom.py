"""A courtroom: one request and its execution over an archive in memory and one object that can be written to.

It does for the court what the use cases and the store do, in the plainest way: reads everything fresh, judges, saves nouns
with their events in one step. What :mod:`tests.approvals.test_state_machine` walks through at random.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from approvals.audit.events import AuditEvent, Transition
from approvals.canonical import decode, encode
from approvals.errors import Clash, NotEligible, PolicyDenied
from approvals.facts import noun_of
from approvals.identity.names import Account, ExecutionId
from approvals.identity.people import Authority, Membership
from approvals.policy.policy import Policy
from approvals.policy.ruling import Ruling, rule_on, stricter_of
from approvals.workflow.comparison import Comparison
from approvals.workflow.endings import supersede
from approvals.workflow.execution import Attempt, Execution, Phase, Reason
from approvals.workflow.landing import (
    TOKEN_LEEWAY,
    applied,
    can_resend,
    cannot_land_any_more,
    not_landed,
    rejected,
    unknown,
)
from approvals.workflow.pause import Consent, Pause, open_pause_over, survives
from approvals.workflow.request import Request, State, opened
from approvals.workflow.setbacks import disarm
from approvals.workflow.starting import arm, queued, sending
from approvals.workflow.voiding import void
from approvals.workflow.votes import DecisionContext, Vote, check_quorum
from tests.builders import CLUSTER_UID, ESCALATION, GROUP, MINUTE, NOON, OBJECT_UID, a_request, a_standing

KINDS: Mapping[str, tuple[type, tuple[str, ...]]] = {
    "request": (Request, ("id",)),
    "vote": (Vote, ("id",)),
    "execution": (Execution, ("id",)),
    "attempt": (Attempt, ("execution", "number")),
    "pause": (Pause, ("id",)),
    "consent": (Consent, ("pause", "person")),
}
SECOND = MINUTE / 60
WAIT = 5 * SECOND
TIMEOUT = 30 * SECOND
APPROVED_NUMBER = 6
BEFORE = 3


def key_of(noun: Any) -> tuple[Any, ...]:
    """Return what tells a noun apart from others of its kind."""
    name, keys = next((name, keys) for name, (kind, keys) in KINDS.items() if isinstance(noun, kind))
    return name, *(getattr(noun, key) for key in keys)


def told_by(event: AuditEvent) -> dict[tuple[Any, ...], Any]:
    """Return the nouns that *event* tells, through its stored bytes."""
    said = decode(encode(event.data))
    assert isinstance(said, dict)
    nouns: list[Any] = [noun_of(KINDS[name][0], said[name]) for name in said.keys() & KINDS.keys()]
    return {key_of(noun): noun for noun in nouns}


@dataclass
class Thing:
    """The object in the cluster: what a conditional write meets."""

    version: int = 100
    generation: int = 4
    replicas: int = BEFORE
    mark: str | None = None

    def __post_init__(self) -> None:
        self.landed: list[int] = []

    def take(self, attempt: Attempt) -> bool:
        """Carry a write out, if the object is still at the version it is conditional on."""
        if attempt.resource_version != str(self.version):
            return False
        self.landed.append(attempt.number)
        self.scaled(APPROVED_NUMBER, mark=ESCALATION)
        return True

    def scaled(self, replicas: int, *, mark: str | None = None) -> None:
        """Let the number change, by us or by somebody else."""
        self.version, self.generation, self.replicas, self.mark = self.version + 1, self.generation + 1, replicas, mark


class Courtroom:
    """The archive, the clock, the workspace and the object, with the few steps that join them."""

    def __init__(self, policy: Policy, people: list[Account]) -> None:
        """Open the request under *policy* at noon; *people* are active, and all in the group."""
        self.now = NOON
        self.epoch = 0
        self.policy = policy
        self.people = people
        self.active = set(people)
        self.members = set(people)
        self.thing = Thing()
        self.nouns: dict[tuple[Any, ...], Any] = {}
        self.events: list[AuditEvent] = []
        self.under_way: list[Attempt] = []
        self.save(opened(a_request(policy), justification={}, facts={}))

    # ------------------------------------------------------------------------------------------------- what is true now

    @property
    def request(self) -> Request:
        """The request as it is."""
        return self.nouns["request", ESCALATION]  # type: ignore[no-any-return]

    @property
    def execution(self) -> Execution | None:
        """Its execution, if there is one."""
        return self.nouns.get(("execution", "exe_1"))

    @property
    def attempt(self) -> Attempt:
        """The newest start record."""
        attempts: list[Attempt] = self.of(Attempt)
        return max(attempts, key=lambda attempt: attempt.number)

    def of(self, kind: type) -> list[Any]:
        """Return all nouns of *kind*."""
        return [noun for noun in self.nouns.values() if isinstance(noun, kind)]

    @property
    def pauses(self) -> tuple[Pause, ...]:
        """Every pause there ever was."""
        return tuple(self.of(Pause))

    def ruling(self) -> Ruling:
        """Return what satisfies the request's own ruling and today's policy."""
        asked = self.request
        assert asked.ruling is not None
        today = rule_on(
            self.policy,
            asked.wish,
            risk=asked.ruling.risk,
            timeout=None,
        )
        return stricter_of(asked.ruling, today)

    def context(self) -> DecisionContext:
        """Return everything a judgement rests on, read now."""
        standings = {one: a_standing(one, seen_at=self.now, active=one in self.active) for one in self.people}
        groups = {GROUP: Membership(accounts=frozenset(self.members), seen_at=self.now)}
        return DecisionContext(
            now=self.now,
            epoch=self.epoch,
            pauses=self.pauses,
            ruling=self.ruling(),
            authority=Authority(standings=standings, groups=groups),
            votes=tuple(vote for vote in self.of(Vote) if vote.voided_at is None),
            execution=self.execution,
        )

    def save(self, transition: Transition[Any]) -> None:
        """Write nouns and events down together; a noun must follow from the one that stands."""
        for noun in transition.nouns:
            key = key_of(noun)
            if hasattr(noun, "revision"):
                assert noun.revision == (self.nouns[key].revision + 1 if key in self.nouns else 1)
            self.nouns[key] = noun
        self.events += transition.events

    def queue(self) -> None:
        """Queue the approved change, as the deciding transaction does."""
        assert self.request.valid_until is not None
        self.save(
            queued(
                execution_id=ExecutionId("exe_1"),
                escalation=ESCALATION,
                place=self.request.place,
                cluster_uid=CLUSTER_UID,
                object_uid=OBJECT_UID,
                fingerprint=self.request.fingerprint or "",
                valid_until=self.request.valid_until,
                now=self.now,
            )
        )

    # ------------------------------------------------------------------------------------------------ what a worker does

    def start(self, execution: Execution) -> None:
        """Check everything once more, and arm or end a claimed execution."""
        context = self.context()
        if self.thing.replicas != BEFORE:
            self.save(void(execution, Reason.DRIFT, now=self.now))
            if self.request.state is State.APPROVED:
                self.save(supersede(self.request, successor=None, now=self.now))
        elif (reason := self._why_not(execution, context)) is not None:
            self.save(void(execution, reason, now=self.now))
        else:
            self.save(
                arm(
                    execution,
                    resource_version=str(self.thing.version),
                    object_generation=self.thing.generation,
                    request_hash="e" * 64,
                    epoch=self.epoch,
                    now=self.now,
                )
            )

    def _why_not(self, execution: Execution, context: DecisionContext) -> Reason | None:
        if self.request.state is not State.APPROVED:
            return Reason.CANCELLED
        if self.now >= execution.valid_until:
            return Reason.LAPSED
        if open_pause_over(context.pauses, self.request.place) is not None:
            return Reason.PAUSED
        try:
            check_quorum(self.request, context)
        except PolicyDenied:
            return Reason.POLICY
        except NotEligible as error:
            return Reason.PAUSED if error.code == "paused" else Reason.AUTHORITY
        return None

    def send(self, execution: Execution) -> bool:
        """Commit that the bytes go out, having looked at the pauses once more; False where they must not."""
        attempt = self.attempt
        if not survives(self.pauses, execution.place, epoch=attempt.epoch):
            if execution.state is Phase.ARMED:
                self.save(void(execution, Reason.PAUSED, now=self.now, attempt=attempt))
            else:
                self.save(unknown(execution, attempt, now=self.now, message="Paused.", look_again=WAIT))
            return False
        try:
            self.save(
                sending(execution, attempt, token_id="JTI=1", token_expires_at=self.now + 10 * MINUTE, now=self.now)
            )
        except Clash:
            self.save(void(execution, Reason.SLOW, now=self.now, attempt=attempt))
            return False
        self.under_way.append(self.attempt)
        return True

    def arrives(self, place: int = 0) -> bool:
        """Let a send that is under way reach the object, the oldest or the one at *place*, if its token still lets it in."""
        attempt = self.under_way.pop(place)
        assert attempt.token_expires_at is not None
        return self.now <= attempt.token_expires_at + TOKEN_LEEWAY + TIMEOUT and self.thing.take(attempt)

    def answered(self, execution: Execution, came: str) -> None:
        """Write down what came back from the last send."""
        attempt = self.attempt
        resent = attempt.sends > 1
        match came:
            case "applied":
                self._landed(execution, read_back=False)
            case "lost" | "conflict" | "rejected" | "busy" if came == "lost" or resent:
                self.save(unknown(execution, attempt, now=self.now, message=came, look_again=WAIT))
            case "conflict":
                self.save(not_landed(execution, attempt, now=self.now, message=came))
            case "rejected":
                self.save(rejected(execution, attempt, now=self.now, http_status=403, audit_id=None, message=came))
            case _:  # the server did not take it on
                self.save(disarm(execution, attempt, now=self.now, wait=WAIT, message=came))

    def _landed(self, execution: Execution, *, read_back: bool) -> None:
        self.save(
            applied(
                execution,
                self.attempt,
                now=self.now,
                http_status=None if read_back else 200,
                audit_id=None,
                comparison=Comparison(),
                read_back=read_back,
            )
        )

    def read_back(self, execution: Execution) -> bool:
        """Find out by the resend rule whether a lost write has landed; True where the same bytes may go out again."""
        attempt = self.attempt
        if self.thing.mark == ESCALATION:
            self._landed(execution, read_back=True)
        elif self.thing.generation != attempt.object_generation:
            self.save(unknown(execution, attempt, now=self.now, message="Nobody can tell.", look_again=WAIT))
        elif not can_resend(attempt, resource_version_now=str(self.thing.version)):
            self.save(not_landed(execution, attempt, now=self.now, message="It did not land."))
        elif survives(self.pauses, execution.place, epoch=attempt.epoch):
            return True
        elif execution.state is Phase.UNKNOWN and cannot_land_any_more(attempt, now=self.now, request_timeout=TIMEOUT):
            self.save(void(execution, Reason.NEVER_LANDED, now=self.now, attempt=attempt))
        else:
            self.save(unknown(execution, attempt, now=self.now, message="It may still land.", look_again=WAIT))
        return False
