"""Setbacks: whatever goes wrong with one execution costs that one alone; it waits ever longer, says why, and ends."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from approvals.errors import Forbidden, Unavailable
from approvals.verbs.verb import Effect
from approvals.workflow.execution import Phase, Reason
from approvals.workflow.request import Answer
from tests.builders import BORIS, MINUTE, a_target, a_workload, an_action
from tests.usecases.looks import execution_of, held_targets, kinds, stands, tamper

SECOND = timedelta(seconds=1)
CANNOT_MINT = Forbidden("The bot may not mint a token of shop/countersign-observer (404 NotFound).", code="cannot_mint")
DEFECT = ValueError("something that nobody foresaw")
WAITED = "The approval lapsed before it could start. It waited: Countersign failed on it (ValueError)."


def raising(error):
    """Return a method that raises."""

    def method(*wish, **asked):
        raise error

    return method


def failing_for(method, error, name):
    """Return *method*, raising *error* for whatever concerns the workload *name*."""

    def one(*wish, **asked):
        about = wish[0].action if wish else asked["bound"]
        if about.target.name == name:
            raise error
        return method(*wish, **asked)

    return one


def approved(world, name):
    """Return the agent's approved change of a workload of its own."""
    workload = a_workload(name=name)
    workload["metadata"]["uid"] = f"uid-of-{name}"
    world.cluster.objects["Deployment", "shop", name] = workload
    action = an_action(target=a_target(name=name), replicas=6)
    return world.answers(world.pending(name, action=action)).request


def look_again(world, instant, *, wait=SECOND):
    """Let some time pass, and look at what is due."""
    instant.pass_by(wait)
    world.execute()


@pytest.mark.parametrize("error", [CANNOT_MINT, DEFECT, Unavailable("The cluster does not answer.")], ids=repr)
def test_rollouts_that_cannot_be_looked_at_keep_nothing_else_waiting(error, world, instant):
    """Nine of them, their namespace deleted: a change that is approved now is looked at now, and carried out."""
    world.cluster.rolling = True
    for number in range(9):
        approved(world, f"w{number}")
    world.execute()
    observe, world.cluster.observe = world.cluster.observe, raising(error)
    for _ in range(10):
        look_again(world, instant)
    request = approved(world, "now")

    world.execute(limit=8)

    assert execution_of(world, request).state is Phase.APPLIED
    world.cluster.observe = observe


def test_what_failed_never_stands_before_what_was_not_looked_at(world, instant):
    """However long the one has been due, the other comes first."""
    failed = approved(world, "failed")
    world.cluster.preview = failing_for(world.cluster.preview, DEFECT, "failed")
    world.execute()
    instant.pass_by(MINUTE)
    fresh = approved(world, "fresh")

    with world.store.reading() as reading:
        due = reading.due_executions(limit=8)

    assert due == (execution_of(world, fresh).id, execution_of(world, failed).id)


@pytest.mark.parametrize(
    ("method", "state"),
    [("preview", Phase.QUEUED), ("mint", Phase.QUEUED), ("send", Phase.UNKNOWN), ("observe", Phase.APPLIED)],
)
def test_a_fault_that_nobody_foresaw_costs_that_one_execution(method, state, world, instant):
    """It waits and says why; another change of another target is carried out in the same pass."""
    world.cluster.rolling = True
    first = approved(world, "failing")
    if method == "mint":
        good, world.cluster.mint = world.cluster.mint, raising(DEFECT)
        world.execute()
        world.cluster.mint = good
    else:
        setattr(world.cluster, method, failing_for(getattr(world.cluster, method), DEFECT, "failing"))
    second = approved(world, "sound")

    world.execute()
    look_again(world, instant)

    failed = execution_of(world, first)
    assert (failed.state, failed.message.endswith("Countersign failed on it (ValueError).")) == (state, True)
    assert held_targets(world) == ([failed.id] if state is Phase.UNKNOWN else [])
    assert execution_of(world, second).state is Phase.APPLIED


def test_waits_grow_and_a_restart_keeps_them(world, instant):
    """From seconds to minutes; each try is a look and no event."""
    request = approved(world, "failing")
    tries = []

    def fails(*wish, **asked):
        tries.append(round((instant() - began).total_seconds()))
        raise DEFECT

    world.cluster.preview, began = fails, instant()
    for _ in range(200):
        world.restarted().execute()
        instant.pass_by(SECOND)

    assert tries == [0, 5, 15, 35, 75, 155]
    assert kinds(world, request)[3:] == ["execution.queued", "execution.claimed", "execution.retried"]


def test_what_cannot_start_ends_with_its_approval(world, instant):
    """A look that never works does not keep an approval alive."""
    request = approved(world, "failing")
    world.cluster.preview = raising(DEFECT)
    for _ in range(20):
        look_again(world, instant, wait=MINUTE)

    assert stands(world, request) == (Phase.VOIDED, Reason.LAPSED, WAITED)
    assert world.execute() == 0


def test_a_person_can_end_what_cannot_start(world):
    """The way out of a wait is a denial."""
    request = approved(world, "failing")
    world.cluster.preview = raising(DEFECT)
    world.execute()

    world.answers(request, BORIS, Answer.DENY)

    assert stands(world, request)[:2] == (Phase.VOIDED, Reason.DENIED)


