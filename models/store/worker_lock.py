"""The worker lock: what kept a second ``countersign serve`` from a database before :mod:`models.store.leases`.

On SQLite it still does. It is a lock on a file beside the database, held by the system for as long as the process lives, so that
a killed one leaves nothing behind. On PostgreSQL it is an advisory lock, which older releases hold alone and the processes of
this one share. Whoever gets it alone knows that no service works on the database: so it keeps them from it during an upgrade.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import URL, NullPool, bindparam, create_engine, func, select

from approvals.errors import Clash
from models.engine.advisory import advisory_key
from models.engine.columns import NUMBER
from models.engine.database import SQLITE, address, place_of, postgresql_arguments, sqlite_file
from models.engine.faults import translated

WORKER: Final = "countersign/worker"
"""What the advisory lock is called. Never renamed: older releases know it by this name."""


_TAKE: Final = select(func.pg_try_advisory_lock(bindparam("key", type_=NUMBER)))


@contextmanager
def unserved(url: str) -> Iterator[None]:
    """Keep every ``countersign serve``, of whichever release, from a database for the length of the block.

    Raises:
        approvals.errors.Clash: One works on it.
        approvals.errors.Unavailable: It cannot be reached.
    """
    place = address(url)
    keep = file_lock if place.get_backend_name() == SQLITE else _session_lock
    with keep(place):
        yield


@contextmanager
def _session_lock(url: URL) -> Iterator[None]:
    engine = create_engine(url, connect_args=postgresql_arguments(), poolclass=NullPool, isolation_level="AUTOCOMMIT")
    try:
        with translated(place_of(url)), engine.connect() as connection:
            if not connection.execute(_TAKE, {"key": advisory_key(WORKER)}).scalar_one():
                raise _taken(str(url.database))
            yield
    finally:
        engine.dispose()


@contextmanager
def file_lock(url: URL) -> Iterator[None]:
    """Hold the lock of a SQLite database for the length of the block.

    Raises:
        approvals.errors.Clash: Another process holds it.
    """
    database = sqlite_file(url)
    handle = os.open(Path(f"{database}.worker"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise _taken(str(database)) from error
        yield
    finally:
        os.close(handle)


def _taken(database: str) -> Clash:
    return Clash(f"Another countersign serve works on {database}; there can be only one.", code="already_serving")
