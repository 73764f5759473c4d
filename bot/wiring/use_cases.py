"""Every use case over one store, one cluster door and one workspace. Which concrete classes these are is not known here.

The service, the commands, the demo, the tests and the benchmarks all get their use cases here.
"""

from dataclasses import dataclass
from functools import cached_property

from approvals.ports.clearance import Clearance
from approvals.ports.cluster import Cluster
from approvals.ports.directory import Directory
from approvals.ports.ids import NewId
from approvals.ports.journey import Journey, Mishaps
from approvals.ports.policies import Policies
from approvals.ports.store import Store
from approvals.presentation.review import Renderer
from approvals.usecases.aside import Aside
from approvals.usecases.execution.abandon import Abandon
from approvals.usecases.execution.execute import Execute
from approvals.usecases.intake.admit import Admit
from approvals.usecases.intake.escalate import Escalate
from approvals.usecases.intake.notice import TakeDelivery
from approvals.usecases.operation.adopt import Adopt
from approvals.usecases.operation.pause import AskForResumes, EngagePause, Resume
from approvals.usecases.people.cancel import Cancel
from approvals.usecases.people.decide import Decide
from approvals.usecases.people.expire import Expire
from approvals.usecases.people.headcount import CountPeople
from approvals.usecases.people.revocations import FollowRevocations


@dataclass(frozen=True, kw_only=True)
class UseCases:
    """Every use case, made from the ports when it is first asked for."""

    store: Store
    policies: Policies
    cluster: Cluster
    directory: Directory
    render: Renderer
    new_id: NewId
    journey: Journey
    clearance: Clearance
    mishaps: Mishaps

    def _aside(self, sweep: str) -> Aside:
        return Aside(sweep=sweep, mishaps=self.mishaps)

    @cached_property
    def escalate(self) -> Escalate:
        """Puts an agent's request before people."""
        return Escalate(
            store=self.store,
            policies=self.policies,
            cluster=self.cluster,
            directory=self.directory,
            render=self.render,
            new_id=self.new_id,
            journey=self.journey,
        )

    @cached_property
    def decide(self) -> Decide:
        """Takes one person's answer."""
        return Decide(
            store=self.store,
            policies=self.policies,
            directory=self.directory,
            new_id=self.new_id,
            journey=self.journey,
        )

    @cached_property
    def execute(self) -> Execute:
        """Carries approved changes out."""
        return Execute(
            store=self.store,
            policies=self.policies,
            cluster=self.cluster,
            directory=self.directory,
            escalate=self.escalate,
            journey=self.journey,
            clearance=self.clearance,
        )

    @cached_property
    def expire(self) -> Expire:
        """Lets silence deny."""
        return Expire(store=self.store, aside=self._aside("expire"))

    @cached_property
    def follow_revocations(self) -> FollowRevocations:
        """Cancels or flags what was asked with a token that was revoked since."""
        aside = self._aside("follow revocations")
        return FollowRevocations(store=self.store, policies=self.policies, aside=aside)

    @cached_property
    def cancel(self) -> Cancel:
        """Takes an agent's question back."""
        return Cancel(store=self.store, policies=self.policies)

    @cached_property
    def engage_pause(self) -> EngagePause:
        """Stops everything in a scope."""
        return EngagePause(store=self.store, policies=self.policies, directory=self.directory, new_id=self.new_id)

    @cached_property
    def resume(self) -> Resume:
        """Lets things go on."""
        return Resume(store=self.store, policies=self.policies, directory=self.directory)

    @cached_property
    def ask_for_resumes(self) -> AskForResumes:
        """Asks for the resume of pauses whose duration is over."""
        return AskForResumes(store=self.store, aside=self._aside("ask for resumes"))

    @cached_property
    def admit(self) -> Admit:
        """Knows who is calling."""
        return Admit(store=self.store, policies=self.policies, new_id=self.new_id)

    @cached_property
    def notice(self) -> TakeDelivery:
        """Takes down what monitors report."""
        return TakeDelivery(store=self.store, policies=self.policies, new_id=self.new_id)

    @cached_property
    def count_people(self) -> CountPeople:
        """Finds the rules that too few people could answer."""
        return CountPeople(store=self.store, policies=self.policies, directory=self.directory)

    @cached_property
    def abandon(self) -> Abandon:
        """Closes an outcome that nothing can tell."""
        return Abandon(store=self.store)

    @cached_property
    def adopt(self) -> Adopt:
        """Writes down which policy is in force."""
        return Adopt(store=self.store)
