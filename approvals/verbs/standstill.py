"""Standstills: why a rollout does not move, in sentences of ours, from what the cluster says about it.

The cluster's own words may hold anything that runs there, so none of them is shown: a known reason has its sentence, an unknown
one is named by its code if that is a plain word. What is read beside the workload (its pods, its events) is only what the
observer may see; without it, the workload's own conditions have to do.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from approvals.verbs.managers import named

MOST: Final = 2
"""How many reasons are told at once: those that hold up most pods."""

_CODE: Final = re.compile(r"[A-Z][A-Za-z]{1,47}")

_CREATION: Final = (
    (re.compile(r"exceeded quota"), "The namespace's quota{quota} leaves no room for more pods."),
    (
        re.compile(r"failed quota|must specify (limits|requests)"),
        "The namespace's quota asks for limits or requests that the pods do not state.",
    ),
    (re.compile(r"violates PodSecurity"), "The namespace's pod security standard refuses the pods."),
    (
        re.compile(r"(maximum|minimum) (cpu|memory|storage|ephemeral-storage) usage per"),
        "The namespace's limit range refuses the pods.",
    ),
    (re.compile(r"service ?account", re.IGNORECASE), "The pods' service account is missing or may not be used."),
    (
        re.compile(r"admission webhook|denied the request|ValidatingAdmissionPolicy"),
        "An admission rule of the cluster refuses the pods.",
    ),
    (re.compile(r"being terminated"), "The namespace is being deleted, so no pod can be made in it."),
)
_QUOTA: Final = re.compile(r"exceeded quota: ([a-z0-9.-]{1,63}),")

_WAITING: Final[Mapping[str, str]] = {
    "ImagePullBackOff": "An image cannot be pulled.",
    "ErrImagePull": "An image cannot be pulled.",
    "ErrImageNeverPull": "An image is not on the node and may not be pulled.",
    "InvalidImageName": "An image's name is not valid.",
    "RegistryUnavailable": "The registry of an image does not answer.",
    "CrashLoopBackOff": "A container starts and ends again and again.",
    "CreateContainerConfigError": "A ConfigMap or Secret that a container needs is missing or cannot be used.",
    "CreateContainerError": "A container cannot be made.",
    "RunContainerError": "A container cannot be started.",
    "PostStartHookError": "A container's own start hook fails.",
}
_NO_REASON: Final = frozenset({"ContainerCreating", "PodInitializing"})
"""What every pod says while it comes up."""

_SCHEDULING: Final = (
    (re.compile(r"Insufficient (cpu|memory|ephemeral-storage|pods)"), "No node has enough {0} left for the pods."),
    (re.compile(r"Insufficient "), "No node has left what the pods ask for."),
    (re.compile(r"Too many pods"), "No node takes more pods."),
    (re.compile(r"untolerated taint"), "The nodes' taints keep the pods out."),
    (re.compile(r"affinity|topology spread|node selector"), "No node fits the pods' own placement rules."),
    (re.compile(r"volume|persistentvolumeclaim", re.IGNORECASE), "A volume that the pods need cannot be had."),
    (re.compile(r"unschedulable"), "The nodes are closed to new pods."),
)


def standstill(
    workload: Mapping[str, Any], pods: Iterable[Mapping[str, Any]] = (), events: Iterable[Mapping[str, Any]] = ()
) -> str:
    """Return why the workload's pods do not come up, in at most :data:`MOST` sentences; empty where nothing tells.

    Args:
        workload: The raw object.
        pods: Its pods, raw, as far as they may be seen.
        events: The events about it, raw, newest last; the same.
    """
    found = Counter(_of_workload(workload))
    found.update(reason for pod in pods for reason in _of_pod(pod))
    if not found:
        found.update(list(_of_events(events))[-1:])
    return " ".join(sentence for sentence, _ in found.most_common(MOST))


def _of_workload(workload: Mapping[str, Any]) -> Iterator[str]:
    for one in (workload.get("status") or {}).get("conditions") or ():
        if one.get("type") == "ReplicaFailure" and one.get("status") == "True":
            yield _creation(one.get("reason"), one.get("message"))


def _of_events(events: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for one in events:
        if one.get("type") == "Warning":
            yield _creation(one.get("reason"), one.get("message") or one.get("note"))


def _creation(code: object, message: object) -> str:
    text = str(message or "")
    for pattern, sentence in _CREATION:
        if pattern.search(text):
            quota = _QUOTA.search(text)
            return sentence.format(quota=f" {named(quota[1], otherwise='')}".rstrip() if quota else "")
    if code == "FailedCreate":
        return "The cluster does not let the pods be made."
    if code == "FailedDelete":
        return "The cluster does not let pods be removed."
    return _unknown(code)


def _unknown(code: object) -> str:
    plain = isinstance(code, str) and _CODE.fullmatch(code)
    return f"The cluster gives the reason {code}." if plain else "The cluster gives a reason that is not a plain word."


def _of_pod(pod: Mapping[str, Any]) -> list[str]:
    """Return what holds one pod up, each reason once; nothing where it is ready or simply on its way."""
    status = pod.get("status") or {}
    if status.get("phase") in {"Succeeded", "Failed"}:
        return []
    conditions = {one.get("type"): one for one in status.get("conditions") or ()}
    if (conditions.get("Ready") or {}).get("status") == "True":
        return []
    if pod["metadata"].get("deletionTimestamp"):
        return ["A pod takes its time to stop."]
    placed = conditions.get("PodScheduled") or {}
    if placed.get("status") == "False":
        return [_scheduling(placed)]
    statuses = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    return list(dict.fromkeys(reason for one in statuses if (reason := _of_container(one))))


def _scheduling(condition: Mapping[str, Any]) -> str:
    if condition.get("reason") == "SchedulingGated":
        return "A scheduling gate holds the pods back."
    text = str(condition.get("message") or "")
    for pattern, sentence in _SCHEDULING:
        if (found := pattern.search(text)) is not None:
            return sentence.format(*found.groups())
    return "No node can take the pods."


def _of_container(status: Mapping[str, Any]) -> str:
    state = status.get("state") or {}
    if (status.get("lastState") or {}).get("terminated", {}).get("reason") == "OOMKilled":
        return "A container runs out of the memory that it may use."
    if (waiting := state.get("waiting")) is not None:
        code = waiting.get("reason")
        if code in _NO_REASON or not code:
            return ""
        return _WAITING.get(code) or _unknown(code)
    if state.get("running") is not None and not status.get("ready"):
        return "A container runs and its probe does not find it ready."
    return ""
