"""A real Kubernetes control plane on loopback, for tests and ``make cluster``.

etcd, API server, controller manager and scheduler are built from their Go modules; KWOK plays two nodes.
No container, no root, nothing beyond 127.0.0.1. Standard library only, and imports nothing of ours::

    with devcluster.running(directory) as cluster:
        ...  # cluster.kubeconfig, cluster.server, cluster.ca_file, cluster.audit_log

See README.md beside this file for why, how and what it costs.
"""

from sandbox.devcluster.build import is_built
from sandbox.devcluster.cache import persistent_directory
from sandbox.devcluster.cluster import Cluster, find, running, start
from sandbox.devcluster.errors import BuildError, DevclusterError, NotBuilt, StartError, ToolchainError
from sandbox.devcluster.recipe import VERSION

__all__ = [
    "VERSION",
    "BuildError",
    "Cluster",
    "DevclusterError",
    "NotBuilt",
    "StartError",
    "ToolchainError",
    "find",
    "is_built",
    "persistent_directory",
    "running",
    "start",
]
