"""A world for use cases: one store, one cluster, one workspace, a policy, and every use case as the wiring makes it.

A second :class:`World` over the same store, cluster and directory is the same product after a restart: it shares nothing that a
process would lose.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from zlib import crc32

from approvals.canonical import tagged_hash
from approvals.facts import facts_of
from approvals.identity.names import Account
from approvals.identity.tokens import created
from approvals.policy.policy import Policy
from approvals.ports.clearance import Clearance
from approvals.ports.cluster import Cluster
from approvals.ports.directory import Directory
from approvals.ports.ids import NewId
from approvals.ports.journey import Journey
from approvals.ports.store import Store
from approvals.presentation.review import Rendered, Review
from approvals.usecases.intake.questions import Opened
from approvals.usecases.people.decide import PersonsAnswer
from approvals.workflow.request import Answer, Request, Via
from approvals.workflow.votes import Judged
from bot.wiring.use_cases import UseCases
from tests.builders import ADA, NOON, a_policy, a_token, an_action, an_escalation
from tests.fakes.clearance import FakeClearance
from tests.fakes.cluster import FakeCluster
from tests.fakes.directory import FakeDirectory
from tests.fakes.ids import CountingIds
from tests.fakes.journey import Remembered
from tests.fakes.mishaps import Unlucky


class HandClock:
    """A host clock that a test moves by hand."""

    def __init__(self, at: datetime = NOON) -> None:
        self.at = at

    def __call__(self) -> datetime:
        """Return the instant it stands at."""
        return self.at

    def pass_by(self, duration: timedelta) -> None:
        """Let time pass."""
        self.at += duration


def number_of(key: str) -> int:
    """Return how many pods are asked for under *key*: another number for each key, as far as tests go."""
    name = key.rstrip("0123456789")
    digits = key[len(name) :]
    return 20 + crc32(name.encode()) % 4 * 200 + (int(digits) % 200 if digits else crc32(key.encode()) % 200)


@dataclass
class FixedPolicies:
    """Implements :class:`approvals.ports.policies.Policies` with whatever policy a test puts there."""

    policy: Policy = field(default_factory=a_policy)

    def current(self) -> Policy:
        """Return it."""
        return self.policy


def rendered(review: Review) -> Rendered:
    """Return a hash that moves with anything in the review; everything fits."""
    return Rendered(hash=tagged_hash("test/render", review=facts_of(review)), whole=True)


@dataclass
class World:
    """Every use case over one store."""

    store: Store
    cluster: Cluster = field(default_factory=FakeCluster.with_checkout)
    directory: Directory = field(default_factory=FakeDirectory)
    policies: FixedPolicies = field(default_factory=FixedPolicies)
    new_id: NewId = field(default_factory=CountingIds)
    journey: Journey = field(default_factory=Remembered)
    clearance: Clearance = field(default_factory=FakeClearance)
    render: Callable[[Review], Rendered] = rendered
    mishaps: Unlucky = field(default_factory=Unlucky)

    def __post_init__(self) -> None:
        use = UseCases(
            store=self.store,
            policies=self.policies,
            cluster=self.cluster,
            directory=self.directory,
            render=self.render,
            new_id=self.new_id,
            journey=self.journey,
            clearance=self.clearance,
            mishaps=self.mishaps,
        )
        self.escalate, self.decide, self.execute, self.expire = use.escalate, use.decide, use.execute, use.expire
        self.follow_revocations, self.cancel, self.notice = use.follow_revocations, use.cancel, use.notice
        self.pause, self.resume, self.ask_for_resumes = use.engage_pause, use.resume, use.ask_for_resumes
        self.admit, self.abandon, self.adopt, self.count_people = use.admit, use.abandon, use.adopt, use.count_people

    def settled(self) -> "World":
        """Put the policy in force and give the agent its token: once for each store."""
        self.adopt(self.policies.policy, "the policy's text", by="os:olga")
        with self.store.writing() as uow:
            uow.save(created(a_token()))
        return self

    def restarted(self, *, journey: Journey | None = None) -> "World":
        """Return the product as it is after a restart."""
        return replace(self, journey=journey or Remembered())

    def asks(self, key: str = "key-1", **changed: object) -> Opened:
        """Let the agent escalate; under another key it asks for another number of pods, unless *changed* says for what."""
        if key not in {None, "key-1"}:
            changed.setdefault("action", an_action(replicas=number_of(key)))
        return self.escalate(an_escalation(idempotency_key=key, **changed), a_token())

    def pending(self, key: str = "key-1", **changed: object) -> Request:
        """Let the agent escalate, and return the question that people are asked."""
        return self.asks(key, **changed).request

    def answers(
        self, request: Request, account: str = ADA, answer: Answer = Answer.APPROVE, *, via: Via = Via.SLACK
    ) -> Judged:
        """Let somebody answer by the button that stands on the card now."""
        return self.decide(
            PersonsAnswer(
                request=request.id,
                account=Account(account),
                answer=answer,
                via=via,
                fingerprint=None if via is Via.CLI else (request.fingerprint or "")[:12],
            )
        )

    def request(self, request: Request) -> Request:
        """Return the request as it is now."""
        with self.store.reading() as reading:
            found = reading.request(request.id)
        if found is None:
            raise LookupError(request.id)
        return found
