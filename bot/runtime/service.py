"""The service: everything that runs in one process, started in order and stopped in order.

Before any door opens, what fell due while the process was down is expired: downtime never turns into time to approve. On
the way down the doors close first, then the ticks end, then the threads; what was accepted is finished or still in its row.
"""

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from bot.runtime.pools import Pools
from bot.runtime.scheduler import Scheduler

log = structlog.get_logger(__name__)

STARTING_SECONDS: Final = 15.0


class Api(Protocol):
    """The HTTP server of agents, monitors and, in HTTP mode, Slack."""

    async def serve(self) -> None:
        """Serve until it is told to stop."""
        ...

    should_exit: bool
    """Set to end it."""


class Leader(Protocol):
    """What one process alone may do, and whether it is this one."""

    def start(self) -> None:
        """Begin to ask for it."""
        ...

    def stop(self) -> None:
        """Let what is under way end, and leave it to another."""
        ...


class SlackDoor(Protocol):
    """The approvers' door."""

    async def open(self) -> None:
        """Begin to take clicks."""
        ...

    async def close(self) -> None:
        """Take none any more."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One process's work."""

    api: Api
    slack: SlackDoor
    scheduler: Scheduler
    leader: Leader
    pools: Pools
    expire: Callable[[], object]
    ready: Callable[[], Awaitable[None]]
    """Is told when everything runs; the demo goes on from there."""

    async def run(self, ended: asyncio.Event) -> None:
        """Run until the process is told to end, by a signal or by *ended*."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            with contextlib.suppress(
                NotImplementedError, ValueError
            ):  # not in the main thread: whoever runs us stops us
                loop.add_signal_handler(number, ended.set)
        await self.run_until(ended)

    async def run_until(self, ended: asyncio.Event) -> None:
        """Run until *ended* is set, or the API's server ends by itself."""
        expired = await asyncio.to_thread(self.expire)
        log.info("service.expired_what_was_overdue", expired=expired)
        api = asyncio.create_task(self.api.serve())
        try:
            await self.slack.open()
            await asyncio.to_thread(self.leader.start)
            self.scheduler.start()
            log.info("service.runs")
            await self.ready()
            await asyncio.wait({api, asyncio.create_task(ended.wait())}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            log.info("service.stops")
            self.api.should_exit = True
            await asyncio.gather(self.slack.close(), asyncio.to_thread(self._stand_down))
            await api  # what was accepted is answered before the threads that answer it end
            await asyncio.to_thread(self.pools.close)

    def _stand_down(self) -> None:
        """End the ticks, and then let another process lead at once: it need not wait for our callers to be answered."""
        self.scheduler.stop()
        self.leader.stop()
