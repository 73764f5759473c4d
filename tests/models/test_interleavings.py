"""What happens when several connections meet: overlaps are forced by locks and barriers, never hoped for."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import pytest
from sqlalchemy import func, select, text

from approvals.audit.events import PAUSE_STREAM, AuditEvent, EventKind, changed
from approvals.errors import Clash
from approvals.identity.names import Account
from approvals.identity.tokens import Token, revoke
from approvals.workflow.execution import Execution
from approvals.workflow.pause import scope_of
from models.audit.book import AuditBook
from models.audit.sealer import Sealer
from models.engine.database import open_database
from models.store.store import SqlStore
from models.store.tables import events
from tests.builders import ADA, BORIS, MINUTE, NOON, a_token, a_vote, about
from tests.fixtures.stores import a_store
from tests.models.records import approved, ask, now_of, put, queue, with_grounds
from tests.waiting import wait_for_waiter

WRITERS = 16
EACH = 25


def at_once(*acts: Callable[[], object]) -> list[object]:
    """Run *acts* each in its own thread, let them begin together, and return what each returned or raised."""
    barrier = Barrier(len(acts))

    def run(act: Callable[[], object]) -> object:
        barrier.wait(10)
        try:
            return act()
        except Clash as clash:
            return clash

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def told(stream: str) -> AuditEvent:
    """Return an event of *stream*."""
    return AuditEvent(kind=EventKind.PAUSE_REFUSED, stream=stream, actor=ADA, at=NOON)


def test_many_writers_of_one_stream_lose_nothing(store):
    """Sixteen writers, two streams each, named in opposite orders: no abort, no gap, and the chain holds (I5)."""

    def write(number: int) -> None:
        streams = ("a", "b") if number % 2 else ("b", "a")
        for _ in range(EACH):
            with store.writing() as uow:
                for stream in streams:
                    uow.record(told(stream))

    results = at_once(*(lambda number=number: write(number) for number in range(WRITERS)))
    sealed = Sealer(store.database).seal()

    assert results == [None] * WRITERS
    assert sealed == 2 * WRITERS * EACH
    for stream in ("a", "b"):
        places = [one.record.sequence for one in AuditBook(store.database).story(stream)]
        assert places == list(range(1, WRITERS * EACH + 1))


def test_writers_of_two_processes_take_turns(sqlite_store, sqlite_url):
    """Beside the service a command line writes to the same file; each waits for the other and nothing is lost."""
    beside = a_store(open_database(sqlite_url))
    few = (
        5  # Whoever waits for another process looks again only every tenth of a second, and may be unlucky for seconds.
    )

    def raise_epoch(store: SqlStore) -> None:
        for _ in range(few):
            with store.writing() as uow:
                uow.raise_epoch()

    at_once(*(lambda one=one: raise_epoch(one) for one in (sqlite_store, beside) * 4))
    beside.database.close()

    with sqlite_store.reading() as reading:
        assert reading.epoch() == 8 * few


@pytest.mark.parametrize("round_", range(5))
def test_two_votes_see_each_other(store, round_):
    """Of two people who vote at the same moment the second sees the first's vote: a quorum of two is never missed (I7)."""
    with_grounds(store)
    request = ask(store)
    now = now_of(store)

    def vote(account: str) -> int:
        with store.writing() as uow:
            held = uow.lock_request(request.id)
            assert held is not None
            standing = uow.votes(request.id)
            cast = a_vote(Account(account), id=f"vote_{account[-5:]}", escalation=request.id, at=now)
            seen = replace(held, revision=held.revision + 1)
            uow.save(about(object, nouns=(seen, cast), events=(told(PAUSE_STREAM),)))
            return len(standing)

    counts = at_once(lambda: vote(ADA), lambda: vote(BORIS))

    assert sorted(counts, key=str) == [0, 1]


@pytest.mark.parametrize("round_", range(5))
def test_of_two_that_decide_on_what_they_read_one_loses(store, round_):
    """Two that read before either wrote cannot both be kept: the second finds another revision (T-RACE-03)."""
    with_grounds(store)
    request = ask(store)
    after = replace(request, revision=2)

    results = at_once(lambda: put(store, after), lambda: put(store, after))

    assert sorted(type(result).__name__ for result in results) == ["Clash", "NoneType"]


def test_one_of_two_gets_the_target(store: SqlStore):
    """Two executions of one object that start at the same moment: one holds it, the other is told so."""
    with_grounds(store)
    first, second = (queue(store, approved(store, ask(store, number))) for number in (1, 2))
    second = replace(second, object_uid=first.object_uid)

    def take(execution: Execution) -> bool:
        with store.writing() as uow:
            return uow.lock_target(execution)

    results = at_once(lambda: take(first), lambda: take(second))

    assert sorted(results, key=str) == [False, True]


@pytest.mark.postgres
def test_a_start_that_waited_sees_the_pause(postgres_store):
    """A start that had to wait at the gate reads the epoch of after the pause, in a fresh statement (I4)."""
    with ThreadPoolExecutor(1) as pool:
        with postgres_store.writing() as pause:
            pause.lock_gate(exclusive=True)
            epoch = pause.raise_epoch()
            start: Future[int] = pool.submit(_epoch_behind_the_gate, postgres_store)
            wait_for_waiter(postgres_store)

        assert (start.result(10), epoch) == (1, 1)


