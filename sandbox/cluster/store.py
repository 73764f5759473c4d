"""Store: the objects, each with a uid and a resource version that rises with every change of anything.

Memory only. Whoever touches it holds :attr:`Store.lock`, for a whole request or a whole step of the controller, so
that each of them sees and leaves one consistent state.
"""

import threading
import uuid
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sandbox.cluster import bystanders, ownership, refusals
from sandbox.cluster.jsontypes import JsonObject
from sandbox.cluster.schema import completed
from sandbox.cluster.seed import SYSTEM_NAMESPACES, Seed

RESOURCES: Final = {"Deployment": "deployments", "StatefulSet": "statefulsets"}
KINDS: Final = {resource: kind for kind, resource in RESOURCES.items()}

_FIRST_VERSION: Final = 1000


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """Which workload."""

    resource: str
    namespace: str
    name: str

    @property
    def kind(self) -> str:
        """The kind of a resource, such as Deployment."""
        return KINDS[self.resource]


class Store:
    """The objects of one stand-in."""

    def __init__(self, seed: Seed, now: Callable[[], datetime]) -> None:
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        """Told whenever a workload's specification may have changed."""
        self._now = now
        self._version = _FIRST_VERSION
        self._namespaces = {name: self._namespace(name) for name in (*SYSTEM_NAMESPACES, *seed.namespaces)}
        self._workloads: dict[Key, JsonObject] = {}
        self._bystanders: dict[tuple[str, str, str], JsonObject] = {}
        self._autoscalers = [self._identified(autoscaler) for autoscaler in seed.autoscalers]
        with self.lock:
            for workload in seed.workloads:
                self.create(workload)

    def timestamp(self) -> str:
        """Return the present instant as objects carry it."""
        return self._now().strftime("%Y-%m-%dT%H:%M:%SZ")

    @property
    def version(self) -> str:
        """The newest resource version."""
        return str(self._version)

    def namespace(self, name: str) -> JsonObject:
        """Return a namespace.

        Raises:
            Refused: 404.
        """
        if name not in self._namespaces:
            raise refusals.not_found("", "namespaces", name)
        return deepcopy(self._namespaces[name])

    def namespaces(self) -> list[JsonObject]:
        """Return all namespaces, by name."""
        return [deepcopy(self._namespaces[name]) for name in sorted(self._namespaces)]

    def autoscalers(self, namespace: str) -> list[JsonObject]:
        """Return the autoscalers of a namespace; none where there is no such namespace."""
        return [deepcopy(one) for one in self._autoscalers if one["metadata"]["namespace"] == namespace]

    def bystanders(self, resource: str, namespace: str) -> list[JsonObject]:
        """Return the pods or the events of a namespace, by name; none where there is no such namespace."""
        kind = bystanders.RESOURCES[resource]
        mine = [one for key, one in self._workloads.items() if key.namespace == namespace and kind == "Pod"]
        found = {pod["metadata"]["name"]: pod for workload in mine for pod in bystanders.pods_of(workload)}
        found |= {name: one for (of, at, name), one in self._bystanders.items() if (of, at) == (kind, namespace)}
        return [deepcopy(found[name]) for name in sorted(found)]

    def put_bystander(self, manifest: Mapping[str, Any]) -> None:
        """Put a pod or an event there, in the place of one of the same name."""
        metadata = manifest["metadata"]
        self._bystanders[manifest["kind"], metadata["namespace"], metadata["name"]] = self._identified(manifest)

    def inventory(self) -> tuple[Key, ...]:
        """Return which workloads there are."""
        return tuple(sorted(self._workloads))

    def workload(self, key: Key) -> JsonObject:
        """Return a workload, for the caller to keep.

        Raises:
            Refused: 404.
        """
        if key not in self._workloads:
            raise refusals.not_found("apps", key.resource, key.name)
        return deepcopy(self._workloads[key])

    def create(self, manifest: Mapping[str, Any]) -> Key:
        """Add a workload from its manifest and return its key; one under the same key is replaced by another object."""
        kind = manifest["kind"]
        workload = self._identified(completed(kind, manifest))
        metadata = workload["metadata"]
        metadata["generation"] = 1
        metadata["managedFields"] = [ownership.first_entry(workload, manager="kubectl-create", time=self.timestamp())]
        key = Key(RESOURCES[kind], metadata["namespace"], metadata["name"])
        if key.namespace not in self._namespaces:
            raise ValueError(f"{kind} {key.name} lies in {key.namespace}, which is not among the namespaces")
        self._workloads[key] = {"kind": kind, "apiVersion": "apps/v1", **workload, "status": {}}
        self.changed.notify_all()
        return key

    def put(self, key: Key, workload: JsonObject) -> JsonObject:
        """Store a changed workload under a new resource version and return it."""
        kept = deepcopy(workload)
        kept["metadata"]["resourceVersion"] = self._next_version()
        self._workloads[key] = kept
        self.changed.notify_all()
        return deepcopy(kept)

    def remove(self, key: Key) -> None:
        """Remove a workload.

        Raises:
            Refused: 404.
        """
        self.workload(key)
        del self._workloads[key]
        self._next_version()
        self.changed.notify_all()

    def _next_version(self) -> str:
        self._version += 1
        return self.version

    def _namespace(self, name: str) -> JsonObject:
        labels = {"kubernetes.io/metadata.name": name}
        namespace = self._identified({"metadata": {"name": name, "labels": labels}})
        rest = {"spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}
        return {"kind": "Namespace", "apiVersion": "v1", **namespace, **rest}

    def _identified(self, manifest: Mapping[str, Any]) -> JsonObject:
        given = manifest["metadata"]
        identity = {
            "uid": str(uuid.uuid4()),
            "resourceVersion": self._next_version(),
            "creationTimestamp": self.timestamp(),
        }
        return {**deepcopy(dict(manifest)), "metadata": {**deepcopy(dict(given)), **identity}}
