"""Inspection: a cluster's roles, bindings, admission policies and namespaces, each listed once, as the inspector."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from bot.cluster.client import asking
from bot.cluster.client.calls import Client
from bot.cluster.rights.rbac import Listed, RoleGrant, role_grants

_RBAC: Final = ("apis", "rbac.authorization.k8s.io", "v1")
_ADMISSION: Final = ("apis", "admissionregistration.k8s.io", "v1")


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionPolicies:
    """The admission policies and their bindings, as the server has them."""

    policies: Listed
    bindings: Listed


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """Everything that was listed."""

    grants: tuple[RoleGrant, ...]
    admission: AdmissionPolicies
    namespaces: Mapping[str, str]
    """Which there are, with their phase, such as ``Active``."""


def inspect(line: Client) -> Inspection:
    """Return what a cluster grants and which admission policies stand in it.

    Raises:
        Declined: The inspector may not list something.
        Unavailable: The cluster cannot be asked.
    """
    return Inspection(
        grants=role_grants(
            roles=_listed(line, *_RBAC, "roles"),
            cluster_roles=_listed(line, *_RBAC, "clusterroles"),
            bindings=_listed(line, *_RBAC, "rolebindings"),
            cluster_bindings=_listed(line, *_RBAC, "clusterrolebindings"),
        ),
        admission=admission(line),
        namespaces={
            str(one["metadata"]["name"]): str((one.get("status") or {}).get("phase"))
            for one in _listed(line, "api", "v1", "namespaces")
        },
    )


def admission(line: Client) -> AdmissionPolicies:
    """Return the admission policies and bindings as they stand; raises as :func:`inspect`."""
    return AdmissionPolicies(
        policies=_listed(line, *_ADMISSION, "validatingadmissionpolicies"),
        bindings=_listed(line, *_ADMISSION, "validatingadmissionpolicybindings"),
    )


def _listed(line: Client, *path: str) -> list[dict[str, Any]]:
    return asking.items(line, path)
