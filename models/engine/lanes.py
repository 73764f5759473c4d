"""Lanes: whose turn it is to write, where an engine takes one writer at a time.

SQLite lets writers collide and sleep; eight of them were measured to reach a third of one writer's rate. So writers of one
process queue here, in order of arrival, and the urgent ones (pause, deny) go before all others (I13). Writers of another
process, such as a command line, are SQLite's own affair.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Lock

from approvals.errors import Unavailable
from approvals.ports.store import Urgency


class WriteLanes:
    """One turn at a time; urgent waiters first, each lane in order of arrival."""

    def __init__(self, *, patience: float) -> None:
        """Keep for how many seconds a writer waits for its turn."""
        self._patience = patience
        self._mutex = Lock()
        self._taken = False
        self._waiting: dict[Urgency, deque[Event]] = {Urgency.URGENT: deque(), Urgency.NORMAL: deque()}

    @contextmanager
    def turn(self, lane: Urgency) -> Iterator[None]:
        """Hold the one turn for the length of the block.

        Raises:
            Unavailable: It did not come within the writer's patience.
        """
        self._take(lane)
        try:
            yield
        finally:
            self._pass_on()

    def _take(self, lane: Urgency) -> None:
        with self._mutex:
            if not self._taken:
                self._taken = True
                return
            ticket = Event()
            self._waiting[lane].append(ticket)
        if ticket.wait(self._patience):
            return
        with self._mutex:
            if ticket.is_set():  # It came between the end of the wait and this line, and is ours.
                return
            self._waiting[lane].remove(ticket)
        raise Unavailable("The store is too busy to write just now; try again in a moment.", code="store_busy")

    def _pass_on(self) -> None:
        with self._mutex:
            for lane in (Urgency.URGENT, Urgency.NORMAL):
                if self._waiting[lane]:
                    self._waiting[lane].popleft().set()
                    return
            self._taken = False
