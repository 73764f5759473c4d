"""Rulings: what a policy says of one escalation, and why.

What no rule asks about is denied, and a denial wins over any number of rules that ask, wherever it stands in the file.
Where several rules ask, all of them must be satisfied: highest risk, most people, shortest times, and an approver must be
one that every rule accepts. A ruling carries the tree of clauses that it was made from and the policy's version; a newer version,
in flight, can only make it stricter (:func:`stricter_of`).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import chain
from typing import Final

from approvals.change.action import Wish
from approvals.change.risk import Risk
from approvals.facts import ADDED
from approvals.identity.accounts import OURS
from approvals.identity.names import Account
from approvals.identity.people import ApproverSet, People
from approvals.policy.charter import Charter
from approvals.policy.clauses import (
    NO_CHARTER,
    NO_ENVIRONMENT,
    PROTECTED,
    Clause,
    ClauseKind,
    Outcome,
    Predicate,
    Relation,
    built_in,
    in_order,
    joined,
    predicate,
    reasons_of,
    rules_of,
)
from approvals.policy.policy import PROTECTED_NAMESPACES, Policy, Rule, Timeout, is_protected, values_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """The people whom one rule accepts: anybody in any of the sets."""

    rule: str
    sets: tuple[ApproverSet, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What a policy says of one escalation, and why."""

    policy: str
    asks: bool
    rules: tuple[str, ...]
    reasons: tuple[str, ...]
    risk: Risk
    panels: tuple[Requirement, ...] = ()
    """An approver must be accepted by every one of them."""
    quorum: int = 1
    timeout: timedelta = timedelta(0)
    valid_for: timedelta = timedelta(0)
    conflicted: frozenset[Account] = frozenset()
    """Accounts whose people cannot approve: the requester's, and owners where a rule does not let them."""
    people: People = field(default_factory=lambda: People(names={}))
    tree: Clause | None = field(default=None, metadata=ADDED)
    """What :attr:`asks`, :attr:`rules` and :attr:`reasons` were made from. These are kept as they were said: the reasons are part
    of what people were shown, and a later release may say them in other words. None where it was ruled before trees were kept."""

    def kept(self) -> "Ruling":
        """Return it as its request keeps it: of its tree, the clauses that spoke. The others stand in the opening event alone."""
        return self if self.tree is None else replace(self, tree=self.tree.kept(skipped=0))


def rule_on(
    policy: Policy,
    wish: Wish,
    *,
    risk: Risk,
    timeout: timedelta | None,
) -> Ruling:
    """Return the policy's ruling on one wish; where two versions are in force, what satisfies both.

    Args:
        policy: The document, and with it another one that is in force as well.
        wish: What an agent asks for.
        risk: What the effect itself puts at stake; a rule can raise it, never lower it.
        timeout: How long the agent wants to wait, if it says so.
    """
    first, *others = (_rule_by_one(one, wish, risk=risk, timeout=timeout) for one in policy.versions)
    for other in others:
        both = stricter_of(first, other)
        first = replace(both, timeout=min(first.timeout, other.timeout)) if both.asks else both
    return first


def _rule_by_one(
    policy: Policy,
    wish: Wish,
    *,
    risk: Risk,
    timeout: timedelta | None,
) -> Ruling:
    charter = policy.charters.get(wish.agent)
    # Intake asks the charter first of all; here it is asked again, so that one narrowed since then takes effect.
    chartered = () if charter is None else charter.clauses(wish)
    first = tuple(_until_denied(chain(_built_in(policy, charter, wish), chartered)))
    if charter is None or first[-1].outcome is Outcome.DENIED:
        return _denied(policy, first, risk=risk)
    values = values_of(wish)
    speaking: list[Rule] = []
    clauses: list[Clause] = []
    for rule in policy.rules:
        clause = rule.clause(values)
        clauses.append(clause)
        if clause.outcome is not Outcome.SKIPPED:
            speaking.append(rule)
    if not speaking:
        nothing = Clause(kind=ClauseKind.NO_RULE, name="", outcome=Outcome.DENIED)
        return _denied(policy, (*first, *clauses, nothing), risk=risk)
    if any(rule.asking is None for rule in speaking):
        return _denied(policy, (*first, *clauses), risk=risk)
    demands = _demands(policy, tuple(speaking), charter, on_behalf_of=wish.on_behalf_of, risk=risk, timeout=timeout)
    return _explained(demands, (*first, *clauses, *_timeout_clauses(speaking, timeout)))


_PROTECTED: Final = in_order(PROTECTED_NAMESPACES | {f"{OURS}-*"})


def _built_in(
    policy: Policy,
    charter: Charter | None,
    wish: Wish,
) -> Iterator[Clause]:
    """Yield what no rule can lift, in the order in which it is looked at."""
    namespace, environment = wish.action.target.namespace, wish.environment
    yield built_in(
        PROTECTED, predicate("namespace", namespace, Relation.ONE_OF, _PROTECTED, holds=is_protected(namespace))
    )
    known = tuple(policy.charters)
    yield built_in(NO_CHARTER, predicate("agent", wish.agent, Relation.NONE_OF, known, holds=charter is None))
    known = tuple(policy.environments)
    yield built_in(
        NO_ENVIRONMENT,
        predicate("environment", environment, Relation.NONE_OF, known, holds=environment not in policy.environments),
    )


