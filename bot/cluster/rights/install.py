"""Install: put manifests into a cluster as its administrator, and write a kubeconfig of the bot's own account.

Only the demo does this, on a cluster that somebody gave it; in production an operator applies what ``countersign manifests``
prints. Nothing here is reachable from a request.
"""

import json
import os
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from approvals.identity.accounts import ServiceAccount
from approvals.verbs.registry import REGISTRY
from bot.cluster.client import asking, paths
from bot.cluster.client.calls import Client, Times
from bot.cluster.client.connections import read_identity
from bot.cluster.client.sources import Source

_APPLY: Final = "application/apply-patch+yaml"
_MANAGER: Final = "countersign-demo"
_TIMES: Final = Times(connect=3.0, read=20.0, whole=30.0)
_CONTEXT: Final = "countersign"

_PLURALS: Final = {
    "Namespace": "namespaces",
    "ServiceAccount": "serviceaccounts",
    "Role": "roles",
    "RoleBinding": "rolebindings",
    "ClusterRole": "clusterroles",
    "ClusterRoleBinding": "clusterrolebindings",
    "ValidatingAdmissionPolicy": "validatingadmissionpolicies",
    "ValidatingAdmissionPolicyBinding": "validatingadmissionpolicybindings",
    **{kind.name: kind.resource.plural for verb in REGISTRY for kind in verb.kinds},
}
"""Every kind that is ever installed; another one is a mistake of ours."""


class Administrator:
    """An administrator's line to one cluster, for as long as the ``with`` block lasts."""

    def __init__(self, source: Source) -> None:
        """Read the administrator's identity.

        Raises:
            bot.cluster.client.connections.Unusable: It cannot be read, or would weaken the connection.
        """
        self._identity = read_identity(source)
        self._client = Client(self._identity, user_agent=_MANAGER, times=_TIMES)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.__exit__(kind, error, trace)

    def apply(self, documents: Iterable[Mapping[str, Any]]) -> None:
        """Bring every document about, in order; applying the same again changes nothing.

        Raises:
            bot.cluster.client.asking.Declined: The server refused one.
            approvals.errors.Unavailable: The cluster does not answer.
        """
        for document in documents:
            query = {"fieldManager": _MANAGER, "force": "true"}
            asking.patch(self._client, _path(document), json.dumps(document).encode(), content_type=_APPLY, query=query)

    def scale(self, namespace: str, name: str, replicas: int) -> None:
        """Set a Deployment's number of pods by hand, as somebody who does not ask."""
        path = ("apis", "apps", "v1", "namespaces", namespace, "deployments", name, "scale")
        body = json.dumps({"spec": {"replicas": replicas}}).encode()
        query = {"fieldManager": "somebody"}
        asking.patch(self._client, path, body, content_type="application/merge-patch+json", query=query)

    def write_kubeconfig(self, account: ServiceAccount, path: Path, *, good_for: timedelta) -> None:
        """Write a kubeconfig with a token of *account*, readable by its owner only."""
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": int(good_for.total_seconds())},
        }
        token = asking.post(self._client, paths.token(account), request)["status"]["token"]
        endpoint = self._identity.endpoint
        cluster = {"server": endpoint.host}
        if endpoint.ca_file is not None:
            cluster["certificate-authority"] = endpoint.ca_file
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": _CONTEXT,
            "contexts": [{"name": _CONTEXT, "context": {"cluster": _CONTEXT, "user": _CONTEXT}}],
            "clusters": [{"name": _CONTEXT, "cluster": cluster}],
            "users": [{"name": _CONTEXT, "user": {"token": token}}],
        }
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(content, file)

    def server(self) -> str:
        """Return the API server's address."""
        return self._identity.endpoint.host


def _path(document: Mapping[str, Any]) -> tuple[str, ...]:
    """Return where a document's object is: at the root, or in its namespace."""
    group, _, version = document["apiVersion"].rpartition("/")
    root = ("apis", group, version) if group else ("api", version)
    metadata = document["metadata"]
    inside = ("namespaces", metadata["namespace"]) if "namespace" in metadata else ()
    return (*root, *inside, _PLURALS[document["kind"]], metadata["name"])
