"""Bounds of an autoscaler on the real cluster, from the dry run to the pods that come or go. The stand-in has no autoscalers."""

from collections.abc import Mapping
from typing import Any

import pytest

from approvals.change.action import Target
from approvals.change.plan import Change
from approvals.change.risk import Risk
from approvals.errors import Unplannable
from approvals.ports.cluster import Came
from approvals.verbs.hpa_bounds import HPA_BOUNDS
from approvals.verbs.registry import verb_called
from approvals.verbs.verb import Effect, Landed, Progress
from tests.bot.cluster.stages import AGENT, Stage, autoscaler_for, baseline_of, new_escalation, workload
from tests.fixtures.installation import Installation
from tests.sandbox.devcluster.api import bearer
from tests.waiting import wait_until

MERGE = "application/merge-patch+json"
HPA = "HorizontalPodAutoscaler"
STILL = 10
"""How many looks in a row must show the same version: longer than the autoscaler waits between two of its own."""


def autoscaled(stage: Stage, *, replicas: int = 2, least: int = 1, most: int = 4) -> Target:
    """Make a Deployment and its autoscaler, wait until that has counted its pods and rests, and return it as a target."""
    deployment = workload(replicas=replicas)
    stage.settled(deployment)
    manifest = autoscaler_for(deployment, least=least, most=most)
    stage.ground.create(manifest)
    target = stage.target(manifest)

    versions: list[str] = []

    def rests() -> bool:
        now = stage.ground.get(HPA, target.name)
        versions.append(now["metadata"]["resourceVersion"])
        has_counted = "currentReplicas" in (now.get("status") or {})
        return has_counted and len(versions) > STILL and len(set(versions[-STILL:])) == 1

    wait_until(rests, what="the autoscaler rests", within_s=60, every_s=0.2)
    return target


def bounds_of(stage: Stage, target: Target) -> tuple[int, int]:
    """Return an autoscaler's bounds as they are."""
    spec = stage.ground.get(HPA, target.name)["spec"]
    return spec["minReplicas"], spec["maxReplicas"]


@pytest.mark.parametrize("wanted", [(3, 8)])
def test_from_the_preview_to_the_pods(real_stage, wanted):
    """The two numbers are all that changes, nothing before the write; done once the autoscaler has made the pods (I8)."""
    target = autoscaled(real_stage)
    arguments = {"min_replicas": wanted[0], "max_replicas": wanted[1]}

    preview = real_stage.preview("hpa_bounds", target, **arguments)
    before = bounds_of(real_stage, target)
    plan, reply = real_stage.carried_out("hpa_bounds", target, **arguments)
    progress = real_stage.follow(plan, within_s=60)

    assert [step.changes for step in preview.steps] == [
        (Change(path="/spec/maxReplicas", before=4, after=8), Change(path="/spec/minReplicas", before=1, after=3))
    ]
    seen = preview.evidence
    assert (seen.risk, seen.blast, seen.generation, before) == (Risk.LOW, "1 pod more at once", 0, (1, 4))
    assert (reply.came, reply.as_planned, bounds_of(real_stage, target)) == (Came.APPLIED, True, wanted)
    assert progress == Progress(effect=Effect.VERIFIED, sentence="3 pods, within the bounds.")
    assert real_stage.ground.get("Deployment", target.name)["spec"]["replicas"] == 3
    now = real_stage.observe(plan)
    assert now is not None
    assert HPA_BOUNDS.marked(plan.bound, now)
    assert "generation" not in now["metadata"]


def test_what_changes_nothing_and_what_cannot_be_are_asked_of_nobody(real_stage):
    """T-TOC-14: the bounds that are there already, reversed ones, and an autoscaler that is not there."""
    target = autoscaled(real_stage)
    gone = Target(kind=HPA, namespace=target.namespace, name="gone")
    codes = []

    for one, least, most in ((target, 1, 4), (target, 5, 4), (gone, 1, 4)):
        with pytest.raises(Unplannable) as refused:
            real_stage.plan("hpa_bounds", one, min_replicas=least, max_replicas=most)
        codes.append(refused.value.code)

    assert codes == ["no_change", "bounds_reversed", "target_not_found"]


