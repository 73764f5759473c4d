"""Access: which accounts there are in a cluster and what each may do, derived from the policy and the registry of verbs.

These are values; :mod:`bot.cluster.rights.manifests` writes them as Kubernetes objects and :mod:`bot.cluster.rights.checks`
holds a cluster
against them, so that what is installed and what is checked cannot drift apart.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from approvals.identity.accounts import Installation, Role, ServiceAccount
from approvals.policy.policy import Policy, is_protected
from approvals.verbs.registry import verb_called
from approvals.verbs.verb import AccessRule, Trial, Verb

INSPECTED: Final = (
    AccessRule(group="", resource="namespaces", verbs=("list",)),
    AccessRule(group="admissionregistration.k8s.io", resource="validatingadmissionpolicies", verbs=("list",)),
    AccessRule(group="admissionregistration.k8s.io", resource="validatingadmissionpolicybindings", verbs=("list",)),
    AccessRule(group="rbac.authorization.k8s.io", resource="clusterrolebindings", verbs=("list",)),
    AccessRule(group="rbac.authorization.k8s.io", resource="clusterroles", verbs=("list",)),
    AccessRule(group="rbac.authorization.k8s.io", resource="rolebindings", verbs=("list",)),
    AccessRule(group="rbac.authorization.k8s.io", resource="roles", verbs=("list",)),
)
"""What the inspector may do, cluster-wide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One agent in one namespace, with the verbs it may ask for."""

    agent: str
    namespace: str
    verbs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRights:
    """One account and everything that it may do in its namespace."""

    account: ServiceAccount
    role: Role
    rules: tuple[AccessRule, ...]
    verb: Verb | None = None
    """An executor's."""
    trials: tuple[Trial, ...] = ()
    """What must be refused to a planner or an executor, and is tried out."""


def grants_of(policy: Policy, cluster: str) -> tuple[Grant, ...]:
    """Return what the policy's charters grant in one cluster, whatever environment it is granted for, sorted.

    Protected namespaces are left out: no rule can open them, so no account is made in them.
    """
    verbs: dict[tuple[str, str], set[str]] = {}
    for environment in policy.environments_in(cluster):
        for charter in policy.charters.values():
            for namespace in charter.namespaces.get(environment, frozenset()):
                if not is_protected(namespace):
                    verbs.setdefault((charter.agent, namespace), set()).update(charter.verbs)
    return tuple(
        Grant(agent=agent, namespace=namespace, verbs=tuple(sorted(verbs[agent, namespace])))
        for agent, namespace in sorted(verbs)
    )


def holdings_of(grants: Iterable[Grant], installation: Installation) -> tuple[AccountRights, ...]:
    """Return every account of *installation* that *grants* need, with its rules.

    Raises:
        ValueError: Two different accounts would have the same name.
    """
    holdings = [holding for grant in grants for holding in _holdings(grant, installation)]
    names = [holding.account for holding in holdings]
    if len(set(names)) != len(names):
        raise ValueError("two agents' accounts would have the same name")
    return tuple(holdings)


def _holdings(grant: Grant, installation: Installation) -> tuple[AccountRights, ...]:
    verbs = [verb_called(name) for name in grant.verbs]
    executors = (
        AccountRights(
            account=installation.executor(grant.agent, verb.name, grant.namespace),
            role=Role.EXECUTOR,
            rules=merged(verb.executor_rules),
            verb=verb,
            trials=(verb.trial,),
        )
        for verb in verbs
    )
    return (
        AccountRights(
            account=installation.planner(grant.agent, grant.namespace),
            role=Role.PLANNER,
            rules=merged(rule for verb in verbs for rule in verb.planner_rules),
            trials=tuple(verb.trial for verb in verbs),
        ),
        *executors,
        AccountRights(
            account=installation.observer(grant.agent, grant.namespace),
            role=Role.OBSERVER,
            rules=merged(rule for verb in verbs for rule in verb.observer_rules),
        ),
    )


def merged(rules: Iterable[AccessRule]) -> tuple[AccessRule, ...]:
    """Return *rules* with one for each resource, sorted."""
    verbs: dict[tuple[str, str], set[str]] = {}
    for rule in rules:
        verbs.setdefault((rule.group, rule.resource), set()).update(rule.verbs)
    return tuple(
        AccessRule(group=group, resource=resource, verbs=tuple(sorted(verbs[group, resource])))
        for group, resource in sorted(verbs)
    )


def inspector_of(installation: Installation) -> AccountRights:
    """Return the account that may list who may do what in the cluster, in all of it, and nothing else."""
    return AccountRights(account=installation.inspector, role=Role.INSPECTOR, rules=INSPECTED)


def namespaces_of(holdings: Iterable[AccountRights]) -> tuple[str, ...]:
    """Return the namespaces that have accounts, sorted."""
    return tuple(sorted({holding.account.namespace for holding in holdings}))
