"""Policy: who may ask for what, and who must agree. One document, one ruling, its reasons.

Whatever no rule asks about is denied, and a denial wins over any number of rules that ask, wherever it stands in the file.
Where several rules ask, all of them must be satisfied: highest risk, most people, shortest times, and an approver must be
one that every rule accepts. No rule can let anything run without a person. A ruling carries its reasons and the policy's
version; a newer version, in flight, can only make it stricter (:func:`stricter_of`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final

from approvals.change.action import ProposedAction
from approvals.change.risk import Risk
from approvals.errors import NotEligible, OutOfScope, Unavailable
from approvals.identity.accounts import OURS, Installation
from approvals.identity.people import ApproverSet, Authority, People, check_standing

PROTECTED_NAMESPACES: Final = frozenset({"kube-system", "kube-public", "kube-node-lease", "countersign"})
"""No rule can open these: the cluster's own, and ours. See :func:`is_protected`."""


def is_protected(namespace: str) -> bool:
    """Tell whether no rule can open *namespace*: the cluster's own, and every installation's of ours, whoever runs it."""
    return namespace in PROTECTED_NAMESPACES or namespace.startswith(f"{OURS}-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Owners:
    """Who answers for an agent: accounts."""

    business: str
    technical: str
    risk: str

    @property
    def accounts(self) -> frozenset[str]:
        """All of them."""
        return frozenset({self.business, self.technical, self.risk})


class WhenTokenRevoked(StrEnum):
    """What becomes of an agent's open questions once the token that they were asked with is revoked."""

    CANCEL = "cancel"
    FLAG = "flag"
    """They stay open, and their cards say so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Charter:
    """What an agent is for, who owns it, and what it may ask for at all."""

    agent: str
    purpose: str
    owners: Owners
    verbs: frozenset[str]
    namespaces: Mapping[str, frozenset[str]]
    """By environment."""
    acts_for: frozenset[str]
    """Accounts of the people on whose behalf it may ask."""
    when_token_revoked: WhenTokenRevoked

    def check(self, environment: str, action: ProposedAction, on_behalf_of: str | None) -> None:
        """Return if the charter allows asking for this.

        Raises:
            OutOfScope: The environment, namespace, verb or person is not in the charter.
        """
        if action.target.namespace not in self.namespaces.get(environment, frozenset()):
            raise OutOfScope(
                "The agent's charter does not include that namespace of that environment.",
                field="/action/target/namespace",
            )
        if action.verb not in self.verbs:
            raise OutOfScope("The agent's charter does not include that verb.", field="/action/verb")
        if on_behalf_of is not None and on_behalf_of not in self.acts_for:
            raise OutOfScope("The agent's charter does not let it act for that person.", field="/on_behalf_of")


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestSchedule:
    """When the weekly digest is posted, in the environment's zone."""

    weekday: str
    """``mon`` to ``sun``."""
    hour: int
    minute: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedCluster:
    """A cluster by the policy's name for it. Two of these are two clusters, and everything that names one shares it."""

    name: str
    context: str | None
    """A context of the bot's kubeconfig; None for the settings' own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What agents ask about by one name: a cluster, the channel in which people are asked, and the clock on their wall."""

    name: str
    channel: str
    """``TEAM:CHANNEL``."""
    zone: str
    """An IANA time zone name."""
    digest: DigestSchedule
    cluster: str
    """Which of :attr:`Policy.clusters` it is in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A ceiling that breaches may refer to by name."""

    name: str
    ceiling: Decimal
    unit: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """What a rule speaks of. None means any; a trailing ``*`` in an entry means any ending."""

    agents: frozenset[str] | None = None
    environments: frozenset[str] | None = None
    namespaces: frozenset[str] | None = None
    verbs: frozenset[str] | None = None
    kinds: frozenset[str] | None = None
    names: frozenset[str] | None = None

    def takes(self, agent: str, environment: str, action: ProposedAction) -> bool:
        """Tell whether the rule speaks of this action."""
        return (
            self.can_take(agent, environment, action.target.namespace, action.verb)
            and _takes(self.kinds, action.target.kind)
            and _takes(self.names, action.target.name)
        )

    def can_take(self, agent: str, environment: str, namespace: str, verb: str) -> bool:
        """Tell whether the rule speaks of some target there, whatever its kind and name."""
        return (
            _takes(self.agents, agent)
            and _takes(self.environments, environment)
            and _takes(self.namespaces, namespace)
            and _takes(self.verbs, verb)
        )


def _takes(patterns: frozenset[str] | None, value: str) -> bool:
    return patterns is None or any(_fits(pattern, value) for pattern in patterns)


def _fits(pattern: str, value: str) -> bool:
    return value.startswith(pattern[:-1]) if pattern.endswith("*") else value == pattern


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeout:
    """How long people have to answer: what holds when the agent does not say, and the bounds of what it may say."""

    default: timedelta
    least: timedelta
    most: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """What a rule asks for: whose agreement, how many of them, how soon."""

    risk: Risk
    approvers: tuple[str, ...]
    """Names of approver sets; any of them will do."""
    quorum: int
    timeout: Timeout
    valid_for: timedelta
    owners_may_approve: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One clause: it denies, or it asks."""

    name: str
    match: Match
    asking: Asking | None
    """None for a rule that denies."""
    reason: str = ""
    """Why it denies, in the policy's words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The whole document, checked."""

    version: str
    """SHA-256, in hex, of the file's bytes."""
    installation: Installation
    clusters: Mapping[str, NamedCluster]
    environments: Mapping[str, Environment]
    charters: Mapping[str, Charter]
    approver_sets: Mapping[str, ApproverSet]
    may_pause: tuple[str, ...]
    may_resume: tuple[str, ...]
    people: People
    limits: Mapping[str, Limit]
    rules: tuple[Rule, ...]
    teams: frozenset[str]
    """The Slack workspaces whose people may answer."""

    def environments_in(self, cluster: str) -> tuple[str, ...]:
        """Return the environments that are in *cluster*, in the order of the file."""
        return tuple(name for name, environment in self.environments.items() if environment.cluster == cluster)


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
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
    panels: tuple[Panel, ...] = ()
    """An approver must be accepted by every one of them."""
    quorum: int = 1
    timeout: timedelta = timedelta(0)
    valid_for: timedelta = timedelta(0)
    conflicted: frozenset[str] = frozenset()
    """Accounts whose people cannot approve: the requester's, and owners where a rule does not let them."""
    people: People = field(default_factory=lambda: People(names={}))


def rule_on(
    policy: Policy,
    *,
    agent: str,
    environment: str,
    action: ProposedAction,
    on_behalf_of: str | None,
    risk: Risk,
    timeout: timedelta | None,
) -> Ruling:
    """Return the policy's ruling on one action.

    Args:
        policy: The document.
        agent: Who asks.
        environment: Where.
        action: For what.
        on_behalf_of: The account of the person the agent acts for, if any.
        risk: What the effect itself puts at stake; a rule can raise it, never lower it.
        timeout: How long the agent wants to wait, if it says so.
    """
    charter = policy.charters.get(agent)
    denied = _built_in_denial(policy, charter, environment, action, on_behalf_of)
    if denied is not None or charter is None:
        return Ruling(policy=policy.version, asks=False, rules=("built-in",), reasons=(denied or "",), risk=risk)
    matching = tuple(rule for rule in policy.rules if rule.match.takes(agent, environment, action))
    denying = tuple(rule for rule in matching if rule.asking is None)
    if denying:
        reasons = tuple(f"Rule {rule.name} denies it{f': {rule.reason}' if rule.reason else '.'}" for rule in denying)
        return Ruling(
            policy=policy.version, asks=False, rules=tuple(rule.name for rule in denying), reasons=reasons, risk=risk
        )
    if not matching:
        return Ruling(
            policy=policy.version,
            asks=False,
            rules=(),
            reasons=("No rule asks about this, so it is denied.",),
            risk=risk,
        )
    return asked_by(policy, matching, charter, on_behalf_of=on_behalf_of, risk=risk, timeout=timeout)


def _built_in_denial(
    policy: Policy, charter: Charter | None, environment: str, action: ProposedAction, on_behalf_of: str | None
) -> str | None:
    if is_protected(action.target.namespace):
        return f"The namespace {action.target.namespace} is protected; no rule can open it."
    if charter is None:
        return "The policy has no charter for this agent."
    if environment not in policy.environments:
        return "The policy has no such environment."
    try:
        # Intake asks the charter first of all; here it is asked again, so that one narrowed since then takes effect.
        charter.check(environment, action, on_behalf_of)
    except OutOfScope as refusal:
        return refusal.sentence
    return None


def asked_by(
    policy: Policy,
    rules: tuple[Rule, ...],
    charter: Charter,
    *,
    on_behalf_of: str | None,
    risk: Risk,
    timeout: timedelta | None,
) -> Ruling:
    """Return what *rules*, at least one and each of which asks, ask together of what the agent of *charter* proposes.

    The other arguments are those of :func:`rule_on`.
    """
    askings = [rule.asking for rule in rules if rule.asking is not None]
    requester = frozenset() if on_behalf_of is None else frozenset({on_behalf_of})
    owners = frozenset() if all(asking.owners_may_approve for asking in askings) else charter.owners.accounts
    granted, timeout_reasons = _granted_timeout([asking.timeout for asking in askings], timeout)
    reasons = tuple(
        f"Rule {rule.name} asks {' or '.join(rule.asking.approvers)}." for rule in rules if rule.asking is not None
    )
    return Ruling(
        policy=policy.version,
        asks=True,
        rules=tuple(rule.name for rule in rules),
        reasons=reasons + timeout_reasons,
        risk=Risk.highest(risk, *(asking.risk for asking in askings)),
        panels=tuple(
            Panel(rule=rule.name, sets=tuple(policy.approver_sets[name] for name in rule.asking.approvers))
            for rule in rules
            if rule.asking is not None
        ),
        quorum=max(asking.quorum for asking in askings),
        timeout=granted,
        valid_for=min(asking.valid_for for asking in askings),
        conflicted=requester | owners,
        people=policy.people,
    )


def _granted_timeout(timeouts: list[Timeout], asked: timedelta | None) -> tuple[timedelta, tuple[str, ...]]:
    """Return how long people get: the shortest of the rules', which the agent may shorten down to the longest least."""
    least = max(timeout.least for timeout in timeouts)
    most = min(timeout.most for timeout in timeouts)
    if asked is None:
        return min(most, *(timeout.default for timeout in timeouts)), ()
    if asked > most:
        return most, (f"The agent asked for {seconds(asked)}; the rules allow {seconds(most)} at most.",)
    if asked < least:
        return min(least, most), (
            f"The agent asked for {seconds(asked)}; the rules give people {seconds(least)} at least.",
        )
    return asked, (f"An answer is wanted within {seconds(asked)}.",)


def seconds(duration: timedelta) -> str:
    """Return *duration* in whole seconds, in words."""
    return f"{int(duration.total_seconds())} seconds"


def stricter_of(first: Ruling, second: Ruling) -> Ruling:
    """Return what satisfies both rulings: the one an approval was asked under, and today's (I10).

    The policy version and the deadline stay those of the *first*; today's can take rights away, never give any. Where
    today's denies, who may say no to the open question stays as it was: nobody else's word is taken for an answer.
    """
    if not first.asks:
        return first
    if not second.asks:
        return replace(first, asks=False, rules=second.rules, reasons=second.reasons)
    return replace(
        first,
        rules=first.rules + tuple(rule for rule in second.rules if rule not in first.rules),
        risk=Risk.highest(first.risk, second.risk),
        panels=first.panels + tuple(panel for panel in second.panels if panel not in first.panels),
        quorum=max(first.quorum, second.quorum),
        valid_for=min(first.valid_for, second.valid_for),
        conflicted=first.conflicted | second.conflicted,
        people=first.people.merged_with(second.people),
    )


def check_eligible(ruling: Ruling, account: str, authority: Authority, *, now: datetime, within: timedelta) -> None:
    """Return if *account*'s answer may count under *ruling*, going by what was seen at most *within* before *now*.

    Raises:
        NotEligible: Its person is in conflict, its standing is not good, or a rule does not accept it.
        Unavailable: Slack could not be asked that recently.
    """
    check_standing(account, authority, now=now, within=within)
    if ruling.people.person_of(account) in {ruling.people.person_of(other) for other in ruling.conflicted}:
        raise NotEligible(
            "You asked for this change, or own the agent that did, so somebody else must decide.", code="conflicted"
        )
    for panel in ruling.panels:
        if not in_any(panel.sets, account, authority, now=now, within=within):
            names = " or ".join(approvers.name for approvers in panel.sets)
            raise NotEligible(f"Only {names} can decide this.", code="not_an_approver")


def in_any(
    sets: tuple[ApproverSet, ...], account: str, authority: Authority, *, now: datetime, within: timedelta
) -> bool:
    """Tell whether *account* is in any of *sets*: found in one, it does not matter that another could not be asked.

    Raises:
        Unavailable: It is in none that could be asked, and one could not be.
    """
    unknown: Unavailable | None = None
    for approvers in sets:
        try:
            if approvers.holds(account, authority, now=now, within=within):
                return True
        except Unavailable as error:
            unknown = error
    if unknown is not None:
        raise unknown
    return False


def groups_of(ruling: Ruling) -> frozenset[str]:
    """Return the Slack user groups whose members must be known to judge under *ruling*."""
    return frozenset(group for panel in ruling.panels for approvers in panel.sets for group in approvers.groups)
