"""Following: the effect of what has landed is looked at until it ends; what rolls out on keeps nothing else waiting."""

from datetime import timedelta

import pytest

from approvals.errors import Unavailable
from approvals.ports.cluster import Came, Reply, Surroundings
from approvals.ports.journey import Milestone
from approvals.verbs.verb import Effect
from approvals.workflow.execution import Phase
from tests.builders import MINUTE, a_target, a_workload, an_action
from tests.fakes.journey import Crash, CrashesAt
from tests.usecases.looks import execution_of, held_targets, kinds

SECOND = timedelta(seconds=1)


def a_rollout(world, name="checkout"):
    """Let a change of the workload *name* land, whose pods do not come up; return its request."""
    world.cluster.rolling = True
    workload = a_workload(name=name)
    workload["metadata"]["uid"] = f"uid-of-{name}"
    world.cluster.objects["Deployment", "shop", name] = workload
    request = world.pending(name, action=an_action(target=a_target(name=name), replicas=6))
    world.answers(request)
    world.execute()
    return request


def look_again(world, instant):
    """Let a second pass, and look at what is due."""
    instant.pass_by(SECOND)
    world.execute()


def finish(world):
    """Let the rollout of ``shop/checkout`` end."""
    counts = dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas", "readyReplicas"), 6)
    world.cluster.checkout()["status"] = {"observedGeneration": 5, **counts}


def test_a_rollout_is_followed_to_its_end(world, instant):
    """Each thing that is new about it is one event; when it is done, the target is free and nobody looks any more."""
    request = a_rollout(world)
    look_again(world, instant)
    look_again(world, instant)
    finish(world)
    look_again(world, instant)
    look_again(world, instant)

    execution = execution_of(world, request)
    assert (execution.state, execution.effect, held_targets(world)) == (Phase.APPLIED, Effect.VERIFIED, [])
    assert kinds(world, request)[-3:] == ["execution.applied", "execution.effect", "execution.effect"]
    assert world.execute() == 0


def test_rollouts_that_stand_still_keep_nothing_else_waiting(world, instant):
    """However many rollouts are stuck, a change that is approved now is looked at now (I13)."""
    for name in ("one", "two", "three"):
        a_rollout(world, name)
    for _ in range(3):
        look_again(world, instant)
    request = world.pending()
    world.answers(request)

    world.execute(limit=3)

    assert execution_of(world, request).state is Phase.APPLIED


def test_a_rollout_that_stands_still_is_looked_at_every_second(world, instant):
    """Not at every tick of the worker, and never forgotten."""
    a_rollout(world)
    look_again(world, instant)
    look_again(world, instant)

    due = [world.execute(), world.execute()]
    instant.pass_by(SECOND)

    assert (due, world.execute()) == ([0, 0], 1)


def test_a_cluster_that_cannot_be_asked_ends_no_rollout(world, instant):
    """Not knowing how far it is is not its failure."""
    request = a_rollout(world)
    world.cluster.down = True
    look_again(world, instant)
    execution = execution_of(world, request)
    world.cluster.down = False
    finish(world)
    look_again(world, instant)

    told = "How far it is cannot be told. The cluster does not answer."
    assert (execution.effect, execution.message) == (Effect.IN_PROGRESS, told)
    assert execution_of(world, request).effect is Effect.VERIFIED


def test_a_target_that_goes_while_it_rolls_out_has_failed(world, instant):
    """A failure is believed when it is seen twice."""
    request = a_rollout(world)
    world.cluster.objects.clear()
    look_again(world, instant)
    once = execution_of(world, request).effect
    look_again(world, instant)

    execution = execution_of(world, request)
    assert once is Effect.IN_PROGRESS
    assert (execution.effect, execution.message) == (Effect.FAILED, "The target is gone.")


def test_somebody_elses_number_is_said(world, instant):
    """What somebody set back is not what was approved, and the card says so."""
    request = a_rollout(world)
    world.cluster.somebody_scales(2)
    world.cluster.checkout()["metadata"]["uid"] = "uid-of-checkout"
    look_again(world, instant)
    look_again(world, instant)

    execution = execution_of(world, request)
    told = "Somebody else has set it to 2 pods since."
    assert (execution.effect, execution.message) == (Effect.UNDONE, told)


def test_what_holds_a_rollout_up_is_said(world, instant):
    """The cluster's own reason, in our words, as soon as it is there: nobody has to wait for a deadline to learn of a quota."""
    request = a_rollout(world)
    message = 'pods "x" is forbidden: exceeded quota: few, requested: pods=1, used: pods=3, limited: pods=3'
    failure = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message}
    world.cluster.checkout()["status"] = {
        "observedGeneration": 5,
        **dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas"), 3),
        "conditions": [failure],
    }

    look_again(world, instant)

    execution = execution_of(world, request)
    told = "3 of 6 pods ready. The namespace's quota few leaves no room for more pods."
    assert (execution.effect, execution.message) == (Effect.IN_PROGRESS, told)


