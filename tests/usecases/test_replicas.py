"""Several processes on one PostgreSQL: the same question, the same answer, whichever of them is asked.

Each replica has a store with connections of its own. ``COUNTERSIGN_ROUNDS`` says how many rounds a race runs (``make soak``).
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import text

from approvals.errors import Late, Refused
from approvals.ports.journey import Journey, Milestone
from approvals.workflow.execution import LEASE, Phase, Reason
from approvals.workflow.pause import scope_of
from approvals.workflow.request import Answer, Request, State
from bot.clock import new_id, utc_now
from models.engine.database import PATIENCE, open_database
from models.store.fence import Lease, LeaseLost
from tests.builders import ADA, BORIS
from tests.fakes.cluster import FakeCluster
from tests.fakes.journey import Remembered
from tests.fixtures.postgres import PostgresDatabase
from tests.fixtures.stores import SteppingClock, a_store
from tests.models.leasing import lapse, several, taken_by
from tests.models.records import let_pass
from tests.record import note, spread
from tests.stopped import gate_held_by_a_stopped_process
from tests.usecases.replay import differences
from tests.usecases.test_races import at_once, quorum
from tests.waiting import wait_until
from tests.world import FixedPolicies, World

pytestmark = [pytest.mark.postgres, pytest.mark.slow, pytest.mark.usefixtures("uncounted")]

ROUNDS = int(os.environ.get("COUNTERSIGN_ROUNDS", "30"))
REPLICAS = 3
CALLS = 64
STOPS = max(1, ROUNDS // 100)
"""How often a process is stopped in its transaction: each time takes three seconds."""


@pytest.fixture
def clocks() -> list[SteppingClock]:
    """The hosts' clocks, one a replica."""
    return [SteppingClock() for _ in range(REPLICAS)]


@pytest.fixture
def replicas(postgres_database: PostgresDatabase, clocks: list[SteppingClock]) -> Iterator[list[World]]:
    """Three processes' verbs over one database, with pools of connections and a host's clock of their own."""
    with ExitStack() as opened:
        worlds = []
        cluster = FakeCluster.with_checkout(now=utc_now)
        for clock in clocks:
            database = opened.enter_context(closing(open_database(postgres_database.restricted_url)))
            worlds.append(
                World(a_store(database, clock), cluster=cluster, policies=FixedPolicies(quorum(1)), new_id=new_id)
            )
        worlds[0].settled()
        yield worlds


class Sleeper:
    """A journey on which everybody else goes on for a while, the first time that a milestone is reached."""

    def __init__(self, milestone: Milestone, meanwhile: Callable[[], None]) -> None:
        self._milestone = milestone
        self._meanwhile = meanwhile
        self.woke = False

    def reached(self, milestone: Milestone, subject: str) -> None:
        """Stand still, if this is the place."""
        del subject
        if milestone is self._milestone and not self.woke:
            self.woke = True
            self._meanwhile()


def fates(world: World, request: Request) -> list[str]:
    """Return the outcomes that the trail tells of a request, in order."""
    asked = text(
        "SELECT convert_from(body, 'UTF8')::json ->> 'kind' FROM events WHERE stream = :stream ORDER BY sequence"
    )
    ends = {"request.approved", "request.denied", "request.expired", "request.cancelled"}
    store: Any = world.store
    with store.database.reading() as connection:
        found = connection.execute(asked, {"stream": f"request:{request.id}"}).scalars().all()
    return [kind for kind in found if kind in ends]


def test_t_race_02_many_answers_at_once_make_one_outcome(replicas):
    """T-RACE-02: 64 approvals and denials over three replicas: one outcome, or an approval that a denial takes back in time.

    Whatever won, everybody else is told so, and the books agree (I2, I5).
    """
    for number in range(ROUNDS):
        request = replicas[0].pending(f"key-{number}")
        acts = [
            partial(
                replicas[call % REPLICAS].answers, request, *((ADA, Answer.APPROVE), (BORIS, Answer.DENY))[call % 2]
            )
            for call in range(CALLS)
        ]

        told = at_once(*acts)

        (fate, execution) = _after(replicas[1], request)
        allowed = {
            ("request.approved",): (State.APPROVED, Phase.QUEUED, None),
            ("request.denied",): (State.DENIED, None, None),
            ("request.approved", "request.denied"): (State.DENIED, Phase.VOIDED, Reason.DENIED),
        }
        state = replicas[2].request(request).state
        assert (state, *execution) == allowed[tuple(fate)]
        assert all(isinstance(one, Refused) or one is not None for one in told)
    assert differences(replicas[0].store) == []
    note(f"T-RACE-02: {ROUNDS} rounds of {CALLS} answers")


def _after(world: World, request: Request) -> tuple[list[str], tuple[Phase | None, Reason | None]]:
    with world.store.reading() as reading:
        execution = reading.execution_of(request.id)
    found = (None, None) if execution is None else (execution.state, execution.reason)
    return fates(world, request), found


