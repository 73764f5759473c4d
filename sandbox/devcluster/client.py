"""The little HTTPS that starting a cluster takes: is a part healthy, make a node, are the nodes ready.

Standard library only, because the cluster is started before anything is installed. Everybody else uses
the official client.
"""

import http.client
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from sandbox.devcluster.layout import Layout

# A part that is starting may accept a connection long before it answers, and whoever took its port may never answer.
# Every question is asked again, so giving up early costs nothing.
_TIMEOUT_SECONDS = 2.0

_CREATED, _CONFLICT, _OK = 201, 409, 200


@dataclass(frozen=True, slots=True)
class Client:
    """Speaks to the parts of one cluster as its administrator."""

    tls: ssl.SSLContext

    @classmethod
    def of(cls, layout: Layout) -> "Client":
        """Return a client that trusts only the cluster in *layout*."""
        tls = ssl.create_default_context(cafile=layout.certificate("ca"))
        tls.load_cert_chain(layout.certificate("admin"), layout.key("admin"))
        return cls(tls)

    def is_healthy(self, address: str) -> bool:
        """Say whether *address* answers 200; anything else, or nothing, is no."""
        try:
            return self._call("GET", address)[0] == _OK
        except (OSError, http.client.HTTPException):
            return False

    def create_node(self, server: str, node: Mapping[str, object]) -> bool:
        """Make *node*, and say whether it is there now; no when the server is not yet able to."""
        try:
            return self._call("POST", f"{server}/api/v1/nodes", body=node)[0] in {_CREATED, _CONFLICT}
        except (OSError, http.client.HTTPException):
            return False

    def ready_nodes(self, server: str) -> int:
        """Return how many nodes can take pods: ready, and no longer tainted as new."""
        try:
            status, body = self._call("GET", f"{server}/api/v1/nodes")
        except (OSError, http.client.HTTPException):
            return 0
        if status != _OK:
            return 0
        return sum(_can_take_pods(node) for node in json.loads(body)["items"])

    def _call(self, method: str, address: str, *, body: Mapping[str, object] | None = None) -> tuple[int, bytes]:
        parts = urlsplit(address)
        connection = http.client.HTTPSConnection(
            parts.hostname or "", parts.port, timeout=_TIMEOUT_SECONDS, context=self.tls
        )
        try:
            content = None if body is None else json.dumps(body)
            connection.request(method, parts.path, body=content, headers={"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


def _can_take_pods(node: Mapping[str, Any]) -> bool:
    conditions = node.get("status", {}).get("conditions", [])
    is_ready = any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)
    return is_ready and not node["spec"].get("taints")
