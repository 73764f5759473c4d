"""Several services on one PostgreSQL: one of them leads, and another takes its place when it is gone."""

import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.request import urlopen

import pytest
from psycopg import sql

from models.engine.advisory import advisory_key
from models.store.worker_lock import WORKER
from tests.acceptance.conftest import NewPlace
from tests.acceptance.ground import Ground
from tests.acceptance.place import Place, Service, lines_of
from tests.acceptance.town import CHANNEL, Town
from tests.fixtures.postgres import PostgresDatabase, PostgresServer
from tests.models.leasing import owner_of
from tests.waiting import wait_until

pytestmark = pytest.mark.postgres


@pytest.fixture
def place(ground: Ground, town: Town, new_place: NewPlace, postgres_database: PostgresDatabase) -> Place:
    """A place over the real cluster whose database is PostgreSQL's."""
    return new_place({**ground.settings, **town.settings, "COUNTERSIGN_DATABASE_URL": postgres_database.restricted_url})


def posted(town: Town) -> int:
    """Return how many notices of a pause stand in the channel, replies left out."""
    found = town.see(lambda it: [one for one in it.messages(CHANNEL) if not one.is_reply])
    return sum("Paused" in one.text for one in found)


def pause(place: Place, scope: str = "all") -> None:
    """Engage a pause at the command line; whoever leads has its notice to post."""
    said = place.run("pause", scope, "--reason", "To see whether anybody is told.")
    assert said.code == 0, said.err


def leads(service: Service) -> bool:
    """Tell whether a service has begun to lead."""
    return any(line["event"] == "leader.leads" for line in lines_of(service.log))


def test_a_restart_of_the_database_ends_nothing(
    place: Place, town: Town, postgres_server: PostgresServer, postgres_database: PostgresDatabase
):
    """A service that lost every connection leads on and goes on posting."""
    with place.serving():
        before = posted(town)
        postgres_server.cut_off(postgres_database)
        pause(place)

        wait_until(lambda: posted(town) > before, what="the notice is posted")


def test_beside_an_older_release_it_follows(place: Place, town: Town, postgres_database: PostgresDatabase):
    """While a release before the leases works, nothing is posted; once it has ended, what waited is."""
    with an_older_release(postgres_database), place.serving() as service:
        before = posted(town)
        pause(place)
        time.sleep(3)
        during = (posted(town) - before, leads(service))
        with owner_of(postgres_database) as owner:
            owner.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ExclusiveLock'"
            )
        wait_until(lambda: posted(town) > before, what="the notice is posted")

    assert during == (0, False)


@pytest.mark.parametrize(
    ("ended_by", "within_s"), [(signal.SIGKILL, 10.0), (signal.SIGSTOP, 10.0), (signal.SIGTERM, 2.0)]
)
def test_another_takes_the_leaders_place(place: Place, town: Town, ended_by: signal.Signals, within_s: float):
    """Killed or stopped it is replaced within ten seconds, told to stop within two; each notice is posted once."""
    with place.serving("first") as first, place.serving("second") as second:
        before = posted(town)
        pause(place)
        wait_until(lambda: posted(town) > before, what="the leader has posted its notice")
        led = (leads(first), leads(second))
        first.process.send_signal(ended_by)
        begun = time.monotonic()
        wait_until(lambda: leads(second), what="the second leads")
        took = time.monotonic() - begun
        pause(place, "agent:scaler")
        wait_until(lambda: posted(town) > before + 1, what="the second has posted its notice")
        first.process.send_signal(signal.SIGCONT)
        time.sleep(2)  # What wakes up now would have something to post.
        notices = posted(town) - before
        if ended_by is not signal.SIGSTOP:
            first.process.wait(10)

    assert (led, notices) == ((True, False), 2)
    assert took < within_s


def test_a_replica_with_another_file_says_so_and_allows_what_both_do(place: Place):
    """The leader's file is in force. Who has another one names it among its legs, until the files are the same."""
    other = place.folder / "other.yml"
    other.write_text(f"{place.policy.read_text()}\n# another version\n")
    with place.serving("first") as first:
        wait_until(lambda: leads(first), what="the first leads")
        with place.serving("second", COUNTERSIGN_POLICY=str(other)) as second:
            wait_until(lambda: policy_leg(second) == "another_version", what="the second says so")
            of_the_leader = policy_leg(first)
            other.write_bytes(place.policy.read_bytes())
            wait_until(lambda: policy_leg(second) == "ok", what="the files are the same")

    assert of_the_leader == "ok"


def policy_leg(service: Service) -> str:
    """Return what ``/readyz`` says of the policy."""
    with urlopen(f"{service.address}/readyz", timeout=10) as answer:
        legs = json.loads(answer.read())["legs"]
    return next(str(leg["code"]) for leg in legs if leg["leg"] == "policy")


@contextmanager
def an_older_release(database: PostgresDatabase) -> Iterator[None]:
    """Hold the worker lock alone, as a release before the leases does."""
    with owner_of(database) as older:
        older.execute(sql.SQL("SELECT pg_advisory_lock({})").format(sql.Literal(advisory_key(WORKER))))
        yield
