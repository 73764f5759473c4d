"""Several services on one PostgreSQL: one of them leads, and another takes its place when it is gone."""

import json
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha256
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


def test_while_files_differ_every_replica_says_so_and_allows_what_all_do(place: Place):
    """A replica begins with another file: it and the leader name that among their legs, until the files are the same."""
    other = place.folder / "other.yml"
    other.write_text(f"{place.policy.read_text()}\n# another version\n")
    with place.serving("first") as first:
        wait_until(lambda: leads(first), what="the first leads")
        with place.serving("second", COUNTERSIGN_POLICY=str(other)) as second:
            for one in (first, second):
                wait_for_policy(one, "another_version")
            other.write_bytes(place.policy.read_bytes())
            for one in (first, second):
                wait_for_policy(one, "ok")


def test_a_rollout_one_by_one_brings_the_new_file(place: Place):
    """Each process is replaced by one with the new file. Both files rule until the last old one has ended, then the new alone."""
    new = place.folder / "new.yml"
    new.write_text(f"{place.policy.read_text()}\n# the next version\n")
    with ExitStack() as running:
        with place.serving("old") as old:
            wait_until(lambda: leads(old), what="the old one leads")
            replacement = running.enter_context(place.serving("new", COUNTERSIGN_POLICY=str(new)))
            wait_for_policy(replacement, "another_version")
        wait_for_policy(replacement, "ok")

    said = [line for line in lines_of(replacement.log) if line["event"] == "policy.in_force"]
    assert [line["version"] for line in said] == [sha256(new.read_bytes()).hexdigest()]


def wait_for_policy(service: Service, code: str) -> None:
    """Return once a service says *code* of the policy."""
    wait_until(lambda: policy_leg(service) == code, what=f"the policy is {code}")


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
