"""Worlds for use cases: over either store, at an instant that a test moves by hand."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from approvals.policy.policy import Policy
from models.store.store import SqlStore
from models.store.tables import clock_floor
from tests.builders import a_policy
from tests.fakes.cluster import FakeCluster
from tests.usecases.product import assert_sound
from tests.world import FixedPolicies, World

START = datetime(2100, 1, 1, 12, 0, tzinfo=UTC)
"""So far ahead that no clock of any store has come there: what the floor says is what the time is."""


class StoreTime:
    """The store's instant, by the floor under its clock: the same on either engine, and it moves only here."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store
        self.at = START
        self.pass_by(timedelta(0))

    def __call__(self) -> datetime:
        """Return the instant."""
        return self.at

    def pass_by(self, duration: timedelta) -> None:
        """Let time pass."""
        self.at += duration
        with self._store.database.writing() as connection:
            connection.execute(update(clock_floor).values(at=self.at))


@pytest.fixture
def instant(store: SqlStore) -> StoreTime:
    """The store's instant, to be moved by hand."""
    return StoreTime(store)


@pytest.fixture
def make_world(store: SqlStore, instant: StoreTime) -> Iterator[Callable[..., World]]:
    """Give worlds over the store, whose books must be right at the end of every test (I5)."""

    def make(policy: Policy | None = None) -> World:
        cluster = FakeCluster.with_checkout(now=instant)
        return World(store, cluster=cluster, policies=FixedPolicies(policy or a_policy())).settled()

    yield make
    assert_sound(store)


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """A world under the usual policy: one of the platform people approves."""
    return make_world()
