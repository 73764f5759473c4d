"""Starts that had to wait for a lock, on PostgreSQL: they are judged by what is true when they got it (I1, I4).

The wait is forced: somebody else holds the row, the start is seen to wait for it, something happens, the row is let go.
"""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import timedelta

import pytest

from approvals.identity.tokens import revoke
from approvals.workflow.execution import Phase, Reason
from tests.builders import MINUTE, a_policy, a_token, an_action
from tests.fakes.cluster import FakeCluster
from tests.usecases.conftest import StoreTime
from tests.usecases.looks import attempt_of, execution_of, held_targets, stands
from tests.usecases.product import assert_sound
from tests.waiting import wait_for_waiter
from tests.world import FixedPolicies, World

pytestmark = pytest.mark.postgres


@pytest.fixture
def instant(postgres_store):
    """The store's instant, to be moved by hand."""
    return StoreTime(postgres_store)


@pytest.fixture
def world(postgres_store, instant):
    """A world over PostgreSQL, whose books must be right at the end."""
    cluster = FakeCluster.with_checkout(now=instant)
    yield World(postgres_store, cluster=cluster, policies=FixedPolicies(a_policy())).settled()
    assert_sound(postgres_store)


@pytest.fixture
def approved(world):
    """The agent's question, approved; nothing of it has begun."""
    return world.answers(world.pending()).request


@pytest.fixture
def neighbour(world):
    """Another approved change of the same target, which has held it before."""
    request = world.answers(world.pending("neighbour", action=an_action(replicas=9))).request
    hold_and_give_back(world, execution_of(world, request))
    return execution_of(world, request)


def hold_and_give_back(world, execution):
    """Take the target's lock for *execution* and give it back."""
    with world.store.writing() as uow:
        assert uow.lock_target(execution)
        uow.release_target(execution)


@contextmanager
def waiting_start(world, request):
    """Let a worker look at the request's execution, and give control once it waits; its look has ended afterwards."""
    with ThreadPoolExecutor(1) as pool:
        look = pool.submit(world.execute.look_at, execution_of(world, request).id)
        wait_for_waiter(world.store)
        yield
    look.result(30)


@contextmanager
def start_behind_its_target(world, request, neighbour):
    """Give control while a start of *request* waits for its target, whose row *neighbour* is giving back."""
    with ExitStack() as held:
        uow = held.enter_context(world.store.writing())
        uow.lock_target(neighbour)
        uow.release_target(neighbour)
        with waiting_start(world, request):
            yield
            held.close()


def test_t_time_07_an_approval_that_lapses_behind_the_target_does_not_start(world, approved, neighbour, instant):
    """T-TIME-07: the instant is taken once the target is held, so the wait for it counts."""
    with start_behind_its_target(world, approved, neighbour):
        instant.pass_by(15 * MINUTE)

    assert stands(world, approved) == (Phase.VOIDED, Reason.LAPSED, "The approval lapsed before it could start.")
    assert (world.cluster.sent, held_targets(world)) == ([], [])


def test_t_race_06_a_start_record_is_dated_after_the_wait(world, approved, neighbour, instant):
    """T-RACE-06: from the start record to the send five seconds are left, however long the target was waited for."""
    with start_behind_its_target(world, approved, neighbour):
        instant.pass_by(timedelta(seconds=6))

    assert (execution_of(world, approved).state, attempt_of(world, approved).armed_at) == (Phase.APPLIED, instant())
    assert len(world.cluster.sent) == 1


REVOKED = (Phase.VOIDED, Reason.TOKEN_REVOKED, "The token it was asked with was revoked before it started.")


def test_a_token_revoked_while_a_start_waits_stops_it(world, approved, neighbour):
    """Nothing starts once its token's revocation has committed, whatever the start had been waiting for."""
    with start_behind_its_target(world, approved, neighbour):
        world.admit.revoke(a_token().id, by="os:olga")

    assert stands(world, approved) == REVOKED
    assert (world.cluster.sent, held_targets(world)) == ([], [])


def test_a_start_waits_for_a_revocation_that_is_being_written(world, approved):
    """A revocation that has not committed yet is waited for, and then it counts."""
    with ExitStack() as held:
        uow = held.enter_context(world.store.writing())
        uow.save(revoke(a_token(), now=uow.now, by="os:olga"))
        assert uow.token(a_token().id) is not None, "asked, so that the row is written"
        with waiting_start(world, approved):
            held.close()

    assert stands(world, approved) == REVOKED
    assert (world.cluster.sent, held_targets(world)) == ([], [])
