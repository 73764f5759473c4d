"""A world for use cases: one store, one cluster, one workspace, a policy, and every verb wired as the application wires it.

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
from approvals.usecases.aside import Aside
from approvals.usecases.execution.abandon import Abandon
from approvals.usecases.execution.execute import Execute
from approvals.usecases.intake.admit import Admit
from approvals.usecases.intake.escalate import Escalate
from approvals.usecases.intake.notice import TakeDelivery
from approvals.usecases.intake.questions import Opened
from approvals.usecases.operation.adopt import Adopt
from approvals.usecases.operation.pause import AskForResumes, EngagePause, Resume
from approvals.usecases.people.cancel import Cancel
from approvals.usecases.people.decide import Decide, PersonsAnswer
from approvals.usecases.people.expire import Expire
from approvals.usecases.people.headcount import CountPeople
from approvals.usecases.people.revocations import FollowRevocations
from approvals.workflow.request import Answer, Request, Via
from approvals.workflow.votes import Judged
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
    """Every verb over one store."""

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
        store, policies, directory, new_id, journey = (
            self.store,
            self.policies,
            self.directory,
            self.new_id,
            self.journey,
        )
        self.escalate = Escalate(
            store=store,
            policies=policies,
            cluster=self.cluster,
            directory=directory,
            render=self.render,
            new_id=new_id,
            journey=journey,
        )
        self.decide = Decide(store=store, policies=policies, directory=directory, new_id=new_id, journey=journey)
        self.execute = Execute(
            store=store,
            policies=policies,
            cluster=self.cluster,
            directory=directory,
            escalate=self.escalate,
            journey=journey,
            clearance=self.clearance,
        )
        self.expire = Expire(store=store, aside=self._aside("expire"))
        self.follow_revocations = FollowRevocations(
            store=store, policies=policies, aside=self._aside("follow revocations")
        )
        self.cancel = Cancel(store=store, policies=policies)
        self.pause = EngagePause(store=store, policies=policies, directory=directory, new_id=new_id)
        self.resume = Resume(store=store, policies=policies, directory=directory)
        self.ask_for_resumes = AskForResumes(store=store, aside=self._aside("ask for resumes"))
        self.admit = Admit(store=store, policies=policies, new_id=new_id)
        self.notice = TakeDelivery(store=store, policies=policies, new_id=new_id)
        self.abandon = Abandon(store=store)
        self.count_people = CountPeople(store=store, policies=policies, directory=directory)
        self.adopt = Adopt(store=store)

    def _aside(self, sweep: str) -> Aside:
        return Aside(sweep=sweep, mishaps=self.mishaps)

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
