"""A leader that died: the next goes on at once with what was merely claimed, and waits where a send may be on its way (I2)."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import Any

import pytest

from approvals.errors import Clash
from approvals.ports.journey import Milestone
from approvals.workflow.execution import LEASE, Phase
from models.store.fence import Lease, LeaseLost
from models.store.leases import leases_of
from tests.fakes.journey import Crash, CrashesAt, Remembered
from tests.models.leasing import lapse, taken_by
from tests.usecases.looks import execution_of
from tests.world import World

NOTHING_ARMED = (Milestone.CLAIMED, Milestone.REPLANNED)
PERHAPS_SENT = (Milestone.ARMED, Milestone.MINTED, Milestone.BEFORE_SENDING, Milestone.SENDING)

NextLeader = Callable[[], Lease]


@pytest.fixture
def next_leader(request: pytest.FixtureRequest, database_url: str) -> Iterator[NextLeader]:
    """A function that has the leader gone and returns the lease of the next one, on either engine."""
    with ExitStack() as held:
        count = 0

        def lead() -> Lease:
            nonlocal count
            count += 1
            if database_url.startswith("sqlite"):
                held.close()  # The process is gone, and its lock on the file with it.
            else:
                lapse(request.getfixturevalue("postgres_database"))
            return taken_by(held.enter_context(leases_of(database_url, holder=f"process {count}")))

        yield lead


def led(world: World, lease: Lease, journey: Any = None) -> World:
    """Return the product as the leader of that lease has it."""
    store: Any = world.store
    return replace(world, store=store.under(lease), journey=journey or Remembered())


@pytest.fixture
def approved(world: World):
    """The agent's question, approved by Ada; nothing of it has begun."""
    return world.answers(world.pending()).request


def dies_at(world: World, lease: Lease, milestone: Milestone) -> None:
    """Lead, and die there."""
    with pytest.raises(Crash):
        led(world, lease, CrashesAt(milestone)).execute()


@pytest.mark.parametrize("milestone", NOTHING_ARMED)
def test_what_was_merely_claimed_goes_on_at_once(milestone, world, approved, next_leader):
    """Nobody waits out the minute of a dead leader's claim: the change is made by the next one's first look."""
    dies_at(world, next_leader(), milestone)
    before = execution_of(world, approved)

    looked_at = led(world, next_leader()).execute()

    after = execution_of(world, approved)
    assert (before.state, before.leader, looked_at) == (Phase.CLAIMED, 1, 1)
    assert (after.state, after.leader, after.generation) == (Phase.APPLIED, 2, 2)
    assert len(world.cluster.sent) == 1


@pytest.mark.parametrize("milestone", PERHAPS_SENT)
def test_what_was_armed_waits_out_its_lease(milestone, world, approved, next_leader, instant):
    """The bytes may be on their way: no leader, however new, touches it before the execution's own lease is over."""
    dies_at(world, next_leader(), milestone)
    before = execution_of(world, approved)
    after_it = led(world, next_leader())

    looked_at = after_it.execute()
    meanwhile = execution_of(world, approved)
    instant.pass_by(LEASE)
    after_it.execute()

    assert (looked_at, meanwhile) == (0, before)
    assert execution_of(world, approved).generation == 2


@pytest.mark.parametrize("milestone", NOTHING_ARMED)
def test_a_leader_that_wakes_up_changes_nothing(milestone, world, approved, next_leader):
    """T-RACE-06: frozen with a claim in hand, it wakes up when the next one has made the change; it arms and sends nothing."""
    first = next_leader()
    events: list[int] = []

    class Sleeper(Remembered):
        def reached(self, reached: Milestone, subject: str) -> None:
            del subject
            if reached is milestone and not events:
                led(world, next_leader()).execute()
                events.append(_count_events(world))

    with suppress(Clash, LeaseLost):
        led(world, first, Sleeper()).execute()

    assert execution_of(world, approved).state is Phase.APPLIED
    assert (len(world.cluster.sent), [_count_events(world)]) == (1, events)


def test_what_no_leader_claimed_keeps_its_minute(world, approved, next_leader):
    """A release before this one did not say under which leader it claimed: not known is not earlier."""
    with pytest.raises(Crash):
        world.restarted(journey=CrashesAt(Milestone.CLAIMED)).execute()
    next_leader()

    assert led(world, next_leader()).execute() == 0
    assert execution_of(world, approved).state is Phase.CLAIMED


def _count_events(world: World) -> int:
    store: Any = world.store
    with store.database.reading() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM events").scalar_one())
