"""Bystanders: the pods of workloads and the events about them, as far as they can be listed.

Pods are made up from a workload's status whenever they are asked for: as many as it counts, those that are not ready waiting for
what the rollout waits for. Whoever plays the cluster puts others beside them, and events.
"""

import uuid
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from typing import Any, Final

from sandbox.cluster import refusals
from sandbox.cluster.jsontypes import JsonObject
from sandbox.cluster.rollout import is_stuck, template_hash

RESOURCES: Final[Mapping[str, str]] = {"pods": "Pod", "events": "Event"}
"""By resource: the kind of what is listed."""

_FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "involvedObject.uid": ("involvedObject", "uid"),
    "type": ("type",),
}
"""The fields by which events can be picked."""

_SPACE: Final = uuid.UUID("5d2f5a64-6a3b-4f7e-9d0e-3f0c1d2b7a10")


def pods_of(workload: Mapping[str, Any]) -> Iterator[JsonObject]:
    """Give the pods of *workload*: those that are ready first."""
    status, metadata, template = workload["status"], workload["metadata"], workload["spec"]["template"]
    hashed, is_deployment = template_hash(workload["spec"]), workload["kind"] == "Deployment"
    owner = {"apiVersion": "apps/v1", "kind": workload["kind"], "name": metadata["name"], "uid": metadata["uid"]}
    labels = dict((template.get("metadata") or {}).get("labels") or {})
    if is_deployment:
        labels["pod-template-hash"] = hashed
        name = f"{metadata['name']}-{hashed}"
        owner |= {"kind": "ReplicaSet", "name": name, "uid": str(uuid.uuid5(_SPACE, metadata["uid"] + hashed))}
    for number in range(status.get("replicas", 0)):
        name = f"{owner['name']}-{number:05d}" if is_deployment else f"{owner['name']}-{number}"
        is_ready = number < status.get("readyReplicas", 0)
        yield {
            "metadata": {
                "name": name,
                "namespace": metadata["namespace"],
                "uid": str(uuid.uuid5(_SPACE, metadata["uid"] + name)),
                "labels": labels,
                "ownerReferences": [{**owner, "controller": True, "blockOwnerDeletion": True}],
            },
            "spec": deepcopy(template["spec"]),
            "status": _status(workload, is_ready=is_ready),
        }


def _status(workload: Mapping[str, Any], *, is_ready: bool) -> JsonObject:
    reason = "ImagePullBackOff" if is_stuck(workload["spec"]) else "ContainerCreating"
    state: JsonObject = {"running": {}} if is_ready else {"waiting": {"reason": reason}}
    return {
        "phase": "Running" if is_ready else "Pending",
        "conditions": [{"type": "Ready", "status": "True" if is_ready else "False"}],
        "containerStatuses": [
            {"name": one["name"], "image": one["image"], "ready": is_ready, "state": state}
            for one in workload["spec"]["template"]["spec"]["containers"]
        ],
    }


def labelled(items: Iterable[JsonObject], selector: str) -> list[JsonObject]:
    """Return those of *items* whose labels are as *selector* says: ``key=value``, joined by commas.

    Raises:
        Refused: 501, it is a selector of another form.
    """
    wanted = _pairs(selector)
    return [one for one in items if wanted.items() <= (one["metadata"].get("labels") or {}).items()]


def picked(items: Iterable[JsonObject], selector: str) -> list[JsonObject]:
    """Return those of *items* whose fields are as *selector* says.

    Raises:
        Refused: 501, it is of another form, or names a field by which nothing can be picked here.
    """
    wanted = _pairs(selector)
    if not wanted.keys() <= _FIELDS.keys():
        raise refusals.not_offered("this field selector")
    return [one for one in items if all(_field(one, _FIELDS[name]) == value for name, value in wanted.items())]


def _pairs(selector: str) -> dict[str, str]:
    pairs = [one.partition("=") for one in selector.split(",") if selector]
    if any(not equals or set("=! ()").intersection(key + value) for key, equals, value in pairs):
        raise refusals.not_offered("this selector")
    return {key: value for key, _, value in pairs}


def _field(one: Mapping[str, Any], path: tuple[str, ...]) -> object:
    found: Any = one
    for key in path:
        found = (found or {}).get(key)
    return found
