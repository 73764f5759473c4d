"""Pools: kinds of work apart from each other, each bounded."""

import asyncio
from threading import Event

import pytest

from approvals.errors import Unavailable
from bot.runtime.pools import BoundedPool, standard_pools

NOTHING: dict[str, int] = {}


@pytest.fixture
def pool():
    """One thread, one place in the queue."""
    made = BoundedPool("test", threads=1, queue=1)
    yield made
    made.close()


def test_work_is_done_and_its_outcome_returned(pool):
    """What work returns or raises reaches whoever waits for it."""
    assert pool.submit(lambda: 1 + 1).result(5) == 2
    with pytest.raises(KeyError):
        pool.submit(lambda: NOTHING["x"]).result(5)


def test_a_full_queue_refuses_at_once(pool):
    """I13: more than threads and queue hold is refused, and accepted again when there is room."""
    go_on = Event()
    first, second = pool.submit(lambda: go_on.wait(5)), pool.submit(lambda: go_on.wait(5))

    with pytest.raises(Unavailable) as refused:
        pool.submit(lambda: None)

    assert (refused.value.code, pool.in_hand) == ("busy", 2)
    go_on.set()
    assert first.result(5)
    assert second.result(5)
    assert pool.submit(lambda: 3).result(5) == 3


def test_the_event_loop_waits_without_a_thread_of_its_own(pool):
    """From the event loop the same, awaited."""

    async def both():
        with pytest.raises(KeyError):
            await pool.run(lambda: NOTHING["x"])
        return await pool.run(lambda: 4)

    assert asyncio.run(both()) == 4


def test_a_closed_pool_takes_nothing_on_and_keeps_its_count(pool):
    """After closing, work is refused as not now, and not counted."""
    pool.close()

    with pytest.raises(Unavailable) as refused:
        pool.submit(lambda: None)

    assert (refused.value.code, pool.in_hand) == ("stopping", 0)


def test_a_denial_never_waits_behind_slow_work():
    """Eight slow previews once made a click wait for four seconds: what stops things has threads of its own."""
    pools = standard_pools()
    go_on = Event()
    slow = [
        pool.submit(lambda: go_on.wait(10)) for pool in (pools.cluster, pools.decide, pools.intake) for _ in range(20)
    ]

    assert pools.urgent.submit(lambda: "stopped").result(2) == "stopped"

    go_on.set()
    assert all(one.result(10) for one in slow)
    pools.close()
