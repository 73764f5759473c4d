"""The store's clock: the instant at which a unit of work is judged.

PostgreSQL tells its own time, by ``clock_timestamp()`` and not ``now()``, which stands still from the start of the
transaction and was measured to count a vote 1.5 s late. On SQLite the host's clock serves, asked once the write lock is held.
Either way a stored floor holds: a clock that steps back never revives what was over. Only the sweep's tick raises it.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, bindparam, cast, func, select, update

from models.engine.columns import INSTANT, NUMBER, instant_at, microseconds_of
from models.engine.prepared import Asked, Prepared, QueryResult
from models.store.tables import clock_floor

HostClock = Callable[[], datetime]
"""Returns the host's instant, aware."""

_FLOOR: Final = Prepared(select(clock_floor.c.at), columns=[clock_floor.c.at])
SERVER_MICROSECONDS: Final = cast(func.extract("epoch", func.clock_timestamp()) * 1_000_000, NUMBER)
"""PostgreSQL's own instant, in microseconds: when it is asked for, not when the transaction began."""
_SERVER: Final = Prepared(
    select(SERVER_MICROSECONDS, clock_floor.c.at), columns=[SERVER_MICROSECONDS, clock_floor.c.at]
)
_RAISE: Final = (
    update(clock_floor).where(clock_floor.c.at < bindparam("instant", type_=INSTANT)).values(at=bindparam("instant"))
)


_NEVER: Final = instant_at(0)
"""Where the floor lies before any service has run."""


class StoreClock:
    """Tells the instant and keeps its floor."""

    def __init__(self, host: HostClock) -> None:
        """Keep the host's clock, for SQLite."""
        self._host = host

    def now(self, connection: Connection) -> datetime:
        """Return the later of the clock and its floor."""
        clock, floor = self._look(connection)
        return max(clock, floor)

    def advance(self, connection: Connection) -> timedelta:
        """Raise the floor to the clock; return how far the clock has fallen behind it, zero as a rule."""
        clock, floor = self._look(connection)
        if clock < floor:
            return floor - clock
        connection.execute(_RAISE, {"instant": clock})
        return timedelta(0)

    def latest_tick(self, connection: Connection) -> datetime | None:
        """Return when a service last ran on this database, to within a few seconds: its watch raises the floor, nobody else."""
        ((floor,),) = _FLOOR.answer(connection, {}).rows
        return None if floor == _NEVER else floor

    def question(self, connection: Connection) -> Asked:
        """Return what has to be asked to know the instant."""
        return (_FLOOR if connection.dialect.name == "sqlite" else _SERVER, {})

    def instant(self, connection: Connection, answer: QueryResult) -> datetime:
        """Return the later of the clock and its floor, *answer* being what :meth:`question` was answered just now."""
        return max(self._read(connection, answer))

    def _look(self, connection: Connection) -> tuple[datetime, datetime]:
        statement, values = self.question(connection)
        return self._read(connection, statement.answer(connection, values))

    def _read(self, connection: Connection, answer: QueryResult) -> tuple[datetime, datetime]:
        if connection.dialect.name == "sqlite":
            ((floor,),) = answer.rows
            return _whole(self._host()), floor
        ((microseconds, floor),) = answer.rows
        return instant_at(microseconds), floor


def _whole(at: datetime) -> datetime:
    """Return *at* as it would come back from a row."""
    return instant_at(microseconds_of(at))
