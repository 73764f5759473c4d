"""Databases: engines made from an address, set so that what is committed is durable and nobody waits for ever.

SQLite: write-ahead log, ``synchronous=FULL``, foreign keys on, a file that only its owner may read. The driver's own
transaction mode is off: it delays BEGIN, so that reading and then writing deadlocks whatever the timeout. Readers begin
plainly and see one snapshot; the one writer connection begins IMMEDIATE, in turns (:mod:`models.engine.lanes`).

PostgreSQL: READ COMMITTED for writers, because what is read after a lock must be what is true then; one repeatable, read-only
snapshot for readers. A pool for each: a connection keeps its ways, which costs to change.

On either engine pauses and denials have a few readers, and on PostgreSQL a few writers, of their own: what makes things stop
never waits for a connection behind a storm of intake (I13).
"""

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from errno import EACCES
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, exc, make_url
from sqlalchemy.engine.interfaces import IsolationLevel

from approvals.errors import Missing
from approvals.ports.store import Urgency
from models.engine.faults import file_gone, is_demoted, translated
from models.engine.lanes import WriteLanes
from models.engine.mounts import refuse_network_file_system

PATIENCE: Final = 5.0
"""Seconds that anybody waits for a connection, a lock or a turn: past it the answer is "try again"."""

STATEMENT_SECONDS: Final = 10
"""The longest that one statement may take on PostgreSQL; none of ours takes a tenth of it."""

IDLE_WRITER_SECONDS: Final = 3
"""How long a writer on PostgreSQL may do nothing inside its transaction. Nobody does on purpose: such a process was stopped. A
pause that waits for its locks waits for :data:`PATIENCE` at most, so the server ends it before that."""

CONNECTIONS: Final = 8
"""Connections for readers of one process, and as many for its ordinary writers."""

URGENT_CONNECTIONS: Final = 2
"""Connections for readers kept free for pause and deny, and on PostgreSQL as many for writers."""

_CONNECTIONS: Final = {Urgency.NORMAL: CONNECTIONS, Urgency.URGENT: URGENT_CONNECTIONS}

RECYCLE: Final = 1800
"""Seconds after which a pooled connection is made anew, before a firewall forgets it."""

_LIKE: Final = "sqlite:///countersign.db or postgresql://USER@HOST:5432/NAME"
"""Without a password, even one in capitals: whatever is told goes through the filter of secrets, which would take it for one."""

_HIGHEST_PORT: Final = 65535
_LONGEST_ENGINE: Final = 20
_ODD: Final = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")

SQLITE: Final = "sqlite"


@dataclass(frozen=True, kw_only=True)  # without slots: what is derived from the address is kept
class Database:
    """One database, reached for reading and, in lanes, for writing."""

    url: URL
    readers: dict[Urgency, Engine]
    writers: dict[Urgency, Engine]
    lanes: WriteLanes | None
    """Where the engine takes one writer at a time."""
    file: tuple[int, int] | None = None
    """Which file was opened, by device and inode, on SQLite."""

    @property
    def is_sqlite(self) -> bool:
        """Whether it is one file on this machine."""
        return self.url.get_backend_name() == SQLITE

    @contextmanager
    def reading(self, lane: Urgency = Urgency.NORMAL) -> Iterator[Connection]:
        """Return a connection that sees one snapshot and changes nothing.

        Raises:
            approvals.errors.Unavailable: The database cannot be reached or is too busy.
        """
        self._check_file()
        with translated(self.place), self.readers[lane].connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def asking(self, lane: Urgency = Urgency.NORMAL) -> Iterator[Connection]:
        """Return a connection for prepared questions, each of which is a transaction by itself and changes nothing.

        Raises:
            approvals.errors.Unavailable: The database cannot be reached or is too busy.
        """
        self._check_file()
        # What is prepared goes straight to the driver, and the readers' begins a transaction only when we say so.
        with translated(self.place), self.readers[lane].connect() as connection:
            yield connection

    @contextmanager
    def writing(self, lane: Urgency = Urgency.NORMAL) -> Iterator[Connection]:
        """Return a connection in a transaction that commits when the block ends well.

        Raises:
            approvals.errors.Unavailable: The database cannot be reached or is too busy.
        """
        if self.lanes is None:
            with translated(self.place), self._of_the_primary(), self.writers[lane].begin() as connection:
                yield connection
            return
        with self.lanes.turn(lane), translated(self.place), self.writers[lane].begin() as connection:
            self._check_file()
            yield connection
            self._check_file()

    def _check_file(self) -> None:
        """Return where the SQLite file that was opened is still the one at its address.

        Connections that are open go on to work on a file that was moved or deleted: what they take on nobody else sees, a pause
        from another process never comes to them, and with the process it is all gone.
        """
        if self.file is not None and file_at(self._path) not in {self.file, None}:
            raise file_gone(self.place)

    @contextmanager
    def _of_the_primary(self) -> Iterator[None]:
        """Give up every pooled connection, readers' too, where the server turns out to take no writes.

        A failover may leave connections to the old primary open: they would refuse writes, and read what is old, for ever.
        """
        try:
            yield
        except exc.DBAPIError as error:
            if is_demoted(error):
                self.close()
            raise

    @cached_property
    def _path(self) -> str:
        return str(sqlite_file(self.url))

    @cached_property
    def place(self) -> str:
        """Where it is, for people to read: the file, or the server and the database's name, and no secret."""
        return place_of(self.url)

    def close(self) -> None:
        """Give up every pooled connection."""
        for engine in {*self.readers.values(), *self.writers.values()}:
            engine.dispose()


