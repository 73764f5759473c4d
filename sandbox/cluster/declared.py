"""Declared: roles, bindings and admission policies as objects that can be listed, and nothing more.

The stand-in does not act by them: what they say is given once more as accounts and fences (:mod:`sandbox.cluster.seed`).
Whoever inspects a cluster reads them here.
"""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from threading import Lock
from typing import Any, Final

from sandbox.cluster import refusals
from sandbox.cluster.jsontypes import JsonObject

RBAC: Final = "rbac.authorization.k8s.io"
ADMISSION: Final = "admissionregistration.k8s.io"
LISTED: Final[Mapping[tuple[str, str], str]] = {
    (RBAC, "roles"): "Role",
    (RBAC, "rolebindings"): "RoleBinding",
    (RBAC, "clusterroles"): "ClusterRole",
    (RBAC, "clusterrolebindings"): "ClusterRoleBinding",
    (ADMISSION, "validatingadmissionpolicies"): "ValidatingAdmissionPolicy",
    (ADMISSION, "validatingadmissionpolicybindings"): "ValidatingAdmissionPolicyBinding",
}
"""By group and resource: the kind of what can be listed across all namespaces."""

_Key = tuple[str, str, str]


class Declared:
    """The declared objects of one stand-in, by kind, namespace and name."""

    def __init__(self, manifests: Iterable[Mapping[str, Any]]) -> None:
        self._lock = Lock()
        self._objects: dict[_Key, Mapping[str, Any]] = {}
        for manifest in manifests:
            if manifest["kind"] in LISTED.values():
                self.put(manifest)

    def put(self, manifest: Mapping[str, Any]) -> None:
        """Declare *manifest*, in the place of one of the same name."""
        metadata = manifest["metadata"]
        with self._lock:
            self._objects[manifest["kind"], metadata.get("namespace", ""), metadata["name"]] = manifest

    def remove(self, kind: str, name: str, namespace: str = "") -> None:
        """Take one away.

        Raises:
            Refused: 404, there is none.
        """
        with self._lock:
            if self._objects.pop((kind, namespace, name), None) is None:
                raise refusals.not_found("", kind, name)

    def listed(self, kind: str) -> list[JsonObject]:
        """Return all of one kind, by namespace and name."""
        with self._lock:
            found = [(key, one) for key, one in self._objects.items() if key[0] == kind]
        return [deepcopy(dict(one)) for _, one in sorted(found, key=lambda pair: pair[0])]
