"""An open door over a SQLite store: one for each test, or one that tests share which leave nothing behind."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from bot.intake.deps import Rates
from bot.intake.gate.rates import Rate
from models.engine.database import Database, open_database
from tests.bot.intake.support import Door, a_world, open_door
from tests.world import HandClock, World

ANY = Rate(per_second=1e6, burst=1_000_000)
UNBOUNDED = Rates(calls=ANY, escalations=ANY, failures=ANY, refusals=ANY)


@pytest.fixture
def hand_clock() -> HandClock:
    """The host's clock of the store."""
    return HandClock()


@pytest.fixture
def sqlite(sqlite_url: str) -> Iterator[Database]:
    """A migrated SQLite database."""
    database = open_database(sqlite_url)
    yield database
    database.close()


@pytest.fixture
def world(sqlite: Database, hand_clock: HandClock) -> World:
    """Two agents, a narrow token and a monitor over one store."""
    return a_world(sqlite, hand_clock)


@pytest.fixture
def door(world: World, hand_clock: HandClock) -> Iterator[Door]:
    """The door, open."""
    with open_door(world, hand_clock) as opened:
        yield opened


@pytest.fixture(scope="module")
def shared_door(sqlite_template: Path, memory: Path) -> Iterator[Door]:
    """A door for all tests of a module, without bounds on pace, so that they do not disturb each other."""
    with TemporaryDirectory(dir=memory) as folder:
        path = shutil.copy(sqlite_template, Path(folder) / "countersign.db")
        database, clock = open_database(f"sqlite:///{path}"), HandClock()
        with open_door(a_world(database, clock), clock, rates=UNBOUNDED) as opened:
            yield opened
        database.close()
