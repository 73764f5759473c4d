"""What ``countersign status`` shows: how everything stands, by what the database holds and the settings name."""

from datetime import datetime, timedelta
from typing import Final

from bot.cli.parts import ServiceOverview
from bot.operations.service_status import service_status
from models.audit.book import AuditBook
from models.outbox.cards import Cards
from models.outbox.thread_lines import ThreadLines
from models.schema.revision import REVISION
from models.store.heartbeats import Heartbeats
from models.store.store import SqlStore

_DAY: Final = timedelta(days=1)

MOST_MONITORS: Final = 20
"""How many hours of monitors with refused deliveries ``status`` shows."""


def overview(store: SqlStore, *, policy: str, clusters: str, now: datetime) -> ServiceOverview:
    """Return how things stand at *now*, the host's instant.

    Args:
        store: Its schema is current.
        policy: The version of the policy that the settings name, or that it cannot be read.
        clusters: Which clusters that policy names.
        now: Heartbeats are told by the host's clock.
    """
    with store.reading() as reading:
        epoch, pauses, counts = reading.epoch(), reading.pauses(), reading.waiting()
        refused = reading.refused_lately(since=reading.now - _DAY, limit=MOST_MONITORS)
    backlog = Cards(store).backlog()
    counts |= {
        "cards to be drawn": backlog.behind,
        "cards whose last try failed": backlog.failing,
        "questions that nobody can see yet": backlog.unseen,
        "thread lines to be posted": ThreadLines(store).count(),
        "events not sealed yet": AuditBook(store.database).tail().events,
    }
    beats = Heartbeats(store.database)
    kind = "SQLite" if store.database.is_sqlite else "PostgreSQL"
    return ServiceOverview(
        policy=policy,
        service=service_status(beats.latest(), leader=beats.leader(now), now=now),
        database=f"{kind}, schema {REVISION}",
        cluster=clusters,
        epoch=epoch,
        pauses=pauses,
        counts=counts,
        refused_deliveries=refused,
    )