@pytest.mark.parametrize("is_quick", [True, False], ids=["ended meanwhile", "ended afterwards"])
@pytest.mark.parametrize(
    "milestone", [Milestone.CLAIMED, Milestone.ARMED, Milestone.BEFORE_SENDING, Milestone.SENDING, Milestone.REPLIED]
)
def test_t_race_06_a_leader_that_stood_still_writes_nothing_more(replicas, postgres_database, milestone, is_quick):
    """T-RACE-06: frozen anywhere between claim and outcome, a leader wakes up when another leads.

    The next one may have ended what it had begun, or not have come to it. Whatever the first still does, its change is made
    once, and nothing is written under the lease that it lost (I2).
    """
    first, second, _ = replicas
    cluster: Any = first.cluster
    with several(postgres_database.restricted_url, "a", "b") as (ours, theirs):
        for number in range(ROUNDS):
            request = first.pending(f"key-{number}")
            first.answers(request)
            generation = cluster.checkout()["metadata"]["generation"]
            leads: list[World] = []
            written: list[int] = []

            def take_over(request: Request = request, leads: list[World] = leads, written: list[int] = written) -> None:
                lapse(postgres_database)
                leads.append(_led(second, taken_by(theirs), Remembered()))
                if is_quick:
                    let_pass(second.store, LEASE)
                    _work_to_the_end(leads[0], request)
                written.append(_count_events(second))

            sleeper = Sleeper(milestone, take_over)
            with suppress(LeaseLost):
                _led(first, taken_by(ours), sleeper).execute()

            assert sleeper.woke
            assert [_count_events(second)] == written
            let_pass(second.store, LEASE)
            _work_to_the_end(leads[0], request)
            assert cluster.checkout()["metadata"]["generation"] == generation + 1
            lapse(postgres_database)
    assert differences(first.store) == []
    ended = "meanwhile" if is_quick else "afterwards"
    note(f"T-RACE-06: {ROUNDS} rounds, stopped at {milestone}, ended {ended}")


def _led(world: World, lease: Lease, journey: Journey) -> World:
    store: Any = world.store
    return replace(world, store=store.under(lease), journey=journey)


def _work_to_the_end(world: World, request: Request) -> None:
    def is_over() -> bool:
        world.execute()
        let_pass(world.store, timedelta(seconds=1))
        with world.store.reading() as reading:
            execution = reading.execution_of(request.id)
        return execution is not None and execution.is_over

    wait_until(is_over, what="the execution is over", every_s=0.0)


def _count_events(world: World) -> int:
    store: Any = world.store
    with store.database.reading() as connection:
        return int(connection.execute(text("SELECT count(*) FROM events")).scalar_one())


def test_t_time_04_a_replica_whose_clock_is_wrong_decides_as_the_others(replicas, clocks):
    """T-TIME-04: ten minutes behind or ahead, a replica counts a vote before the deadline and refuses one after it.

    The database tells the time; the host's clock is asked by nobody who decides (I3).
    """
    behind, ahead = timedelta(minutes=-10), timedelta(minutes=10)
    for number in range(ROUNDS):
        skew = (behind, ahead)[number % 2]
        wrong = replicas[1 + number % 2]
        clocks[1 + number % 2].at = utc_now() + skew
        in_time = replicas[0].pending(f"key-{number}")
        late = replicas[0].pending(f"late-{number}")

        counted = wrong.answers(in_time)
        with replicas[0].store.reading() as reading:
            left = (late.deadline or reading.now) - reading.now
        let_pass(replicas[0].store, left)
        refused = at_once(*(partial(one.answers, late) for one in replicas))
        wrong.expire()

        assert counted.request.state is State.APPROVED
        assert [type(one) for one in refused] == [Late] * REPLICAS
        assert replicas[0].request(late).state is State.EXPIRED
        _set_floor_back(replicas[0])
    note(f"T-TIME-04: {ROUNDS} rounds")


def _set_floor_back(world: World) -> None:
    store: Any = world.store
    with store.database.writing() as connection:
        connection.execute(text("UPDATE clock_floor SET at = 0"))


def test_a_pause_waits_for_no_process_that_stands_still(replicas, postgres_database):
    """A process stopped in a transaction that holds the gate keeps a pause on another replica waiting for less than 5 s (I4).

    The server ends it: when it wakes up, it commits nothing.
    """
    took = []
    for _ in range(STOPS):
        with gate_held_by_a_stopped_process(postgres_database.restricted_url, "prod-eu-1"):
            begun = time.monotonic()
            stop = replicas[1].pause(scope_of("all"), account="os:olga", duration=None, reason="To see if it waits.")
            took.append(time.monotonic() - begun)
        with replicas[2].store.reading() as reading:
            assert [one.id for one in reading.pauses()] == [stop.pause.id]
        for person in (ADA, BORIS):
            replicas[2].resume(stop.pause.id, account=person, reason="")

    assert max(took) < PATIENCE
    note(f"pauses beside a stopped process that holds the gate, of replicas in one process: {spread(took)}")
