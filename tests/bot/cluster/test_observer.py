"""The observer's look around: one workload's own pods and late warnings, and nothing of anybody else's."""

from datetime import timedelta
from time import monotonic

import pytest

from approvals.errors import Unavailable
from approvals.verbs.standstill import standstill
from sandbox.cluster import Delay, On
from tests.bot.cluster.stages import AGENT, ENVIRONMENT, Stage, StandInGround, stand_in, utc_now, workload

QUOTA = "create Pod x failed error: pods x is forbidden: exceeded quota: few, requested: pods=1"


@pytest.fixture
def cluster(tmp_path):
    """A stand-in with one agent in one namespace."""
    with stand_in(tmp_path) as running:
        yield running


@pytest.fixture
def stage(cluster):
    """A door to it."""
    return Stage.on(StandInGround(cluster, "shop"))


def made(stage, kind, **more):
    """Return the plan of a change of a new workload, and the workload."""
    target = stage.settled(workload(kind, **more))
    return stage.plan("scale", target, replicas=2), stage.ground.get(kind, target.name)


def a_pod(owner, name="odd", **labels):
    """Return a pod that no node takes."""
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "2 Insufficient cpu."}
    metadata = {"name": name, "namespace": "shop", "labels": labels, "ownerReferences": [{**owner, "controller": True}]}
    return {"kind": "Pod", "metadata": metadata, "status": {"phase": "Pending", "conditions": [condition]}}


def owner_of(found, template="t"):
    """Return what a pod of the workload *found* names as its owner."""
    name, uid = found["metadata"]["name"], found["metadata"]["uid"]
    if found["kind"] == "Deployment":
        return {"kind": "ReplicaSet", "name": f"{name}-{template}", "uid": "of-the-set"}
    return {"kind": "StatefulSet", "name": name, "uid": uid}


def a_warning(found, seen, name="warning", **more):
    """Return an event about the workload *found*."""
    about = {"kind": found["kind"], "name": found["metadata"]["name"], "uid": found["metadata"]["uid"]}
    told = {"reason": "FailedCreate", "message": QUOTA, "type": "Warning", "lastTimestamp": seen.isoformat(), **more}
    return {"kind": "Event", "metadata": {"name": name, "namespace": "shop"}, "involvedObject": about, **told}


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_a_pod_that_no_node_takes_is_the_reason(cluster, stage, kind):
    """The workload's own pod says so."""
    plan, found = made(stage, kind)
    cluster.put(a_pod(owner_of(found), app=found["metadata"]["name"], **{"pod-template-hash": "t"}))

    assert stage.why(plan) == "No node has enough cpu left for the pods."


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_a_pod_that_bears_the_labels_alone_is_not_asked(cluster, stage, kind):
    """Whoever makes a pod with the same labels puts no reason in the workload's mouth."""
    plan, found = made(stage, kind)
    stranger = {"kind": "Job", "name": found["metadata"]["name"], "uid": "another"}
    cluster.put(a_pod(stranger, app=found["metadata"]["name"], **{"pod-template-hash": "t"}))
    cluster.put(a_pod({**owner_of(found), "name": "x", "uid": "y"}, "other", app=found["metadata"]["name"]))

    assert stage.why(plan) == ""


def test_a_quota_that_leaves_a_stateful_set_no_room_is_the_reason(cluster, stage):
    """Only a warning tells of it, about the very object and of late."""
    plan, found = made(stage, "StatefulSet")
    cluster.put(a_warning(found, utc_now()))

    assert stage.why(plan) == "The namespace's quota few leaves no room for more pods."


@pytest.mark.parametrize("more", [{"type": "Normal"}, {"lastTimestamp": None}, {"involvedObject": {"uid": "another"}}])
def test_a_warning_that_is_none_says_nothing(cluster, stage, more):
    """What is no warning, says no time, or is about another object."""
    plan, found = made(stage, "StatefulSet")
    cluster.put({**a_warning(found, utc_now()), **more})

    assert stage.why(plan) == ""


def test_warnings_come_in_the_order_in_which_they_were_seen(cluster, stage):
    """Those from before the change are left out; of a series, its last time counts."""
    plan, found = made(stage, "StatefulSet")
    now = utc_now()
    series = {"lastTimestamp": None, "series": {"lastObservedTime": now.isoformat()}}
    cluster.put(a_warning(found, now, "a", **series))
    cluster.put(a_warning(found, now - timedelta(seconds=9), "b"))
    cluster.put(a_warning(found, now - timedelta(hours=1), "c"))

    around = stage.door.surroundings(
        environment=ENVIRONMENT,
        agent=AGENT,
        bound=plan.bound,
        step=0,
        workload=found,
        since=now - timedelta(minutes=1),
    )

    assert [one["metadata"]["name"] for one in around.events] == ["b", "a"]
    assert standstill(found, (), around.events) == "The namespace's quota few leaves no room for more pods."


def test_a_list_that_takes_its_time_is_done_without(cluster, stage):
    """Whoever follows a change waits two seconds for a reason, and no more."""
    plan, _ = made(stage, "StatefulSet")
    cluster.inject(Delay(seconds=20.0), on=On(path="*/pods"))
    began = monotonic()

    with pytest.raises(Unavailable):
        stage.why(plan)

    assert monotonic() - began < 8.0
