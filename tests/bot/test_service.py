"""The service: started in order, stopped in order, and what is overdue is expired before any door opens."""

import asyncio

import pytest

from bot.clock import utc_now
from bot.health.legs import Legs
from bot.observe.metrics import Metrics
from bot.observe.tick_reports import TickReports
from bot.runtime.pools import standard_pools
from bot.runtime.scheduler import Scheduler
from bot.runtime.service import Service


class Parts:
    """Stands for the doors, and writes down what happens in which order."""

    def __init__(self, *, slack_fails: bool = False) -> None:
        self.told: list[str] = []
        self.should_exit = False
        self._slack_fails = slack_fails

    async def serve(self) -> None:
        """Serve until told to stop."""
        self.told.append("api serves")
        while not self.should_exit:  # noqa: ASYNC110 - as the real one does
            await asyncio.sleep(0.01)
        self.told.append("api ended")

    async def open(self) -> None:
        """Open."""
        if self._slack_fails:
            raise OSError("no way out")
        self.told.append("slack open")

    async def close(self) -> None:
        """Close."""
        self.told.append("slack closed")

    def expire(self) -> int:
        """Expire."""
        self.told.append("expired")
        return 0

    def start(self) -> None:
        """Begin to lead."""
        self.told.append("leads")

    def stop(self) -> None:
        """Lead no more."""
        self.told.append("leads no more")

    async def ready(self) -> None:
        """Note it."""
        self.told.append("ready")


def a_service(parts: Parts) -> Service:
    """Return a service over the stands."""
    return Service(
        api=parts,
        slack=parts,
        leader=parts,
        scheduler=Scheduler([], [], reports=TickReports(Legs(now=utc_now), Metrics())),
        pools=standard_pools(),
        expire=parts.expire,
        ready=parts.ready,
    )


def test_it_expires_before_it_opens_and_closes_its_doors_first():
    """Downtime never turns into time to approve: the overdue goes first. On the way down no new click comes in (T-TIME-06)."""
    parts = Parts()

    async def run() -> None:
        ended = asyncio.Event()
        running = asyncio.create_task(a_service(parts).run_until(ended))
        while "ready" not in parts.told:  # noqa: ASYNC110 - the stand tells by a list
            await asyncio.sleep(0.01)
        ended.set()
        await asyncio.wait_for(running, 10)

    asyncio.run(run())

    assert parts.told[0] == "expired"
    assert sorted(parts.told[1:5]) == ["api serves", "leads", "ready", "slack open"]
    assert sorted(parts.told[5:]) == ["api ended", "leads no more", "slack closed"]


def test_a_door_that_cannot_open_ends_the_service():
    """A start that fails half-way leaves nothing running."""
    parts = Parts(slack_fails=True)

    with pytest.raises(OSError, match="no way out"):
        asyncio.run(a_service(parts).run_until(asyncio.Event()))

    assert parts.should_exit
    assert "ready" not in parts.told
