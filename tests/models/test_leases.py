"""What one process alone may do: who may is a lease, and whoever lost it writes nothing."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from threading import Barrier, Event
from typing import Any

import pytest
from psycopg import sql
from sqlalchemy import text

from approvals.audit.events import ITSELF, AuditEvent, EventKind
from approvals.canonical import decode
from approvals.errors import Clash, Unavailable
from bot.clock import new_salt, utc_now
from models.engine.advisory import advisory_key
from models.engine.database import open_database
from models.store.clock import StoreClock
from models.store.fence import Lease, LeaseLost
from models.store.leases import Leases, leases_of
from models.store.store import SqlStore
from models.store.unit_of_work import SqlUnitOfWork
from models.store.worker_lock import WORKER
from tests.fixtures.stores import a_store
from tests.models.leasing import lapse, owner_of, several, taken_by

SHORT = 0.5
"""Seconds that a lease holds where a test waits for its end."""

ROUNDS = 30


def an_event(generation: int, *, at: datetime) -> AuditEvent:
    """Return an event that says under which generation it was written."""
    return AuditEvent(kind=EventKind.POLICY_LOADED, stream="test", actor=ITSELF, at=at, data={"generation": generation})


def write(store: SqlStore, generation: int) -> None:
    """Write one event that says under which generation."""
    with store.writing() as uow:
        uow.record(an_event(generation, at=uow.now))


def written(store: SqlStore) -> list[int]:
    """Return the generations of what was written, in the order in which it was committed."""
    with store.database.reading() as connection:
        found = connection.execute(text("SELECT body FROM events WHERE stream = 'test' ORDER BY sequence"))
        bodies: list[Any] = [decode(bytes(body)) for (body,) in found]
        return [body["data"]["generation"] for body in bodies]


def test_on_sqlite_one_process_serves(sqlite_url):
    """While one works, another is told so in words; afterwards it may begin, under the next generation."""
    with leases_of(sqlite_url, holder="a") as ours:
        with pytest.raises(Clash) as refused, leases_of(sqlite_url, holder="b"):
            pass
        held = ours.take()
        found = [held, held is not None and ours.renew(held)]
    with leases_of(sqlite_url, holder="b") as theirs:
        found.append(theirs.take())

    assert found == [
        Lease(name="leader", holder="a", generation=1),
        True,
        Lease(name="leader", holder="b", generation=2),
    ]
    assert refused.value.code == "already_serving"
    assert "there can be only one" in refused.value.sentence


def test_a_killed_process_leaves_no_lock_on_a_file(sqlite_url):
    """A process that died without a word holds nothing."""
    program = (
        "import os, sys\nfrom models.store.leases import leases_of\n"
        "with leases_of(sys.argv[1], holder='a'):\n    os.kill(os.getpid(), 9)\n"
    )
    killed = subprocess.run([sys.executable, "-c", program, sqlite_url], check=False)

    with leases_of(sqlite_url, holder="b") as ours:
        held = ours.take()

    assert (killed.returncode, held) == (-9, Lease(name="leader", holder="b", generation=1))


@pytest.mark.postgres
def test_one_holds_it_until_it_gives_it_back(postgres_database):
    """Nobody else has it meanwhile, renewed or not; given back, it is the next one's at once, under the next generation."""
    with several(postgres_database.restricted_url, "a", "b") as (a, b):
        held = taken_by(a)
        during = [b.take(), a.renew(held), b.take(), a.take()]
        a.give_back(held)
        next_one = taken_by(b)
        after = [a.take(), a.renew(held)]
        a.give_back(held)

        assert held == Lease(name="leader", holder="a", generation=1)
        assert during == [None, True, None, None]
        assert next_one == Lease(name="leader", holder="b", generation=2)
        assert after == [None, False]
        assert b.renew(next_one), "what somebody else gives back is not ours"


@pytest.mark.postgres
def test_it_lapses_by_the_databases_clock(postgres_database):
    """Not renewed in time it goes to whoever asks first; renewed late, it is still whose it was while nobody has asked."""
    with several(postgres_database.restricted_url, "a", "b", seconds=SHORT) as (a, b):
        held = taken_by(a)
        time.sleep(2 * SHORT)
        renewed_late = a.renew(held)
        refused = b.take()

        assert (renewed_late, refused) == (True, None)
        assert taken_by(b) == Lease(name="leader", holder="b", generation=2)
        assert not a.renew(held)


