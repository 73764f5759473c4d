"""Workloads: what Deployments and StatefulSets have in common, read from their raw objects.

How far a change of one has come is :mod:`approvals.verbs.rollout`, why it does not move :mod:`approvals.verbs.standstill`, who
else
writes to it :mod:`approvals.verbs.managers`.
"""

from collections.abc import Mapping
from typing import Any, Final

from approvals.change.plan import Resource
from approvals.verbs.verb import TargetKind

DEPLOYMENT: Final = TargetKind(name="Deployment", resource=Resource(group="apps", version="v1", plural="deployments"))
STATEFUL_SET: Final = TargetKind(
    name="StatefulSet", resource=Resource(group="apps", version="v1", plural="statefulsets")
)
HPAS: Final = Resource(group="autoscaling", version="v2", plural="horizontalpodautoscalers")


def counted(number: int, noun: str) -> str:
    """Return *number* and *noun*, in the plural unless it is 1."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def wanted_replicas(workload: Mapping[str, Any]) -> int:
    """Return how many pods the object asks for; the server's default, 1, where it says nothing."""
    replicas = (workload.get("spec") or {}).get("replicas")
    return 1 if replicas is None else int(replicas)


def is_paused(workload: Mapping[str, Any]) -> bool:
    """Tell whether a Deployment's rollouts are paused: it scales on, and replaces no pod."""
    return bool((workload.get("spec") or {}).get("paused"))


def replaces_only_what_is_deleted(workload: Mapping[str, Any]) -> bool:
    """Tell whether a StatefulSet replaces no pod by itself (``OnDelete``)."""
    return _strategy(workload).get("type") == "OnDelete"


def stops_all_first(workload: Mapping[str, Any]) -> bool:
    """Tell whether a Deployment stops every pod before it starts the first new one (``Recreate``)."""
    return _strategy(workload).get("type") == "Recreate"


def held_back(workload: Mapping[str, Any]) -> int:
    """Return how many pods a StatefulSet's partition keeps on the template before, at most all of them."""
    rolling = _strategy(workload).get("rollingUpdate") or {}
    return min(wanted_replicas(workload), int(rolling.get("partition") or 0))


def goes_one_by_one(workload: Mapping[str, Any]) -> bool:
    """Tell whether pods are replaced one after another, as a StatefulSet's are."""
    return workload.get("kind") == STATEFUL_SET.name


def waits_for_each(workload: Mapping[str, Any]) -> bool:
    """Tell whether a StatefulSet makes and replaces no pod while another one is not ready (``OrderedReady``, its default)."""
    return goes_one_by_one(workload) and workload["spec"].get("podManagementPolicy") != "Parallel"


def held_up(workload: Mapping[str, Any], *, left: int | None = None) -> tuple[str, ...]:
    """Return a sentence where pods that are not ready keep the controller from what it should do; empty where none do.

    Args:
        workload: The raw object.
        left: How many pods are to be left where some are to go; None where some are to be made or replaced.
    """
    wanted = wanted_replicas(workload)
    unready = wanted - int((workload.get("status") or {}).get("readyReplicas") or 0)
    if unready <= 0 or not waits_for_each(workload) or left == 0:
        return ()
    many = f"{unready} of {counted(wanted, 'pod')} {'is' if unready == 1 else 'are'} not ready"
    if left is None:
        return (f"{many}: its controller makes and replaces none while one is not, so this does nothing {_UNLESS}",)
    stays = "one of the first is not" if left > 1 else "the first is not"
    return (f"{many}: its controller takes none away while {stays}, so this may do nothing {_UNLESS}",)


_UNLESS: Final = "unless that passes or somebody deletes what is not ready."


def most_surplus(workload: Mapping[str, Any]) -> int:
    """Return how many pods there may be beyond those wanted while a Deployment rolls; the server's default is a quarter."""
    if goes_one_by_one(workload) or stops_all_first(workload):
        return 0
    surge = (_strategy(workload).get("rollingUpdate") or {}).get("maxSurge", "25%")
    if isinstance(surge, int):
        return surge
    share = str(surge).removesuffix("%")
    return -(-wanted_replicas(workload) * int(share) // 100) if share.isdecimal() else 0


def is_being_deleted(thing: Mapping[str, Any]) -> bool:
    """Tell whether somebody has asked for the object's end."""
    return bool(thing["metadata"].get("deletionTimestamp"))


def _strategy(workload: Mapping[str, Any]) -> Mapping[str, Any]:
    spec = workload.get("spec") or {}
    return spec.get("updateStrategy") or spec.get("strategy") or {}
