"""T-RACE-02: people approve and deny one request at once, on separate connections, round after round: one outcome each (I3)."""

import random
from functools import partial

import pytest

from approvals.errors import Refused
from approvals.workflow.request import Answer, State
from bot.clock import new_id, utc_now
from tests.builders import ADA, BORIS, ELI, a_policy, a_rule, an_approver_set, an_asking
from tests.fakes.cluster import FakeCluster
from tests.usecases.looks import execution_of, kinds, votes_on
from tests.usecases.product import assert_sound
from tests.usecases.test_races import ROUNDS, at_once, within
from tests.world import FixedPolicies, World

pytestmark = [pytest.mark.postgres, pytest.mark.slow, pytest.mark.usefixtures("uncounted")]

ENDS = {"request.approved", "request.denied"}


@pytest.fixture
def world(postgres_store):
    """A world on PostgreSQL in which two of three people have to approve."""
    policy = a_policy(
        rules=(a_rule(asking=an_asking(quorum=2)),),
        approver_sets={"platform": an_approver_set(accounts=(ADA, BORIS, ELI))},
    )
    cluster = FakeCluster.with_checkout(now=utc_now)
    return World(postgres_store, cluster=cluster, policies=FixedPolicies(policy), new_id=new_id).settled()


def test_t_race_02_one_outcome_whoever_is_faster(world):
    """A denial ends it, before the quorum or right after it; whoever came too late is told so; nothing is sent."""
    seen, chance = set(), random.Random(4)

    for number in range(ROUNDS):
        request = world.pending(f"key-{number}")
        by_ada, by_boris, by_eli, again = at_once(
            partial(world.answers, request, ADA),
            partial(world.answers, request, BORIS),
            within(0.05, partial(world.answers, request, ELI, Answer.DENY), chance),
            partial(world.answers, request, ADA),
        )
        ends = [kind for kind in kinds(world, request) if kind in ENDS]
        seen.add(tuple(ends))
        assert world.request(request).state is State.DENIED
        assert not isinstance(by_eli, Refused)
        assert all(one.code == "already_decided" for one in (by_ada, by_boris, again) if isinstance(one, Refused))
        assert votes_on(world, request)[ELI] == "deny"
        if "request.approved" in ends:
            assert execution_of(world, request).reason == "denied"

    world.execute(limit=ROUNDS)
    assert seen == {("request.denied",), ("request.approved", "request.denied")}, "one order never came about"
    assert world.cluster.sent == []
    assert_sound(world.store)
