"""One transaction: all of it or nothing, its locks, and what is held until the commit."""

from contextlib import suppress
from dataclasses import replace

import pytest

from approvals.audit.events import changed
from approvals.errors import Clash
from approvals.ports.store import Urgency
from approvals.workflow.execution import Phase
from approvals.workflow.pause import scope_of
from tests.builders import ADA, HOUR, MINUTE, a_pause, a_vote, about
from tests.models.records import approved, ask, now_of, put, queue, with_grounds


class Interrupted(Exception):
    """What a test raises in the middle of a unit."""


@pytest.mark.parametrize("lane", list(Urgency))
def test_a_unit_that_ends_well_is_kept(store, lane):
    """What a block did stands once it has ended, in either lane."""
    with store.writing(lane) as uow:
        epoch = uow.raise_epoch()

    with store.reading() as reading:
        assert (epoch, reading.epoch()) == (1, 1)


def test_a_unit_that_is_left_changes_nothing(store):
    """Whatever goes wrong in the block, and wherever it comes from: nothing of it is kept, events included (I6)."""
    with_grounds(store)

    def leave() -> None:
        with store.writing() as uow:
            uow.raise_epoch()
            uow.save(about(object, nouns=(a_pause(engaged_at=uow.now),), events=()))
            raise Interrupted

    with pytest.raises(Interrupted):
        leave()

    with store.reading() as reading:
        assert (reading.epoch(), reading.pauses()) == (0, ())


def test_a_swallowed_refusal_is_not_committed(store):
    """Where a caller goes on after a write has failed, the commit is refused: half a transition is never kept."""
    with_grounds(store)
    request = ask(store)
    stale = replace(request, revision=5)

    def go_on() -> None:
        with store.writing() as uow:
            uow.raise_epoch()
            uow.save(changed(stale))
            with suppress(Clash):
                uow.epoch()

    with pytest.raises(RuntimeError, match="cannot be committed"):
        go_on()

    with store.reading() as reading:
        assert reading.epoch() == 0


def test_a_lock_shows_the_row_as_it_is(store):
    """Locking returns the noun as it stands once the lock is held; what is not there cannot be locked."""
    with_grounds(store)
    request = approved(store, ask(store))
    execution = queue(store, request)
    pause = a_pause(engaged_at=now_of(store))
    put(store, pause)

    with store.writing() as uow:
        uow.lock_gate(exclusive=False)
        uow.lock_environment("prod-eu-1")
        found = (
            uow.lock_request(request.id),
            uow.lock_execution(execution.id),
            uow.lock_pause(pause.id),
            uow.lock_request("esc_none"),
            uow.lock_execution("exe_none"),
            uow.lock_pause("pause_none"),
        )

    assert found == (request, execution, pause, None, None, None)


def test_only_what_has_not_started_can_be_stopped(store):
    """Queued and claimed, in the order of their ids: what is armed has begun."""
    with_grounds(store)
    executions = [queue(store, approved(store, ask(store, number))) for number in range(1, 5)]
    states = (Phase.QUEUED, Phase.CLAIMED, Phase.ARMED, Phase.VOIDED)
    moved = [replace(one, state=state, revision=2) for one, state in zip(executions, states, strict=True)]
    put(store, *moved)

    with store.writing() as uow:
        assert uow.stoppable_executions(scope_of("all")) == (moved[0], moved[1])
        assert uow.stoppable_executions(scope_of("agent:scaler")) == (moved[0], moved[1])
        assert uow.stoppable_executions(scope_of("agent:tuner")) == ()
        assert uow.stoppable_executions(scope_of("namespace:prod-eu-1/shop")) == (moved[0], moved[1])
        assert uow.stoppable_executions(scope_of("namespace:prod-eu-1/pay")) == ()


def test_a_target_is_held_by_one_execution(store):
    """Whoever holds it may take it again; another gets it once it was given back, and cannot give it back for the holder."""
    with_grounds(store)
    first, second = (queue(store, approved(store, ask(store, number))) for number in (1, 2))
    second = replace(second, object_uid=first.object_uid)

    taken: list[tuple[bool | None, bool]] = []
    for step in ("take", "take", "give", "take"):
        with store.writing() as uow:
            if step == "give":
                uow.release_target(second)
                uow.release_target(first)
            else:
                taken.append((uow.lock_target(first) if len(taken) < 2 else None, uow.lock_target(second)))

    assert taken == [(True, False), (True, False), (None, True)]


def test_a_vote_may_replace_the_one_before_it_in_any_order(store):
    """In one transition the old vote falls before the new one is cast, however they are listed."""
    with_grounds(store)
    request = ask(store)
    old = a_vote(ADA, id="vote_1", escalation=request.id, at=now_of(store))
    put(store, old)
    new = replace(old, id="vote_2")

    put(store, new, replace(old, voided_at=old.at, voided_why="changed"))

    with store.reading() as reading:
        assert reading.votes(request.id) == (new,)


def test_the_deadline_is_judged_by_the_units_own_instant(store, host_clock):
    """The write holds the deadline against the instant that everything in the unit was judged at (I3)."""
    with_grounds(store)
    request = ask(store, deadline=now_of(store) + HOUR)
    decided = replace(request, revision=2)

    with store.writing() as uow:
        judged_at = uow.now
        host_clock.at = judged_at + 2 * HOUR
        uow.save(changed(decided))

    with store.reading() as reading:
        assert (judged_at + MINUTE < request.deadline, reading.request(request.id)) == (True, decided)
