"""The worker lock: one ``countersign serve`` for each database.

On SQLite it is a lock on a file beside the database, held by the system for as long as the process lives, so that a killed one
leaves nothing behind. On PostgreSQL it is an advisory lock of a connection of its own; where that connection breaks, the
lock is gone with it, so whoever works under it asks each time whether it is still held, and takes it again.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Final, Protocol

from sqlalchemy import URL, Connection, NullPool, bindparam, create_engine, exc, func, select

from approvals.errors import Clash
from models.engine.columns import NUMBER
from models.engine.database import SQLITE, address, place_of, postgresql_arguments, sqlite_file
from models.engine.faults import translated
from models.store.unit_of_work import advisory_key

_WORKER: Final = "countersign/worker"
_TAKE: Final = select(func.pg_try_advisory_lock(bindparam("key", type_=NUMBER)))
_LEADS: Final = select(~func.pg_is_in_recovery())
"""A lock that stands on a server that became a standby keeps nobody from the new primary."""

_PEER_IS_GONE: Final = {"tcp_keepalives_idle": "30", "tcp_keepalives_interval": "10", "tcp_keepalives_count": "3"}
"""The server notices within a minute that our machine is gone, and gives the lock free; its own way may take hours."""


class WorkerLock(Protocol):
    """The lock. It was held to begin with, and may be asked from any thread."""

    def is_held(self) -> bool:
        """Tell whether it is held at this moment. Lost, it stays lost until :meth:`hold`: another process may have begun."""
        ...

    def hold(self) -> None:
        """Return with the lock held, taken again if it was lost.

        Raises:
            approvals.errors.Clash: Another process holds it.
            approvals.errors.Unavailable: The database cannot be reached.
        """
        ...


@contextmanager
def worker_lock(url: str) -> Iterator[WorkerLock]:
    """Take the database's worker lock, and give it back after the block.

    Raises:
        approvals.errors.Clash: Another process holds it.
        approvals.errors.Unavailable: The database cannot be reached.
    """
    place = address(url)
    take = _file_lock if place.get_backend_name() == SQLITE else _session_lock
    with take(place) as lock:
        yield lock


class _FileLock:
    """A lock that the system keeps until this process lets go or ends."""

    def is_held(self) -> bool:
        """Return that it is: it cannot be lost."""
        return True

    def hold(self) -> None:
        """Return: it is held."""


@contextmanager
def _file_lock(url: URL) -> Iterator[WorkerLock]:
    database = sqlite_file(url)
    path = Path(f"{database}.worker")
    handle = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise _taken(str(database)) from error
        yield _FileLock()
    finally:
        os.close(handle)


class _SessionLock:
    """A lock that lives as long as its connection."""

    def __init__(self, url: URL) -> None:
        self._database = str(url.database)
        self._engine = create_engine(
            url,
            connect_args=postgresql_arguments(**_PEER_IS_GONE),
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
            hide_parameters=True,
        )
        self._turn = Lock()
        self._connection: Connection | None = None

    def is_held(self) -> bool:
        """Ask over the connection whether it still lives, and the lock with it."""
        with self._turn:
            return self._lives()

    def hold(self) -> None:
        """Take it over a fresh connection, unless the old one still lives."""
        with self._turn:
            if not self._lives():
                self._connection = self._take()

    def release(self) -> None:
        """Give it back."""
        with self._turn:
            self._let_go()

    def _lives(self) -> bool:
        if self._connection is None:
            return False
        try:
            leads = self._connection.execute(_LEADS).scalar_one()
        except exc.DBAPIError:
            leads = False
        if not leads:
            self._let_go()  # A connection that still lived somehow would keep us from taking the lock again.
        return bool(leads)

    def _let_go(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _take(self) -> Connection:
        with translated(place_of(self._engine.url)):
            connection = self._engine.connect()
            try:
                held = connection.execute(_TAKE, {"key": advisory_key(_WORKER)}).scalar_one()
            except BaseException:
                connection.close()
                raise
        if not held:
            connection.close()
            raise _taken(self._database)
        return connection


@contextmanager
def _session_lock(url: URL) -> Iterator[WorkerLock]:
    lock = _SessionLock(url)
    lock.hold()
    try:
        yield lock
    finally:
        lock.release()


def _taken(database: str) -> Clash:
    return Clash(f"Another countersign serve works on {database}; there can be only one.", code="already_serving")
