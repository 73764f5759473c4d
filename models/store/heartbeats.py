"""Heartbeats: what a running service says of itself every few seconds, for whoever looks from another process.

One row. That it is fresh tells that a service runs and can write; what is in it tells how each of its legs is. A service that
died says nothing any more, and the row says since when. One that stopped in good order says so.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from json import dumps, loads
from typing import Final

from sqlalchemy import bindparam, select, update

from approvals.ports.store import Lane
from models.engine.columns import INSTANT, TEXT
from models.engine.database import Database
from models.engine.statements import insert_or_renew
from models.store.tables import heartbeats

SERVICE: Final = "serve"
"""The only process that writes one; there can be only one of it."""

_BEAT: Final = insert_or_renew(heartbeats)
_STOP: Final = (
    update(heartbeats)
    .where(heartbeats.c.process == bindparam("the_process", type_=TEXT))
    .values(stopped_at=bindparam("the_instant", type_=INSTANT))
)
_LAST: Final = select(heartbeats).where(heartbeats.c.process == bindparam("the_process", type_=TEXT))


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """The last that was heard of the service."""

    started_at: datetime
    seen_at: datetime
    stopped_at: datetime | None
    """When it stopped in good order; None while it runs, and where it died."""
    legs: tuple[Mapping[str, str], ...]
    """How each of its legs was, by the names of :class:`bot.health.legs.Leg`."""


class Heartbeats:
    """The row."""

    def __init__(self, database: Database) -> None:
        """Keep the database."""
        self._database = database

    def beat(self, *, started_at: datetime, now: datetime, legs: Iterable[Mapping[str, str]]) -> None:
        """Write that the service runs, and how its legs are.

        Raises:
            approvals.errors.Unavailable: The database cannot be written.
        """
        values = {
            "process": SERVICE,
            "started_at": started_at,
            "seen_at": now,
            "stopped_at": None,
            "legs": dumps([dict(leg) for leg in legs], separators=(",", ":"), sort_keys=True),
        }
        # Urgent, as pauses and denials are: a storm of intake must not make a service look dead.
        with self._database.writing(Lane.URGENT) as connection:
            connection.execute(_BEAT, values)

    def stop(self, now: datetime) -> None:
        """Write that the service has stopped in good order.

        Raises:
            approvals.errors.Unavailable: The database cannot be written.
        """
        with self._database.writing() as connection:
            connection.execute(_STOP, {"the_process": SERVICE, "the_instant": now})

    def last(self) -> Heartbeat | None:
        """Return the last that was heard; None where no service has ever run on this database."""
        with self._database.reading() as connection:
            row = connection.execute(_LAST, {"the_process": SERVICE}).one_or_none()
        if row is None:
            return None
        legs = tuple({str(name): str(value) for name, value in leg.items()} for leg in loads(row.legs))
        return Heartbeat(started_at=row.started_at, seen_at=row.seen_at, stopped_at=row.stopped_at, legs=legs)
