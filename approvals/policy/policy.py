"""The policy: who may ask for what, and who must agree. One document, checked; a frozen value.

What it says of one escalation is :mod:`approvals.policy.ruling`; from which file it comes, :mod:`models.policy`. What no rule
asks about
is denied, and no rule can let anything run without a person.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import Final

from approvals.change.action import Wish
from approvals.change.risk import Risk
from approvals.identity.accounts import OURS, Installation
from approvals.identity.names import Channel
from approvals.identity.people import ApproverSet, People
from approvals.policy.charter import Charter
from approvals.policy.clauses import Clause, ClauseKind, Outcome, Predicate, Relation, in_order, predicate

PROTECTED_NAMESPACES: Final = frozenset({"kube-system", "kube-public", "kube-node-lease", "countersign"})
"""No rule can open these: the cluster's own, and ours. See :func:`is_protected`."""


def is_protected(namespace: str) -> bool:
    """Tell whether no rule can open *namespace*: the cluster's own, and every installation's of ours, whoever runs it."""
    return namespace in PROTECTED_NAMESPACES or namespace.startswith(f"{OURS}-")


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
    channel: Channel
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

    looks: tuple[tuple[str, frozenset[str]], ...] = field(init=False, repr=False, compare=False)
    """What it looks at, in order: name of the value, and the patterns that it may fit."""

    def __post_init__(self) -> None:
        """Put what it looks at in order once; it is asked at every question and every answer."""
        named = (
            ("agent", self.agents),
            ("environment", self.environments),
            ("namespace", self.namespaces),
            ("verb", self.verbs),
            ("kind", self.kinds),
            ("name", self.names),
        )
        looks = tuple((subject, patterns) for subject, patterns in named if patterns is not None)
        object.__setattr__(self, "looks", looks)

    def takes(self, wish: Wish) -> bool:
        """Tell whether the rule speaks of *wish*."""
        return self.predicates(values_of(wish))[1]

    def predicates(self, values: Mapping[str, str]) -> tuple[tuple[Predicate, ...], bool]:
        """Return what the rule looks at in *values*, and whether all of it fits.

        It ends with the first thing that does not. What may be anything is not looked at.
        """
        looked_at: list[Predicate] = []
        for subject, patterns in self.looks:
            value = values[subject]
            fits = _takes(patterns, value)
            looked_at.append(predicate(subject, value, Relation.ONE_OF, in_order(patterns), holds=fits))
            if not fits:
                return tuple(looked_at), False
        return tuple(looked_at), True

    def can_take(self, agent: str, environment: str, namespace: str, verb: str) -> bool:
        """Tell whether the rule speaks of some target there, whatever its kind and name."""
        return (
            _takes(self.agents, agent)
            and _takes(self.environments, environment)
            and _takes(self.namespaces, namespace)
            and _takes(self.verbs, verb)
        )


def values_of(wish: Wish) -> Mapping[str, str]:
    """Return what rules look at in *wish*, by name."""
    target = wish.action.target
    return {
        "agent": wish.agent,
        "environment": wish.environment,
        "namespace": target.namespace,
        "verb": wish.action.verb,
        "kind": target.kind,
        "name": target.name,
    }


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
    """One rule of the file: it denies, or it asks."""

    name: str
    match: Match
    asking: Asking | None
    """None for a rule that denies."""
    reason: str = ""
    """Why it denies, in the policy's words."""

    def clause(self, values: Mapping[str, str]) -> Clause:
        """Return what the rule says of :func:`values_of` a wish: that it denies, asks, or does not speak of it."""
        looked_at, speaks = self.match.predicates(values)
        if speaks:
            return replace(self.spoken(), predicates=looked_at)
        return Clause(kind=ClauseKind.RULE, name=self.name, outcome=Outcome.SKIPPED, predicates=looked_at)

    def spoken(self) -> Clause:
        """Return what the rule says where it speaks, whatever it looked at."""
        return Clause(
            kind=ClauseKind.RULE,
            name=self.name,
            outcome=Outcome.DENIED if self.asking is None else Outcome.ASKS,
            approvers=() if self.asking is None else self.asking.approvers,
            words=self.reason,
        )


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
    beside: "Policy | None" = None
    """Another version that counts as well, while not every process has the same file, and with it whichever stands beside that
    one: only what all of them allow is allowed."""

    @property
    def versions(self) -> "tuple[Policy, ...]":
        """Every version that counts: as a rule this one alone."""
        return (self,) if self.beside is None else (self, *self.beside.versions)

    @property
    def everybody(self) -> People:
        """Whose accounts are one person's, by any version in force."""
        return self.people if self.beside is None else self.people.merged_with(self.beside.everybody)

    def environments_in(self, cluster: str) -> tuple[str, ...]:
        """Return the environments that are in *cluster*, in the order of the file."""
        return tuple(name for name, environment in self.environments.items() if environment.cluster == cluster)