@pytest.mark.postgres
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_whoever_dies_or_stands_still_is_replaced(postgres_database, number):
    """Killed, or stopped with every connection open, a holder that renews no more is replaced; woken, it is told so."""
    program = (
        "import sys, time\nfrom models.store.leases import leases_of\n"
        "with leases_of(sys.argv[1], holder='a', seconds=0.5) as ours:\n"
        "    held = ours.take()\n"
        "    print('held', flush=True)\n"
        "    while ours.renew(held):\n        time.sleep(0.05)\n"
        "    print('lost', flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, postgres_database.restricted_url], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            said = [process.stdout.readline().strip()]
            with several(postgres_database.restricted_url, "b", seconds=SHORT) as (b,):
                while_it_lives = b.take()
                process.send_signal(number)
                begun = time.monotonic()
                taken = taken_by(b)
                took = time.monotonic() - begun
                os.kill(process.pid, signal.SIGCONT)
                said.append(process.stdout.readline().strip())
        finally:
            process.kill()

    assert (while_it_lives, taken) == (None, Lease(name="leader", holder="b", generation=2))
    assert said == ["held", "lost" if number is signal.SIGSTOP else ""]
    assert took < 4 * SHORT


@pytest.mark.postgres
def test_of_many_who_ask_at_once_one_has_it(postgres_database):
    """However many meet at a lapsed lease, its generation is raised once, for one of them."""
    holders = [f"holder {number}" for number in range(6)]
    together = Barrier(len(holders))
    with (
        several(postgres_database.restricted_url, *holders) as ones,
        ThreadPoolExecutor(len(holders)) as threads,
    ):

        def ask(one: Leases) -> Lease | None:
            together.wait()
            return one.take()

        for number in range(1, ROUNDS + 1):
            taken = [lease for lease in threads.map(ask, ones) if lease is not None]
            assert [lease.generation for lease in taken] == [number]
            lapse(postgres_database)


@pytest.mark.postgres
def test_a_clock_put_back_keeps_nobody_out_for_longer(postgres_database):
    """A lease that holds longer than any renewal makes it was written before the clock was put back: it is free."""
    with several(postgres_database.restricted_url, "a", "b") as (a, b):
        a.take()
        with owner_of(postgres_database) as connection:
            connection.execute("UPDATE leases SET held_until = held_until + 3600000000")

        assert b.take() == Lease(name="leader", holder="b", generation=2)


@pytest.mark.postgres
def test_an_older_release_and_this_one_keep_each_other_out(postgres_database):
    """While a release before the leases serves, nobody takes one; while one of ours is there, no such release begins."""
    theirs = sql.SQL("SELECT pg_try_advisory_lock({})").format(sql.Literal(advisory_key(WORKER)))
    with several(postgres_database.restricted_url, "a") as (a,):
        with owner_of(postgres_database) as older:
            older.execute(theirs)
            with pytest.raises(Clash) as refused:
                a.take()
        taken_by(a)
        with owner_of(postgres_database) as older:
            begins = older.execute(theirs).fetchone()

    assert refused.value.code == "already_serving"
    assert "An older release" in refused.value.sentence
    assert begins == (False,)


@pytest.mark.postgres
def test_a_lost_connection_loses_no_lease(postgres_database, postgres_server):
    """A restart of the server is no change of hands: the next renewal goes over a connection of its own making."""
    with several(postgres_database.restricted_url, "a", "b") as (a, b):
        held = taken_by(a)
        b.take()
        postgres_server.cut_off(postgres_database)

        with pytest.raises(Unavailable):
            a.renew(held)

        assert a.renew(held)
        with pytest.raises(Unavailable):
            b.take()
        assert b.take() is None


def test_a_database_out_of_reach_is_unavailable():
    """Without a server there is no lease to be had."""
    with leases_of("postgresql://nobody@127.0.0.1:1/none", holder="a") as ours, pytest.raises(Unavailable):
        ours.take()


@pytest.mark.postgres
def test_whoever_lost_it_writes_nothing(postgres_database, postgres_store):
    """A transaction under a lease that has gone to another commits nothing, however far it had come."""
    with several(postgres_database.restricted_url, "a", "b") as (a, b):
        first = taken_by(a)
        write(postgres_store.under(first), 1)
        lapse(postgres_database)
        write(postgres_store.under(first), 1)  # lapsed, and nobody took it
        second = taken_by(b)
        with pytest.raises(LeaseLost) as refused:
            write(postgres_store.under(first), 1)
        write(postgres_store.under(second), 2)

    assert written(postgres_store) == [1, 1, 2]
    assert refused.value.code == "lease_lost"


@pytest.mark.postgres
def test_a_takeover_waits_for_what_is_about_to_be_committed(postgres_database, postgres_store):
    """What has shown that it holds the lease commits before the lease changes hands, though it stood still in between."""
    with several(postgres_database.restricted_url, "a", "b") as (a, b), ThreadPoolExecutor(1) as threads:
        with postgres_store.database.writing() as connection:
            unit = SqlUnitOfWork(connection, StoreClock(utc_now), new_salt, lease=a.take())
            unit.record(an_event(1, at=unit.now))
            unit.finish()
            lapse(postgres_database)
            taking = threads.submit(b.take)
            with pytest.raises(TimeoutError):
                taking.result(0.5)
        assert taking.result(5) == Lease(name="leader", holder="b", generation=2)

    assert written(postgres_store) == [1]


@pytest.mark.postgres
def test_generations_never_overlap_in_what_is_written(postgres_database):
    """Holders that never look whether they still are write on and on while the lease changes hands: what is kept is in order.

    It is what the fence is for: every event of a generation is committed before the first of the next.
    """
    url = postgres_database.restricted_url
    database, over = open_database(url), Event()
    store = a_store(database)

    def writes_on(lease: Lease) -> int:
        mine = store.under(lease)
        refused = 0
        while not over.is_set() and not refused:
            try:
                write(mine, lease.generation)
            except LeaseLost:
                refused += 1
        return refused

    with several(url, "a", "b", "c") as ones, ThreadPoolExecutor(ROUNDS) as threads:
        writers = []
        for number in range(ROUNDS):
            lease = taken_by(ones[number % 3])
            assert lease.generation == number + 1
            writers.append(threads.submit(writes_on, lease))
            time.sleep(0.02)
            lapse(postgres_database)
        over.set()
        refusals = [one.result(10) for one in writers]

    generations = written(store)
    database.close()
    assert generations == sorted(generations)
    assert len(set(generations)) > ROUNDS / 2
    assert sum(refusals) >= ROUNDS - 2
