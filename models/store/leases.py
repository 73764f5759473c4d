"""Leases: which of several processes does what one alone may do.

A row says who, until when by the database's clock, and how often that has changed hands. It is no lock of a session: a process
that was stopped keeps one for as long as its machine answers, and a lease lapses by itself. Whoever held it may not know that
yet, so what it writes is fenced (:mod:`models.store.fence`), and what it sends must do no harm when it leaves late.

A release before the leases takes the worker lock, a session's, for itself alone. Each process of this one shares that lock, so
that such a release and this one never work side by side.

On SQLite one process serves, by a lock on a file: it holds its lease until it ends.
"""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from threading import Lock
from typing import Final, Protocol, TypeVar

from sqlalchemy import URL, Connection, NullPool, bindparam, create_engine, exc, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from approvals.errors import Clash
from models.engine.advisory import advisory_key
from models.engine.columns import NUMBER, TEXT, instant_at
from models.engine.database import SQLITE, address, open_database, place_of, postgresql_arguments
from models.engine.faults import translated
from models.store.clock import SERVER_MICROSECONDS
from models.store.fence import LEADER, Lease, fence_key
from models.store.tables import leases
from models.store.worker_lock import WORKER, file_lock

T = TypeVar("T")

LEASE_SECONDS: Final = 6.0
"""How long a lease holds after it was last renewed. With a look every half second a dead holder is replaced within seven; a
holder that a busy machine keeps from its turn for five has not lost it yet."""

PATIENCE_SECONDS: Final = 4.0
"""How long one statement about leases may take, waits included: longer than the server lets a stopped writer sit in its
transaction, which is what whoever takes over may have to wait for."""

_SPAN: Final = bindparam("the_span", type_=NUMBER)
_NAME: Final = bindparam("the_name", type_=TEXT)
_HOLDER: Final = bindparam("the_holder", type_=TEXT)
_UNTIL: Final = SERVER_MICROSECONDS + _SPAN
_IS_FREE: Final = or_(
    leases.c.held_until <= SERVER_MICROSECONDS,
    # Written before the clock was put back: whoever holds it and lives has it right again within its next turn.
    leases.c.held_until > SERVER_MICROSECONDS + 2 * _SPAN,
)
_IS_HELD: Final = select(leases.c.generation).where(leases.c.name == _NAME, ~_IS_FREE)
_NEW: Final = insert(leases).values(name=_NAME, holder=_HOLDER, generation=1, held_until=_UNTIL)
_TAKE: Final = _NEW.on_conflict_do_update(
    index_elements=[leases.c.name],
    set_={"holder": _HOLDER, "generation": leases.c.generation + 1, "held_until": _UNTIL},
    where=_IS_FREE,
).returning(leases.c.generation)
_COUNT: Final = (
    sqlite_insert(leases)
    .values(name=_NAME, holder=_HOLDER, generation=1, held_until=instant_at(0))
    .on_conflict_do_update(
        index_elements=[leases.c.name], set_={"holder": _HOLDER, "generation": leases.c.generation + 1}
    )
    .returning(leases.c.generation)
)
"""On SQLite it is held by a lock on the file, so until when is said nowhere."""

_OURS: Final = (
    leases.c.name == _NAME,
    leases.c.holder == _HOLDER,
    leases.c.generation == bindparam("the_generation", type_=NUMBER),
)
_RENEW: Final = update(leases).where(*_OURS).values(held_until=_UNTIL)
_GIVE_BACK: Final = update(leases).where(*_OURS).values(held_until=instant_at(0))
_WAIT_FOR_WRITERS: Final = select(func.pg_advisory_xact_lock(bindparam("key", type_=NUMBER)))
_SHARE_WORKER: Final = select(func.pg_try_advisory_lock_shared(bindparam("key", type_=NUMBER)))

_PEER_IS_GONE: Final = {"tcp_keepalives_idle": "30", "tcp_keepalives_interval": "10", "tcp_keepalives_count": "3"}
"""The server notices within a minute that our machine is gone, and frees the worker lock; its own way may take hours."""


class Leases(Protocol):
    """One lease, as one process asks for it. Any thread may call it."""

    def take(self) -> Lease | None:
        """Return the lease, now ours; None where another process holds it.

        Raises:
            approvals.errors.Clash: An older release works on this database.
            approvals.errors.Unavailable: The database cannot be reached.
        """
        ...

    def renew(self, lease: Lease) -> bool:
        """Have *lease* hold for :data:`LEASE_SECONDS` from now on; False where it has gone to another process.

        One that has lapsed and that nobody took is ours still.

        Raises:
            approvals.errors.Clash: An older release works on this database.
            approvals.errors.Unavailable: The database cannot be reached.
        """
        ...

    def give_back(self, lease: Lease) -> None:
        """Let another process take *lease* at once, if it is still ours.

        Raises:
            approvals.errors.Unavailable: The database cannot be reached; the lease lapses by itself.
        """
        ...


