"""Races, forced on PostgreSQL: two verbs at once on separate connections, many rounds each; none lost, none doubled.

A barrier lets both begin together; the rules about locks and instants must hold whichever is faster. The planted wrong form
shows that the checks bite.
"""

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import text

from approvals.errors import Refused, Unavailable
from approvals.policy.policy import Policy
from approvals.workflow.execution import Phase, Reason
from approvals.workflow.pause import Scope, ScopeKind
from approvals.workflow.request import Answer, Request, State
from bot.clock import new_id, utc_now
from tests.builders import ADA, BORIS, a_policy, a_rule, a_timeout, an_asking
from tests.fakes.cluster import FakeCluster
from tests.usecases.replay import differences
from tests.world import FixedPolicies, World

pytestmark = [pytest.mark.postgres, pytest.mark.slow, pytest.mark.usefixtures("uncounted")]

ROUNDS = 300
QUARTER = timedelta(minutes=15)


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """Let *acts* begin together, each in its own thread, and return what each returned, or the refusal that it raised.

    What the store cannot take just now (a machine that stands still ends the transaction) is tried again, as people do.
    """
    barrier = Barrier(len(acts))

    def run(act: Callable[[], Any]) -> Any:
        barrier.wait(10)
        until = time.monotonic() + 60
        while True:
            try:
                return act()
            except Unavailable as refusal:
                if time.monotonic() > until:
                    return refusal
                time.sleep(0.1)
            except Refused as refusal:
                return refusal

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def within(seconds: float, act: Callable[[], Any], chance: random.Random) -> Callable[[], Any]:
    """Let *act* begin at a random instant of the next *seconds*, so that either of two comes first in some rounds."""
    wait = chance.uniform(0, seconds)

    def run() -> Any:
        time.sleep(wait)
        return act()

    return run


def quorum(number: int, timeout: timedelta = QUARTER) -> Policy:
    """Return a policy whose one rule asks that many people, and gives them that long."""
    asking = an_asking(quorum=number, timeout=a_timeout(default=timeout, least=timedelta(0), most=timeout))
    return a_policy(rules=(a_rule(asking=asking),))


@pytest.fixture
def make_world(postgres_store):
    """Give worlds over one PostgreSQL store, with a cluster that runs ``shop/checkout``."""

    def make(policy: Policy | None = None) -> World:
        return World(
            postgres_store,
            cluster=FakeCluster.with_checkout(now=utc_now),
            policies=FixedPolicies(policy or quorum(1)),
            new_id=new_id,
        ).settled()

    return make


def execution_of(world: World, request: Request):
    """Return the request's execution, if there is one."""
    with world.store.reading() as reading:
        return reading.execution_of(request.id)


def lost_quorums(world: World, vote: Callable[[Request, str], object], *, rounds: int) -> int:
    """Return in how many rounds two people's simultaneous votes did not make a quorum of two, though both stand."""
    lost = 0
    for number in range(rounds):
        request = world.pending(f"key-{number}")
        at_once(partial(vote, request, ADA), partial(vote, request, BORIS))
        with world.store.reading() as reading:
            votes = reading.votes(request.id)
        if len(votes) == 2 and world.request(request).state is State.PENDING:
            lost += 1
    return lost


def test_vote_and_vote(make_world):
    """Two people's votes at once make their quorum, always, and queue exactly one execution."""
    world = make_world(quorum(2))

    lost = lost_quorums(world, world.answers, rounds=ROUNDS)

    with world.store.database.reading() as connection:
        states = dict(connection.execute(text("SELECT state, count(*) FROM escalations GROUP BY state")).all())
        queued = connection.execute(text("SELECT count(*), count(DISTINCT escalation) FROM executions")).one()
    assert (lost, states, tuple(queued)) == (0, {"approved": ROUNDS}, (ROUNDS, ROUNDS))
    assert differences(world.store) == []


def test_the_planted_wrong_form_is_caught(make_world):
    """Counting the quorum inside the writing statement loses quorums: the check of the test above sees it."""
    world = make_world(quorum(2))
    one_clever_statement = text(
        """
        WITH said AS (
            INSERT INTO votes (id, escalation, person, account, answer, via, at, epoch, fingerprint, render_hash,
                               remembered)
            VALUES (:id, :request, :account, :account, 'approve', 'slack', 0, 0, :fingerprint, :render_hash, false)
            RETURNING escalation
        )
        UPDATE escalations
        SET state = 'approved', revision = revision + 1, decided_at = asked_at, valid_until = deadline
        WHERE id = :request AND state = 'pending'
          AND (SELECT count(DISTINCT person) FROM votes WHERE escalation = :request AND voided_at IS NULL) + 1 >= 2
        """
    )

    def clever(request: Request, account: str) -> None:
        values = {
            "id": new_id("vote"),
            "request": request.id,
            "account": account,
            "fingerprint": request.fingerprint,
            "render_hash": request.render_hash,
        }
        with world.store.database.writing() as connection:
            connection.execute(one_clever_statement, values)

    assert lost_quorums(world, clever, rounds=30) > 0


def test_vote_and_expire(make_world):
    """A vote at the deadline is either in time or late, never both: one outcome, and no vote counts after its deadline (I3)."""
    world = make_world(quorum(1, timeout=timedelta(milliseconds=60)))
    chance = random.Random(1)
    outcomes = {State.APPROVED: 0, State.EXPIRED: 0}

    for number in range(ROUNDS):
        request = world.pending(f"key-{number}")

        def sweep(one: Request = request) -> None:
            until = time.monotonic() + 5
            while world.request(one).state is State.PENDING and time.monotonic() < until:
                world.expire()

        at_once(within(0.08, partial(world.answers, request), chance), sweep)
        after = world.request(request)
        outcomes[after.state] += 1
        assert after.deadline is not None
        assert after.decided_at is not None
        assert (after.decided_at < after.deadline) is (after.state is State.APPROVED)
        assert (execution_of(world, request) is not None) is (after.state is State.APPROVED)

    assert sum(outcomes.values()) == ROUNDS
    assert min(outcomes.values()) > 0, "the window was missed: every round ended the same way"
    assert differences(world.store) == []


