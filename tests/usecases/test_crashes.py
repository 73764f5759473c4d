"""Crash points: real processes, killed where it hurts most; after a restart nothing is lost, twice or unapproved (I2, I6, I15).

The cluster is the stand-in behind the production client, so that every call that could change something is counted where
it arrives.
"""

import json
import os
import signal
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from approvals.change.plan import bound_of, bytes_hash, envelope
from approvals.ports.journey import Milestone
from approvals.verbs.verb import Effect
from approvals.workflow.execution import LEASE, Fate, Phase
from approvals.workflow.request import State
from sandbox.cluster import WRITE, Hold, Seed, StandIn, deployment
from tests.bot.cluster.stages import GRANTS, seed_of
from tests.models.records import let_pass
from tests.usecases.crash_worker import forked
from tests.usecases.product import assert_sound, product, work, work_to_the_end
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

SCALE_PATH = "/apis/apps/v1/namespaces/shop/deployments/checkout/scale"


@pytest.fixture
def cluster(tmp_path):
    """A stand-in that runs ``shop/checkout`` with three pods, and rolls out in a tenth of a second."""
    base = seed_of(GRANTS)
    seed = Seed(
        namespaces=base.namespaces,
        workloads=(*base.workloads, deployment("shop", "checkout", replicas=3)),
        accounts=base.accounts,
        fences=base.fences,
        user=base.user,
    )
    with StandIn(tmp_path, seed, rollout=timedelta(seconds=0.1), lag=timedelta(milliseconds=20)) as one:
        yield one


@pytest.fixture
def restarted(database_url, cluster):
    """Give the product anew, over what a restart leaves."""

    @contextmanager
    def one():
        with product(database_url, cluster.kubeconfig, cluster.context) as world:
            yield world

    return one


@pytest.fixture
def start(database_url, cluster):
    """Start a process of the product that gets a signal at a milestone."""
    started = []

    def one(act, subject, milestone="", how="SIGKILL"):
        process = forked(database_url, str(cluster.kubeconfig), cluster.context, act, subject, milestone, how)
        started.append(process)
        return process

    yield one
    for process in started:
        process.kill()
        process.join(10)
        process.close()


def code_of(process):
    """Return how a process has ended: 0, or the signal's number below zero; None where it does not end in 30 seconds."""
    process.join(30)
    return process.exitcode


def is_stopped(process):
    """Return whether the kernel has stopped the process, which is there."""
    _, state = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)
    return state.split()[0] == "T"


@pytest.fixture
def killed(start):
    """Run a process of the product until it kills itself at a milestone."""

    def one(act, subject, milestone):
        assert code_of(start(act, subject, milestone.value)) == -signal.SIGKILL

    return one


@pytest.fixture
def asked(restarted):
    """The agent's question, which waits for an answer."""
    with restarted() as world:
        return world.settled().pending()


@pytest.fixture
def approved(restarted, asked):
    """The agent's question, approved; nothing of it has begun."""
    with restarted() as world:
        return world.answers(asked).request


def state_of(world, request):
    """Return the request, its execution and its last start record."""
    with world.store.reading() as reading:
        execution = reading.execution_of(request.id)
        return reading.request(request.id), execution, reading.last_attempt(execution.id)


def assert_landed_once(world, cluster, request):
    """Fail unless the approved change, and nothing else, has taken effect exactly once, and every book says so."""
    now, execution, attempt = state_of(world, request)
    with world.store.reading() as reading:
        bound = bound_of(reading.plan(request.fingerprint).bound)
    (effect,) = cluster.effects()
    approved_bytes = envelope(bound.steps[0], attempt.resource_version)

    assert (now.state, execution.state, execution.effect) == (State.APPROVED, Phase.APPLIED, Effect.VERIFIED)
    assert attempt.fate is Fate.APPLIED
    assert (effect.path, effect.body, bytes_hash(effect.body)) == (SCALE_PATH, approved_bytes, attempt.request_hash)
    assert effect.user == bound.executor
    assert cluster.workload("Deployment", "shop", "checkout")["spec"]["replicas"] == 6
    assert_sound(world.store)


POINTS = {
    Milestone.CLAIMED: (1, 1, 1),
    Milestone.REPLANNED: (1, 1, 1),
    Milestone.ARMED: (2, 1, 1),
    Milestone.MINTED: (2, 1, 1),
    Milestone.BEFORE_SENDING: (2, 1, 1),
    Milestone.SENDING: (1, 2, 1),
    Milestone.REPLIED: (1, 1, 1),
    Milestone.OUTCOME: (1, 1, 1),
    Milestone.IN_PROGRESS: (1, 1, 1),
    Milestone.EFFECT: (1, 1, 1),
}
"""Where the process dies, and then: start records, sends that were written down, and writes that reached the cluster."""