@contextmanager
def leases_of(url: str, *, holder: str, name: str = LEADER, seconds: float = LEASE_SECONDS) -> Iterator[Leases]:
    """Give the lease *name* of a database as *holder* asks for it. Nothing is given back at the end of the block.

    Raises:
        approvals.errors.Clash: Another process serves this database, which is a SQLite file.
    """
    place = address(url)
    if place.get_backend_name() == SQLITE:
        with file_lock(place):
            yield SoleLease(url, name=name, holder=holder)
        return
    found = SharedLease(place, name=name, holder=holder, seconds=seconds)
    try:
        yield found
    finally:
        found.close()


class SoleLease:
    """The lease of the only process that may serve: its row only counts who has served."""

    def __init__(self, url: str, *, name: str, holder: str) -> None:
        """Keep whose it is; nothing is asked yet."""
        self._url = url
        self._name = name
        self._holder = holder
        self._lease: Lease | None = None

    def take(self) -> Lease | None:
        """Return it, under a generation of its own for each process: what one before this has claimed is known by that."""
        if self._lease is None:
            with closing(open_database(self._url)) as database, database.writing() as connection:
                row = {"the_name": self._name, "the_holder": self._holder}
                generation = connection.execute(_COUNT, row).scalar_one()
            self._lease = Lease(name=self._name, holder=self._holder, generation=generation)
        return self._lease

    def renew(self, lease: Lease) -> bool:
        """Return that it holds."""
        return lease == self._lease

    def give_back(self, lease: Lease) -> None:
        """Do nothing: the file's lock ends with the process."""


class SharedLease:
    """A lease among the processes of one PostgreSQL database, over a connection of its own."""

    def __init__(self, url: URL, *, name: str, holder: str, seconds: float) -> None:
        """Keep where and whose it is; nothing is asked yet."""
        self._name = name
        self._holder = holder
        self._span = round(seconds * 1_000_000)
        milliseconds = str(round(PATIENCE_SECONDS * 1000))
        self._engine = create_engine(
            url,
            connect_args=postgresql_arguments(
                statement_timeout=milliseconds, lock_timeout=milliseconds, **_PEER_IS_GONE
            ),
            poolclass=NullPool,
            isolation_level="READ COMMITTED",
            hide_parameters=True,
        )
        self._turn = Lock()
        self._connection: Connection | None = None
        self._shares_worker = False

    def take(self) -> Lease | None:
        """Return the lease, now ours; None where another process holds it."""
        return self._asked(self._take)

    def renew(self, lease: Lease) -> bool:
        """Have *lease* hold from now on; False where it has gone to another process."""
        return self._asked(lambda connection: connection.execute(_RENEW, self._row(lease)).rowcount == 1)

    def give_back(self, lease: Lease) -> None:
        """Let another process take *lease* at once, if it is still ours."""
        self._asked(lambda connection: connection.execute(_GIVE_BACK, self._row(lease)))

    def close(self) -> None:
        """End the connection, and with it our share of the worker lock."""
        with self._turn:
            self._let_go()

    def _take(self, connection: Connection) -> Lease | None:
        if connection.execute(_IS_HELD, self._row()).all():
            return None  # Most looks end here, and none of them takes a lock.
        # Whatever was begun under the lease before is over, one way or the other, before its generation is.
        connection.execute(_WAIT_FOR_WRITERS, {"key": fence_key(self._name)})
        generation = connection.execute(_TAKE, self._row()).scalar_one_or_none()
        return None if generation is None else Lease(name=self._name, holder=self._holder, generation=generation)

    def _row(self, lease: Lease | None = None) -> dict[str, object]:
        row: dict[str, object] = {"the_name": self._name, "the_holder": self._holder, "the_span": self._span}
        return row if lease is None else row | {"the_generation": lease.generation}

    def _asked(self, ask: Callable[[Connection], T]) -> T:
        """Return what *ask* was answered, in a transaction over the connection that shares the worker lock."""
        with self._turn, translated(place_of(self._engine.url)):
            try:
                connection = self._sharing()
                with connection.begin():
                    return ask(connection)
            except exc.DBAPIError:
                self._let_go()
                raise

    def _sharing(self) -> Connection:
        if self._connection is None:
            self._connection = self._engine.connect()
        if not self._shares_worker:
            with self._connection.begin():
                key = {"key": advisory_key(WORKER)}
                self._shares_worker = self._connection.execute(_SHARE_WORKER, key).scalar_one()
        if not self._shares_worker:
            raise Clash(
                f"An older release of countersign serve works on {self._engine.url.database}; end it first.",
                code="already_serving",
            )
        return self._connection

    def _let_go(self) -> None:
        connection, self._connection, self._shares_worker = self._connection, None, False
        if connection is not None:
            # Not back to the toolkit in whatever state it is: the server ends what it held.
            connection.invalidate()
            connection.close()