def resume(world: World, pause_id: str) -> None:
    """Let two people end a pause."""
    for account in (ADA, BORIS):
        world.resume(pause_id, account=account, reason="")


SCALER = Scope(kind=ScopeKind.AGENT, name="scaler")


def engaged_by_ada(world: World) -> Callable[[], Any]:
    """Return the act of pausing the one agent there is."""
    return partial(world.pause, SCALER, account=ADA, duration=None, reason="")


def test_vote_and_pause(make_world):
    """What was approved before or beside a pause never runs, neither during it nor after its resume (I4)."""
    world, chance = make_world(), random.Random(2)
    approved = 0

    for number in range(ROUNDS):
        request = world.pending(f"key-{number}")
        _, engaged = at_once(
            within(0.01, partial(world.answers, request), chance),
            within(0.01, engaged_by_ada(world), chance),
        )
        world.execute()
        resume(world, engaged.pause.id)
        world.execute()
        execution = execution_of(world, request)
        assert execution is None or (execution.state, execution.reason) == (Phase.VOIDED, Reason.PAUSED)
        if execution is None:
            world.answers(request, BORIS, Answer.DENY)
        else:
            approved += 1

    assert 0 < approved < ROUNDS, "every round ended the same way"
    assert world.cluster.sent == []
    assert differences(world.store) == []


def test_pause_and_start(make_world):
    """Each start lies wholly before the pause or does not happen: judged by the epoch that it carries, and by instants (I4)."""
    world, chance = make_world(), random.Random(3)
    started = 0

    for number in range(ROUNDS):
        world.cluster.somebody_scales(3)
        request = world.pending(f"key-{number}")
        world.answers(request)
        execution = execution_of(world, request)
        _, engaged = at_once(
            partial(world.execute.look_at, execution.id),
            within(0.05, engaged_by_ada(world), chance),
        )
        world.execute()
        after = execution_of(world, request)
        with world.store.reading() as reading:
            attempt = reading.last_attempt(after.id)
        if after.state is Phase.APPLIED:
            started += 1
            assert attempt.epoch < engaged.pause.engaged_epoch
            assert attempt.sending_at <= engaged.pause.engaged_at
        else:
            assert (after.state, after.reason) == (Phase.VOIDED, Reason.PAUSED)
            assert attempt is None or attempt.epoch < engaged.pause.engaged_epoch
        resume(world, engaged.pause.id)

    assert 0 < started < ROUNDS, "every round ended the same way"
    assert len(world.cluster.sent) == started
    assert differences(world.store) == []


def test_deny_and_start(make_world):
    """A denial either comes before the start and nothing is sent, or after it and says so: never both, never neither."""
    world, chance = make_world(), random.Random(3)
    started = 0

    for number in range(ROUNDS):
        world.cluster.somebody_scales(3)
        request = world.pending(f"key-{number}")
        world.answers(request)
        execution = execution_of(world, request)
        _, denial = at_once(
            partial(world.execute.look_at, execution.id),
            within(0.05, partial(world.answers, request, BORIS, Answer.DENY), chance),
        )
        world.execute()
        after = execution_of(world, request)
        if isinstance(denial, Refused):
            started += 1
            assert denial.code == "already_started"
            assert (world.request(request).state, after.state) == (State.APPROVED, Phase.APPLIED)
        else:
            assert world.request(request).state is State.DENIED
            assert (after.state, after.reason) == (Phase.VOIDED, Reason.DENIED)

    assert 0 < started < ROUNDS, "every round ended the same way"
    assert len(world.cluster.sent) == started
    assert differences(world.store) == []


def test_start_and_start(make_world):
    """Two workers at one execution send it once (T-RACE-05)."""
    world = make_world()

    for number in range(ROUNDS):
        world.cluster.somebody_scales(3)
        request = world.pending(f"key-{number}")
        world.answers(request)
        execution = execution_of(world, request)
        at_once(partial(world.execute.look_at, execution.id), partial(world.execute.look_at, execution.id))
        world.execute()
        assert execution_of(world, request).state is Phase.APPLIED

    assert len(world.cluster.sent) == ROUNDS
    assert differences(world.store) == []


def test_start_and_start_on_one_target(make_world):
    """Two changes of one target are not under way together: the second waits and finds the target changed (I2, I9)."""
    world = make_world()

    for number in range(60):
        world.cluster.somebody_scales(3)
        first, second = world.pending(f"one-{number}"), world.pending(f"two-{number}")
        for request in (first, second):
            world.answers(request)
        looks = [execution_of(world, request) for request in (first, second)]
        at_once(*(partial(world.execute.look_at, look.id) for look in looks))
        states = sorted(execution_of(world, request).state for request in (first, second))
        assert states in ([Phase.APPLIED, Phase.QUEUED], [Phase.APPLIED, Phase.VOIDED])
        won = next(one for one in (first, second) if execution_of(world, one).state is Phase.APPLIED)
        for request in (first, second):
            if execution_of(world, request).state is Phase.QUEUED:
                world.answers(request, BORIS, Answer.DENY)
        world.execute()
        # One that was planned just before the other landed may still be sent; its precondition is what stops it.
        assert world.cluster.checkout()["spec"]["replicas"] == won.action.parameters["replicas"]

    assert differences(world.store) == []
