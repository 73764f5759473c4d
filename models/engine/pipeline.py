"""The pipeline: several statements are sent to PostgreSQL before the first answer is awaited, in one trip.

The driver has a pipeline too, which goes around its waiting loop for each statement: for the two to six statements of one of our
transactions it was measured to take as long as separate trips. So this speaks to libpq through the driver's own thin layer
(:mod:`psycopg.pq`), and leaves to the driver how values are written, answers read and errors named. Only this module knows of it,
and only a service on PostgreSQL loads it.
"""

import re
import select
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import count
from typing import Any, Final, TypeAlias

from psycopg import Connection, OperationalError, pq
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import error_from_result

_PLACEHOLDER: Final = re.compile(r"%\((\w+)\)s|%%")
_BEGIN: Final = b"BEGIN ISOLATION LEVEL READ COMMITTED"
"""As every transaction of ours that writes (:mod:`models.engine.database`): each statement sees what was committed before it."""

MOST_TAUGHT: Final = 256
"""How many statements one connection's server keeps prepared."""

_Values: TypeAlias = "Sequence[pq.abc.Buffer | None] | None"

_WHOLE: Final = frozenset({pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK})


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbered:
    """A statement as the server takes it: its values have numbers instead of names."""

    sql: bytes
    names: tuple[str, ...]
    """The names by number, from 1."""


@lru_cache(512)
def numbered(sql: str) -> Numbered:
    """Return *sql*, in which values are called ``%(name)s`` as the driver has it, as the server takes it."""
    names: dict[str, int] = {}

    def place(found: re.Match[str]) -> str:
        return "%" if found[1] is None else f"${names.setdefault(found[1], len(names) + 1)}"

    return Numbered(sql=_PLACEHOLDER.sub(place, sql).encode(), names=tuple(names))


@dataclass(slots=True)
class Session:
    """What the server at the other end of one connection has been taught so far: prepared statements."""

    known: dict[bytes, bytes] = field(default_factory=dict)
    """Their names."""
    _numbers: Iterator[int] = field(default_factory=count)

    def new_name(self) -> bytes:
        """Return a name that was never used: what failed together with others may have been taught or not."""
        return b"countersign_%d" % next(self._numbers)


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelinedResult:
    """What one statement gave."""

    count: int
    rows: Sequence[tuple[Any, ...]]


def send(
    driver: "Connection[Any]", session: Session, asked: Sequence[tuple[str, Mapping[str, Any]]]
) -> list[PipelinedResult]:
    """Return what each statement gave, in order; each saw what those before it did. Begins a transaction where the driver would.

    Args:
        driver: The driver's connection.
        session: What goes with that connection, for as long as it is open.
        asked: Statements with their values, by name.

    Raises:
        psycopg.Error: What the first statement that failed was told, or the connection is lost; none after it took effect.
    """
    transformer = Transformer(driver)
    # Before anything is sent: a value may turn out to be none that the server takes.
    trip = [_written(numbered(sql), values, transformer) for sql, values in asked]
    try:
        results, taught = _exchange(driver, session, trip)
    except BaseException:
        # Something may still be on its way; whoever used this connection again could take it for an answer.
        driver.close()
        raise
    for _, result in results:
        if result.status not in _WHOLE:
            raise error_from_result(result, transformer.encoding)
    session.known |= taught
    return [_told(result, transformer) for is_answer, result in results if is_answer]


def _written(statement: Numbered, values: Mapping[str, Any], transformer: Any) -> tuple[bytes, _Values]:
    named = [values[name] for name in statement.names]
    return statement.sql, transformer.dump_sequence(named, [PyFormat.TEXT] * len(named)) if named else None


def _exchange(
    driver: "Connection[Any]", session: Session, trip: Sequence[tuple[bytes, _Values]]
) -> tuple[list[tuple[bool, pq.abc.PGresult]], dict[bytes, bytes]]:
    """Return every result, each with whether it is the answer to a statement, and what the server was taught on the way."""
    connection, taught, answers = driver.pgconn, dict[bytes, bytes](), list[bool]()
    connection.enter_pipeline_mode()
    if len(session.known) >= MOST_TAUGHT:
        session.known.clear()
        connection.send_query_params(b"DEALLOCATE ALL", None)
        answers.append(False)
    if not driver.autocommit and connection.transaction_status == pq.TransactionStatus.IDLE:
        connection.send_query_params(_BEGIN, None)
        answers.append(False)
    for sql, values in trip:
        name = session.known.get(sql) or taught.get(sql)
        if name is None:
            name = taught[sql] = session.new_name()
            connection.send_prepare(name, sql)
            answers.append(False)
        connection.send_query_prepared(name, values)
        answers.append(True)
    connection.pipeline_sync()
    results = _received(connection)
    connection.exit_pipeline_mode()
    return list(zip(answers, results, strict=True)), taught


def _received(connection: pq.abc.PGconn) -> list[pq.abc.PGresult]:
    """Return every result up to the end of the trip. Waits without holding up other threads."""
    waiter = select.poll()
    waiter.register(connection.socket, select.POLLIN)
    while connection.flush():
        waiter.modify(connection.socket, select.POLLIN | select.POLLOUT)
        waiter.poll()
        connection.consume_input()
    waiter.modify(connection.socket, select.POLLIN)
    results: list[pq.abc.PGresult] = []
    while True:
        while connection.is_busy():
            waiter.poll()
            connection.consume_input()
        result = connection.get_result()
        if result is None:
            if connection.status == pq.ConnStatus.BAD:
                # A connection that is lost gives no end of the trip, only "nothing more", for ever.
                raise OperationalError("the connection was lost in the middle of a trip")
            continue  # Between two statements.
        if result.status == pq.ExecStatus.PIPELINE_SYNC:
            return results
        results.append(result)


def _told(result: pq.abc.PGresult, transformer: Any) -> PipelinedResult:
    if result.status != pq.ExecStatus.TUPLES_OK:
        return PipelinedResult(count=result.command_tuples or 0, rows=())
    transformer.set_pgresult(result)
    return PipelinedResult(count=result.command_tuples or 0, rows=transformer.load_rows(0, result.ntuples, tuple))
