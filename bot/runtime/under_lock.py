"""Under the lock: what one process alone may do is done while it holds the worker lock. :mod:`bot.serving` puts it together.

Two relays would post every card twice. So each tick of that kind asks first; a lock that was lost, as by a restart of
PostgreSQL, is taken again, and until then those ticks stand still. Where it does not come back the service ends in good order,
and its supervisor starts it anew: a process that can do nothing must not look like one that works.
"""

from collections.abc import Callable
from typing import Final

import structlog

from approvals.errors import Clash, Refused, Unavailable
from models.store.worker_lock import WorkerLock

log = structlog.get_logger(__name__)

TAKEN_SECONDS: Final = 10.0
"""How long somebody else may hold the lock: at first that can be our own lost connection, which the server is still ending."""

AWAY_SECONDS: Final = 300.0
"""How long the database may be out of reach: longer than it takes to restart or to fail over."""


class UnderLock:
    """Lets work be done while the lock is held, and ends the service when it is gone for good."""

    def __init__(self, lock: WorkerLock, *, monotonic: Callable[[], float], end: Callable[[], object]) -> None:
        """Begin with a lock that is held.

        Args:
            lock: The worker lock.
            monotonic: Seconds that only count up.
            end: Ends the service in good order; called once, from any thread.
        """
        self._lock = lock
        self._monotonic = monotonic
        self._end = end
        self._held_at = monotonic()
        self.given_up: Refused | None = None
        """Why the service ends; None while it goes on."""

    def only(self, work: Callable[[], object]) -> Callable[[], None]:
        """Return *work*, done where the lock is held at that moment and left out where it is not."""

        def held() -> None:
            if self.given_up is None and self._lock.is_held():
                work()

        return held

    def watch(self) -> None:
        """Return where the lock is held, taken again if it was lost.

        Raises:
            approvals.errors.Clash: Somebody else holds it, not for long yet.
            approvals.errors.Unavailable: The database cannot be reached, not for long yet.
        """
        if self.given_up is not None:
            return
        try:
            self._lock.hold()
        except (Clash, Unavailable) as error:
            away = self._monotonic() - self._held_at
            if away < (TAKEN_SECONDS if isinstance(error, Clash) else AWAY_SECONDS):
                raise
            log.critical("worker_lock.given_up", why=error.sentence, seconds=round(away))
            self.given_up = error
            self._end()
        else:
            self._held_at = self._monotonic()
