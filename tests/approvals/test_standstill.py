"""Standstills: why a rollout does not move, in our words; the cluster's own are never shown."""

from typing import Any

import pytest

from approvals.verbs.standstill import standstill
from tests.builders import a_workload


def refused(message: str, reason: str = "FailedCreate", status: str = "True") -> dict[str, Any]:
    """Return a Deployment whose pods the cluster refuses with these words."""
    workload = a_workload()
    workload["status"]["conditions"] = [
        {"type": "Progressing", "status": "True"},
        {"type": "ReplicaFailure", "status": status, "reason": reason, "message": message},
    ]
    return workload


QUOTA = 'pods "x" is forbidden: exceeded quota: {}, requested: pods=1, used: pods=3, limited: pods=3'


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (QUOTA.format("few"), "The namespace's quota few leaves no room for more pods."),
        (QUOTA.format("<!channel>"), "The namespace's quota leaves no room for more pods."),
        (QUOTA.format("-"), "The namespace's quota leaves no room for more pods."),
        (
            "failed quota: few: must specify limits.cpu",
            "The namespace's quota asks for limits or requests that the pods do not state.",
        ),
        ("violates PodSecurity restricted", "The namespace's pod security standard refuses the pods."),
        ("maximum memory usage per Container is 1Gi", "The namespace's limit range refuses the pods."),
        ("error looking up service account shop/x", "The pods' service account is missing or may not be used."),
        ('admission webhook "x" denied the request: no', "An admission rule of the cluster refuses the pods."),
        ("because it is being terminated", "The namespace is being deleted, so no pod can be made in it."),
        ("password=hunter2", "The cluster does not let the pods be made."),
    ],
)
def test_what_the_cluster_refuses_has_its_sentence(message, said):
    """Whatever the words, none of them reaches people but a quota's plain name."""
    assert standstill(refused(message)) == said


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("FailedDelete", "The cluster does not let pods be removed."),
        ("OddReason", "The cluster gives the reason OddReason."),
        ("odd <!here>", "The cluster gives a reason that is not a plain word."),
        (None, "The cluster gives a reason that is not a plain word."),
    ],
)
def test_an_unknown_reason_is_shown_by_its_code_if_that_is_a_plain_word(reason, said):
    """A code is chosen by software; text is not."""
    assert standstill(refused("", reason=reason)) == said


def test_what_is_well_has_no_reason():
    """A condition that does not hold is none, and a workload without a status says nothing."""
    assert standstill(refused(QUOTA, status="False")) == ""
    assert standstill({**a_workload(), "status": None}) == ""


def a_pod(*, phase: str = "Pending", gone: bool = False, conditions: Any = (), **status: Any) -> dict[str, Any]:
    """Return a pod that is not ready."""
    metadata = {"deletionTimestamp": "2026-11-20T12:00:00Z"} if gone else {}
    return {"metadata": metadata, "status": {"phase": phase, "conditions": conditions, **status}}


def waiting(reason: str | None, **more: Any) -> dict[str, Any]:
    """Return a container's status that waits for this reason."""
    return {"name": "web", "ready": False, "state": {"waiting": {"reason": reason}}, **more}


def unplaced(message: str | None, reason: str = "Unschedulable") -> list[dict[str, Any]]:
    """Return the conditions of a pod that no node takes."""
    return [{"type": "PodScheduled", "status": "False", "reason": reason, "message": message}]


@pytest.mark.parametrize(
    ("pod", "said"),
    [
        (
            a_pod(conditions=unplaced("0/3 nodes are available: 3 Insufficient cpu.")),
            "No node has enough cpu left for the pods.",
        ),
        (a_pod(conditions=unplaced("0/3: 3 Insufficient nvidia.com/gpu.")), "No node has left what the pods ask for."),
        (a_pod(conditions=unplaced("0/3: 3 Too many pods.")), "No node takes more pods."),
        (
            a_pod(conditions=unplaced("0/3: 3 node(s) had untolerated taint {x: y}.")),
            "The nodes' taints keep the pods out.",
        ),
        (
            a_pod(conditions=unplaced("0/3: 3 node(s) didn't match Pod's node affinity/selector.")),
            "No node fits the pods' own placement rules.",
        ),
        (
            a_pod(conditions=unplaced('persistentvolumeclaim "x" not found')),
            "A volume that the pods need cannot be had.",
        ),
        (a_pod(conditions=unplaced("3 node(s) were unschedulable")), "The nodes are closed to new pods."),
        (a_pod(conditions=unplaced(None)), "No node can take the pods."),
        (a_pod(conditions=unplaced("", "SchedulingGated")), "A scheduling gate holds the pods back."),
        (a_pod(containerStatuses=[waiting("ImagePullBackOff")]), "An image cannot be pulled."),
        (a_pod(initContainerStatuses=[waiting("CrashLoopBackOff")]), "A container starts and ends again and again."),
        (a_pod(containerStatuses=[waiting("VendorReason")]), "The cluster gives the reason VendorReason."),
        (a_pod(containerStatuses=[waiting("ContainerCreating")]), ""),
        (a_pod(containerStatuses=[waiting(None)]), ""),
        (
            a_pod(containerStatuses=[waiting("CrashLoopBackOff", lastState={"terminated": {"reason": "OOMKilled"}})]),
            "A container runs out of the memory that it may use.",
        ),
        (
            a_pod(phase="Running", containerStatuses=[{"ready": False, "state": {"running": {}}}]),
            "A container runs and its probe does not find it ready.",
        ),
        (a_pod(phase="Running", containerStatuses=[{"ready": True, "state": {"running": {}}}]), ""),
        (a_pod(containerStatuses=[{"ready": False, "state": {"terminated": {"reason": "Completed"}}}]), ""),
        (a_pod(gone=True), "A pod takes its time to stop."),
        (a_pod(phase="Succeeded", conditions=unplaced("")), ""),
        (a_pod(phase="Running", conditions=[{"type": "Ready", "status": "True"}]), ""),
        ({"metadata": {}}, ""),
    ],
)
def test_what_holds_a_pod_up_has_its_sentence(pod, said):
    """Scheduling, images, configuration, crashes and probes; a pod that is ready, over or on its way says nothing."""
    assert standstill(a_workload(), [pod]) == said


def test_the_commonest_reasons_come_first_and_two_are_told():
    """A hundred pods make no hundred sentences."""
    pods = [a_pod(containerStatuses=[waiting("CrashLoopBackOff")])]
    pods += [a_pod(conditions=unplaced("Too many pods"))] * 3
    pods += [a_pod(containerStatuses=[waiting("ErrImagePull")])] * 2

    assert standstill(a_workload(), pods) == "No node takes more pods. An image cannot be pulled."


def test_events_tell_where_nothing_else_does():
    """A StatefulSet has no condition for it. The newest warning counts; what is normal is none."""
    events = [
        {"type": "Warning", "reason": "FailedCreate", "message": "violates PodSecurity"},
        {"type": "Warning", "reason": "FailedCreate", "note": QUOTA.format("few")},
        {"type": "Normal", "reason": "SuccessfulCreate", "message": "create Pod"},
    ]

    assert (
        standstill(a_workload("StatefulSet"), (), events) == "The namespace's quota few leaves no room for more pods."
    )
    assert (
        standstill(refused("violates PodSecurity"), (), events)
        == "The namespace's pod security standard refuses the pods."
    )
