"""Which version the leader has put in force: the row moves to a file that was loaded later, and to no other."""

from datetime import timedelta

import pytest

from models.store.fence import LeaseLost
from models.store.policy_in_force import PolicyInForce
from tests.builders import a_policy
from tests.models.leasing import lapse, several, taken_by
from tests.models.records import let_pass, now_of

SECOND = timedelta(seconds=1)
VERSIONS = ("a" * 64, "b" * 64, "c" * 64)


@pytest.fixture
def known(store):
    """A store that knows three versions."""
    with store.writing() as uow:
        for version in VERSIONS:
            uow.keep_policy(a_policy(version=version), f"the text of {version[0]}")
    return store


def test_it_moves_to_what_was_loaded_later(known):
    """Not back to what was loaded before it was moved last, however new a leader is; not to what it says already."""
    row, (first, second, third) = PolicyInForce(known), VERSIONS
    begun = now_of(known)
    before = row.look()

    let_pass(known, SECOND)
    moved = [row.move(first, begun), row.move(first, now_of(known)), row.move(second, begun)]
    let_pass(known, SECOND)
    loaded = now_of(known)
    let_pass(known, SECOND)
    moved += [row.move(second, loaded), row.move(third, loaded), row.move(first, begun)]

    found = row.look()
    assert (before, moved) == (None, [True, False, False, True, False, False])
    assert found is not None
    assert (found.version, found.text, found.moved_at > loaded) == (second, "the text of b", True)


@pytest.mark.postgres
def test_only_the_leader_moves_it(postgres_store, postgres_database):
    """Under a lease that has gone to another it stays as it is."""
    with postgres_store.writing() as uow:
        uow.keep_policy(a_policy(version=VERSIONS[0]), "text")
    with several(postgres_database.restricted_url, "a", "b") as (one, other):
        led = PolicyInForce(postgres_store.under(taken_by(one)))
        lapse(postgres_database)
        taken_by(other)

        with pytest.raises(LeaseLost):
            led.move(VERSIONS[0], now_of(postgres_store))

    assert PolicyInForce(postgres_store).look() is None
