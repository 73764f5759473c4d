"""Manifests: reads accounts and their rights from RBAC manifests, so that they need not be written down a second time.

What an operator would apply to a cluster is what the stand-in's accounts may do. Admission policies are written in an
expression language that the stand-in does not speak: fences are given as data (:mod:`sandbox.cluster.seed`).
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sandbox.cluster.seed import Account, Rule

Manifest = Mapping[str, Any]


def accounts_of(manifests: Iterable[Manifest]) -> tuple[Account, ...]:
    """Return every ServiceAccount in *manifests*, with the rules of all Roles and ClusterRoles bound to it.

    Raises:
        ValueError: A binding names a role that is not among them, or a subject that is no service account of theirs.
    """
    given = list(manifests)
    roles = {_identity(one): one for one in given if one["kind"] in {"Role", "ClusterRole"}}
    rules: dict[tuple[str, str], list[Rule]] = {
        (one["metadata"]["namespace"], one["metadata"]["name"]): [] for one in given if one["kind"] == "ServiceAccount"
    }
    for binding in given:
        if binding["kind"] not in {"RoleBinding", "ClusterRoleBinding"}:
            continue
        for subject in binding["subjects"]:
            key = (subject.get("namespace", ""), subject["name"])
            if subject["kind"] != "ServiceAccount" or key not in rules:
                raise ValueError(
                    f"{binding['metadata']['name']} binds {subject['name']}, which is no account in these manifests"
                )
            rules[key].extend(_rules(binding, roles))
    return tuple(
        Account(namespace=namespace, name=name, rules=tuple(held)) for (namespace, name), held in rules.items()
    )


def _identity(role: Manifest) -> tuple[str, str | None, str]:
    return role["kind"], role["metadata"].get("namespace"), role["metadata"]["name"]


def _rules(binding: Manifest, roles: Mapping[tuple[str, str | None, str], Manifest]) -> Iterator[Rule]:
    reference, namespace = binding["roleRef"], binding["metadata"].get("namespace")
    is_role = reference["kind"] == "Role"
    role = roles.get((reference["kind"], namespace if is_role else None, reference["name"]))
    if role is None:
        raise ValueError(
            f"{binding['metadata']['name']} binds the role {reference['name']}, which is not in these manifests"
        )
    for rule in role["rules"]:
        if "nonResourceURLs" in rule:
            raise ValueError(f"{reference['name']} grants addresses outside the API, which the stand-in does not know")
        yield Rule(
            groups=tuple(rule["apiGroups"]),
            resources=tuple(rule["resources"]),
            verbs=tuple(rule["verbs"]),
            names=tuple(rule.get("resourceNames") or ()),
            namespace=namespace,
        )
