"""Headcount: which rules ask for more people than could answer. Asked of Slack at the start and once a day.

Intake asks the same of each question; this tells an operator before anybody's question is refused for it. It changes nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from approvals.feasibility import answerers
from approvals.policy import Asking, Charter, Panel, Policy, Rule, Ruling
from approvals.ports import Directory, Policies, Store
from approvals.risk import Risk
from approvals.usecases.standing import who_could_answer

MOST_SHORTAGES: Final = 20
"""How many are told at once: a policy with more has one cause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortage:
    """One rule that too few people could answer for one agent."""

    rule: str
    agent: str
    quorum: int
    could: int
    """How many surely could; where it is not sure that they are too few, Slack did not say enough."""
    is_sure: bool

    @property
    def sentence(self) -> str:
        """What an operator is told, and what to do."""
        if not self.is_sure:
            return (
                f"Whether {self.quorum} people can approve by rule {self.rule} what {self.agent} asks could not be checked:"
                " Slack did not say enough of them."
            )
        return (
            f"Rule {self.rule} asks {self.quorum} people to approve what {self.agent} asks, and {self.could} can: the others"
            " are deactivated, guests, apps or in conflict. What it asks by this rule is refused until the policy names more."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CountPeople:
    """The verb."""

    store: Store
    policies: Policies
    directory: Directory

    def __call__(self) -> tuple[Shortage, ...]:
        """Return the rules that too few people could answer, and those of which that could not be found out."""
        policy = self.policies.current()
        with self.store.reading() as reading:
            at = reading.now
        found: list[Shortage] = []
        for rule, asking, charter in _asked_by(policy):
            shortage = self._shortage(_ruling_of(policy, rule, asking, charter), rule, charter, at=at)
            if shortage is not None and len(found) < MOST_SHORTAGES:
                found.append(shortage)
        return tuple(found)

    def _shortage(self, ruling: Ruling, rule: Rule, charter: Charter, *, at: datetime) -> Shortage | None:
        could = answerers(ruling, who_could_answer(self.directory, ruling, at=at), now=at)
        if could.are_surely_enough(ruling.quorum):
            return None
        is_sure = could.perhaps is not None and len(could.perhaps) < ruling.quorum
        return Shortage(
            rule=rule.name, agent=charter.agent, quorum=ruling.quorum, could=len(could.surely), is_sure=is_sure
        )


def _asked_by(policy: Policy) -> Iterator[tuple[Rule, Asking, Charter]]:
    """Give each rule that asks, what it asks for, and each agent that it can be about."""
    for rule in policy.rules:
        for charter in policy.charters.values():
            if rule.asking is not None and _can_be_about(rule, charter):
                yield rule, rule.asking, charter


def _can_be_about(rule: Rule, charter: Charter) -> bool:
    return any(
        rule.match.can_take(charter.agent, environment, namespace, verb)
        for environment, namespaces in charter.namespaces.items()
        for namespace in namespaces
        for verb in charter.verbs
    )


def _ruling_of(policy: Policy, rule: Rule, asking: Asking, charter: Charter) -> Ruling:
    """Return what the rule alone asks for where the agent acts for nobody: whoever it acts for is one less."""
    return Ruling(
        policy=policy.version,
        asks=True,
        rules=(rule.name,),
        reasons=(),
        risk=Risk.LOW,
        panels=(Panel(rule=rule.name, sets=tuple(policy.approver_sets[name] for name in asking.approvers)),),
        quorum=asking.quorum,
        conflicted=frozenset() if asking.owners_may_approve else charter.owners.accounts,
        people=policy.people,
    )