def place_of(url: URL) -> str:
    """Return where a database is, for people to read: the file, or the server and the database's name, and no secret."""
    if url.get_backend_name() == SQLITE:
        return str(sqlite_file(url))
    hosts, ports = (",".join(_several(url.query.get(key, ""))) for key in ("host", "port"))
    host, port = url.host or hosts or "this machine", url.port or ports or 5432
    return f"{url.database or url.username or 'without a name'} on {host}:{port}"


def _several(found: str | tuple[str, ...]) -> tuple[str, ...]:
    """Return what an address says for one option, which it may say several times."""
    return (found,) if isinstance(found, str) else found


def address(url: str) -> URL:
    """Return *url* as an address of one of the two engines, with the driver that we use.

    Raises:
        ValueError: It is none, another engine's or driver's, has what would be passed over, or is a SQLite database that is no
            file. The text quotes nothing of it but the engine: what does not parse may well be a password.
    """
    parsed = _parsed(url)
    match parsed.get_backend_name():
        case "sqlite":
            if parsed.database in {None, "", ":memory:"} or str(parsed.database).startswith("file:"):
                raise ValueError("a SQLite database has to be a file: sqlite:///countersign.db")
            if parsed.query:
                raise ValueError("a SQLite address takes no options; leave out the ? and what follows it")
            return _driven(parsed, "pysqlite")
        case "postgresql":
            return _with_hosts(_driven(parsed, "psycopg"))
        case other:
            named = other if other.isidentifier() and len(other) <= _LONGEST_ENGINE else "that"
            hint = " (write postgresql://)" if other == "postgres" else ""
            raise ValueError(f"the database is SQLite or PostgreSQL, not {named}{hint}")


def _driven(parsed: URL, driver: str) -> URL:
    """Return the address with our *driver*: one that names another is written for another program, and its options too."""
    engine = parsed.get_backend_name()
    if parsed.drivername not in {engine, f"{engine}+{driver}"}:
        raise ValueError(f"it names another driver than ours ({driver}); write {engine}://")
    return parsed.set(drivername=f"{engine}+{driver}")


def _with_hosts(parsed: URL) -> URL:
    """Return the address, whose hosts and ports, where its options list several, belong together."""
    try:
        parsed.get_dialect()().create_connect_args(parsed)
    except exc.ArgumentError:
        raise ValueError(
            "its options host and port do not fit together: one port for each host, or one for all"
        ) from None
    return parsed


