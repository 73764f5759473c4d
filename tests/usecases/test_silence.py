"""Silence: it denies at the deadline, before anything else after a downtime, and whatever the clock does (I3)."""

from dataclasses import replace
from datetime import timedelta

import pytest

from approvals.errors import Late, Unavailable
from approvals.facts import facts_of
from approvals.usecases.people.expire import BATCH
from approvals.workflow.request import Answer, State
from models.outbox.cards import Cards
from tests.builders import ADA, HOUR, MINUTE
from tests.usecases.looks import kinds, story
from tests.usecases.mishaps import Between, Blind, Unwritable

QUARTER = 15 * MINUTE
TICK = timedelta(microseconds=1)


def test_t_time_01_silence_denies_at_the_deadline(world, instant):
    """T-TIME-01: nobody answered: it is expired, which is its own outcome and nobody's denial; one whole event says so."""
    request = world.pending()
    show(world)
    instant.pass_by(QUARTER - TICK)
    early = world.expire()
    instant.pass_by(TICK)

    assert (early, world.expire(), world.expire()) == (0, 1, 0)

    expired = replace(request, state=State.EXPIRED, revision=2, decided_at=request.deadline, outcome_code="expired")
    assert world.request(request) == expired
    assert expired.decided_by == ()
    assert story(world, request)[1:] == [("request.expired", "countersign", {"request": facts_of(expired)})]


def show(world):
    """Post every card that is behind, as the relay does."""
    cards = Cards(world.store)
    for number, task in enumerate(cards.behind(limit=100), start=1):
        cards.posting(task)
        cards.posted(task, f"{number}.0")


def test_what_was_shown_to_nobody_is_no_silence_of_theirs(world, instant):
    """Its deadline passed before any card of it stood: the outcome has a code of its own, from the cards' own rows."""
    shown = world.pending("key-1")
    show(world)
    on_its_way, refused, unseen = (world.pending(f"key-{number}") for number in (2, 3, 4))
    tasks = {task.subject: task for task in Cards(world.store).behind(limit=10)}
    Cards(world.store).posting(tasks[on_its_way.id])
    Cards(world.store).posting(tasks[refused.id])
    Cards(world.store).failed(tasks[refused.id], reason="is_archived", permanent=False)
    instant.pass_by(QUARTER)

    assert world.expire() == 4

    codes = [world.request(one).outcome_code for one in (shown, on_its_way, refused, unseen)]
    assert codes == ["expired", "expired", "expired_unseen", "expired_unseen"]
    assert story(world, unseen)[1][2]["request"]["outcome_code"] == "expired_unseen"


def test_t_time_06_everything_overdue_expires_in_one_sweep_after_a_downtime(world, instant):
    """T-TIME-06: more than one batch was overdue: all of it is expired by the first sweep, and no vote comes before."""
    few = replace(world.escalate, most_pending=BATCH + 10)
    world.escalate = few
    requests = [world.pending(f"key-{number}") for number in range(BATCH + 5)]
    instant.pass_by(HOUR)
    restarted = world.restarted()
    with pytest.raises(Late):
        restarted.answers(requests[0])

    assert restarted.expire() == BATCH + 5
    assert {world.request(one).state for one in requests} == {State.EXPIRED}


def test_an_outage_blames_no_request(world, instant):
    """Where the store cannot be written nothing is left aside: everything is due again at the next tick."""
    request = world.pending()
    instant.pass_by(2 * HOUR)

    away = replace(world.expire, store=Unwritable(world.store, Unavailable("The store cannot be reached.")))

    with pytest.raises(Unavailable):
        away._batch()

    assert world.expire() == 1
    assert world.request(request).state is State.EXPIRED


def test_an_approved_request_does_not_expire(world, instant):
    """Only a question that waits can be silent."""
    request = world.answers(world.pending()).request
    instant.pass_by(HOUR)

    assert (world.expire(), world.request(request).state) == (0, State.APPROVED)


def test_t_race_03_another_sweep_was_faster(world, instant):
    """T-RACE-03: what has its outcome by the time it is locked is left as it is."""
    request = world.pending()
    instant.pass_by(QUARTER)

    assert replace(world.expire, store=Between(world.store, world.expire))() == 0
    assert kinds(world, request).count("request.expired") == 1


def test_a_request_that_cannot_be_locked_is_left_out(world, instant):
    """A row that is not there by the time it is to be locked is nobody's outcome; the others have theirs."""
    kept, unseen = world.pending("kept"), world.pending("unseen")
    instant.pass_by(QUARTER)

    assert replace(world.expire, store=Blind(world.store, unseen.id))() == 1
    assert (world.request(kept).state, world.request(unseen).state) == (State.EXPIRED, State.PENDING)


def test_a_clock_that_steps_back_gives_nobody_more_time(world, instant):
    """Below the floor the clock does not count: what was over stays over, and the step is told of once (T-TIME-03)."""
    request = world.pending()
    instant.pass_by(QUARTER)
    with pytest.raises(Late):
        world.answers(request)

    step = world.expire.watch_clock(known=timedelta(0))
    again = world.expire.watch_clock(known=step)

    told = [data for kind, _, data in story(world) if kind == "clock.stepped_back"]
    assert step > timedelta(days=1), "the test's floor lies decades ahead of any clock"
    assert again <= step
    assert told == [{"microseconds": step // TICK}]


def test_a_late_denial_is_late_too(world, instant):
    """Silence has denied it already; nobody's name is put to that."""
    request = world.pending()
    instant.pass_by(QUARTER)

    with pytest.raises(Late):
        world.answers(request, ADA, Answer.DENY)

    world.expire()
    assert world.request(request).decided_by == ()
