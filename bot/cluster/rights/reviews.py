"""Reviews: an account's own rights, asked of the server namespace by namespace and compared with what they should be."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from approvals.errors import Unavailable
from bot.cluster.client import asking, paths
from bot.cluster.client.answers import describe
from bot.cluster.client.asking import Declined
from bot.cluster.client.calls import Client
from bot.cluster.rights.rules import Right, RulesReview, excess, missing, seen_in

NEVER: Final = tuple(
    Right(group=group, resource=resource, verb=verb)
    for group, resource, verbs in (
        ("", "secrets", ("get", "list", "create", "patch")),
        ("", "pods", ("create",)),
        ("", "pods/exec", ("create",)),
        ("", "pods/ephemeralcontainers", ("patch",)),
        ("", "serviceaccounts", ("impersonate",)),
        ("", "namespaces", ("patch",)),
        ("", "nodes/proxy", ("get",)),
        ("rbac.authorization.k8s.io", "roles", ("create", "escalate", "bind")),
        ("rbac.authorization.k8s.io", "rolebindings", ("create",)),
        ("rbac.authorization.k8s.io", "clusterrolebindings", ("create",)),
        ("admissionregistration.k8s.io", "validatingadmissionpolicies", ("patch", "delete")),
        ("admissionregistration.k8s.io", "validatingadmissionpolicybindings", ("patch", "delete")),
        ("networking.k8s.io", "networkpolicies", ("patch",)),
        ("batch", "jobs", ("create",)),
    )
    for verb in verbs
)
"""What is asked one by one where the rights cannot be listed in full: each would be a way out of every fence."""


@dataclass(slots=True, kw_only=True)
class RightsComparison:
    """How an account's rights differ from what they should be."""

    too_much: dict[str, list[str]] = field(default_factory=dict)
    """In which namespaces, by the right in words."""
    too_little: list[tuple[str, str]] = field(default_factory=list)
    """Pairs of a right in words and a namespace."""
    is_partial: bool = False
    """Whether the server could not list everything."""


def compare(line: Client, *, allowed: Mapping[str, Iterable[Right]], namespaces: Iterable[str]) -> RightsComparison:
    """Return how what *line*'s account may do differs from *allowed*, by namespace; where that says nothing, nothing is.

    Raises:
        Unavailable: The server does not say.
    """
    comparison = RightsComparison()
    for namespace in namespaces:
        expected = tuple(allowed.get(namespace, ()))
        seen = _review(line, namespace)
        surplus = list(excess(seen, expected))
        if seen.is_incomplete:
            comparison.is_partial = True
            surplus += [str(right) for right in NEVER if _may(line, right, namespace)]
        for right in dict.fromkeys(surplus):
            comparison.too_much.setdefault(right, []).append(namespace)
        comparison.too_little += [(right, namespace) for right in missing(seen, expected)]
    return comparison


def _review(line: Client, namespace: str) -> RulesReview:
    return seen_in(_ask(line, paths.WHAT_MAY_I, "SelfSubjectRulesReview", {"namespace": namespace}))


def _may(line: Client, right: Right, namespace: str) -> bool:
    resource, _, subresource = right.resource.partition("/")
    attributes = {
        "namespace": namespace,
        "group": right.group,
        "resource": resource,
        "subresource": subresource,
        "verb": right.verb,
    }
    answer = _ask(line, paths.MAY_I, "SelfSubjectAccessReview", {"resourceAttributes": attributes})
    return bool((answer.get("status") or {}).get("allowed"))


def _ask(line: Client, path: tuple[str, ...], kind: str, spec: Mapping[str, object]) -> dict[str, Any]:
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": spec}
    try:
        return asking.post(line, path, body)
    except Declined as refusal:
        raise Unavailable(
            f"The cluster does not say what an account may do ({describe(refusal.answer)}).", code="cluster_unavailable"
        ) from refusal