def test_a_person_can_end_what_nobody_can_read_back(world, instant):
    """What may have landed keeps its target for as long as nothing tells, and ends by a person who has looked."""
    request = approved(world, "failing")
    world.cluster.send = raising(DEFECT)
    world.execute()
    world.cluster.observe = raising(DEFECT)
    for _ in range(30):
        look_again(world, instant, wait=MINUTE)
    execution = execution_of(world, request)

    assert (execution.state, held_targets(world)) == (Phase.UNKNOWN, [execution.id])
    assert len(kinds(world, request)) < 12
    world.abandon(request.id, account="os:olga", reason="It is at 3.")
    assert (execution_of(world, request).state, held_targets(world)) == (Phase.ABANDONED, [])


def test_a_rollout_that_cannot_be_looked_at_ends_at_its_deadline(world, instant):
    """It is said that it was not followed: neither done nor failed."""
    world.cluster.rolling = True
    request = approved(world, "failing")
    world.execute()
    world.cluster.observe = raising(CANNOT_MINT)
    for _ in range(200):
        look_again(world, instant, wait=MINUTE)
        if execution_of(world, request).is_over:
            break

    execution = execution_of(world, request)
    told = f"Not followed to its end. How far it is cannot be told. {CANNOT_MINT.sentence}"
    assert (execution.effect, execution.message) == (Effect.TIMED_OUT, told)
    assert kinds(world, request).count("execution.effect") == 2


def test_a_row_that_cannot_be_read_stops_no_other(world, instant):
    """A word that this version does not know, as a newer one may have written it: the others are carried out."""
    broken = approved(world, "broken")
    sound = approved(world, "sound")
    tamper(world, "UPDATE executions SET reason = 'no such reason' WHERE escalation = :id", id=broken.id)

    for _ in range(3):
        look_again(world, instant)
    with world.store.database.reading() as connection:
        setbacks = connection.execute(text("SELECT setbacks FROM executions WHERE reason IS NOT NULL")).scalar_one()

    assert execution_of(world, sound).state is Phase.APPLIED
    assert setbacks == 1
    tamper(world, "UPDATE executions SET reason = NULL WHERE escalation = :id", id=broken.id)


def test_a_wait_writes_nothing_down_but_its_reasons(world, instant):
    """Ten minutes of a cluster that does not answer are one event; another reason is another, and the start is told."""
    request = approved(world, "waits")
    world.cluster.down = True
    for _ in range(300):
        look_again(world, instant)
    world.cluster.down, world.directory.down = False, True
    for _ in range(300):
        look_again(world, instant)
    world.directory.down = False
    for _ in range(60):
        look_again(world, instant)

    assert kinds(world, request)[3:] == [
        "execution.queued",
        "execution.claimed",
        "execution.retried",
        "execution.retried",
        "execution.claimed",
        "execution.armed",
        "execution.sending",
        "execution.applied",
        "execution.effect",
    ]


def test_what_stays_unknown_is_read_back_without_a_word(world, instant):
    """A lost write that may still land is looked at every ten seconds until its token is dead: that is no news."""
    request = approved(world, "lost")
    world.cluster.send = raising(DEFECT)
    world.execute()
    world.cluster.down = True
    for _ in range(600):
        look_again(world, instant)

    assert kinds(world, request)[-2:] == ["execution.claimed", "execution.unknown"]
    assert len(kinds(world, request)) < 12


def test_a_person_can_end_what_has_an_unreadable_start_record(world, instant):
    """The way out needs the execution and nothing beside: its start record may hold what cannot be read."""
    request = approved(world, "failing")
    world.cluster.send = raising(DEFECT)
    world.execute()
    world.cluster.observe = raising(DEFECT)
    look_again(world, instant, wait=MINUTE)
    tamper(
        world,
        "UPDATE attempts SET token_expires_at = 9000000000000000000 WHERE execution = :id",
        id=execution_of(world, request).id,
    )

    for _ in range(3):
        look_again(world, instant, wait=MINUTE)
    world.abandon(request.id, account="os:olga", reason="It is at 3.")

    assert (execution_of(world, request).state, held_targets(world)) == (Phase.ABANDONED, [])
    tamper(
        world,
        "UPDATE attempts SET token_expires_at = armed_at + 600000000 WHERE execution = :id",
        id=execution_of(world, request).id,
    )


def test_what_cannot_even_be_told_about_waits_all_the_same(world, instant):
    """Its start record is gone, so nothing can be written down of it: it is looked at ever more rarely."""
    broken, sound = approved(world, "broken"), approved(world, "sound")
    world.cluster.send = failing_for(world.cluster.send, DEFECT, "broken")
    world.cluster.observe = failing_for(world.cluster.observe, DEFECT, "broken")
    world.execute()
    lost, kept = execution_of(world, broken).id, execution_of(world, sound).id
    move = "UPDATE attempts SET execution = :there, number = :number WHERE execution = :here AND number = :was"
    tamper(world, move, here=lost, was=1, there=kept, number=99)

    looks = []
    for second in range(200):
        instant.pass_by(SECOND)
        with world.store.reading() as reading:
            due = reading.due_executions(limit=8)
        if lost in due:
            back = world.execute.look_at(lost)
            looks.append((second, back.count, back.is_fault))

    assert [count for _, count, _ in looks] == list(range(2, 2 + len(looks)))
    assert (len(looks) < 8, all(is_fault for _, _, is_fault in looks)) == (True, True)
    tamper(world, move, here=kept, was=99, there=lost, number=1)
