"""Three services on one PostgreSQL, a workspace and a real cluster, while processes die, stand still and lose their connections.

What is recorded stands outside (:mod:`tests.acceptance.recorder`): the workspace's messages, the API server's audit log, and
whether anybody answers for the store. ``COUNTERSIGN_FAULTS`` says how many faults (``make soak`` has 200), ``COUNTERSIGN_SEED``
which chances.
"""

import os
import random
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from models.engine.database import open_database
from models.schema.migrate import upgrade
from tests.acceptance.agent import new_token
from tests.acceptance.conftest import NewPlace
from tests.acceptance.findings import findings
from tests.acceptance.ground import Ground
from tests.acceptance.recorder import Reach, Recorder
from tests.acceptance.replicas import Harm, Replicas
from tests.acceptance.soak import Round, Soak
from tests.acceptance.town import Town
from tests.fixtures.postgres import RESTRICTED, PostgresDatabase, PostgresServer
from tests.fixtures.stores import a_store
from tests.usecases.product import assert_sound

pytestmark = [pytest.mark.postgres, pytest.mark.slow]

FAULTS = int(os.environ.get("COUNTERSIGN_FAULTS", "3"))
SEED = int(os.environ.get("COUNTERSIGN_SEED", "7"))


@pytest.fixture
def database(durable_postgres_server: PostgresServer) -> Iterator[PostgresDatabase]:
    """A migrated database of a server that has what it committed after a crash, too."""
    made = durable_postgres_server.create_database()
    upgrade(made.owner_url, restricted_role=RESTRICTED)
    yield made
    durable_postgres_server.drop_database(made)


@pytest.fixture
def replicas(
    ground: Ground,
    town: Town,
    new_place: NewPlace,
    durable_postgres_server: PostgresServer,
    database: PostgresDatabase,
) -> Iterator[Replicas]:
    """Three services over one database."""
    place = new_place({**ground.settings, **town.settings, "COUNTERSIGN_DATABASE_URL": database.restricted_url})
    with ExitStack() as open_ones:
        made = Replicas(place=place, server=durable_postgres_server, database=database, open_ones=open_ones)
        made.fill()
        try:
            yield made
        finally:
            made.wake()


def test_each_approved_change_lands_once_whatever_happens_to_whom(ground: Ground, town: Town, replicas: Replicas):
    """I1 to I6: whichever process or server dies or sleeps meanwhile, each approved change is made once, nothing else is.

    A card may be replaced, no more: the replacement says that it is one and mentions nobody; after a graceful stop there is
    none. Silence denies within five seconds of the deadline, or of a process reaching the store again. A pause takes five
    seconds at most, also while a stopped process sits in a transaction that holds the gate.
    """
    chance = random.Random(SEED)
    recorder = Recorder(audit_log=ground.cluster.audit_log, database=replicas.database)
    recorder.read_audit_log()
    recorder.writes.clear()
    soak = Soak(ground, town, replicas, recorder, new_token(replicas.place), Reach(), chance)
    try:
        with soak.reach.watching(lambda: [one.address for one in replicas.awake]):
            for number, how in zip(range(FAULTS), _harms(chance), strict=False):
                replicas.fill()
                soak.try_round(Round(number=number, how=how, slot=_slot(replicas, chance)))
                ground.sweep()
        recorder.read_audit_log()
        wrong = findings(recorder)
    finally:
        recorder.print()

    assert wrong == []
    assert recorder.beyond == []
    opened = open_database(replicas.database.restricted_url)
    assert_sound(a_store(opened))
    opened.close()


def _harms(chance: random.Random) -> Iterator[Harm]:
    """Give what happens, at random, each kind as often as any other."""
    kinds = list(Harm)
    while True:
        yield from chance.sample(kinds, len(kinds))


def _slot(replicas: Replicas, chance: random.Random) -> str:
    """Return to whom it happens: as a rule to the leader, else to any of them."""
    leader = replicas.leader()
    return leader if leader is not None and chance.random() < 0.6 else chance.choice(sorted(replicas.running))
