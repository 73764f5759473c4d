"""The store: hands out looks and transactions; implements :class:`approvals.ports.store.Store`.

What can be asked is :mod:`models.store.reading`, what can be changed :mod:`models.store.unit_of_work`. The application makes
one store and
passes it to every use case; it may be called from any thread.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from typing_extensions import override

from approvals.ports.store import Store, Urgency
from models.engine.database import Database
from models.store.clock import HostClock, StoreClock
from models.store.fence import Lease
from models.store.journal import NewSalt
from models.store.reading import SqlReading
from models.store.unit_of_work import SqlUnitOfWork


class SqlStore(Store):
    """Remembers everything in one database."""

    def __init__(
        self,
        database: Database,
        *,
        host_clock: HostClock,
        new_salt: NewSalt,
        lease: Lease | None = None,
        leader: int = 0,
    ) -> None:
        """Keep where everything is.

        Args:
            database: The database, migrated.
            host_clock: Returns the host's instant; it decides on SQLite only.
            new_salt: Returns a fresh salt for each free text.
            lease: Without which nothing is written; None where no lease is needed.
            leader: The generation of the leader's lease that it works under; 0 for none.
        """
        self.database = database
        self._host_clock = host_clock
        self._clock = StoreClock(host_clock)
        self._new_salt = new_salt
        self.lease = lease
        """Without which nothing is written; None where no lease is needed."""
        self._leader = leader
        self.on_change: Callable[[], object] = _nobody
        """Is called after each commit that has changed something which people or agents see."""

    def under(self, lease: Lease) -> "SqlStore":
        """Return the same store for whoever holds *lease*: nothing it writes is kept once the lease has gone to another.

        On SQLite only one process serves, and the lock on its file is the fence.
        """
        kept = None if self.database.is_sqlite else lease
        store = SqlStore(
            self.database, host_clock=self._host_clock, new_salt=self._new_salt, lease=kept, leader=lease.generation
        )
        store.on_change = self.on_change
        return store

    @contextmanager
    @override
    def reading(self, lane: Urgency = Urgency.NORMAL) -> Iterator[SqlReading]:
        """Return a look at the store: one consistent snapshot.

        Raises:
            approvals.errors.Unavailable: The store cannot be reached or is too busy.
        """
        with self.database.reading(lane) as connection:
            yield SqlReading(connection, self._clock, leader=self._leader)

    @contextmanager
    @override
    def glancing(self, lane: Urgency = Urgency.NORMAL) -> Iterator[SqlReading]:
        """Return a look that is quicker and no snapshot: each answer is of its own instant.

        Raises:
            approvals.errors.Unavailable: The store cannot be reached or is too busy.
        """
        with self.database.asking(lane) as connection:
            yield SqlReading(connection, self._clock, leader=self._leader)

    @contextmanager
    @override
    def writing(self, lane: Urgency = Urgency.NORMAL) -> Iterator[SqlUnitOfWork]:
        """Return a transaction: it commits when the block ends well, and changes nothing otherwise.

        Raises:
            approvals.errors.Unavailable: The store cannot be reached or is too busy; after a commit it may mean that the
                reply was lost, so whoever asks again looks for its own work first.
            LeaseLost: It works under a lease that has gone to another process; nothing is kept.
        """
        with self.database.writing(lane) as connection:
            unit = SqlUnitOfWork(connection, self._clock, self._new_salt, lease=self.lease, leader=self._leader)
            yield unit
            unit.finish(commit=True)
        if unit.has_changes:
            self.on_change()

    def now(self) -> datetime:
        """Return the store's instant.

        Raises:
            approvals.errors.Unavailable: The store cannot be reached or is too busy.
        """
        with self.reading() as reading:
            return reading.now

    def last_served(self) -> tuple[datetime | None, datetime]:
        """Return when a service last ran here, to within a few seconds, None where none ever has; and the instant of the look.

        Raises:
            approvals.errors.Unavailable: The store cannot be reached or is too busy.
        """
        with self.database.reading(Urgency.URGENT) as connection:
            return self._clock.latest_tick(connection), self._clock.now(connection)


def _nobody() -> None:
    """Nobody waits for what changes."""
