"""The sealer: links events, in whatever order they committed, into the one gap-free chain.

One sealer at a time, under an advisory lock. A service's works under the leader's lease besides: one that stood still and wakes
up when another leads adds nothing to the chain.

Which events have no seal is found by looking for those without one, never by a cursor over ids: id 1 may commit after id 2 was
seen. The look is bounded all the same. PostgreSQL tells below which transaction number everything has ended; each event carries
the number of the transaction that wrote it, so what lies below that horizon when a pass begins is visible to the pass, and need
not be looked at again. SQLite has one writer, who commits in the order of ids, so there the event sealed last is the horizon.
"""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, Row, Text, and_, bindparam, cast, exists, func, insert, select, text

from approvals.audit.events import GENESIS, chain_hash
from models.engine.advisory import advisory_key
from models.engine.columns import NUMBER
from models.engine.database import Database
from models.store.fence import Lease, prove
from models.store.tables import events, seals

BATCH: Final = 500
"""How many events one transaction seals: a few milliseconds' work."""

_LOCK: Final = select(func.pg_try_advisory_xact_lock(bindparam("key", type_=NUMBER)))
_HEAD: Final = select(seals.c.number, seals.c.chain).order_by(seals.c.number.desc()).limit(1)
_SEAL: Final = insert(seals)

_SEALED: Final = exists().where(seals.c.stream == events.c.stream, seals.c.sequence == events.c.sequence)
_UNSEALED: Final = (
    select(events.c.id, events.c.stream, events.c.sequence, events.c.hash)
    .where(~_SEALED)
    .order_by(events.c.id)
    .limit(bindparam("limit", type_=NUMBER))
)
_UNSEALED_SINCE: Final = _UNSEALED.where(events.c.written_in >= bindparam("horizon", type_=NUMBER))
_HORIZON: Final = select(cast(cast(func.pg_snapshot_xmin(func.pg_current_snapshot()), Text), NUMBER))
_FIRST_LOOK: Final = text("SET LOCAL statement_timeout = '10min'")

_LAST_SEALED: Final = (
    select(events.c.id)
    .join(seals, and_(seals.c.stream == events.c.stream, seals.c.sequence == events.c.sequence))
    .order_by(seals.c.number.desc())
    .limit(1)
)
_AFTER: Final = (
    select(events.c.id, events.c.stream, events.c.sequence, events.c.hash)
    .where(events.c.id > func.coalesce(_LAST_SEALED.scalar_subquery(), 0))
    .order_by(events.c.id)
    .limit(bindparam("limit", type_=NUMBER))
)

Unsealed = Sequence[Row[int, str, int, str]]


class Sealer:
    """Seals what has been written. Any number of processes may have one; only one of them works at a time."""

    def __init__(self, database: Database, *, lease: Lease | None = None) -> None:
        """Begin knowing nothing: the first pass on PostgreSQL looks at every event.

        Args:
            database: Whose events are sealed.
            lease: Without which no seal is kept; None where no lease is needed.
        """
        self._database = database
        self._lease = lease
        self._horizon: int | None = None

    def seal(self) -> int:
        """Seal everything that is written and not yet sealed, and return how many events that were.

        Raises:
            approvals.errors.Unavailable: The database cannot be reached or is too busy; nothing is lost by it.
            LeaseLost: The lease that it works under has gone to another holder; of the pass that found that, nothing is kept.
        """
        total = 0
        while sealed := self._pass():
            total += sealed
        return total

    def _pass(self) -> int:
        return self._pass_on_sqlite() if self._database.is_sqlite else self._pass_on_postgresql()

    def _pass_on_sqlite(self) -> int:
        with self._database.reading() as connection:
            if not connection.execute(_AFTER, {"limit": 1}).all():
                return 0  # A look disturbs no writer; most seconds end here.
        with self._database.writing() as connection:
            unsealed = connection.execute(_AFTER, {"limit": BATCH}).all()
            _link(connection, unsealed)
        return len(unsealed)

    def _pass_on_postgresql(self) -> int:
        with self._database.writing() as connection:
            if not connection.execute(_LOCK, {"key": advisory_key("countersign/sealer")}).scalar_one():
                return 0
            # In statements after the lock: the sealer before us has committed what it sealed. The horizon before the look:
            # whatever lies below it has ended, so the look sees it.
            horizon = connection.execute(_HORIZON).scalar_one()
            unsealed = self._look(connection)
            _link(connection, unsealed)
            if unsealed:
                prove(connection, self._lease)
        if len(unsealed) < BATCH:
            self._horizon = horizon
        return len(unsealed)

    def _look(self, connection: Connection) -> Unsealed:
        if self._horizon is None:
            connection.execute(_FIRST_LOOK)
            return connection.execute(_UNSEALED, {"limit": BATCH}).all()
        return connection.execute(_UNSEALED_SINCE, {"limit": BATCH, "horizon": self._horizon}).all()


def _link(connection: Connection, unsealed: Unsealed) -> None:
    if not unsealed:
        return
    head = connection.execute(_HEAD).one_or_none()
    number, chain = (0, GENESIS) if head is None else (head.number, head.chain)
    links = []
    for event in unsealed:
        number += 1
        chain = chain_hash(chain, number=number, stream=event.stream, sequence=event.sequence, hashed=event.hash)
        links.append({"number": number, "stream": event.stream, "sequence": event.sequence, "chain": chain})
    connection.execute(_SEAL, links)
