"""The service on PostgreSQL when the connection that holds its worker lock is lost: it goes on, or gives way in good order."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from approvals.errors import Clash
from models.store.worker_lock import worker_lock
from tests.acceptance.conftest import NewPlace
from tests.acceptance.ground import Ground
from tests.acceptance.place import Place
from tests.acceptance.town import CHANNEL, Town
from tests.fixtures.postgres import PostgresDatabase, PostgresServer
from tests.waiting import wait_until

pytestmark = pytest.mark.postgres


@pytest.fixture
def place(ground: Ground, town: Town, new_place: NewPlace, postgres_database: PostgresDatabase) -> Place:
    """A place over the real cluster whose database is PostgreSQL's."""
    return new_place({**ground.settings, **town.settings, "COUNTERSIGN_DATABASE_URL": postgres_database.restricted_url})


def posted(town: Town) -> int:
    """Return how many messages stand in the channel."""
    return town.see(lambda it: len(it.messages(CHANNEL)))


def pause(place: Place) -> None:
    """Engage a pause at the command line; the relay has its notice to post."""
    said = place.run("pause", "all", "--reason", "To see whether anybody is told.")
    assert said.code == 0, said.err


def test_a_restart_of_the_database_ends_nothing(
    place: Place, town: Town, postgres_server: PostgresServer, postgres_database: PostgresDatabase
):
    """A service that lost every connection takes its lock again and goes on posting."""
    with place.serving():
        before = posted(town)
        postgres_server.cut_off(postgres_database)
        pause(place)

        wait_until(lambda: posted(town) > before, what="the notice is posted")


def test_a_service_whose_lock_somebody_took_gives_way(
    place: Place, town: Town, postgres_server: PostgresServer, postgres_database: PostgresDatabase
):
    """Where another process was faster, nothing is posted any more, and the service stops with the words of a second one."""
    with place.serving() as service:
        before = posted(town)
        with snatched(postgres_server, postgres_database):
            pause(place)
            code = service.process.wait(120)

    last = service.log.read_text().splitlines()[-1]
    assert (code, posted(town) - before) == (1, 0)
    assert last == (
        f"countersign: Another countersign serve works on {postgres_database.name}; there can be only one."
        " [already_serving]"
    )


@contextmanager
def snatched(server: PostgresServer, database: PostgresDatabase) -> Iterator[None]:
    """Hold the worker lock that the service lost, for the length of the block."""
    with ExitStack() as held:

        def take() -> bool:
            server.cut_off(database)
            try:
                held.enter_context(worker_lock(database.restricted_url))
            except Clash:
                return False  # The service was faster; once more.
            return True

        wait_until(take, what="the lock is ours")
        yield