def _epoch_behind_the_gate(store: SqlStore) -> int:
    with store.writing() as uow:
        uow.lock_gate(exclusive=False)
        return uow.epoch()


@pytest.mark.postgres
def test_starts_pass_the_gate_together_and_a_pause_alone(postgres_store):
    """Shared holders do not wait for each other; a pause waits for all of them and only then goes on (I4)."""
    with postgres_store.writing() as one, postgres_store.writing() as two, ThreadPoolExecutor(1) as pool:
        one.lock_gate(exclusive=False)
        two.lock_gate(exclusive=False)
        pause = pool.submit(_pause, postgres_store)
        wait_for_waiter(postgres_store)
        waited = not pause.done()
        one.connection.commit()
        two.connection.commit()
        epoch = pause.result(10)

    assert (waited, epoch) == (True, 1)


def _pause(store: SqlStore) -> int:
    with store.writing() as uow:
        uow.lock_gate(exclusive=True)
        return uow.raise_epoch()


@pytest.mark.postgres
def test_environments_lock_one_by_one(postgres_store):
    """What is counted over one environment waits for nobody in another."""
    with postgres_store.writing() as one, postgres_store.writing() as two, ThreadPoolExecutor(1) as pool:
        one.lock_environment("prod-eu-1")
        two.lock_environment("staging")
        third = pool.submit(_lock_environment, postgres_store, "staging")
        wait_for_waiter(postgres_store)
        waited = not third.done()
        two.connection.commit()
        third.result(10)

    assert waited


def _lock_environment(store: SqlStore, name: str) -> None:
    with store.writing() as uow:
        uow.lock_environment(name)


@pytest.mark.postgres
def test_the_instant_is_taken_after_the_lock(postgres_store):
    """Whoever waited for a row is judged at the instant at which it got it, not at which it began to wait (I3)."""
    with_grounds(postgres_store)
    request = ask(postgres_store)

    with ThreadPoolExecutor(1) as pool:
        with postgres_store.writing() as holder:
            holder.lock_request(request.id)
            waiter = pool.submit(_instant_behind_the_lock, postgres_store, request.id)
            wait_for_waiter(postgres_store)
            released = holder.connection.execute(select(func.clock_timestamp())).scalar_one()
        instant = waiter.result(10)

    assert instant >= released


def _instant_behind_the_lock(store: SqlStore, request_id: str):
    with store.writing() as uow:
        uow.lock_request(request_id)
        return uow.now


@pytest.mark.postgres
def test_a_claim_waits_for_a_pause_and_finds_it_voided(postgres_store):
    """What a pause has locked to void it, a worker cannot claim in between: it sees the voided row (I4)."""
    with_grounds(postgres_store)
    execution = queue(postgres_store, approved(postgres_store, ask(postgres_store)))

    with ThreadPoolExecutor(1) as pool:
        with postgres_store.writing() as pause:
            pause.lock_gate(exclusive=True)
            (held,) = pause.stoppable_executions(scope_of("all"))
            claim = pool.submit(_claim, postgres_store, execution.id)
            wait_for_waiter(postgres_store)
            voided = replace(held, revision=2, message="Paused.", due_at=held.due_at + MINUTE)
            pause.save(changed(voided))
        seen = claim.result(10)

    assert seen == voided


def _claim(store: SqlStore, execution_id: str):
    with store.writing() as uow:
        return uow.lock_execution(execution_id)


@pytest.mark.postgres
def test_a_revocation_waits_for_a_start_that_has_read_its_token(postgres_store):
    """Between a start's look at its token and its record no revocation commits: it comes before the look, or after the start."""
    with_grounds(postgres_store)
    with postgres_store.reading() as reading:
        token = reading.token(a_token().id)

    with ThreadPoolExecutor(1) as pool:
        with postgres_store.writing() as start, postgres_store.writing() as other:
            read = [one.lock_token(token.id) for one in (start, other)]
            revocation = pool.submit(_revoke, postgres_store, token)
            wait_for_waiter(postgres_store)
            waited = not revocation.done()
        revocation.result(30)

    with postgres_store.reading() as reading:
        after = reading.token(token.id)
    assert (read, waited, after) == ([token, token], True, replace(token, revoked_at=NOON, revision=2))


def _revoke(store: SqlStore, token: Token) -> None:
    with store.writing() as uow:
        uow.save(revoke(token, now=NOON, by="os:olga"))


@pytest.mark.postgres
def test_seals_have_no_gap_under_late_commits(postgres_store):
    """Sixteen writers, some of them slow to commit, and a sealer among them: every event is sealed exactly once (I5)."""

    def write(number: int) -> None:
        for turn in range(EACH):
            with postgres_store.writing() as uow:
                uow.record(told(f"s{number}"))
                if (number + turn) % 5 == 0:
                    uow.finish()
                    uow.connection.execute(text("SELECT pg_sleep(0.01)"))

    def seal() -> int:
        sealer, total = Sealer(postgres_store.database), 0
        for _ in range(100):
            total += sealer.seal()
        return total

    at_once(seal, *(lambda number=number: write(number) for number in range(WRITERS)))
    Sealer(postgres_store.database).seal()

    sealed = list(AuditBook(postgres_store.database).sealed())
    with postgres_store.reading() as reading:
        written = reading.connection.execute(select(func.count()).select_from(events)).scalar_one()
    assert [one.number for one in sealed] == list(range(1, written + 1))
    assert AuditBook(postgres_store.database).tail().events == 0
    assert written == WRITERS * EACH