def test_a_rollout_is_given_up_at_its_deadline(world, instant):
    """A quarter of an hour is enough: it is said that it was not finished, not that it failed."""
    request = a_rollout(world)
    instant.pass_by(15 * MINUTE)

    world.execute()

    execution = execution_of(world, request)
    assert execution.effect is Effect.TIMED_OUT
    assert execution.message.startswith("Not finished when we stopped looking.")


def test_two_workers_that_follow_one_effect_end_it_once(world, instant):
    """A look that was taken before the effect ended has nothing to say any more."""
    request = a_rollout(world)
    finish(world)
    instant.pass_by(SECOND)
    observe = world.cluster.observe

    def while_another_is_faster(**asked):
        world.cluster.observe = observe
        world.execute()
        return observe(**asked)

    world.cluster.observe = while_another_is_faster
    world.execute()

    assert kinds(world, request).count("execution.effect") == 1
    assert [one for one, _ in world.journey.reached_so_far].count(Milestone.EFFECT) == 1


def test_an_execution_that_is_over_or_unknown_is_left_alone(world):
    """Looking at what has ended, or never was, changes nothing."""
    request = world.answers(world.pending()).request
    world.execute()
    world.execute()
    before = kinds(world, request)

    world.execute.look_at(execution_of(world, request).id)
    world.execute.look_at("exe_none")

    assert kinds(world, request) == before


def test_a_healthy_rollout_may_take_its_time(world, instant):
    """18 minutes, one pod after another: it is followed while it moves, and is done at its end."""
    request = a_rollout(world)
    world.cluster.checkout()["status"] = {"observedGeneration": 5, "replicas": 6, "updatedReplicas": 6}
    for minute in range(18):
        world.cluster.checkout()["status"]["availableReplicas"] = minute // 4
        instant.pass_by(MINUTE)
        world.execute()
        assert execution_of(world, request).effect is Effect.IN_PROGRESS
    finish(world)
    instant.pass_by(MINUTE)
    world.execute()

    assert execution_of(world, request).effect is Effect.VERIFIED


def test_a_rollout_that_was_given_up_is_done_at_last(world, instant):
    """Late truth corrects the card: hours after it was given up, the cluster makes room for it."""
    request = a_rollout(world)
    instant.pass_by(15 * MINUTE)
    world.execute()
    given_up = execution_of(world, request).effect
    for _ in range(3):
        instant.pass_by(60 * MINUTE)
        world.execute()
    before = kinds(world, request)
    finish(world)
    instant.pass_by(MINUTE)
    world.execute()

    assert given_up is Effect.TIMED_OUT
    assert (execution_of(world, request).effect, execution_of(world, request).message) == (
        Effect.VERIFIED,
        "All 6 pods ready.",
    )
    assert kinds(world, request) == [*before, "execution.effect"]


def test_nobody_looks_for_ever(world, instant):
    """A day after the write what was given up is left alone."""
    a_rollout(world)
    instant.pass_by(15 * MINUTE)
    world.execute()
    instant.pass_by(24 * 60 * MINUTE)
    world.execute()
    instant.pass_by(24 * 60 * MINUTE)

    assert world.execute() == 0


def done(world, instant):
    """Let a change of ``shop/checkout`` land and be done; return its request."""
    request = world.answers(world.pending("done", action=an_action(replicas=6))).request
    world.execute()
    look_again(world, instant)
    assert execution_of(world, request).effect is Effect.VERIFIED
    return request


def test_an_undo_within_a_minute_of_done_is_said(world, instant):
    """An autoscaler or a GitOps controller sets it back: done is corrected, once."""
    request = done(world, instant)
    world.cluster.somebody_scales(3)
    for _ in range(6):
        instant.pass_by(10 * SECOND)
        world.execute()

    execution = execution_of(world, request)
    assert (execution.effect, execution.message) == (Effect.UNDONE, "Somebody else has set it to 3 pods since.")
    assert kinds(world, request).count("execution.effect") == 2
    assert world.execute() == 0


def test_what_is_done_is_left_alone_after_a_minute(world, instant):
    """What somebody does later is no news about this change."""
    request = done(world, instant)
    for _ in range(7):
        instant.pass_by(10 * SECOND)
        world.execute()
    world.cluster.somebody_scales(3)
    instant.pass_by(10 * SECOND)

    assert world.execute() == 0
    assert execution_of(world, request).effect is Effect.VERIFIED