def _parsed(url: str) -> URL:
    # Unchained throughout: the library's own words quote what it could not read.
    try:
        parsed = make_url(url)
    except exc.ArgumentError:
        raise ValueError(f"it is no address; it should be like {_LIKE}") from None
    except ValueError:
        raise ValueError("its port is not a number") from None
    if parsed.port is not None and not 1 <= parsed.port <= _HIGHEST_PORT:
        raise ValueError(f"its port is not between 1 and {_HIGHEST_PORT}")
    parts = (parsed.username, parsed.password, parsed.host, parsed.database, *map(str, parsed.query.values()))
    if any(_ODD.search(str(part)) for part in parts if part is not None):
        raise ValueError(
            "it holds a character that no address can have: a control character, or a byte that is no UTF-8"
        )
    return parsed


def open_database(url: str) -> Database:
    """Return the database at *url*, not yet connected to.

    A SQLite file has to be there: only a migration makes one. Made by whatever happens to run in another folder, it would take a
    pause that stops nothing, and say that everything is paused.

    Raises:
        ValueError: It is neither a SQLite file on a local disk nor PostgreSQL.
        Missing: There is no such file.
    """
    place = address(url)
    return _open_sqlite(place) if place.get_backend_name() == SQLITE else _open_postgresql(place)


def _open_sqlite(url: URL) -> Database:
    path = sqlite_file(url)
    refuse_network_file_system(path)
    check_file(path)
    if not path.is_file():
        raise Missing(
            f"There is no database at {path}. If it is to be there, run: countersign db upgrade", code="no_database"
        )
    make_private(path)
    writer = _sqlite_engine(url, connections=1, begin="BEGIN IMMEDIATE", pragmas=_PRAGMAS)
    return Database(
        url=url,
        readers={
            lane: _sqlite_engine(url, connections=connections, begin="BEGIN", pragmas=(*_PRAGMAS, "query_only=ON"))
            for lane, connections in _CONNECTIONS.items()
        },
        writers=dict.fromkeys(Urgency, writer),
        lanes=WriteLanes(patience=PATIENCE),
        file=file_at(path),
    )


def sqlite_file(url: URL) -> Path:
    """Return the file of a SQLite address."""
    return Path(str(url.database)).absolute()


_NOWHERE: Final = (0, 0)
"""No file has this device and inode."""


def file_at(path: str | Path) -> tuple[int, int] | None:
    """Return which file is at *path*, by device and inode; None where that cannot be told."""
    try:
        found = os.stat(path)  # noqa: PTH116 - asked four times a decision: a path made of parts takes ten times as long
    except (FileNotFoundError, NotADirectoryError):
        return _NOWHERE
    except OSError:
        return None  # Whether it can still be used is for the engine to say.
    return found.st_dev, found.st_ino


def check_file(path: Path) -> None:
    """Return where *path* is a SQLite database, empty, or not there yet and could be.

    Raises:
        ValueError: It is something else; the text says what, and what to do. Nothing of it was changed.
    """
    try:
        if path.is_dir():
            raise ValueError(f"{path} is a folder; name a file in it, such as {path / 'countersign.db'}")
        if not path.parent.is_dir():
            raise ValueError(f"there is no folder {path.parent}; make it, or name another file")
        if not path.exists():
            return
        if not path.is_file():
            # A device would be closed to everybody else on the machine, and a pipe would never be opened.
            raise ValueError(f"{path} is no regular file; name another one")
        _check_right(path, os.R_OK)
    except OSError as error:
        raise ValueError(f"the file {path} cannot be read ({error.strerror}); see to its rights") from error
    if not _is_database(path):
        raise ValueError(f"the file {path} is no SQLite database; name another one")


def _is_database(path: Path) -> bool:
    """Tell whether SQLite takes the file at *path*, as SQLite alone may look into it.

    Whoever opens and closes the file otherwise gives up every lock that this process holds on it, of all its connections: that is
    how the system keeps locks. Another process, such as ``countersign status``, then takes itself for the last one, and removes
    the log that our connections go on writing to: what they commit is lost (https://www.sqlite.org/howtocorrupt.html, 2.2).
    """
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=0)) as connection:
            connection.execute("PRAGMA schema_version").fetchone()
    except sqlite3.OperationalError:
        return True  # It is locked, or cannot be opened just now: that is for whoever uses it to say.
    except sqlite3.DatabaseError:
        return False
    return True


