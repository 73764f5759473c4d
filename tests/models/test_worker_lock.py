"""One `countersign serve` for each database."""

import subprocess
import sys

import pytest

from approvals.errors import Clash, Unavailable
from models.worker_lock import worker_lock


def test_a_second_worker_is_refused(database_url):
    """While one works, another is told so in words; afterwards it may begin."""
    with worker_lock(database_url) as lock:
        lock.check()
        with pytest.raises(Clash) as refused, worker_lock(database_url):
            pass
        lock.check()
    with worker_lock(database_url) as lock:
        lock.check()

    assert refused.value.code == "already_serving"
    assert "there can be only one" in refused.value.sentence


def test_a_killed_worker_leaves_no_lock(database_url):
    """A process that died without a word holds nothing."""
    program = (
        "import os, sys\nfrom models.worker_lock import worker_lock\n"
        "with worker_lock(sys.argv[1]):\n    os.kill(os.getpid(), 9)\n"
    )
    killed = subprocess.run([sys.executable, "-c", program, database_url], check=False)

    with worker_lock(database_url) as lock:
        lock.check()

    assert killed.returncode == -9


@pytest.mark.postgres
def test_a_worker_notices_that_its_lock_is_gone(postgres_database, postgres_server):
    """Where the connection that holds it breaks, another may begin; whoever asks is told to stop."""
    with worker_lock(postgres_database.restricted_url) as lock:
        postgres_server.cut_off(postgres_database)

        with pytest.raises(Unavailable):
            lock.check()


def test_a_database_out_of_reach_is_unavailable():
    """Without a server there is no lock to be had."""
    with pytest.raises(Unavailable), worker_lock("postgresql://nobody@127.0.0.1:1/none"):
        pass