def _until_denied(clauses: Iterable[Clause]) -> Iterator[Clause]:
    for clause in clauses:
        yield clause
        if clause.outcome is Outcome.DENIED:
            return


def _denied(policy: Policy, clauses: tuple[Clause, ...], *, risk: Risk) -> Ruling:
    return _explained(Ruling(policy=policy.version, asks=False, rules=(), reasons=(), risk=risk), clauses)


def _explained(ruling: Ruling, clauses: tuple[Clause, ...]) -> Ruling:
    """Return *ruling* with the tree of *clauses*, and with what is made of it: whether it asks, which rules spoke, and why."""
    tree = joined(ClauseKind.POLICY, ruling.policy, clauses)
    return replace(
        ruling,
        tree=tree,
        asks=tree.outcome is Outcome.ASKS,
        rules=rules_of(tree),
        reasons=reasons_of(tree),
    )


def asked_by(
    policy: Policy,
    rules: tuple[Rule, ...],
    charter: Charter,
    *,
    on_behalf_of: Account | None,
    risk: Risk,
    timeout: timedelta | None,
) -> Ruling:
    """Return what *rules*, at least one and each of which asks, ask together of what the agent of *charter* proposes.

    The other arguments are those of :func:`rule_on`.
    """
    ruling = _demands(policy, rules, charter, on_behalf_of=on_behalf_of, risk=risk, timeout=timeout)
    return _explained(ruling, tuple(rule.spoken() for rule in rules))


def _demands(
    policy: Policy,
    rules: tuple[Rule, ...],
    charter: Charter,
    *,
    on_behalf_of: Account | None,
    risk: Risk,
    timeout: timedelta | None,
) -> Ruling:
    """Return the same without its reasons."""
    askings = [rule.asking for rule in rules if rule.asking is not None]
    requester = frozenset() if on_behalf_of is None else frozenset({on_behalf_of})
    owners = frozenset() if all(asking.owners_may_approve for asking in askings) else charter.owners.accounts
    return Ruling(
        policy=policy.version,
        asks=True,
        rules=(),
        reasons=(),
        risk=Risk.highest(risk, *(asking.risk for asking in askings)),
        panels=tuple(
            Requirement(rule=rule.name, sets=tuple(policy.approver_sets[name] for name in rule.asking.approvers))
            for rule in rules
            if rule.asking is not None
        ),
        quorum=max(asking.quorum for asking in askings),
        timeout=_granted([asking.timeout for asking in askings], timeout),
        valid_for=min(asking.valid_for for asking in askings),
        conflicted=requester | owners,
        people=policy.people,
    )


def _granted(timeouts: list[Timeout], asked: timedelta | None) -> timedelta:
    """Return how long people get: the shortest of the rules', which the agent may shorten down to the longest least."""
    least, most = _bounds(timeouts)
    if asked is None:
        return min(most, *(timeout.default for timeout in timeouts))
    return min(max(asked, least), most)


def _bounds(timeouts: list[Timeout]) -> tuple[timedelta, timedelta]:
    """Return the least and the most that all of the rules let people wait; the most counts where they cross."""
    return max(timeout.least for timeout in timeouts), min(timeout.most for timeout in timeouts)


def _timeout_clauses(rules: list[Rule], asked: timedelta | None) -> tuple[Clause, ...]:
    """Return the clause that says what became of the time that the agent asked for; none where it asked for none."""
    if asked is None:
        return ()
    least, most = _bounds([rule.asking.timeout for rule in rules if rule.asking is not None])
    found = _timeout_predicate(Relation.AT_MOST, asked, most, holds=asked <= most)
    looked_at: tuple[Predicate, ...] = (found,)
    if found.holds:
        looked_at += (_timeout_predicate(Relation.AT_LEAST, asked, least, holds=asked >= least),)
    return (Clause(kind=ClauseKind.TIMEOUT, name="", outcome=Outcome.ASKS, predicates=looked_at),)


def _timeout_predicate(relation: Relation, asked: timedelta, bound: timedelta, *, holds: bool) -> Predicate:
    return predicate("timeout_seconds", _seconds(asked), relation, (_seconds(bound),), holds=holds)


def _seconds(duration: timedelta) -> int:
    return int(duration.total_seconds())


def stricter_of(first: Ruling, second: Ruling) -> Ruling:
    """Return what satisfies both rulings: the one an approval was asked under, and today's (I10).

    The policy version and the deadline stay those of the *first*; today's can take rights away, never give any. Where
    today's denies, who may say no to the open question stays as it was: nobody else's word is taken for an answer.
    """
    if not first.asks:
        return first
    if not second.asks:
        return replace(
            first, asks=False, rules=second.rules, reasons=second.reasons, tree=_both(first.tree, second.tree)
        )
    return replace(
        first,
        rules=first.rules + tuple(rule for rule in second.rules if rule not in first.rules),
        risk=Risk.highest(first.risk, second.risk),
        panels=first.panels + tuple(panel for panel in second.panels if panel not in first.panels),
        quorum=max(first.quorum, second.quorum),
        valid_for=min(first.valid_for, second.valid_for),
        conflicted=first.conflicted | second.conflicted,
        people=first.people.merged_with(second.people),
        tree=_both(first.tree, second.tree),
    )


def _both(first: Clause | None, second: Clause | None) -> Clause | None:
    """Return the tree of two versions; that of one where the other is the same, or was not kept."""
    if first is None or second is None or first == second:
        return first or second
    return joined(ClauseKind.VERSIONS, "", (first, second))
