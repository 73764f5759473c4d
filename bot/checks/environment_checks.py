"""Environment checks: what has to be looked at before changes may start anywhere, derived from the policy.

Each channel is looked at once for all environments that ask in it, each cluster once for all that are in it, each user group
once. Who runs them, and what follows from what they find, is :mod:`bot.checks.checking`. What stands in a cluster is watched
beside
that (:mod:`bot.checks.fence_watch`).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial

from approvals.policy.policy import Policy
from bot.checks.checking import Check, Found
from bot.cluster.client.sources import Source
from bot.cluster.rights.access import Grant, grants_of
from bot.cluster.rights.checks import ClusterFinding
from bot.health.clearances import CHANNEL_CHECKS, FIRST_CHECKS
from bot.health.legs import LegKind
from bot.slack.workspace.checks import SlackFinding

FindIn = Callable[[str, tuple[Grant, ...]], Iterable[ClusterFinding]]
"""Finds what is wrong with an environment's cluster, which should grant exactly that."""

LookAt = Callable[[str], Iterable[SlackFinding]]
"""Finds what is wrong with a channel or a user group."""


class EnvironmentChecks:
    """Makes the checks that a policy needs."""

    def __init__(
        self, *, channel: LookAt, group: LookAt, find_in: FindIn, sources: Callable[[Policy], dict[str, Source]]
    ) -> None:
        """Keep whom to ask, and how it is told where an environment's cluster is."""
        self._channel = channel
        self._group = group
        self._find_in = find_in
        self._sources = sources

    def of(self, policy: Policy) -> tuple[Check, ...]:
        """Return every check that *policy* needs."""
        return (*self._channels(policy), *self._clusters(policy), *self._groups(policy))

    def _channels(self, policy: Policy) -> Iterator[Check]:
        for channel in sorted({one.channel for one in policy.environments.values()}):
            yield Check(
                name=f"channel {channel}",
                holder=CHANNEL_CHECKS,
                part=LegKind.CHANNEL,
                environments=tuple(sorted(name for name, one in policy.environments.items() if one.channel == channel)),
                rests_on=channel,
                run=partial(_found, self._channel, channel),
            )

    def _groups(self, policy: Policy) -> Iterator[Check]:
        for group in sorted({group for one in policy.approver_sets.values() for group in one.groups}):
            yield Check(
                name=f"group {group}",
                holder=CHANNEL_CHECKS,
                part=LegKind.CHANNEL,
                environments=(),
                rests_on=group,
                run=partial(_found, self._group, group),
            )

    def _clusters(self, policy: Policy) -> Iterator[Check]:
        return cluster_checks(
            policy,
            self._sources(policy),
            kind="cluster",
            holder=FIRST_CHECKS,
            part=LegKind.CHECKS,
            find_in=self._find_in,
        )


def cluster_checks(
    policy: Policy, sources: Mapping[str, Source], *, kind: str, holder: str, part: LegKind, find_in: FindIn
) -> Iterator[Check]:
    """Give one check for each cluster of *policy*: it finds what *find_in* finds, for all environments that are in it.

    Args:
        policy: Says which clusters there are.
        sources: Where each environment's cluster is.
        kind: Begins the checks' names.
        holder: Under which name they hold environments.
        part: Which of their legs they are.
        find_in: Is asked once a cluster, by the name of one of its environments.
    """
    for cluster in policy.clusters:
        sharing = tuple(sorted(policy.environments_in(cluster)))
        if not sharing:
            continue
        grants = grants_of(policy, cluster)
        places = {name: _namespaces(policy, name) for name in sharing}
        yield Check(
            name=f"{kind} {cluster}",
            holder=holder,
            part=part,
            environments=sharing,
            rests_on=(
                sources[sharing[0]],
                grants,
                tuple(sorted((name, tuple(sorted(some))) for name, some in places.items())),
            ),
            run=partial(_look_in, find_in, sharing[0], grants, places),
        )


def _look_in(
    find_in: FindIn, environment: str, grants: tuple[Grant, ...], places: Mapping[str, frozenset[str]]
) -> list[Found]:
    return [_found_in_cluster(one, places) for one in find_in(environment, grants)]


def _namespaces(policy: Policy, environment: str) -> frozenset[str]:
    """Return every namespace of an environment in which an agent may act."""
    return frozenset().union(*(one.namespaces.get(environment, frozenset()) for one in policy.charters.values()))


def _found(look_at: LookAt, what: str) -> list[Found]:
    return [Found(code=one.code, sentence=one.sentence, is_grave=one.grave) for one in look_at(what)]


def _found_in_cluster(one: ClusterFinding, places: Mapping[str, frozenset[str]]) -> Found:
    """Return a finding with the environments that it concerns: all of the cluster's, unless it is about one namespace."""
    concerned = None
    if one.namespace is not None:
        concerned = frozenset(name for name, namespaces in places.items() if one.namespace in namespaces) or None
    return Found(code=one.code, sentence=one.sentence, is_grave=one.is_grave, environments=concerned)
