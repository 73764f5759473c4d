"""The worker: hands due executions to the cluster pool, each to one thread at a time. It knows nothing of what is done there."""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock
from typing import Final, Protocol

import structlog

from approvals.errors import Unavailable
from approvals.ports import Store
from approvals.usecases.execute import Execute

log = structlog.get_logger(__name__)

AT_ONCE: Final = 8
"""How many executions are looked at together; more wait in the table, where a pause can still stop them."""


class Pool(Protocol):
    """Runs work in threads of its own."""

    def submit(self, work: Callable[[], None]) -> "Future[None]":
        """Begin *work* soon.

        Raises:
            approvals.errors.Unavailable: Too much waits already.
        """
        ...


class Worker:
    """Looks at due executions."""

    def __init__(self, *, store: Store, execute: Execute, pool: Pool, failed: Callable[[str], None]) -> None:
        """Keep what it works with; *failed* is told the name of work that raised."""
        self._store = store
        self._execute = execute
        self._pool = pool
        self._failed = failed
        self._lock = Lock()
        self._in_hand: set[str] = set()

    def tick(self) -> None:
        """Hand out what is due and not in hand already."""
        with self._store.reading() as reading:
            due = reading.due_executions(limit=AT_ONCE)
        for execution_id in due:
            self._hand_out(execution_id)

    def _hand_out(self, execution_id: str) -> None:
        with self._lock:
            if execution_id in self._in_hand or len(self._in_hand) >= AT_ONCE:
                return
            self._in_hand.add(execution_id)
        try:
            self._pool.submit(lambda: self._look_at(execution_id))
        except Unavailable:
            self._put_down(execution_id)

    def _look_at(self, execution_id: str) -> None:
        try:
            self._execute.look_at(execution_id)
        except Unavailable as error:
            log.warning("execution.waits", execution=execution_id, why=error.sentence)
        except Exception:
            # The outermost loop of a thread: nothing uncommitted has happened, and the lease runs out by itself.
            log.exception("execution.failed", execution=execution_id)
            self._failed("execute")
        finally:
            self._put_down(execution_id)

    def _put_down(self, execution_id: str) -> None:
        with self._lock:
            self._in_hand.discard(execution_id)
