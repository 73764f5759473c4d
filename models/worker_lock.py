"""The worker lock: one ``countersign serve`` for each database.

On SQLite it is a lock on a file beside the database, held by the system for as long as the process lives, so that a killed one
leaves nothing behind. On PostgreSQL it is an advisory lock of a connection of its own; where that connection breaks, the
lock is gone with it, so whoever works under it asks now and then whether it still holds.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

from sqlalchemy import URL, Connection, NullPool, bindparam, create_engine, func, select

from approvals.errors import Clash
from models.columns import NUMBER
from models.database import SQLITE, address, postgresql_arguments, sqlite_file
from models.faults import translated
from models.unit_of_work import advisory_key

_WORKER: Final = "countersign/worker"
_TAKE: Final = select(func.pg_try_advisory_lock(bindparam("key", type_=NUMBER)))
_ALIVE: Final = select(1)


class WorkerLock(Protocol):
    """The lock, held."""

    def check(self) -> None:
        """Return while the lock is still held.

        Raises:
            approvals.errors.Unavailable: It is lost: stop working, another process may have begun.
        """
        ...


@contextmanager
def worker_lock(url: str) -> Iterator[WorkerLock]:
    """Hold the database's worker lock for the length of the block.

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

    def check(self) -> None:
        """Return: it cannot be lost."""


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

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def check(self) -> None:
        """Ask over the connection whether it still lives."""
        with translated():
            self._connection.execute(_ALIVE)


@contextmanager
def _session_lock(url: URL) -> Iterator[WorkerLock]:
    engine = create_engine(
        url, connect_args=postgresql_arguments(), poolclass=NullPool, isolation_level="AUTOCOMMIT", hide_parameters=True
    )
    with translated():
        connection = engine.connect()
    with connection:
        with translated():
            held = connection.execute(_TAKE, {"key": advisory_key(_WORKER)}).scalar_one()
        if not held:
            raise _taken(str(url.database))
        yield _SessionLock(connection)


def _taken(database: str) -> Clash:
    return Clash(f"Another countersign serve works on {database}; there can be only one.", code="already_serving")
