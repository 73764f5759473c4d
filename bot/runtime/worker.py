"""The worker: hands due executions to the cluster pool, each to one thread at a time. It knows nothing of what is done there."""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Condition
from typing import Final, Protocol

import structlog

from approvals.errors import Refused, Unavailable
from approvals.ports.store import Store
from approvals.usecases.execution.execute import Execute
from approvals.usecases.execution.setbacks import SetBack

log = structlog.get_logger(__name__)

AT_ONCE: Final = 8
"""How many executions are looked at together; more wait in the table, where a pause can still stop them."""


AGAIN_AT_ONCE: Final = AT_ONCE // 2
"""How many of them may be such whose last look could not be finished: a cluster that answers nobody holds each of its looks for
seconds, and must not hold up those of the others."""


class WorkerPool(Protocol):
    """Runs work in threads of its own."""

    def submit(self, work: Callable[[], None]) -> "Future[None]":
        """Begin *work* soon.

        Raises:
            approvals.errors.Unavailable: Too much waits already.
        """
        ...


class Worker:
    """Looks at due executions."""

    def __init__(self, *, store: Store, execute: Execute, pool: WorkerPool, failed: Callable[[str], None]) -> None:
        """Keep what it works with; *failed* is told the name of work that raised."""
        self._store = store
        self._execute = execute
        self._pool = pool
        self._failed = failed
        self._lock = Condition()
        self._in_hand: set[str] = set()
        self._set_back: set[str] = set()
        """Those whose last look could not be finished."""

    def tick(self) -> None:
        """Hand out what is due and not in hand already."""
        with self._store.reading() as reading:
            due = (*reading.left_behind(limit=2 * AT_ONCE), *reading.due_executions(limit=2 * AT_ONCE))
        for execution_id in due:
            self._hand_out(execution_id)

    def settle(self, seconds: float) -> bool:
        """Return when nothing is in hand any more, or after *seconds*; whether nothing is. Nothing is handed out meanwhile."""
        with self._lock:
            return self._lock.wait_for(lambda: not self._in_hand, seconds)

    def _hand_out(self, execution_id: str) -> None:
        with self._lock:
            if execution_id in self._in_hand or len(self._in_hand) >= AT_ONCE:
                return
            if execution_id in self._set_back and len(self._in_hand & self._set_back) >= AGAIN_AT_ONCE:
                return
            self._in_hand.add(execution_id)
        try:
            self._pool.submit(lambda: self._look_at(execution_id))
        except Unavailable:
            self._put_down(execution_id)

    def _look_at(self, execution_id: str) -> None:
        try:
            back = self._execute.look_at(execution_id)
            self._note(execution_id, back)
        except Unavailable as error:
            log.warning("execution.waits", execution=execution_id, why=error.sentence)
        except Exception:
            # The outermost loop of a thread: nothing uncommitted has happened, and the lease runs out by itself.
            log.exception("execution.failed", execution=execution_id)
            self._failed("execute")
        finally:
            self._put_down(execution_id)

    def _note(self, execution_id: str, back: SetBack | None) -> None:
        """Remember whether a look could not be finished, and log why: with its trace the first time, then in a line each."""
        with self._lock:
            (self._set_back.discard if back is None else self._set_back.add)(execution_id)
        if back is None:
            return
        waits = round(back.wait.total_seconds())
        if not back.is_fault:
            why = back.error.sentence if isinstance(back.error, Refused) else ""
            log.warning("execution.waits", execution=execution_id, why=why, seconds=waits, tries=back.count)
            return
        self._failed("execute")
        log.error(
            "execution.failed",
            execution=execution_id,
            error=f"{type(back.error).__name__}: {back.error}",
            seconds=waits,
            tries=back.count,
            exc_info=back.error if back.count == 1 else None,
        )

    def _put_down(self, execution_id: str) -> None:
        with self._lock:
            self._in_hand.discard(execution_id)
            self._lock.notify_all()