def evidence(stage: Stage, plan: Any) -> Landed:
    """Return what a fresh read proves of a plan's write."""
    now = stage.observe(plan)
    assert now is not None
    return verb_called("hpa_bounds").evidence_of(plan.bound, baseline_of(plan), now)


def test_what_a_read_back_proves(real_stage):
    """Untouched: not applied. Written: applied. Set back by somebody else, or moved by its status alone: cannot tell."""
    target = autoscaled(real_stage)
    plan = real_stage.plan("hpa_bounds", target, escalation=new_escalation(), min_replicas=1, max_replicas=9)
    proofs = [evidence(real_stage, plan)]

    reply = real_stage.send(plan)
    proofs.append(evidence(real_stage, plan))
    real_stage.ground.change(HPA, target.name, {"spec": {"maxReplicas": 4}})
    proofs.append(evidence(real_stage, plan))

    assert (reply.came, proofs) == (Came.APPLIED, [Landed.NOT_APPLIED, Landed.APPLIED, Landed.CANNOT_TELL])
    now = real_stage.observe(plan)
    assert now is not None
    assert HPA_BOUNDS.yardstick.progress(plan.bound, now).effect is Effect.UNDONE


def test_a_status_alone_keeps_the_old_bytes_from_landing(real_stage):
    """Its own status moves the version that the write is conditional on: the server refuses it, and it is planned anew."""
    target = autoscaled(real_stage, replicas=2)
    plan = real_stage.plan("hpa_bounds", target, min_replicas=1, max_replicas=9)
    before = real_stage.ground.get(HPA, target.name)["metadata"]["resourceVersion"]
    real_stage.ground.change("Deployment", target.name, {"spec": {"replicas": 3}})
    wait_until(
        lambda: real_stage.ground.get(HPA, target.name)["metadata"]["resourceVersion"] != before,
        what="the status moves",
        within_s=45,
        every_s=0.2,
    )

    proof, reply = evidence(real_stage, plan), real_stage.send(plan)

    assert (proof, reply.came, bounds_of(real_stage, target)) == (Landed.CANNOT_TELL, Came.CONFLICT, (1, 4))


@pytest.mark.parametrize(
    ("patch", "is_refused"),
    [
        ({"spec": {"minReplicas": 2, "maxReplicas": 1000}}, False),
        ({"spec": {"maxReplicas": 1001}}, True),
        ({"spec": {"scaleTargetRef": {"name": "another"}}}, True),
        ({"spec": {"behavior": {"scaleUp": {"selectPolicy": "Disabled"}}}}, True),
        ({"spec": {"metrics": []}}, True),
        ({"metadata": {"labels": {"a": "b"}}}, True),
        ({"metadata": {"annotations": {"a": "b"}}}, True),
        ({"metadata": {"managedFields": [{}]}}, True),
    ],
    ids=[
        "the bounds",
        "too many",
        "the target",
        "the behaviour",
        "the metrics",
        "a label",
        "an annotation",
        "the owners",
    ],
)
def test_what_the_fence_lets_pass(installation: Installation, real_stage, patch: Mapping[str, Any], is_refused: bool):
    """A stolen token of the executor's changes the two numbers within our bounds, and nothing else (T-EXE-04)."""
    deployment = workload()
    real_stage.ground.create(deployment)
    manifest = autoscaler_for(deployment, least=1, most=4)
    manifest["spec"]["metrics"] = [
        {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}
    ]
    real_stage.ground.create(manifest)
    account = installation.ours.executor(AGENT, "hpa_bounds", installation.namespace)
    path = real_stage.ground.path(HPA, manifest["metadata"]["name"])

    with bearer(installation.cluster, installation.token(account)) as api:
        status, _ = api.call("PATCH", f"{path}?dryRun=All", patch, content_type=MERGE)

    assert status == (403 if is_refused else 200)
