"""The worker: each due execution in one thread at a time, and whatever happens to one leaves the others alone."""

from concurrent.futures import Future
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from approvals.errors import Unavailable
from bot.worker import AT_ONCE, Worker


class HandPool:
    """Keeps work until a test runs it."""

    def __init__(self):
        self.work = []
        self.full = False

    def submit(self, work):
        """Keep it."""
        if self.full:
            raise Unavailable("full")
        self.work.append(work)
        return Future()

    def run(self):
        """Run what is kept."""
        work, self.work = self.work, []
        for one in work:
            one()


class Executions:
    """Stands for the store's due executions and for the verb that looks at one."""

    def __init__(self, *due):
        self.due = due
        self.seen = []
        self.raises = None

    @contextmanager
    def reading(self):
        """Give a look that knows what is due."""
        yield SimpleNamespace(due_executions=lambda limit: self.due[:limit])

    def look_at(self, execution_id):
        """Look at one."""
        self.seen.append(execution_id)
        if self.raises is not None:
            raise self.raises


def a_worker(executions, pool, failed):
    """Return a worker over the stands."""
    return Worker(store=executions, execute=executions, pool=pool, failed=failed.append)


def test_what_is_in_hand_is_not_handed_out_again():
    """An execution that a thread has is left alone until that thread is done with it."""
    executions, pool = Executions("exe_1"), HandPool()
    worker = a_worker(executions, pool, [])

    worker.tick()
    worker.tick()
    pool.run()
    worker.tick()
    pool.run()

    assert executions.seen == ["exe_1", "exe_1"]


def test_no_more_than_a_few_are_looked_at_together():
    """More than the bound waits in the table, where a pause can still stop it."""
    executions, pool = Executions(*(f"exe_{number}" for number in range(AT_ONCE + 5))), HandPool()

    a_worker(executions, pool, []).tick()

    assert len(pool.work) == AT_ONCE


@pytest.mark.parametrize(("error", "told"), [(Unavailable("not now"), []), (ValueError("a defect"), ["execute"])])
def test_an_error_frees_the_execution_for_the_next_tick(error, told):
    """Not knowing is logged; a defect is counted, too. Either way the execution is looked at again."""
    executions, pool = Executions("exe_1"), HandPool()
    failed: list[str] = []
    executions.raises = error
    worker = a_worker(executions, pool, failed)

    worker.tick()
    pool.run()
    worker.tick()

    assert (failed, len(pool.work)) == (told, 1)


def test_a_full_pool_leaves_it_for_later():
    """Where the pool takes nothing more, the execution stays due and is handed out when there is room."""
    executions, pool = Executions("exe_1"), HandPool()
    worker = a_worker(executions, pool, [])
    pool.full = True

    worker.tick()
    pool.full = False
    worker.tick()

    assert len(pool.work) == 1
