"""Places: the databases that a run measures on, and the bare driver's insert in each that everything is compared to.

SQLite lies in a folder on disk, PostgreSQL is a private server whose commits wait for the disk. The bare table is in the same
engine with the same settings for durability; on SQLite in a file of its own, so that neither waits for the other's lock.
"""

import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Final, Protocol

import psycopg
from sqlalchemy import make_url

from models.engine.database import Database, open_database
from models.schema.migrate import upgrade
from tests.fixtures.postgres import RESTRICTED, PostgresServer, running_postgres

SQLITE: Final = "SQLite"
POSTGRESQL: Final = "PostgreSQL"

_BARE_TABLE: Final = "CREATE TABLE bare (id TEXT PRIMARY KEY, verdict TEXT NOT NULL, at BIGINT NOT NULL)"


class Bare(Protocol):
    """One durable insert of one row by the bare driver; every call is a transaction of its own."""

    def insert(self) -> None:
        """Do it, and return when it is on disk."""
        ...

    async def insert_among_others(self) -> None:
        """Do the same, while others do so at the same time: in whichever way lets this engine do most."""
        ...

    async def let_go(self) -> None:
        """Give up what only :meth:`insert_among_others` needs."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One engine in which databases can be made."""

    name: str
    new_database: Callable[[], str]
    """Returns the address of a fresh, migrated database, as the role that the service runs as."""
    new_bare: Callable[[], Bare]


@contextmanager
def sqlite_place(folder: Path) -> Iterator[Place]:
    """Give SQLite in *folder*, for the length of the block."""
    numbers, opened = count(1), list[sqlite3.Connection]()

    def new_database() -> str:
        url = f"sqlite:///{folder / f'store-{next(numbers)}.db'}"
        upgrade(url)
        return url

    def new_bare() -> Bare:
        connection = sqlite3.connect(folder / f"bare-{next(numbers)}.db", isolation_level=None, check_same_thread=False)
        opened.append(connection)
        for pragma in ("journal_mode=WAL", "synchronous=FULL"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute(_BARE_TABLE)
        return _BareSqlite(connection=connection)

    try:
        yield Place(name=SQLITE, new_database=new_database, new_bare=new_bare)
    finally:
        for connection in opened:
            connection.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class _BareSqlite:
    connection: sqlite3.Connection
    numbers: Iterator[int] = field(default_factory=count)

    def insert(self) -> None:
        number = next(self.numbers)
        self.connection.execute("INSERT INTO bare VALUES (?, ?, ?)", (f"esc_{number:026d}", "approve", number))

    async def insert_among_others(self) -> None:
        self.insert()  # It has one writer: the others would wait for it anyway, and threads only cost.

    async def let_go(self) -> None:
        pass


@contextmanager
def postgresql_place() -> Iterator[Place]:
    """Give a private PostgreSQL server with production's durability, for the length of the block."""
    with running_postgres(durable=True) as server:
        opened = list[_BarePostgresql]()

        def new_bare() -> Bare:
            bare = _BarePostgresql(_bare_address(server))
            opened.append(bare)
            return bare

        try:
            yield Place(name=POSTGRESQL, new_database=lambda: _migrated(server), new_bare=new_bare)
        finally:
            for bare in opened:
                bare.close()


def _migrated(server: PostgresServer) -> str:
    database = server.create_database()
    upgrade(database.owner_url, restricted_role=RESTRICTED)
    return database.restricted_url


def _bare_address(server: PostgresServer) -> str:
    return make_url(server.create_database().owner_url).set(drivername="postgresql").render_as_string()


class _BarePostgresql:
    """Alone by one connection; among others by the driver's own asyncio connections, one for each that is under way."""

    _INSERT: Final = "INSERT INTO bare VALUES (%s, %s, %s)"

    def __init__(self, address: str) -> None:
        self._address = address
        self._numbers = count()
        self._connection = psycopg.connect(address, autocommit=True)
        self._connection.execute(_BARE_TABLE)
        self._idle = list[psycopg.AsyncConnection[tuple[object, ...]]]()

    def insert(self) -> None:
        self._connection.execute(self._INSERT, self._row())

    async def insert_among_others(self) -> None:
        connection = (
            self._idle.pop() if self._idle else await psycopg.AsyncConnection.connect(self._address, autocommit=True)
        )
        await connection.execute(self._INSERT, self._row())
        self._idle.append(connection)

    async def let_go(self) -> None:
        while self._idle:
            await self._idle.pop().close()

    def close(self) -> None:
        self._connection.close()

    def _row(self) -> tuple[str, str, int]:
        number = next(self._numbers)
        return f"esc_{number:026d}", "approve", number


@contextmanager
def opened(place: Place) -> Iterator[Database]:
    """Give a fresh, migrated database of *place*, for the length of the block."""
    database = open_database(place.new_database())
    try:
        yield database
    finally:
        database.close()


@contextmanager
def scratch() -> Iterator[Path]:
    """Give a folder for the length of the block: in TMPDIR, which has to be on a disk for durability to mean anything."""
    with tempfile.TemporaryDirectory(prefix="countersign-benchmark-", ignore_cleanup_errors=True) as made:
        yield Path(made)


def file_system_of(folder: Path) -> str:
    """Return the kind of file system that *folder* lies on, such as ``ext4``."""
    device = folder.stat().st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        fields = line.split()
        if fields[2] == wanted:
            return fields[fields.index("-") + 1]
    return "unknown"
