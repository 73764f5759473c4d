"""Rollouts: how far a workload's pods are what a change asked for. What that means depends on the change.

New pods are told from old ones by ``updatedReplicas`` alone: ready and available ones are counted over every template, so
directly after a restart all of them still are. A status speaks of the specification only once its ``observedGeneration`` has
reached ``metadata.generation``; directly after a write it still describes the one before.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from approvals.verbs.verb import Effect, Progress
from approvals.verbs.workload import (
    counted,
    held_back,
    is_being_deleted,
    is_paused,
    most_surplus,
    replaces_only_what_is_deleted,
    wanted_replicas,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pods:
    """What a status counts."""

    wanted: int
    total: int
    updated: int
    ready: int
    available: int

    @property
    def old(self) -> int:
        """How many are not of the newest template."""
        return max(0, self.total - self.updated)

    @property
    def surely_new(self) -> int:
        """How many of the available ones are of the newest template even if every old one is available, too."""
        return max(0, self.available - self.old)


def replaced(workload: Mapping[str, Any]) -> Progress:
    """Return how far every pod is of the newest template: what a restart is for.

    Done: as many as are wanted are new and available, and no old one is left, but for those that a partition keeps.
    """
    if (waiting := _unseen(workload)) is not None:
        return waiting
    pods, kept = _pods(workload), held_back(workload)
    if kept and kept == pods.wanted:
        return _progress(workload, Effect.IN_PROGRESS, "Its partition keeps every pod as it is: none is replaced.")
    is_new = pods.updated >= pods.wanted - kept and pods.old <= kept
    if is_new and _is_full(pods) and _is_current(workload, kept):
        return _progress(workload, Effect.VERIFIED, _all_replaced(pods, kept))
    if (failed := _failed(workload)) is not None:
        return failed
    if is_paused(workload):
        held = "Its rollouts are paused: no pod is replaced until somebody resumes them."
        return _progress(workload, Effect.IN_PROGRESS, held)
    if replaces_only_what_is_deleted(workload):
        held = "It replaces pods only when somebody deletes them."
        return _progress(workload, Effect.IN_PROGRESS, held)
    if pods.old <= kept:
        return _progress(workload, Effect.IN_PROGRESS, _ready(workload, pods))
    left = "1 old one is left" if pods.old == 1 else f"{pods.old} old ones are left"
    made = f"{pods.updated} of {counted(pods.wanted - kept, 'pod')} replaced"
    return _progress(workload, Effect.IN_PROGRESS, f"{made}, at least {pods.surely_new} of them ready; {left}.")


def numbered(workload: Mapping[str, Any]) -> Progress:
    """Return how far as many pods are ready as are wanted, of whichever template: what a scale is for.

    While a Deployment replaces its pods besides, as many more may be there as it may surge; else not one more.
    """
    if (waiting := _unseen(workload)) is not None:
        return waiting
    pods = _pods(workload)
    surplus = most_surplus(workload) if pods.old else 0
    if pods.available >= pods.wanted and pods.wanted <= pods.total <= pods.wanted + surplus:
        said = f"All {counted(pods.wanted, 'pod')} ready." if pods.wanted else "No pod is left, as asked."
        return _progress(workload, Effect.VERIFIED, said)
    failed = _failed(workload)
    if failed is not None and not pods.old:
        return failed
    # Where old pods are left, what has failed is the rollout of a newer template, maybe hours ago: the controller was measured to
    # keep saying so while a scale goes well.
    beside = "" if failed is None else f" {_FAILED_BESIDE}"
    return _progress(workload, Effect.IN_PROGRESS, f"{_missing(workload, pods)}{beside}")


_FAILED_BESIDE: Final = "Beside that, its rollout of a newer template made no progress within its own deadline."


def _missing(workload: Mapping[str, Any], pods: _Pods) -> str:
    if pods.total <= pods.wanted:
        return _ready(workload, pods)
    many = f"{counted(pods.total, 'pod')}, {pods.total - pods.wanted} more than wanted"
    return f"There are still {many}." if pods.total > 1 else f"There is still {many}."


def _all_replaced(pods: _Pods, kept: int) -> str:
    if kept:
        return f"All {counted(pods.wanted - kept, 'pod')} replaced and ready; its partition keeps {kept} as they were."
    return f"All {counted(pods.wanted, 'pod')} ready." if pods.wanted else "It runs no pod, so none had to be replaced."


def _ready(workload: Mapping[str, Any], pods: _Pods) -> str:
    seconds = (workload.get("spec") or {}).get("minReadySeconds")
    waits = (
        f" {pods.ready} are up, and have to stay so for {seconds} s." if seconds and pods.ready > pods.available else ""
    )
    return f"{pods.available} of {counted(pods.wanted, 'pod')} ready.{waits}"


def _is_full(pods: _Pods) -> bool:
    return pods.total == pods.available == pods.wanted


def _is_current(workload: Mapping[str, Any], kept: int) -> bool:
    """Tell whether a StatefulSet's controller has taken the newest template for the current one, as it does at the end."""
    status = workload.get("status") or {}
    newest, current = status.get("updateRevision"), status.get("currentRevision")
    return bool(kept) or newest is None or current is None or newest == current or not wanted_replicas(workload)


def _unseen(workload: Mapping[str, Any]) -> Progress | None:
    if is_being_deleted(workload):
        return _progress(workload, Effect.IN_PROGRESS, "It is being deleted.")
    status = workload.get("status") or {}
    if status.get("observedGeneration", 0) < workload["metadata"]["generation"]:
        return _progress(workload, Effect.IN_PROGRESS, "The controller has not seen the change yet.")
    return None


def _failed(workload: Mapping[str, Any]) -> Progress | None:
    conditions = (workload.get("status") or {}).get("conditions") or ()
    exceeded = any(
        (one.get("type"), one.get("status"), one.get("reason")) == ("Progressing", "False", "ProgressDeadlineExceeded")
        for one in conditions
    )
    if not exceeded:
        return None
    return _progress(workload, Effect.FAILED, "The rollout made no progress within its own deadline.")


def _pods(workload: Mapping[str, Any]) -> _Pods:
    status = workload.get("status") or {}
    return _Pods(
        wanted=wanted_replicas(workload),
        total=int(status.get("replicas") or 0),
        updated=int(status.get("updatedReplicas") or 0),
        ready=int(status.get("readyReplicas") or 0),
        available=int(status.get("availableReplicas") or 0),
    )


def _progress(workload: Mapping[str, Any], effect: Effect, sentence: str) -> Progress:
    return Progress(effect=effect, sentence=sentence, pace=_pace(workload))


def _pace(workload: Mapping[str, Any]) -> str:
    """Return what differs from one look to the next only while something moves: the counts, and the controller's own word."""
    status = workload.get("status") or {}
    pods = _pods(workload)
    told = next(
        (one.get("lastUpdateTime", "") for one in status.get("conditions") or () if one.get("type") == "Progressing"),
        "",
    )
    counts = (status.get("observedGeneration", 0), pods.total, pods.updated, pods.ready, pods.available)
    return "/".join(str(part) for part in (*counts, told))[:120]
