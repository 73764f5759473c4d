"""The product over a real database and an API server's protocol, as one process runs it, and what must hold of its books.

Two calls of :func:`product` share what a restart leaves: the database and the cluster, and nothing else.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from approvals.audit.events import verify
from approvals.ports.journey import Journey
from bot.clock import new_id, new_salt, utc_now
from bot.cluster.client.sources import Source
from bot.cluster.door import KubernetesCluster
from bot.slack.messages.review_part import render_review
from models.audit.book import AuditBook
from models.audit.sealer import Sealer
from models.engine.database import open_database
from models.store.store import SqlStore
from tests.builders import INSTALLATION
from tests.fakes.journey import Remembered
from tests.models.records import let_pass
from tests.usecases.replay import differences
from tests.waiting import wait_until
from tests.world import World

ENVIRONMENT = "prod-eu-1"
SECOND = timedelta(seconds=1)


@contextmanager
def product(url: str, kubeconfig: Path, context: str, journey: Journey | None = None) -> Iterator[World]:
    """Give every verb over the database at *url* and the cluster of a kubeconfig, with connections of its own."""
    database = open_database(url)
    door = KubernetesCluster(
        {ENVIRONMENT: Source(kubeconfig=kubeconfig, context=context)},
        installation=INSTALLATION,
        mac_key=b"k" * 32,
        now=utc_now,
        version="test",
    )
    try:
        yield World(
            SqlStore(database, host_clock=utc_now, new_salt=new_salt),
            cluster=door,
            new_id=new_id,
            journey=journey or Remembered(),
            render=render_review,
        )
    finally:
        database.close()


def work(world: World) -> None:
    """Look at what is due once, and let a second pass."""
    world.execute()
    let_pass(world.store, SECOND)


def work_to_the_end(world: World, request_id: str) -> None:
    """Work until the request's execution is over."""

    def is_over() -> bool:
        work(world)
        with world.store.reading() as reading:
            execution = reading.execution_of(request_id)
        return execution is not None and execution.is_over

    wait_until(is_over, what="the execution is over", within_s=20, every_s=0.05)


def assert_sound(store: Any) -> None:
    """Fail unless replaying the events gives what the tables hold, and every event has its place in the chain (I5)."""
    Sealer(store.database).seal()
    book = AuditBook(store.database)

    assert differences(store) == []
    assert verify(book.sealed()).fault is None
    assert book.tail().events == 0
