"""Offices for the tests of the approvers' door."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from models.engine.database import open_database
from models.store.store import SqlStore
from tests.bot.slack.office import Office
from tests.builders import NOON
from tests.fixtures.stores import SteppingClock, a_store


@pytest.fixture
def noon_store(sqlite_url: str) -> Iterator[tuple[SqlStore, SteppingClock]]:
    """A store on SQLite whose clock stands at noon until a test moves it, and that clock."""
    clock = SteppingClock()
    clock.at = NOON
    opened = open_database(sqlite_url)
    yield a_store(opened, clock), clock
    opened.close()


@pytest.fixture
def make_office(noon_store: tuple[SqlStore, SteppingClock]) -> Iterator[Callable[..., Office]]:
    """A function that opens an office over one SQLite store, with whatever it is told to change."""
    made: list[Office] = []
    store, clock = noon_store

    def make(**changed: Any) -> Office:
        office = Office(store=store, clock=clock, **changed).open()
        made.append(office)
        return office

    yield make
    for office in made:
        office.close()


@pytest.fixture
def office(make_office: Callable[..., Office]) -> Office:
    """An office in Socket Mode."""
    return make_office()


@pytest.fixture(params=["socket", "http"])
def either_office(make_office: Callable[..., Office], request: pytest.FixtureRequest) -> Office:
    """An office in Socket Mode, and one that Slack reaches by signed HTTP."""
    return make_office(over_http=request.param == "http")
