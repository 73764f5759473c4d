"""The worker: each due execution in one thread at a time, and whatever happens to one leaves the others alone."""

from concurrent.futures import Future
from contextlib import contextmanager
from datetime import timedelta
from types import SimpleNamespace

import pytest
from structlog.testing import capture_logs

from approvals.errors import Unavailable
from approvals.usecases.execution.setbacks import SetBack
from bot.runtime.worker import AGAIN_AT_ONCE, AT_ONCE, Worker


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
        self.left: tuple[str, ...] = ()
        self.seen = []
        self.raises = None
        self.backs = {}

    @contextmanager
    def reading(self):
        """Give a look that knows what is due."""
        yield SimpleNamespace(
            due_executions=lambda limit: self.due[:limit], left_behind=lambda limit: self.left[:limit]
        )

    def look_at(self, execution_id):
        """Look at one."""
        self.seen.append(execution_id)
        if self.raises is not None:
            raise self.raises
        return self.backs.get(execution_id)


def a_setback(error, count):
    """Return what kept a look from being finished, *count* times in a row."""
    return SetBack(error=error, wait=timedelta(seconds=5), count=count)


def a_worker(executions, pool, failed):
    """Return a worker over the stands."""
    return Worker(store=executions, execute=executions, pool=pool, failed=failed.append)


def test_what_an_earlier_leader_left_is_handed_out_first():
    """It has waited longest, whatever is due beside it; nothing is handed out twice."""
    executions, pool = Executions("exe_1", "exe_2"), HandPool()
    executions.left = ("exe_2",)

    a_worker(executions, pool, []).tick()
    pool.run()

    assert executions.seen == ["exe_2", "exe_1"]


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


def test_what_failed_last_time_takes_half_of_the_places_at_most():
    """A cluster that answers nobody holds each look for seconds: the others' changes still find a place."""
    failing = [f"exe_failing_{number}" for number in range(AT_ONCE)]
    executions, pool = Executions(*failing), HandPool()
    executions.backs = {one: a_setback(Unavailable("not now"), 1) for one in failing}
    worker = a_worker(executions, pool, [])
    worker.tick()
    pool.run()

    worker.tick()
    held = len(pool.work)
    executions.due = ("exe_1", "exe_2", *failing)
    worker.tick()

    assert (held, len(pool.work)) == (AGAIN_AT_ONCE, AGAIN_AT_ONCE + 2)


def test_what_goes_on_again_is_one_of_the_others():
    """Once a look could be finished, nothing is held against it any more."""
    executions, pool = Executions(*(f"exe_{number}" for number in range(AT_ONCE))), HandPool()
    executions.backs = {one: a_setback(Unavailable("not now"), 1) for one in executions.due}
    worker = a_worker(executions, pool, [])
    for backs in (executions.backs, {}, {}, {}):
        executions.backs = backs
        worker.tick()
        pool.run()

    worker.tick()

    assert len(pool.work) == AT_ONCE


def test_each_try_is_one_line_and_only_the_first_has_a_trace():
    """A fault is counted and named each time; an outage is no fault."""
    executions, pool = Executions("exe_1"), HandPool()
    failed: list[str] = []
    worker = a_worker(executions, pool, failed)
    with capture_logs() as logs:
        for back in (a_setback(ValueError("odd"), 1), a_setback(ValueError("odd"), 2), a_setback(Unavailable("no"), 3)):
            executions.backs = {"exe_1": back}
            worker.tick()
            pool.run()

    told = [(one["event"], one.get("error") or one.get("why"), one["tries"], bool(one.get("exc_info"))) for one in logs]
    assert told == [
        ("execution.failed", "ValueError: odd", 1, True),
        ("execution.failed", "ValueError: odd", 2, False),
        ("execution.waits", "no", 3, False),
    ]
    assert failed == ["execute", "execute"]


def test_it_settles_when_nothing_is_in_hand():
    """Whoever stops leading waits for what is being looked at, and not for ever."""
    executions, pool = Executions("exe_1"), HandPool()
    worker = a_worker(executions, pool, [])
    worker.tick()

    in_hand = worker.settle(0.01)
    pool.run()

    assert (in_hand, worker.settle(0)) == (False, True)
