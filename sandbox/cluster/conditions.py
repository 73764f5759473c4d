"""Conditions: how a Deployment's status puts its rollout into words, with the server's types, reasons and messages."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

from sandbox.cluster.jsontypes import JsonObject


class Phase(StrEnum):
    """How a rollout stands."""

    ROLLING = "rolling"
    COMPLETE = "complete"
    """Once a rollout is complete, scaling leaves it so: to the server that is no progress to wait for."""
    TIMED_OUT = "timed out"
    PAUSED = "paused"


def conditions(
    before: Iterable[Mapping[str, Any]], *, phase: Phase, is_available: bool, replica_set: str, at: str
) -> list[JsonObject]:
    """Return the conditions of a Deployment; one that says the same as *before* keeps its times."""
    known = {condition["type"]: condition for condition in before}
    return [
        _kept(known.get(new["type"]), new, at)
        for new in (_availability(ok=is_available), _progress(phase, replica_set))
    ]


def _kept(old: Mapping[str, Any] | None, new: Mapping[str, str], at: str) -> JsonObject:
    if old is not None and all(old[field] == value for field, value in new.items()):
        return dict(old)
    turned = old["lastTransitionTime"] if old is not None and old["status"] == new["status"] else at
    head = {"type": new["type"], "status": new["status"], "lastUpdateTime": at, "lastTransitionTime": turned}
    return {**head, "reason": new["reason"], "message": new["message"]}


def _availability(*, ok: bool) -> dict[str, str]:
    if ok:
        return _condition("Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    return _condition(
        "Available", "False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability."
    )


def _progress(phase: Phase, replica_set: str) -> dict[str, str]:
    subject = f'ReplicaSet "{replica_set}"'
    match phase:
        case Phase.COMPLETE:
            return _condition(
                "Progressing", "True", "NewReplicaSetAvailable", f"{subject} has successfully progressed."
            )
        case Phase.ROLLING:
            return _condition("Progressing", "True", "ReplicaSetUpdated", f"{subject} is progressing.")
        case Phase.TIMED_OUT:
            return _condition(
                "Progressing", "False", "ProgressDeadlineExceeded", f"{subject} has timed out progressing."
            )
        case Phase.PAUSED:
            return _condition("Progressing", "Unknown", "DeploymentPaused", "Deployment is paused")


def _condition(kind: str, status: str, reason: str, message: str) -> dict[str, str]:
    return {"type": kind, "status": status, "reason": reason, "message": message}
