"""Rollouts: how far a change has come, by what this change really does to this workload."""

from typing import Any

import pytest

from approvals.verbs.rollout import numbered, replaced
from approvals.verbs.verb import Effect
from tests.builders import a_workload

ROLLING, VERIFIED, FAILED = Effect.IN_PROGRESS, Effect.VERIFIED, Effect.FAILED
STALLED = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
NOT_SEEN = "The controller has not seen the change yet."
STUCK = "The rollout made no progress within its own deadline."
BESIDE = "Beside that, its rollout of a newer template made no progress within its own deadline."
BOTH = pytest.mark.parametrize("far", [replaced, numbered])


def pods(
    wanted: int = 3, kind: str = "Deployment", spec: dict[str, Any] | None = None, **counts: Any
) -> dict[str, Any]:
    """Return a workload at generation 4 that wants so many pods; its counts say that all are there unless named."""
    workload = a_workload(kind, replicas=wanted, **(spec or {}))
    workload["status"] |= counts
    return workload


def told(progress) -> tuple[Effect, str]:
    """Return what people are told."""
    return progress.effect, progress.sentence


@BOTH
@pytest.mark.parametrize(
    ("workload", "effect", "sentence"),
    [
        (pods(), VERIFIED, "All 3 pods ready."),
        (pods(1), VERIFIED, "All 1 pod ready."),
        (pods(observedGeneration=3), ROLLING, NOT_SEEN),
        (pods(observedGeneration=5), VERIFIED, "All 3 pods ready."),
        (pods() | {"status": None}, ROLLING, NOT_SEEN),
        (pods() | {"status": {}}, ROLLING, NOT_SEEN),
        (pods() | {"status": {"observedGeneration": 4}}, ROLLING, "0 of 3 pods ready."),
        (pods(availableReplicas=2), ROLLING, "2 of 3 pods ready."),
        (pods(availableReplicas=2, conditions=[STALLED]), FAILED, STUCK),
        (pods(availableReplicas=2, conditions=[{}, STALLED]), FAILED, STUCK),
        (pods(availableReplicas=2, conditions=[STALLED], observedGeneration=3), ROLLING, NOT_SEEN),
        (pods(availableReplicas=2, conditions=[{**STALLED, "type": "Available"}]), ROLLING, "2 of 3 pods ready."),
        (pods(availableReplicas=2, conditions=[{**STALLED, "status": "True"}]), ROLLING, "2 of 3 pods ready."),
        (pods(availableReplicas=2, conditions=[{**STALLED, "reason": "Paused"}]), ROLLING, "2 of 3 pods ready."),
        (pods(conditions=None), VERIFIED, "All 3 pods ready."),
        (pods(conditions=[STALLED]), VERIFIED, "All 3 pods ready."),
        (
            pods(spec={"minReadySeconds": 30}, readyReplicas=3, availableReplicas=1),
            ROLLING,
            "1 of 3 pods ready. 3 are up, and have to stay so for 30 s.",
        ),
        (pods(spec={"minReadySeconds": 30}, readyReplicas=1, availableReplicas=1), ROLLING, "1 of 3 pods ready."),
    ],
)
def test_what_holds_for_any_change(far, workload, effect, sentence):
    """A status speaks of the change only once its generation was seen; then as many pods as are wanted must be ready."""
    assert told(far(workload)) == (effect, sentence)


@BOTH
def test_what_is_being_deleted_is_not_done(far):
    """Its counts mean nothing any more."""
    workload = pods()
    workload["metadata"]["deletionTimestamp"] = "2026-11-20T12:00:00Z"

    assert told(far(workload)) == (ROLLING, "It is being deleted.")


@pytest.mark.parametrize(
    ("workload", "effect", "sentence"),
    [
        (
            pods(20, replicas=25, updatedReplicas=5, readyReplicas=20, availableReplicas=20),
            ROLLING,
            "5 of 20 pods replaced, at least 0 of them ready; 20 old ones are left.",
        ),
        (
            pods(20, replicas=20, updatedReplicas=19, availableReplicas=19),
            ROLLING,
            "19 of 20 pods replaced, at least 18 of them ready; 1 old one is left.",
        ),
        (
            pods(20, replicas=21, updatedReplicas=20),
            ROLLING,
            "20 of 20 pods replaced, at least 19 of them ready; 1 old one is left.",
        ),
        (pods(20, replicas=20, updatedReplicas=20, availableReplicas=19), ROLLING, "19 of 20 pods ready."),
        (pods(0), VERIFIED, "It runs no pod, so none had to be replaced."),
        (
            pods(spec={"paused": True}, updatedReplicas=0),
            ROLLING,
            "Its rollouts are paused: no pod is replaced until somebody resumes them.",
        ),
        (
            pods(kind="StatefulSet", spec={"updateStrategy": {"type": "OnDelete"}}, updatedReplicas=0),
            ROLLING,
            "It replaces pods only when somebody deletes them.",
        ),
        (
            pods(kind="StatefulSet", updatedReplicas=1, availableReplicas=3),
            ROLLING,
            "1 of 3 pods replaced, at least 1 of them ready; 2 old ones are left.",
        ),
        (
            pods(kind="StatefulSet", currentRevision="web-1", updateRevision="web-2"),
            ROLLING,
            "3 of 3 pods ready.",
        ),
        (pods(kind="StatefulSet", currentRevision="web-2", updateRevision="web-2"), VERIFIED, "All 3 pods ready."),
        (pods(kind="StatefulSet", updateRevision="web-2"), VERIFIED, "All 3 pods ready."),
        (
            pods(0, kind="StatefulSet", currentRevision="web-1", updateRevision="web-2"),
            VERIFIED,
            "It runs no pod, so none had to be replaced.",
        ),
    ],
)
def test_a_restart_is_done_when_every_pod_is_new(workload, effect, sentence):
    """Old pods are ready all along, so ready ones say nothing; what is paused or waits for deletions does not move."""
    assert told(replaced(workload)) == (effect, sentence)


