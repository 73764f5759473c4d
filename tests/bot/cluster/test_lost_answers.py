"""Lost answers, end to end: the write lands or does not, its answer is gone, and a fresh read tells which (T-EXE-07)."""

from datetime import timedelta

import pytest

from approvals.change.plan import envelope
from approvals.errors import Unavailable
from approvals.ports.cluster import Came
from approvals.verbs.registry import verb_called
from approvals.verbs.verb import Landed
from bot.cluster.client.calls import Times
from bot.cluster.door import KubernetesCluster
from sandbox.cluster import WRITE, Cut, Delay, Garbage, Meanwhile, Reset, answered
from tests.bot.cluster.stages import AGENT, ENVIRONMENT, Stage, StandInGround, baseline_of, stand_in, utc_now, workload

QUICK = Times(connect=2, read=2, whole=2.5)


@pytest.fixture
def stage(tmp_path):
    """A door to the stand-in that waits two seconds for an answer."""
    with stand_in(tmp_path) as cluster:
        ground = StandInGround(cluster, "shop")
        door = KubernetesCluster(
            {ENVIRONMENT: ground.source},
            installation=ground.ours,
            mac_key=b"k" * 32,
            now=utc_now,
            version="test",
            writing_times=QUICK,
        )
        yield Stage(ground=ground, door=door)


LOST = {
    "reset before it was handled": (Reset(applied=False), False),
    "reset after it was applied": (Reset(applied=True), True),
    "applied, and the answer cut": (Cut(), True),
    "applied, and the answer unreadable": (Garbage(), True),
    "applied, and the answer late": (Delay(seconds=3.0, applied=True), True),
    "500, not applied": (answered(500), False),
    "500, applied all the same": (answered(500, applied=True), True),
    "504, applied all the same": (answered(504, applied=True), True),
}


@pytest.mark.parametrize("verb", ["scale", "restart"])
@pytest.mark.parametrize(("fault", "landed"), LOST.values(), ids=LOST)
def test_t_exe_07_a_lost_answer_is_told_by_a_fresh_read(stage, verb, fault, landed):
    """T-EXE-07: the door says "lost", never "failed"; the mark or its absence tells, and the effect is one at most (I2)."""
    target = stage.settled(workload())
    plan = stage.plan(verb, target, **({"replicas": 2} if verb == "scale" else {}))
    stage.ground.cluster.inject(fault, on=WRITE)

    reply = stage.send(plan)

    now = stage.observe(plan)
    evidence = verb_called(verb).evidence_of(plan.bound, baseline_of(plan), now)
    assert (reply.came, evidence) == (Came.LOST, Landed.APPLIED if landed else Landed.NOT_APPLIED)
    assert len(stage.ground.cluster.effects()) == int(landed)


@pytest.mark.parametrize("verb", ["scale", "restart"])
def test_bytes_that_were_lost_can_be_sent_again_once(stage, verb):
    """Nothing moved, so the same bytes may go out again; where they had landed, the second copy is a conflict (I2)."""
    target = stage.settled(workload())
    plan = stage.plan(verb, target, **({"replicas": 2} if verb == "scale" else {}))
    stage.ground.cluster.inject(Reset(applied=False), on=WRITE)

    came = [stage.send(plan).came for _ in range(3)]

    assert came == [Came.LOST, Came.APPLIED, Came.CONFLICT]
    assert len(stage.ground.cluster.effects()) == 1


def test_a_change_in_the_last_moment_is_a_conflict(stage):
    """Somebody is faster by a hair, after our look and before our write: the precondition catches it (T-TOC-01)."""
    target = stage.settled(workload())
    plan = stage.plan("scale", target, replicas=2)
    labels = {"metadata": {"labels": {"team": "shop"}}}
    action = Meanwhile(action=lambda: stage.ground.change(target.kind, target.name, labels))
    stage.ground.cluster.inject(action, on=WRITE)

    reply = stage.send(plan)

    assert (reply.came, stage.ground.cluster.effects()) == (Came.CONFLICT, ())


def test_a_cluster_that_is_down_is_not_sent_to(stage):
    """Connections are refused: certain that nothing left, and reads are not known."""
    target = stage.settled(workload())
    plan = stage.plan("scale", target, replicas=2)
    account = stage.ground.ours.executor(AGENT, "scale", target.namespace)
    credential = stage.door.mint(environment=ENVIRONMENT, account=account)
    body = envelope(plan.bound.steps[0], plan.evidence.resource_version)

    with stage.ground.cluster.refusing():
        reply = stage.door.send(
            environment=ENVIRONMENT,
            bound=plan.bound,
            step=0,
            body=body,
            credential=credential,
            within=timedelta(hours=1),
        )
        with pytest.raises(Unavailable):
            stage.observe(plan)

    assert reply.came is Came.NOT_SENT
