"""Offices for the tests of the approvers' door."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from models.store import SqlStore
from tests.bot.slack.office import Office


@pytest.fixture
def make_office(sqlite_store: SqlStore) -> Iterator[Callable[..., Office]]:
    """A function that opens an office over one SQLite store, with whatever it is told to change."""
    made: list[Office] = []

    def make(**changed: Any) -> Office:
        office = Office(store=sqlite_store, **changed).open()
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
