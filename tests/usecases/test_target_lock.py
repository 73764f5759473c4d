"""The target's lock: held from the start to the end of the effect, through everything unknown, and never a moment longer."""

from datetime import timedelta

import pytest

from approvals.execution import LEASE, Phase, Reason
from approvals.pause import Scope, ScopeKind
from approvals.ports import Came, Milestone, Reply
from approvals.request import Answer
from approvals.verb import Effect
from tests.builders import ADA, BORIS, MINUTE, a_policy, a_rule, a_token, an_action, an_asking
from tests.fakes.journey import Crash, CrashesAt
from tests.usecases.looks import execution_of, held_targets, stands

ALL = Scope(kind=ScopeKind.ALL)
NINE = an_action(replicas=9)
WAITS = "Another change of the same target is under way."


def deny(world, request):
    """Let Boris deny."""
    world.answers(request, BORIS, Answer.DENY)


def cancel(world, request):
    """Let the agent take it back."""
    world.cancel(request.id, token=a_token())


def pause(world, request):
    """Let Ada stop everything, and two people resume it."""
    engaged = world.pause(ALL, account=ADA, duration=None, reason="")
    for account in (ADA, BORIS):
        world.resume(engaged.pause.id, account=account, reason="")


STOPS = {"denied": deny, "taken back": cancel, "paused": pause}


def busy(world, request, instant):
    """Let the API server be too busy to take the write on."""
    world.cluster.replies = [Reply(came=Came.BUSY, status=429, message="busy")]
    world.execute()


def crashed(world, request, instant):
    """Let the process die once after the start record, and once more after the claim that follows."""
    for milestone in (Milestone.ARMED, Milestone.CLAIMED):
        with pytest.raises(Crash):
            world.restarted(journey=CrashesAt(milestone)).execute()
        instant.pass_by(LEASE)


@pytest.mark.parametrize("before", [busy, crashed], ids=["after a busy server", "after crashes"])
@pytest.mark.parametrize("stop", STOPS.values(), ids=STOPS)
def test_what_is_stopped_after_it_was_armed_frees_its_target(stop, before, world, instant):
    """Stopping an execution that had held its target, and never sent a byte of it, lets the next change of it start."""
    first = world.pending("first")
    world.answers(first)
    before(world, first, instant)

    stop(world, first)
    second = world.pending("second")
    world.answers(second)
    world.execute()

    assert execution_of(world, first).state is Phase.VOIDED
    assert execution_of(world, second).state is Phase.APPLIED


def test_a_start_that_waits_for_its_turn_holds_no_target(world):
    """Where provably nothing was sent, the target is free while the execution waits."""
    request = world.pending()
    world.answers(request)
    world.cluster.replies = [Reply(came=Came.BUSY, status=429, message="busy")]

    world.execute()

    assert stands(world, request) == (Phase.QUEUED, None, "busy")
    assert held_targets(world) == []


@pytest.fixture
def rolling(make_world):
    """A world in which one change of the target has landed and rolls out on, and approvals last five minutes."""
    asking = an_asking(valid_for=5 * MINUTE)
    world = make_world(a_policy(rules=(a_rule(asking=asking),)))
    world.cluster.rolling = True
    world.answers(world.pending("first"))
    world.execute()
    return world


def test_a_second_change_of_a_target_waits_until_the_first_has_ended(rolling, instant):
    """A start that finds the target taken goes back to the queue, and takes its turn when the first effect has ended."""
    second = rolling.pending("second", action=NINE)
    rolling.answers(second)

    rolling.execute()
    waiting = stands(rolling, second)
    rolling.cluster.checkout()["status"] |= {"observedGeneration": 5, "replicas": 6, "updatedReplicas": 6}
    rolling.cluster.checkout()["status"] |= {"availableReplicas": 6, "readyReplicas": 6}
    for _ in range(3):
        instant.pass_by(timedelta(seconds=5))
        rolling.execute()

    assert waiting == (Phase.QUEUED, None, WAITS)
    assert execution_of(rolling, second).state is Phase.APPLIED
    assert rolling.cluster.checkout()["spec"]["replicas"] == 9


def test_a_change_whose_turn_does_not_come_lapses(rolling, instant):
    """Waiting for a target does not lengthen an approval (T-TIME-07)."""
    second = rolling.pending("second", action=NINE)
    rolling.answers(second)

    for _ in range(6):
        rolling.execute()
        instant.pass_by(MINUTE)

    assert stands(rolling, second) == (Phase.VOIDED, Reason.LAPSED, "The approval lapsed before it could start.")
    assert len(rolling.cluster.sent) == 1


def test_a_rollout_that_does_not_end_frees_its_target_at_its_deadline(rolling, instant):
    """An effect is followed for a quarter of an hour and not for ever."""
    (holder,) = held_targets(rolling)

    instant.pass_by(15 * MINUTE)
    rolling.execute()

    with rolling.store.reading() as reading:
        assert reading.execution(holder).effect is Effect.TIMED_OUT
    assert held_targets(rolling) == []