def make_private(path: Path) -> None:
    """Create the file for its owner alone, or close it to others: the log beside it takes over the same rights.

    One that is there is not opened; see :func:`_is_database`.

    Raises:
        OSError: It cannot be made, or not be written.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    _check_right(path, os.W_OK)
    path.chmod(0o600)


def _check_right(path: Path, right: int) -> None:
    if not os.access(path, right):
        raise PermissionError(EACCES, os.strerror(EACCES))


_PRAGMAS: Final = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "trusted_schema=OFF")


def _sqlite_engine(url: URL, *, connections: int, begin: str, pragmas: tuple[str, ...]) -> Engine:
    # Opened as a file that is there: the driver's own way makes one that was taken away meanwhile anew, and empty.
    there = f"{sqlite_file(url).as_uri()}?mode=rw"
    engine = create_engine(
        url,
        creator=lambda: sqlite3.connect(there, uri=True, timeout=PATIENCE, check_same_thread=False),
        pool_size=connections,
        max_overflow=0,
        pool_timeout=PATIENCE,
        hide_parameters=True,
    )

    @event.listens_for(engine, "connect")
    def connected(connection: Any, record: object) -> None:
        del record
        connection.isolation_level = None  # The driver begins nothing by itself from here on.
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")

    _begin_with(engine, begin)
    return engine


def _begin_with(engine: Engine, statement: str) -> None:
    """Let transactions of *engine*, whose driver begins none by itself, begin with *statement*."""

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        connection.exec_driver_sql(statement)


def _open_postgresql(url: URL) -> Database:
    check_driver()
    return Database(
        url=url,
        readers={lane: _postgresql_readers(url, connections=number) for lane, number in _CONNECTIONS.items()},
        writers={lane: _postgresql_writers(url, connections=number) for lane, number in _CONNECTIONS.items()},
        lanes=None,
    )


def check_driver() -> None:
    """Return where PostgreSQL's driver can be loaded.

    Raises:
        ValueError: It is not installed, or lacks PostgreSQL's own library.
    """
    try:
        import psycopg  # noqa: F401, PLC0415 - a service on SQLite need not have it
    except ImportError as error:
        raise ValueError(
            "PostgreSQL's driver cannot be loaded; install countersign with psycopg[binary], or psycopg and libpq"
        ) from error


def _postgresql_readers(url: URL, *, connections: int) -> Engine:
    readers = _postgresql_engine(
        url, connections=connections, isolation="AUTOCOMMIT", default_transaction_read_only="on"
    )
    _begin_with(readers, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    return readers


def _postgresql_writers(url: URL, *, connections: int) -> Engine:
    idle = str(IDLE_WRITER_SECONDS * 1000)
    return _postgresql_engine(url, connections=connections, idle_in_transaction_session_timeout=idle)


def _postgresql_engine(
    url: URL, *, connections: int, isolation: IsolationLevel = "READ COMMITTED", **settings: str
) -> Engine:
    return create_engine(
        url,
        connect_args=postgresql_arguments(**settings),
        isolation_level=isolation,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=PATIENCE,
        pool_recycle=RECYCLE,
        hide_parameters=True,
    )


def postgresql_arguments(**more: str) -> dict[str, Any]:
    """Return how we connect to PostgreSQL: to a primary, with bounded waits, a dead peer noticed, a name that operators know.

    Args:
        more: Settings of the server for these connections, beside those that all have.
    """
    settings = {
        "statement_timeout": STATEMENT_SECONDS * 1000,
        "lock_timeout": int(PATIENCE * 1000),
        "idle_in_transaction_session_timeout": STATEMENT_SECONDS * 1000,
        "timezone": "UTC",
        **more,
    }
    return {
        "connect_timeout": int(PATIENCE),
        # Of several hosts the one that takes writes, and never a standby alone: it would read what is old.
        "target_session_attrs": "primary",
        "application_name": "countersign",
        "options": " ".join(f"-c {name}={value}" for name, value in settings.items()),
        # The server keeps what models/engine/pipeline.py teaches it; the driver would have it forget all of that with each
        # rollback.
        "prepare_threshold": None,
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
    }
