"""Heartbeats: what a running service says of itself every few seconds, for whoever looks from another process.

A row for each process. That it is fresh tells that a service runs and can write; what is in it tells how each of its legs is. A
service that died says nothing any more, and the row says since when. One that stopped in good order says so.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from json import dumps, loads
from typing import Any, Final

from sqlalchemy import bindparam, select, update

from approvals.ports.store import Urgency
from models.engine.columns import INSTANT, TEXT
from models.engine.database import Database
from models.engine.statements import insert_or_renew
from models.store.fence import LEADER
from models.store.tables import heartbeats, leases

SERVICE: Final = "serve"
"""How the process is called that is the only one on its database."""

MOST: Final = 20
"""How many processes are told of: twice as many as one Slack app lets connect."""

_BEAT: Final = insert_or_renew(heartbeats)
_STOP: Final = (
    update(heartbeats)
    .where(heartbeats.c.process == bindparam("the_process", type_=TEXT))
    .values(stopped_at=bindparam("the_instant", type_=INSTANT))
)
_LATEST: Final = select(heartbeats).order_by(heartbeats.c.seen_at.desc(), heartbeats.c.process).limit(MOST)
_LEADER: Final = select(leases.c.holder).where(
    leases.c.name == LEADER, leases.c.held_until > bindparam("the_instant", type_=INSTANT)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """The last that was heard of one process of the service."""

    process: str
    started_at: datetime
    seen_at: datetime
    stopped_at: datetime | None
    """When it stopped in good order; None while it runs, and where it died."""
    legs: tuple[Mapping[str, str], ...]
    """How each of its legs was, by the names of :class:`bot.health.legs.Leg`."""


class Heartbeats:
    """The rows, and the one of them that is ours."""

    def __init__(self, database: Database, *, process: str = SERVICE) -> None:
        """Keep the database, and how this process is called: no two that run at once are called the same."""
        self._database = database
        self._process = process

    def beat(self, *, started_at: datetime, now: datetime, legs: Iterable[Mapping[str, str]]) -> None:
        """Write that the service runs, and how its legs are.

        Raises:
            approvals.errors.Unavailable: The database cannot be written.
        """
        values = {
            "process": self._process,
            "started_at": started_at,
            "seen_at": now,
            "stopped_at": None,
            "legs": dumps([dict(leg) for leg in legs], separators=(",", ":"), sort_keys=True),
        }
        # Urgent, as pauses and denials are: a storm of intake must not make a service look dead.
        with self._database.writing(Urgency.URGENT) as connection:
            connection.execute(_BEAT, values)

    def stop(self, now: datetime) -> None:
        """Write that the service has stopped in good order.

        Raises:
            approvals.errors.Unavailable: The database cannot be written.
        """
        with self._database.writing() as connection:
            connection.execute(_STOP, {"the_process": self._process, "the_instant": now})

    def latest(self) -> tuple[Heartbeat, ...]:
        """Return the last that was heard of each process, the newest first; none where no service has ever run here."""
        with self._database.reading() as connection:
            return tuple(_heartbeat(row) for row in connection.execute(_LATEST))

    def leader(self, now: datetime) -> str | None:
        """Return who holds the leader's lease at *now*; None where nobody does, or one process alone serves."""
        with self._database.reading() as connection:
            return connection.execute(_LEADER, {"the_instant": now}).scalar_one_or_none()


def _heartbeat(row: Any) -> Heartbeat:
    return Heartbeat(
        process=row.process,
        started_at=row.started_at,
        seen_at=row.seen_at,
        stopped_at=row.stopped_at,
        legs=tuple({str(name): str(value) for name, value in leg.items()} for leg in loads(row.legs)),
    )
