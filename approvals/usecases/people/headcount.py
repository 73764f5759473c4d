"""Headcount: which rules ask for more people than could answer. Asked of Slack at the start and once a day.

Rules that are about the same ask together: an approver has to be one by each of them. Whoever an agent acts for is one less.

Intake asks the same of each question; this tells an operator before anybody's question is refused for it. It changes nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from approvals.change.risk import Risk
from approvals.identity.names import Account
from approvals.identity.people import Authority
from approvals.policy.charter import Charter
from approvals.policy.feasibility import answerers
from approvals.policy.policy import Policy, Rule
from approvals.policy.ruling import Ruling, asked_by
from approvals.ports.directory import Directory
from approvals.ports.policies import Policies
from approvals.ports.store import Store
from approvals.usecases.standing import who_could_answer

MOST_SHORTAGES: Final = 20
"""How many are told at once: a policy with more has one cause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortage:
    """Rules that too few people could answer together for one agent."""

    rules: tuple[str, ...]
    """One, or several that are about the same: each of them alone has enough then."""
    agent: str
    quorum: int
    could: int
    """How many surely could; where it is not sure that they are too few, Slack did not say enough."""
    is_sure: bool
    acts_for: Account | None = None
    """For whom the agent acts where they are too few; None where they are whoever it acts for."""

    @property
    def rule(self) -> str:
        """The rules, in a word for operators."""
        return " and ".join(self.rules)

    @property
    def asked(self) -> str:
        """What is asked by them, in words for operators."""
        return self.agent if self.acts_for is None else f"{self.agent} for {self.acts_for}"

    @property
    def sentence(self) -> str:
        """What an operator is told, and what to do."""
        asks = f"what {self.agent} asks" if self.acts_for is None else f"what {self.agent} asks for {self.acts_for}"
        one = len(self.rules) == 1
        if not self.is_sure:
            return (
                f"Whether {_people(self.quorum)} can approve by rule{'' if one else 's'} {self.rule} {asks} could not be checked:"
                " Slack did not say enough of them."
            )
        who = f"Rule {self.rule} asks" if one else f"Rules {self.rule} together ask"
        return (
            f"{who} {_people(self.quorum)} to approve {asks}, and {self.could} can: the others are deactivated, guests, apps"
            f"{'' if one else ', not approvers by each'} or in conflict. What it asks by {'this rule' if one else 'these rules'}"
            " is refused until the policy names more."
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
        for charter in policy.charters.values():
            short: set[str] = set()
            for rules in (*_each(policy, charter), *_together(policy, charter)):
                names = tuple(rule.name for rule in rules)
                if len(found) >= MOST_SHORTAGES or not short.isdisjoint(names):
                    continue
                if (shortage := self._shortage(policy, rules, charter, at=at)) is not None:
                    found.append(shortage)
                    short.update(names)
        return tuple(found)

    def _shortage(self, policy: Policy, rules: tuple[Rule, ...], charter: Charter, *, at: datetime) -> Shortage | None:
        """Return the first shortage there is: whoever the agent acts for, or for one of those that it may act for."""
        ruling = asked_by(policy, rules, charter, on_behalf_of=None, risk=Risk.LOW, timeout=None)
        authority = who_could_answer(self.directory, ruling, at=at)
        for acts_for in (None, *sorted(charter.acts_for)):
            if (shortage := _short(ruling, authority, charter, acts_for, at=at)) is not None:
                return shortage
        return None


def _people(number: int) -> str:
    return "1 person" if number == 1 else f"{number} people"


def _short(
    ruling: Ruling, authority: Authority, charter: Charter, acts_for: Account | None, *, at: datetime
) -> Shortage | None:
    requester = frozenset() if acts_for is None else frozenset({acts_for})
    could = answerers(replace(ruling, conflicted=ruling.conflicted | requester), authority, now=at)
    if could.are_surely_enough(ruling.quorum):
        return None
    return Shortage(
        rules=ruling.rules,
        agent=charter.agent,
        quorum=ruling.quorum,
        could=len(could.surely),
        is_sure=could.perhaps is not None and len(could.perhaps) < ruling.quorum,
        acts_for=acts_for,
    )


def _each(policy: Policy, charter: Charter) -> Iterator[tuple[Rule, ...]]:
    """Give each rule that asks about something that one agent may ask."""
    for rule in policy.rules:
        if rule.asking is not None and any(rule.match.can_take(charter.agent, *place) for place in _places(charter)):
            yield (rule,)


def _together(policy: Policy, charter: Charter) -> Iterator[tuple[Rule, ...]]:
    """Give each rule with the others that speak of whatever it can speak of at one place, once."""
    seen: set[tuple[str, ...]] = set()
    for place in _places(charter):
        there = [one for one in policy.rules if one.asking is not None and one.match.can_take(charter.agent, *place)]
        for rule in there:
            rules = tuple(one for one in there if one is rule or (one.match.kinds is None and one.match.names is None))
            names = tuple(one.name for one in rules)
            if len(rules) > 1 and names not in seen:
                seen.add(names)
                yield rules


def _places(charter: Charter) -> Iterator[tuple[str, str, str]]:
    """Give every environment, namespace and verb of one agent."""
    for environment, namespaces in sorted(charter.namespaces.items()):
        for namespace in sorted(namespaces):
            for verb in sorted(charter.verbs):
                yield environment, namespace, verb
