"""One `countersign serve` for each database."""

import subprocess
import sys

import pytest
from psycopg import sql

from approvals.errors import Clash, Unavailable
from models.store.worker_lock import worker_lock


def test_a_second_worker_is_refused(database_url):
    """While one works, another is told so in words; afterwards it may begin."""
    with worker_lock(database_url) as lock:
        with pytest.raises(Clash) as refused, worker_lock(database_url):
            pass
        lock.hold()
        held = [lock.is_held()]
    with worker_lock(database_url) as lock:
        held.append(lock.is_held())

    assert held == [True, True]
    assert refused.value.code == "already_serving"
    assert "there can be only one" in refused.value.sentence


def test_a_killed_worker_leaves_no_lock(database_url):
    """A process that died without a word holds nothing."""
    program = (
        "import os, sys\nfrom models.store.worker_lock import worker_lock\n"
        "with worker_lock(sys.argv[1]):\n    os.kill(os.getpid(), 9)\n"
    )
    killed = subprocess.run([sys.executable, "-c", program, database_url], check=False)

    with worker_lock(database_url) as lock:
        held = lock.is_held()

    assert (killed.returncode, held) == (-9, True)


@pytest.mark.postgres
def test_a_lost_lock_is_taken_again(postgres_database, postgres_server):
    """Where the connection that holds it breaks, it is held no more until it is taken anew; then nobody else may begin."""
    with worker_lock(postgres_database.restricted_url) as lock:
        postgres_server.cut_off(postgres_database)

        held = [lock.is_held(), lock.is_held()]
        lock.hold()
        held.append(lock.is_held())
        with pytest.raises(Clash), worker_lock(postgres_database.restricted_url):
            pass

    assert held == [False, False, True]


@pytest.mark.postgres
def test_a_lost_lock_may_be_somebody_elses_by_now(postgres_database, postgres_server):
    """Who was faster keeps it; whoever lost it is told so, each time, and has it again once it is free."""
    with worker_lock(postgres_database.restricted_url) as lock:
        postgres_server.cut_off(postgres_database)
        with worker_lock(postgres_database.restricted_url) as other:
            with pytest.raises(Clash) as refused:
                lock.hold()
            with pytest.raises(Clash):
                lock.hold()
            held = [lock.is_held(), other.is_held()]
        lock.hold()
        held.append(lock.is_held())

    assert refused.value.code == "already_serving"
    assert held == [False, True, True]


@pytest.mark.postgres
def test_a_lost_lock_waits_for_its_database(empty_postgres, postgres_server):
    """While the database cannot be reached, the lock is not held, and whoever takes it is told to try again."""
    allow = sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS {}")
    with worker_lock(empty_postgres.restricted_url) as lock:
        postgres_server.execute(allow.format(sql.Identifier(empty_postgres.name), sql.SQL("false")))
        postgres_server.cut_off(empty_postgres)
        with pytest.raises(Unavailable):
            lock.hold()
        held = [lock.is_held()]
        postgres_server.execute(allow.format(sql.Identifier(empty_postgres.name), sql.SQL("true")))
        lock.hold()
        held.append(lock.is_held())

    assert held == [False, True]


def test_a_database_out_of_reach_is_unavailable():
    """Without a server there is no lock to be had."""
    with pytest.raises(Unavailable), worker_lock("postgresql://nobody@127.0.0.1:1/none"):
        pass