@pytest.mark.parametrize(
    ("updated", "effect", "sentence"),
    [
        (2, VERIFIED, "All 2 pods replaced and ready; its partition keeps 1 as they were."),
        (1, ROLLING, "1 of 2 pods replaced, at least 1 of them ready; 2 old ones are left."),
        (3, VERIFIED, "All 2 pods replaced and ready; its partition keeps 1 as they were."),
    ],
)
def test_a_partition_keeps_some_pods_old(updated, effect, sentence):
    """They are no work left; the controller then never calls the newest template the current one."""
    strategy = {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}}
    revisions: dict[str, Any] = {"currentRevision": "web-1", "updateRevision": "web-2"}

    workload = pods(kind="StatefulSet", spec=strategy, updatedReplicas=updated, **revisions)

    assert told(replaced(workload)) == (effect, sentence)


def test_a_partition_raised_to_every_pod_ends_no_restart():
    """Nothing is left to be replaced then, and nothing was: it is not done."""
    strategy = {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 5}}}

    workload = pods(kind="StatefulSet", spec=strategy, updatedReplicas=0)

    assert told(replaced(workload)) == (ROLLING, "Its partition keeps every pod as it is: none is replaced.")


@pytest.mark.parametrize(
    ("workload", "effect", "sentence"),
    [
        (pods(0), VERIFIED, "No pod is left, as asked."),
        (pods(updatedReplicas=2), VERIFIED, "All 3 pods ready."),
        (pods(spec={"paused": True}, updatedReplicas=0), VERIFIED, "All 3 pods ready."),
        (pods(3, replicas=5), ROLLING, "There are still 5 pods, 2 more than wanted."),
        (
            pods(4, replicas=5, updatedReplicas=1, availableReplicas=3, conditions=[STALLED]),
            ROLLING,
            "There are still 5 pods, 1 more than wanted. " + BESIDE,
        ),
        (
            pods(6, replicas=4, updatedReplicas=1, availableReplicas=3, conditions=[STALLED]),
            ROLLING,
            "3 of 6 pods ready. " + BESIDE,
        ),
        (pods(0, replicas=1), ROLLING, "There is still 1 pod, 1 more than wanted."),
        (pods(4, replicas=5, updatedReplicas=2, availableReplicas=4), VERIFIED, "All 4 pods ready."),
        (
            pods(4, replicas=6, updatedReplicas=2, availableReplicas=4),
            ROLLING,
            "There are still 6 pods, 2 more than wanted.",
        ),
        (
            pods(kind="StatefulSet", currentRevision="web-1", updateRevision="web-2", updatedReplicas=1),
            VERIFIED,
            "All 3 pods ready.",
        ),
    ],
)
def test_a_scale_is_done_when_the_number_is_ready(workload, effect, sentence):
    """Of whichever template: a rollout that is under way or paused besides is another matter."""
    assert told(numbered(workload)) == (effect, sentence)


@BOTH
@pytest.mark.parametrize(
    "moved",
    [
        {"replicas": 4},
        {"updatedReplicas": 2},
        {"readyReplicas": 2},
        {"availableReplicas": 1},
        {"observedGeneration": 5},
        {"conditions": [{"type": "Progressing", "lastUpdateTime": "2026-11-20T12:00:01Z"}]},
    ],
)
def test_whatever_moves_shows_in_the_pace(far, moved):
    """Each count, and the controller's own word; the time of another condition is none."""
    still = pods(availableReplicas=2, conditions=[{"type": "Available", "lastUpdateTime": "2026-11-20T12:00:00Z"}])
    again = pods(availableReplicas=2, conditions=[{"type": "Available", "lastUpdateTime": "2026-11-20T12:00:09Z"}])

    assert far(still).pace == far(again).pace
    assert (
        far(pods(availableReplicas=2, **moved) if "availableReplicas" not in moved else pods(**moved)).pace
        != far(still).pace
    )
