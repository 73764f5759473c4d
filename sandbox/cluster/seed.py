"""Seed: what a stand-in starts with. Typed, so that a demo or a test states its cluster in a few lines.

Accounts carry their rights here as one flat table; whoever has them as manifests reads them with
:func:`sandbox.cluster.manifests.accounts_of`. Objects are given as manifests are written, without what a server
adds; :mod:`sandbox.cluster.plausible` builds some.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

SYSTEM_NAMESPACES: Final = ("default", "kube-node-lease", "kube-public", "kube-system")
"""What every cluster has; a seed's own namespaces come on top."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One RBAC rule and where it holds.

    Attributes:
        groups: API groups; ``""`` is the core group, ``*`` any.
        resources: Plural names, with a subresource as in ``deployments/scale``; ``*`` any, ``*/scale`` any with that one.
        verbs: Such as get, list, patch, create; ``*`` any.
        names: The only objects it holds for; empty for all. With names, no list is granted.
        namespace: Where it holds; None for everywhere, objects outside namespaces included.
    """

    groups: tuple[str, ...]
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    names: tuple[str, ...] = ()
    namespace: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A service account and everything that it may do; it may do nothing else."""

    namespace: str
    name: str
    rules: tuple[Rule, ...] = ()

    @property
    def username(self) -> str:
        """The name under which the API knows it."""
        return f"system:serviceaccount:{self.namespace}:{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRunOnly:
    """An admission fence: these users' writes to any object pass as a dry run and not for real."""

    name: str
    users: tuple[str, ...]
    """Patterns of usernames, in which ``*`` stands for anything, as in ``system:serviceaccount:*:plan-*``."""
    message: str = "this account may only dry-run"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenFence:
    """An admission fence: these users mint short tokens, and for certain accounts only."""

    name: str
    users: tuple[str, ...]
    seconds: int = 600
    """The longest life that passes."""
    accounts: tuple[str, ...] = ("*",)
    """Patterns of the usernames for which they may mint."""
    audiences: tuple[str, ...] = ("*",)
    """Patterns of the audiences for which they may mint."""
    message: str = "tokens are for certain accounts and at most 600 seconds"


@dataclass(frozen=True, slots=True, kw_only=True)
class MinterFence:
    """An admission fence: nobody but these users mints tokens of certain accounts, not even an administrator."""

    name: str
    minters: tuple[str, ...]
    """Patterns of usernames."""
    accounts: tuple[str, ...]
    """Patterns of the usernames of those accounts."""
    message: str = "only certain users mint tokens of these accounts"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldFence:
    """An admission fence: these users may change only certain fields of a resource."""

    name: str
    users: tuple[str, ...]
    resource: str
    """In group ``apps``, such as ``deployments`` or ``deployments/scale``."""
    pointers: tuple[str, ...]
    """JSON pointers of the fields that may come or change (not go); every other change is refused."""
    ceilings: Mapping[str, int] = field(default_factory=dict)
    """By JSON pointer: the highest number that such a field may be changed to."""
    forms: Mapping[str, str] = field(default_factory=dict)
    """By JSON pointer: a regular expression for the whole text that such a field holds afterwards; it has to be there."""
    message: str = "this account may not change this field"


Fence = DryRunOnly | TokenFence | MinterFence | FieldFence


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """What there is when a stand-in starts."""

    namespaces: tuple[str, ...] = ()
    """Beside :data:`SYSTEM_NAMESPACES`."""
    workloads: tuple[Mapping[str, Any], ...] = ()
    """Deployments and StatefulSets, as manifests; they start with all their pods ready, or stuck where they cannot be."""
    autoscalers: tuple[Mapping[str, Any], ...] = ()
    """HorizontalPodAutoscalers of ``autoscaling/v2``, as manifests."""
    accounts: tuple[Account, ...] = ()
    fences: tuple[Fence, ...] = ()
    user: Account | None = None
    """Who the kubeconfig file speaks as; one of *accounts*, or None for an administrator who may do anything."""
    declared: tuple[Mapping[str, Any], ...] = ()
    """Roles, bindings and admission policies, as manifests, to be listed; other kinds among them are passed over."""
    warnings: Mapping[str, str] = field(default_factory=dict)
    """A warning that every write to an object carries, by resource, such as ``{"deployments": "..."}``."""