@pytest.mark.parametrize(("milestone", "expected"), POINTS.items(), ids=[one.value for one in POINTS])
def test_killed_while_it_is_carried_out(milestone, expected, restarted, killed, approved, cluster):
    """Wherever the process dies, the next one goes on from what is written down, and the change lands exactly once."""
    killed("work", approved.id, milestone)

    with restarted() as world:
        before_lease = state_of(world, approved)[1]
        if before_lease.lease_until is not None:
            assert world.execute() == 0, "the dead worker's lease still holds"
            let_pass(world.store, LEASE)
        work_to_the_end(world, approved.id)
        _, _, attempt = state_of(world, approved)

        assert (attempt.number, attempt.sends, len(cluster.mutating_calls())) == expected
        assert_landed_once(world, cluster, approved)


def test_killed_right_after_the_vote(restarted, killed, asked, cluster):
    """A vote that was committed stands, and so does the execution that it queued in the same transaction (I15)."""
    killed("approve", asked.id, Milestone.VOTED)

    assert cluster.mutating_calls() == ()
    with restarted() as world:
        work_to_the_end(world, asked.id)

        assert_landed_once(world, cluster, asked)


@pytest.mark.parametrize("milestone", [Milestone.PLANNED, Milestone.OPENED], ids=["before", "after"])
def test_killed_around_the_commit_of_a_question(milestone, restarted, killed, cluster):
    """The agent sends its request again, with the same key, and there is exactly one question either way (I15, I14)."""
    with restarted() as world:
        world.settled()
    killed("ask", "key-1", milestone)

    with restarted() as world:
        again = world.asks("key-1")
        with world.store.reading() as reading:
            page = reading.requests_of("scaler", state=None, limit=10, cursor=None)

        assert (again.created, page.requests) == (milestone is Milestone.PLANNED, (again.request,))
        assert again.request.state is State.PENDING
        assert_sound(world.store)


@pytest.mark.parametrize("landed_first", [False, True], ids=["before it is handled", "after it has landed"])
def test_killed_while_the_write_is_on_its_way(landed_first, restarted, start, approved, cluster):
    """A write that outlives its process may land before or after the read-back: one of the two copies lands, never both."""
    hold = Hold(applied=landed_first)
    cluster.inject(hold, on=WRITE)
    process = start("work", approved.id)
    wait_until(hold.reached.is_set, what="the write has come in", within_s=30)
    process.kill()
    assert code_of(process) == -signal.SIGKILL

    with restarted() as world:
        let_pass(world.store, LEASE)
        work(world)
        hold.release()
        work_to_the_end(world, approved.id)

        assert len(cluster.mutating_calls()) == (1 if landed_first else 2)
        assert_landed_once(world, cluster, approved)


@pytest.mark.parametrize(
    ("milestone", "calls"),
    [(Milestone.CLAIMED, 1), (Milestone.ARMED, 1), (Milestone.BEFORE_SENDING, 1), (Milestone.SENDING, 2)],
    ids=["claimed", "armed", "before sending", "sending"],
)
def test_t_race_06_a_frozen_worker_wakes_up_after_another_has_taken_over(
    milestone, calls, restarted, start, approved, cluster
):
    """T-RACE-06: whatever a worker still does whose lease has gone to another changes nothing (I2)."""
    process = start("work", approved.id, milestone.value, "SIGSTOP")
    wait_until(lambda: is_stopped(process), what="the worker stands still")

    with restarted() as world:
        let_pass(world.store, LEASE)
        work_to_the_end(world, approved.id)
        os.kill(process.pid, signal.SIGCONT)
        assert code_of(process) == 0

        assert len(cluster.mutating_calls()) == calls
        assert_landed_once(world, cluster, approved)


def test_what_the_cluster_is_sent_is_what_was_approved(restarted, approved, cluster):
    """Without any crash: one write, of the approved number, conditional on what was just seen (I1, I8)."""
    with restarted() as world:
        work_to_the_end(world, approved.id)

        assert_landed_once(world, cluster, approved)
    (write,) = cluster.mutating_calls()
    sent = json.loads(write.body)
    assert sent["spec"] == {"replicas": 6}
    assert set(sent["metadata"]) == {"uid", "resourceVersion"}
