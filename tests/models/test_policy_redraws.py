"""Redraws by policy: a waiting card is drawn again when the ruling that decides shows otherwise, and only then."""

from dataclasses import replace

import pytest

from approvals.identity.people import People
from approvals.workflow.request import State
from models.outbox.policy_redraws import BATCH, PolicyRedraws
from models.policy.mistakes import PolicyMistakes
from tests.builders import (
    ADA,
    BORIS,
    DINA,
    ELI,
    MINUTE,
    a_charter,
    a_denial,
    a_policy,
    a_rule,
    an_approver_set,
    an_asking,
)
from tests.models.records import ask, now_of, put, with_grounds
from tests.models.test_redraws import wanted
from tests.world import FixedPolicies

FIRST = a_policy()
STRICTER = a_policy(version="b" * 64, rules=(a_rule(asking=an_asking(quorum=2)),))
DENYING = a_policy(version="c" * 64, rules=(a_rule(), a_denial()))
SAME = a_policy(version="d" * 64, rules=(a_rule(asking=an_asking(valid_for=MINUTE)),))
VERSIONS = {policy.version: policy for policy in (FIRST, STRICTER, DENYING, SAME)}


class Place:
    """The sweep over the store under test, whose policies' texts are their versions; a restart is another sweep."""

    def __init__(self, store):
        with_grounds(store)
        self.store, self.policies = store, FixedPolicies(FIRST)
        with store.writing() as uow:
            for policy in (STRICTER, DENYING, SAME):
                uow.keep_policy(policy, policy.version)
        self.restart()

    def restart(self):
        """Forget what a process knows."""
        self.sweep = PolicyRedraws(self.store, self.policies, load=self.load)

    def load(self, text):
        """Read a stored version."""
        if text == b"environments: {}":
            return FIRST
        return VERSIONS[text.decode()]

    def under(self, policy):
        """Return how many cards are drawn again under *policy*."""
        self.policies.policy = policy
        return self.sweep()


@pytest.fixture
def place(store):
    """A store whose policy is the one that its questions are opened under."""
    return Place(store)


def test_a_policy_that_asks_for_more_draws_what_waits_once(place):
    """A card that says "needs 1 of platform" is wrong once it takes two; a second sweep finds nothing more."""
    request = ask(place.store)

    assert [place.under(one) for one in (FIRST, STRICTER, STRICTER)] == [0, 1, 0]
    assert wanted(place.store) == {request.id: 2}


def test_it_is_drawn_again_when_the_policy_goes_back(place):
    """What it showed in between is not what decides now, also where the service was down while it went back."""
    request = ask(place.store)
    place.under(STRICTER)
    place.restart()

    assert (place.under(FIRST), wanted(place.store)) == (1, {request.id: 3})


@pytest.mark.parametrize(("policy", "redrawn"), [(SAME, 0), (DENYING, 1)], ids=["another validity", "denies now"])
def test_only_what_shows_is_drawn_again(policy, redrawn, place):
    """Slack takes about one update a second: a policy that changes nothing on a card costs none."""
    ask(place.store)

    assert place.under(policy) == redrawn


def test_what_is_decided_is_not_drawn_again(place):
    """Its outcome stands whatever the policy says now."""
    request = ask(place.store)
    put(
        place.store,
        replace(request, state=State.DENIED, decided_at=now_of(place.store), decided_by=(ADA,), revision=2),
    )

    assert place.under(STRICTER) == 0


def test_more_than_one_batch_is_drawn_again(place):
    """All of them, in as many transactions as it takes."""
    for number in range(1, BATCH + 3):
        ask(place.store, number)

    assert place.under(STRICTER) == BATCH + 2


def test_one_sweep_ends_and_the_next_goes_on(place):
    """However many wait, a service that is told to stop waits for a bounded sweep only, and no card is forgotten."""
    for number in range(1, BATCH + 3):
        ask(place.store, number)
    place.sweep = PolicyRedraws(place.store, place.policies, load=place.load, batches=1)

    assert [place.under(STRICTER) for _ in range(4)] == [BATCH, 2, 0, 0]


def test_a_version_that_cannot_be_read_any_more_draws_all_again(place):
    """After an upgrade an older text may hold mistakes: what its cards show is not known, so they are drawn anew."""
    ask(place.store)

    def unreadable(text):
        raise PolicyMistakes(())

    place.sweep = PolicyRedraws(place.store, place.policies, load=unreadable)

    assert place.under(SAME) == 1


def test_who_is_out_is_part_of_what_shows(place):
    """Another owner of the agent is one approver less: the card names whom it mentions by that."""
    ask(place.store)
    owned = a_charter(owners=replace(a_charter().owners, risk=ADA))
    other = a_policy(version="e" * 64, charters={"scaler": owned}, approver_sets={"platform": an_approver_set()})

    assert place.under(other) == 1


@pytest.mark.parametrize(("names", "redrawn"), [((ADA, BORIS), 1), ((DINA, ELI), 0)], ids=["approvers", "strangers"])
def test_who_counts_as_one_is_part_of_what_shows(names, redrawn, place):
    """Two who have approved are one person by now: the card says that one more is missing, where it said none."""
    ask(place.store)

    assert place.under(a_policy(version="e" * 64, people=People(names=dict.fromkeys(names, "one")))) == redrawn


def test_a_version_that_stands_beside_is_part_of_what_shows(place):
    """While another process has a stricter file, the card asks for what both ask for; once it is gone, or agrees, no more."""
    request = ask(place.store)
    both, turned = replace(FIRST, beside=STRICTER), replace(STRICTER, beside=FIRST)

    drawn = [place.under(one) for one in (FIRST, both, turned, FIRST, replace(FIRST, beside=SAME), FIRST)]

    assert drawn == [0, 1, 0, 1, 0, 0]
    assert wanted(place.store) == {request.id: 3}
