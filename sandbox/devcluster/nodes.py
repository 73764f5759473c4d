"""The simulated nodes that pods are scheduled to."""

from typing import Any

#: Two, so that spreading, cordoning and "all nodes" mean something.
NAMES = ("devcluster-node-0", "devcluster-node-1")

_CAPACITY = {"cpu": "4", "memory": "16Gi", "pods": "250"}


def manifest(name: str) -> dict[str, Any]:
    """Return the Node object called *name*: 4 cores, 16 GiB, room for 250 pods."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
                "node.kubernetes.io/instance-type": "kwok",
            },
        },
        "status": {"capacity": _CAPACITY, "allocatable": _CAPACITY},
    }