def test_our_own_next_change_is_no_undo(world, instant):
    """Somebody approves another number within the minute: what was done before was done."""
    first = done(world, instant)
    second = world.answers(world.pending("next", action=an_action(replicas=2))).request
    world.execute()
    for _ in range(6):
        instant.pass_by(10 * SECOND)
        world.execute()

    assert (execution_of(world, first).effect, execution_of(world, second).effect) == (
        Effect.VERIFIED,
        Effect.VERIFIED,
    )


def test_a_watch_that_cannot_look_waits(world, instant):
    """The cluster is down while it is watched whether what is done stays so: done stays told, and no tick is spent on it."""
    request = done(world, instant)
    world.cluster.down = True
    instant.pass_by(10 * SECOND)
    world.execute()

    assert world.execute() == 0
    assert execution_of(world, request).effect is Effect.VERIFIED


NO_ROOM = {"type": "PodScheduled", "status": "False", "message": "0/2 nodes are available: 2 Insufficient cpu."}
UNPLACED = {"metadata": {}, "status": {"phase": "Pending", "conditions": [NO_ROOM]}}


def test_what_stands_around_a_rollout_tells_why_it_stands(world, instant):
    """Its pods and the warnings about it, where its own conditions say nothing."""
    request = a_rollout(world)
    world.cluster.around = Surroundings(pods=(UNPLACED,))
    for _ in range(4):
        look_again(world, instant)

    assert execution_of(world, request).message.endswith("No node has enough cpu left for the pods.")


@pytest.mark.parametrize("fault", [Unavailable("No.", code="observer_refused"), KeyError("uid")])
def test_a_reason_that_cannot_be_read_costs_the_reason_alone(world, instant, fault):
    """The rollout is followed on, to its end."""
    request = a_rollout(world)
    world.cluster.around = fault
    for _ in range(4):
        look_again(world, instant)
    standing = execution_of(world, request)
    finish(world)
    look_again(world, instant)

    assert (standing.effect, standing.doubted, world.cluster.asked_around > 0) == (Effect.IN_PROGRESS, False, True)
    assert execution_of(world, request).effect is Effect.VERIFIED


def test_pods_are_asked_only_about_what_stands_still(world, instant):
    """While pods come up, nobody lists them."""
    a_rollout(world)
    for number in range(5):
        world.cluster.checkout()["status"] = {"observedGeneration": 5, "replicas": 6, "availableReplicas": number}
        instant.pass_by(MINUTE)
        world.execute()

    assert world.cluster.asked_around == 0


def test_another_field_that_is_set_back_is_said(world, instant):
    """What the write changed is what counts, also what admission changed with it; our own mark is nobody's loss."""
    world.cluster.admission = {"metadata": {"labels": {"tier": "gold"}}}
    request = world.answers(world.pending("done", action=an_action(verb="restart"))).request
    world.execute()
    look_again(world, instant)
    verified = execution_of(world, request).effect
    metadata = world.cluster.checkout()["metadata"]
    del metadata["annotations"]["countersign.dev/request-id"]
    instant.pass_by(10 * SECOND)
    world.execute()
    unmarked = execution_of(world, request).effect
    metadata["labels"]["tier"] = "none"
    instant.pass_by(10 * SECOND)
    world.execute()

    execution = execution_of(world, request)
    assert (verified, unmarked) == (Effect.VERIFIED, Effect.VERIFIED)
    told = "Somebody else has changed what it set since: /metadata/labels/tier."
    assert (execution.effect, execution.message) == (Effect.UNDONE, told)


def test_an_undo_is_not_told_while_our_own_change_may_have_landed(world, instant):
    """What looks like somebody's may be ours: nobody is blamed until a person has closed what nobody knows."""
    request = done(world, instant)
    other = world.answers(world.pending("other", action=an_action(replicas=4))).request
    world.cluster.replies = [Reply(came=Came.LOST, message="The reply was lost.")]
    with pytest.raises(Crash):
        world.restarted(journey=CrashesAt(Milestone.OUTCOME)).execute()
    world.cluster.somebody_scales(5)
    instant.pass_by(10 * SECOND)
    world.execute()
    for _ in range(3):
        instant.pass_by(10 * SECOND)
        world.execute()
    meanwhile = execution_of(world, other).state, execution_of(world, request).effect
    world.abandon(other.id, account="os:olga", reason="Nobody knows.")
    instant.pass_by(10 * SECOND)
    world.execute()

    execution = execution_of(world, request)
    assert meanwhile == (Phase.UNKNOWN, Effect.VERIFIED)
    assert (execution.effect, execution.message) == (Effect.UNDONE, "Somebody else has set it to 5 pods since.")
