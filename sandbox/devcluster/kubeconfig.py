"""Kubeconfig files for the administrator and the cluster's own parts.

JSON is YAML, so no YAML library is needed. Certificates are embedded, so the file can be handed to a
program that runs elsewhere on this machine.
"""

import base64
import json
from pathlib import Path

from sandbox.devcluster.layout import Layout, private_file

#: The context (and cluster) name in every kubeconfig written here.
CONTEXT = "devcluster"


def write(path: Path, *, layout: Layout, server: str, user: str) -> Path:
    """Write the kubeconfig of the certificate called *user* to the new file *path*, and return that."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": CONTEXT,
                "cluster": {"server": server, "certificate-authority-data": _embedded(layout.certificate("ca"))},
            }
        ],
        "users": [
            {
                "name": user,
                "user": {
                    "client-certificate-data": _embedded(layout.certificate(user)),
                    "client-key-data": _embedded(layout.key(user)),
                },
            }
        ],
        "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": user, "namespace": "default"}}],
        "current-context": CONTEXT,
    }
    private_file(path, json.dumps(document, indent=2) + "\n")
    return path


def _embedded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
