"""The target's lock: held from the start until nothing of it can land any more, and never for watching."""

from datetime import timedelta
from types import SimpleNamespace

import pytest

from approvals.ports.cluster import Came, Reply
from approvals.ports.journey import Milestone
from approvals.usecases.execution.start import _who_has_the_target
from approvals.verbs.verb import Effect
from approvals.workflow.execution import LEASE, Phase, Reason
from approvals.workflow.pause import Scope, ScopeKind
from approvals.workflow.request import Answer
from tests.builders import ADA, BORIS, a_target, a_token, a_workload, an_action, an_execution
from tests.fakes.journey import Crash, CrashesAt
from tests.usecases.looks import execution_of, held_targets, kinds, stands

ALL = Scope(kind=ScopeKind.ALL)
NINE = an_action(replicas=9)


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


def lost(world):
    """Let one change of the target be sent, and nobody know whether it landed; return its request."""
    request = world.answers(world.pending("first")).request
    world.cluster.replies = [Reply(came=Came.LOST, message="The reply was lost.")]
    with pytest.raises(Crash):
        world.restarted(journey=CrashesAt(Milestone.OUTCOME)).execute()
    world.cluster.somebody_scales(4)
    return request


def waits_for(request):
    """Return the reason of a change that waits for one of which nobody knows whether it landed."""
    return f"It is not known yet whether {request.id}, another change of the same target, has landed."


def test_what_may_have_landed_keeps_its_target(world, instant):
    """Another change of the same target waits, names what it waits for, and takes its turn when a person has closed that."""
    first = lost(world)
    second = world.answers(world.pending("second", action=NINE)).request
    world.execute()
    waiting = stands(world, second)

    world.abandon(first.id, account="os:olga", reason="It runs with 4.")
    instant.pass_by(timedelta(seconds=5))
    world.execute()

    assert waiting == (Phase.QUEUED, None, waits_for(first))
    assert execution_of(world, second).state is Phase.APPLIED
    assert world.cluster.checkout()["spec"]["replicas"] == 9


def test_a_change_whose_turn_does_not_come_lapses(world, instant):
    """Waiting for a target does not lengthen an approval (T-TIME-07); it is one event, and its end still says for what."""
    first = lost(world)
    second = world.answers(world.pending("second", action=NINE)).request

    for _ in range(181):
        world.execute()
        instant.pass_by(timedelta(seconds=5))

    lapsed = f"The approval lapsed before it could start. It waited: {waits_for(first)}"
    assert stands(world, second) == (Phase.VOIDED, Reason.LAPSED, lapsed)
    assert kinds(world, second)[3:] == [
        "execution.queued",
        "execution.claimed",
        "execution.retried",
        "execution.voided",
    ]
    assert len(world.cluster.sent) == 1


@pytest.fixture
def rolling(world):
    """A world in which the agent's first change of the target has landed and rolls out on: from 3 to 6 against a quota."""
    world.cluster.rolling = True
    world.answers(world.pending("first", action=an_action()))
    world.execute()
    return world


def execution_under(world, key):
    """Return the execution of what the agent asked under *key*."""
    with world.store.reading() as reading:
        request = reading.standing("scaler", key).asked
        return reading.execution_of(request.id)


def test_a_lock_for_writing_is_none_for_watching(rolling):
    """The target is free as soon as nothing of the change can land any more, however long it rolls out."""
    execution = execution_under(rolling, "first")

    assert (execution.state, execution.effect, held_targets(rolling)) == (Phase.APPLIED, Effect.IN_PROGRESS, [])


def test_the_way_back_starts_at_once(rolling):
    """A rollout that stands still does not hold up the approved change that undoes it; it ends as overtaken by it."""
    back = rolling.answers(rolling.pending("back", action=an_action(replicas=2))).request

    rolling.execute()

    first, second = execution_under(rolling, "first"), execution_of(rolling, back)
    told = f"{back.id}, a newer change of the same target, was applied before it had finished."
    assert (second.state, second.effect) == (Phase.APPLIED, Effect.IN_PROGRESS)
    assert (first.state, first.effect, first.message) == (Phase.APPLIED, Effect.OVERTAKEN, told)
    assert rolling.cluster.checkout()["spec"]["replicas"] == 2


@pytest.mark.parametrize(
    "reply",
    [
        Reply(came=Came.REJECTED, status=422, message="Invalid."),
        Reply(came=Came.BUSY, status=429, message="busy"),
        Reply(came=Came.NOT_SENT, message="No connection."),
    ],
    ids=["refused", "busy", "not sent"],
)
def test_a_newer_change_that_did_not_land_ends_no_watch(reply, rolling, instant):
    """Only what is itself applied overtakes an older change."""
    rolling.answers(rolling.pending("back", action=an_action(replicas=2)))
    rolling.cluster.replies = [reply]

    rolling.execute()

    assert execution_under(rolling, "first").effect is Effect.IN_PROGRESS


def test_a_newer_change_that_is_read_back_overtakes_as_well(rolling):
    """The second road to "applied" ends the older watch like the first (I2)."""
    rolling.answers(rolling.pending("back", action=an_action(replicas=2)))
    rolling.cluster.lose_next_reply = True

    rolling.execute()

    assert execution_under(rolling, "back").state is Phase.APPLIED
    assert execution_under(rolling, "first").effect is Effect.OVERTAKEN


def test_what_rolls_out_elsewhere_is_not_overtaken(rolling):
    """The same name in a target made anew, or another workload, is another target."""
    other = a_workload(name="other")
    other["metadata"]["uid"] = "uid-of-other"
    rolling.cluster.objects["Deployment", "shop", "other"] = other
    rolling.answers(rolling.pending("other", action=an_action(target=a_target(name="other"), replicas=6)))

    rolling.execute()

    assert execution_under(rolling, "other").state is Phase.APPLIED
    assert execution_under(rolling, "first").effect is Effect.IN_PROGRESS


@pytest.mark.parametrize(
    "milestones", [(Milestone.ARMED,), (Milestone.ARMED, Milestone.CLAIMED)], ids=["armed", "claimed"]
)
def test_what_waits_for_a_change_that_is_starting_says_so(milestones, world, instant):
    """The process of the first died before it sent a byte: the second says whose end it waits for, and that no byte has left."""
    first = world.pending("first")
    world.answers(first)
    for number, milestone in enumerate(milestones):
        if number:
            instant.pass_by(LEASE)
        with pytest.raises(Crash):
            world.restarted(journey=CrashesAt(milestone)).execute()
    second = world.pending("second", action=NINE)
    world.answers(second)

    world.execute.look_at(execution_of(world, second).id)

    assert stands(world, second) == (
        Phase.QUEUED,
        None,
        f"{first.id}, another change of the same target, is starting.",
    )


def test_a_target_given_back_meanwhile_is_told_as_that():
    """Its holder ended between the look for the lock and the look for the holder: nothing is blamed that no longer is."""
    gone = SimpleNamespace(under_way_on=lambda *_: ())

    assert _who_has_the_target(gone, an_execution()) == "Another change of the same target was under way."
