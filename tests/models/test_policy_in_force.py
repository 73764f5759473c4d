"""Which version the leader has put in force: the row moves to a file that was loaded later, and to no other."""

from datetime import timedelta

import pytest

from models.store.fence import LeaseLost
from models.store.policy_in_force import LATELY, LIVE, PolicyInForce, StoredVersion
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


def counting(store):
    """Return the first letters of the versions that count."""
    return "".join(one.version[0] for one in PolicyInForce(store).others(""))


def test_it_moves_to_what_was_loaded_later(known):
    """Not back to what was loaded before it was moved last, however new a leader is; not to what it says already."""
    row, (first, second, third) = PolicyInForce(known), VERSIONS
    begun = now_of(known)
    before = row.others("")

    let_pass(known, SECOND)
    moved = [row.move(first, begun), row.move(first, now_of(known)), row.move(second, begun)]
    let_pass(known, SECOND)
    loaded = now_of(known)
    let_pass(known, SECOND)
    moved += [row.move(second, loaded), row.move(third, loaded), row.move(first, begun, is_changed=True)]

    assert (before, moved) == ((), [True, False, False, True, False, False])
    assert row.others(first) == (StoredVersion(version=second, text="the text of b"),)
    assert row.others(second) == ()


def test_what_a_process_has_counts_while_it_lives(known):
    """What it says last counts. Once it has ended in good order it counts no more; one that died counts for a while."""
    row, (first, second, third) = PolicyInForce(known), VERSIONS
    row.say("a", first)
    row.say("b", second)
    seen = [counting(known)]
    row.say("b", third)
    seen.append(counting(known))
    row.leave("b")
    seen.append(counting(known))
    let_pass(known, LIVE)
    seen.append(counting(known))

    assert seen == ["ab", "ac", "a", ""]


def test_a_file_that_a_leader_began_with_waits_for_all(known):
    """It may have been left behind: while another process has another version, or had until lately, the row stays."""
    row, (first, second, _) = PolicyInForce(known), VERSIONS
    row.move(first, now_of(known))
    row.say("a", first)
    row.say("b", second)
    let_pass(known, SECOND)
    begun = now_of(known)
    beside_another = row.move(second, begun)
    let_pass(known, LATELY - 2 * SECOND)
    row.say("b", second)
    beside_one_that_died = row.move(second, begun)
    let_pass(known, 2 * SECOND)

    assert (beside_another, beside_one_that_died, row.move(second, begun)) == (False, False, True)


def test_a_file_that_was_changed_under_the_leader_waits_for_nobody(known):
    """Somebody put it there just now. The others' versions count beside it until they have it, too."""
    row, (first, second, _) = PolicyInForce(known), VERSIONS
    row.move(first, now_of(known))
    row.say("a", first)
    let_pass(known, SECOND)

    assert row.move(second, now_of(known), is_changed=True)
    assert counting(known) == "ab"


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

    assert PolicyInForce(postgres_store).others("") == ()
