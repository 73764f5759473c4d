"""The contract, rollouts: after a change the status catches up, and says when it cannot."""

import pytest

from tests.sandbox.cluster.places import COMPLETE, is_settled
from tests.sandbox.cluster.test_contract_writes import RESTART
from tests.waiting import wait_until

# Deadlines here are 2 s: the server keeps whole seconds, so one of 1 s may pass in a few milliseconds.
FAILS = {"devcluster.countersign.dev/pull": "fails"}


def reason(workload):
    """Return how the rollout of a Deployment is said to stand."""
    conditions = workload["status"].get("conditions", [])
    return {one["type"]: (one["status"], one["reason"]) for one in conditions}.get("Progressing")


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
@pytest.mark.parametrize("number", [5, 1, 0], ids=["up", "down", "to nothing"])
def test_scaling_comes_to_its_end(place, kind, number):
    """The status reaches the number asked for, at the generation of the write."""
    path = place.workload(kind, replicas=3)

    place.wire.patch(f"{path}/scale", {"spec": {"replicas": number}})

    settled = place.wait_settled(path)
    assert (settled["metadata"]["generation"], settled["status"]["observedGeneration"]) == (2, 2)


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_a_restart_comes_to_its_end(place, kind):
    """All pods are of the new template in the end; a Deployment counts it as its next revision, at the same generation."""
    path = place.workload(kind, replicas=3)
    before = place.wire.get(path)

    written = place.wire.patch(path, RESTART).body

    assert not is_settled(written)
    after = place.wait_settled(path)
    assert after["metadata"]["generation"] == written["metadata"]["generation"]
    if kind == "Deployment":
        assert after["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "2"
    else:
        assert after["status"]["currentRevision"] != before["status"]["currentRevision"]


def test_a_status_speaks_of_the_generation_before_directly_after_a_write(place):
    """The answer to a write still carries the old status, with the old observed generation."""
    path = place.workload()
    before = place.wire.get(path)

    written = place.wire.patch(path, RESTART).body

    assert written["status"] == before["status"]
    assert written["status"]["observedGeneration"] == written["metadata"]["generation"] - 1


def test_a_rollout_that_cannot_progress_says_so(place):
    """New pods that never become ready leave most of the old ones, and end in ProgressDeadlineExceeded."""
    path = place.workload(replicas=4, deadline_s=2)

    place.wire.patch(path, {"spec": {"template": {"metadata": {"labels": FAILS}}}})

    wait_until(
        lambda: reason(place.wire.get(path)) == ("False", "ProgressDeadlineExceeded"),
        what="the rollout is given up",
        within_s=20,
    )
    status = place.wire.get(path)["status"]
    assert (status["replicas"], status["updatedReplicas"], status["availableReplicas"]) == (5, 2, 3)
    assert status["unavailableReplicas"] == 2


def test_a_deployment_that_never_came_up_says_so(place):
    """From the first rollout on; when it is restarted, a new rollout begins and fails anew."""
    path = place.workload(replicas=2, labels=FAILS, deadline_s=2, settled=False)

    def failed(generation):
        workload = place.wire.get(path)
        seen = workload["status"].get("observedGeneration")
        return (seen, reason(workload)) == (generation, ("False", "ProgressDeadlineExceeded"))

    wait_until(lambda: failed(1), what="the first rollout is given up", within_s=20)
    place.wire.patch(path, RESTART)

    wait_until(lambda: reason(place.wire.get(path))[0] == "True", what="the next one begins")
    wait_until(lambda: failed(2), what="the next one is given up", within_s=20)
    assert "readyReplicas" not in place.wire.get(path)["status"]


def test_a_stateful_set_that_cannot_progress_waits(place):
    """It has no deadline: its first pod is not ready, and there is no second."""
    path = place.workload("StatefulSet", replicas=3, labels=FAILS, settled=False)

    wait_until(lambda: place.wire.get(path)["status"].get("replicas") == 1, what="the first pod is there")
    status = place.wire.get(path)["status"]
    assert (status["availableReplicas"], status.get("readyReplicas", 0)) == (0, 0)


def test_a_rollout_recovers_once_its_pods_can_start(place):
    """Without the fault the next rollout completes."""
    path = place.workload(replicas=2)
    place.wire.patch(path, {"spec": {"template": {"metadata": {"labels": FAILS}}}})

    place.wire.patch(path, {"spec": {"template": {"metadata": {"labels": dict.fromkeys(FAILS)}}}})

    settled = place.wait_settled(path)
    assert {one["type"]: one["reason"] for one in settled["status"]["conditions"]} == COMPLETE


def test_scaling_is_no_rollout_to_wait_for(place):
    """Once complete, a Deployment stays "successfully progressed" while it is scaled."""
    path = place.workload(replicas=2)
    before = reason(place.wire.get(path))

    place.wire.patch(f"{path}/scale", {"spec": {"replicas": 6}})

    assert reason(place.wire.get(path)) == before
    assert reason(place.wait_settled(path)) == before


def test_a_paused_deployment_scales_and_does_not_restart(place):
    """A new template waits, and no pod counts as updated; resumed, it is rolled out."""
    path = place.workload(replicas=2)

    place.wire.patch(path, {"spec": {"paused": True}})
    place.wire.patch(path, RESTART)
    place.wire.patch(f"{path}/scale", {"spec": {"replicas": 4}})

    def waits():
        found = place.wire.get(path)
        status = found["status"]
        numbers = (status.get("replicas"), status.get("updatedReplicas", 0), status.get("availableReplicas"))
        is_seen = status["observedGeneration"] == found["metadata"]["generation"]
        return is_seen and numbers == (4, 0, 4) and reason(found) == ("Unknown", "DeploymentPaused")

    wait_until(waits, what="it has scaled and not rolled")
    place.wire.patch(path, {"spec": {"paused": False}})
    settled = place.wait_settled(path)
    assert settled["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "2"
