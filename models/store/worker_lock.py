"""The worker lock: what kept a second ``countersign serve`` from a database before :mod:`models.store.leases`.

On SQLite it still does. It is a lock on a file beside the database, held by the system for as long as the process lives, so that
a killed one leaves nothing behind. On PostgreSQL it is an advisory lock, which older releases hold alone.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import URL

from approvals.errors import Clash
from models.engine.database import sqlite_file

WORKER: Final = "countersign/worker"
"""What the advisory lock is called. Never renamed: older releases know it by this name."""


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
            raise Clash(
                f"Another countersign serve works on {database}; there can be only one.", code="already_serving"
            ) from error
        yield
    finally:
        os.close(handle)
