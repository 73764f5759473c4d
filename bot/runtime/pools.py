"""Pools: threads for calling the verbs, four kinds of work apart from each other, each bounded.

One pool for everything was measured to make a click wait 3.95 s behind eight slow previews. A denial and a pause never stand
behind approvals, approvals never behind intake, nothing behind a slow cluster. Where a pool's queue is full, more work is
refused at once: an honest "not now" is better than an answer after the asker has gone.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from typing import TypeVar

from approvals.errors import Unavailable

T = TypeVar("T")


class BoundedPool:
    """Some threads and a queue, both bounded."""

    def __init__(self, name: str, *, threads: int, queue: int) -> None:
        """Begin with nothing to do.

        Args:
            name: Of the threads, and of the pool in refusals' logs.
            threads: How much is worked on at once; more threads than the store has connections would only wait.
            queue: How much may wait beside that.
        """
        self.name = name
        self._most = threads + queue
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._lock = Lock()
        self._in_hand = 0

    @property
    def in_hand(self) -> int:
        """How much is being worked on or waits."""
        return self._in_hand

    def submit(self, work: Callable[[], T]) -> "Future[T]":
        """Begin *work* soon.

        Raises:
            Unavailable: Too much waits already.
        """
        with self._lock:
            if self._in_hand >= self._most:
                raise Unavailable("Too much is going on just now; try again in a moment.", code="busy")
            self._in_hand += 1
        try:
            future = self._executor.submit(work)
        except RuntimeError as error:
            self._one_less()
            raise Unavailable("This process is stopping; try again in a moment.", code="stopping") from error
        future.add_done_callback(lambda _: self._one_less())
        return future

    async def run(self, work: Callable[[], T]) -> T:
        """Return what *work* returns, or raise what it raises; where the waiter is cancelled, work that began goes on.

        Raises:
            Unavailable: Too much waits already.
        """
        return await asyncio.wrap_future(self.submit(work))

    def close(self) -> None:
        """Take nothing more on, and return when everything in hand has ended."""
        self._executor.shutdown(wait=True)

    def _one_less(self) -> None:
        with self._lock:
            self._in_hand -= 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Pools:
    """The four kinds of work."""

    urgent: BoundedPool
    """Pauses and denials: what makes things stop."""
    decide: BoundedPool
    """Approvals and resumes."""
    intake: BoundedPool
    """Agents' and monitors' calls."""
    cluster: BoundedPool
    """Previews and executions: slow, and never in the way of the others."""

    def close(self) -> None:
        """Let everything end, what makes things stop last of all."""
        for pool in (self.intake, self.cluster, self.decide, self.urgent):
            pool.close()


def standard_pools() -> Pools:
    """Return the pools of one process: a few threads each, since one machine's store is the narrow place."""
    return Pools(
        urgent=BoundedPool("urgent", threads=4, queue=64),
        decide=BoundedPool("decide", threads=8, queue=64),
        intake=BoundedPool("intake", threads=8, queue=64),
        cluster=BoundedPool("cluster", threads=8, queue=32),
    )
