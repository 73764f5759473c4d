"""Workloads: how many pods are wanted, who may undo a change, and how far a rollout is, read from raw objects."""

from typing import Any

import pytest

from approvals.verb import Effect, Progress
from approvals.workload import (
    DEPLOYMENT,
    HPAS,
    STATEFUL_SET,
    autoscaler_findings,
    counted,
    manager_findings,
    rollout,
    wanted_replicas,
)
from tests.builders import a_workload

ROLLING, VERIFIED, FAILED = Effect.ROLLING, Effect.VERIFIED, Effect.FAILED_ROLLOUT


def test_the_resources_are_those_of_the_servers_addresses():
    """A misspelt plural would be a 404 at every step."""
    assert [
        (one.name, one.resource.group, one.resource.version, one.resource.plural) for one in (DEPLOYMENT, STATEFUL_SET)
    ] == [
        ("Deployment", "apps", "v1", "deployments"),
        ("StatefulSet", "apps", "v1", "statefulsets"),
    ]
    assert (HPAS.group, HPAS.version, HPAS.plural) == ("autoscaling", "v2", "horizontalpodautoscalers")


@pytest.mark.parametrize(
    ("workload", "wanted"),
    [({"spec": {"replicas": 3}}, 3), ({"spec": {"replicas": 0}}, 0), ({"spec": {}}, 1), ({"spec": None}, 1), ({}, 1)],
)
def test_a_workload_wants_one_pod_unless_it_says_otherwise(workload, wanted):
    """The server's default, not zero."""
    assert wanted_replicas(workload) == wanted


@pytest.mark.parametrize(("number", "said"), [(0, "0 pods"), (1, "1 pod"), (2, "2 pods")])
def test_pods_are_counted_in_words(number, said):
    """One pod, otherwise pods."""
    assert counted(number, "pod") == said


def an_hpa(name: str = "web", kind: str = "Deployment", target: str = "checkout", **spec: Any) -> dict[str, Any]:
    """Return a raw autoscaler."""
    reference = {"apiVersion": "apps/v1", "kind": kind, "name": target}
    return {"metadata": {"name": name}, "spec": {"scaleTargetRef": reference, "maxReplicas": 9, **spec}}


def test_an_autoscaler_of_the_workload_is_a_finding():
    """It may undo a number set by hand; those of other workloads or kinds are no matter."""
    autoscalers = [
        an_hpa("a", minReplicas=2),
        an_hpa("b"),
        an_hpa(kind="StatefulSet"),
        an_hpa(target="cart"),
        {"metadata": {"name": "x"}, "spec": {"scaleTargetRef": {}, "maxReplicas": 1}},
    ]

    assert autoscaler_findings(a_workload(), autoscalers) == (
        "The autoscaler a keeps this between 2 and 9 pods and may undo the number.",
        "The autoscaler b keeps this between 1 and 9 pods and may undo the number.",
    )
    assert autoscaler_findings(a_workload(), []) == ()


@pytest.mark.parametrize(
    ("labels", "annotations", "found"),
    [
        ({}, {}, ()),
        (None, None, ()),
        ({"argocd.argoproj.io/instance": "x"}, None, ("Argo CD",)),
        ({}, {"argocd.argoproj.io/tracking-id": "x"}, ("Argo CD",)),
        ({"kustomize.toolkit.fluxcd.io/name": "x"}, {}, ("Flux",)),
        ({"helm.toolkit.fluxcd.io/name": "x", "kustomize.toolkit.fluxcd.io/name": "x"}, {}, ("Flux",)),
        (
            {"helm.toolkit.fluxcd.io/name": "x"},
            {"argocd.argoproj.io/tracking-id": "x"},
            ("Argo CD", "Flux"),
        ),
    ],
)
def test_a_gitops_controllers_mark_is_a_finding(labels, annotations, found):
    """Who manages the object may set the change back; each is named once, in order."""
    workload = a_workload()
    workload["metadata"] |= {"labels": labels, "annotations": annotations}

    assert manager_findings(workload) == tuple(f"{name} manages this and may set the change back." for name in found)


def status(replicas: int = 3, seen: int = 4, **changed: Any) -> dict[str, Any]:
    """Return a Deployment of three pods at generation 4 with this status."""
    workload = a_workload(replicas=replicas)
    workload["status"] = {**workload["status"], "observedGeneration": seen, **changed}
    return workload


STALLED = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
NOT_SEEN = "The controller has not seen the change yet."
STUCK = "The rollout made no progress within its own deadline."


@pytest.mark.parametrize(
    ("workload", "effect", "sentence"),
    [
        (status(), VERIFIED, "All 3 pods ready."),
        (status(replicas=1), VERIFIED, "All 1 pod ready."),
        (status(replicas=0), VERIFIED, "All 0 pods ready."),
        (status(seen=3), ROLLING, NOT_SEEN),
        (status(seen=5), VERIFIED, "All 3 pods ready."),
        ({**status(), "status": None}, ROLLING, NOT_SEEN),
        ({**status(), "status": {}}, ROLLING, NOT_SEEN),
        ({**status(), "status": {"observedGeneration": 4}}, ROLLING, "0 of 3 pods ready."),
        (status(availableReplicas=2), ROLLING, "2 of 3 pods ready."),
        (status(updatedReplicas=2), ROLLING, "3 of 3 pods ready."),
        (status(replicas=3) | {"status": {**status()["status"], "replicas": 4}}, ROLLING, "3 of 3 pods ready."),
        (status(conditions=[STALLED]), FAILED, STUCK),
        (status(seen=3, conditions=[STALLED]), ROLLING, NOT_SEEN),
        (status(conditions=[{**STALLED, "type": "Available"}]), VERIFIED, "All 3 pods ready."),
        (status(conditions=[{**STALLED, "status": "True"}]), VERIFIED, "All 3 pods ready."),
        (status(conditions=[{**STALLED, "reason": "ReplicaSetUpdated"}]), VERIFIED, "All 3 pods ready."),
        (status(conditions=[{}, STALLED]), FAILED, STUCK),
        (status(conditions=None), VERIFIED, "All 3 pods ready."),
    ],
)
def test_a_rollout_is_done_when_every_count_says_so(workload, effect, sentence):
    """A status speaks of the change only once its generation was seen; then every count must be what is wanted."""
    assert rollout(workload) == Progress(effect=effect, sentence=sentence)
