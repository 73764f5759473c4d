"""Today's ruling: what a card counts by, and which votes surely count no more under it."""

from dataclasses import replace

import pytest

from approvals.identity.people import People
from approvals.policy.ruling import Requirement
from approvals.workflow.deciding import counted_as_one, demands_of, may_count, ruling_today
from approvals.workflow.request import State
from tests.builders import (
    ADA,
    BORIS,
    DINA,
    ELI,
    GROUP,
    MINUTE,
    a_policy,
    a_request,
    a_rule,
    a_ruling,
    a_vote,
    an_approver_set,
    an_asking,
)

BY_GROUP = an_approver_set("group", accounts=(), groups=(GROUP,))


def test_a_request_that_was_refused_has_no_ruling():
    """What never was a question is decided by nothing, whatever the policy said of it."""
    for ruling in (None, a_ruling()):
        with pytest.raises(ValueError, match="no ruling"):
            ruling_today(a_request(state=State.REFUSED, ruling=ruling), a_policy())


def test_it_is_the_stricter_of_both():
    """I10: opened under one approval, it takes the two that the policy asks for now."""
    today = ruling_today(a_request(), a_policy(version="b" * 64, rules=(a_rule(asking=an_asking(quorum=2)),)))

    assert (today.policy, today.quorum) == ("a" * 64, 2)


def test_what_no_card_shows_is_no_demand():
    """How long an approval is good is on no waiting card: another policy that changes only that draws nothing again."""
    assert demands_of(replace(a_ruling(), valid_for=MINUTE)) == demands_of(a_ruling())
    assert demands_of(replace(a_ruling(), quorum=2)) != demands_of(a_ruling())


@pytest.mark.parametrize(
    ("changed", "left"),
    [
        ({}, [ADA, BORIS]),
        ({"panels": (Requirement(rule="r", sets=(BY_GROUP,)),)}, [ADA, BORIS]),
        ({"panels": (Requirement(rule="r", sets=(an_approver_set(accounts=[BORIS]),)),)}, [BORIS]),
        ({"conflicted": frozenset({ELI}), "people": People(names={ADA: "a", ELI: "a"})}, [BORIS]),
    ],
    ids=["as asked", "a group may hold them", "in no list any more", "in conflict by another account"],
)
def test_a_vote_that_surely_fell_is_left_out(changed, left):
    """Who is in no list and in no group's place, or in conflict, has surely no voice; others are asked about when it matters."""
    votes = (a_vote(ADA), a_vote(BORIS))

    assert [vote.account for vote in may_count(replace(a_ruling(), **changed), votes)] == left


def test_where_a_group_is_asked_anybody_may_count_as_one():
    """Who is in a group is not known to a ruling, so every two accounts that the policy maps to one person show on the card."""
    people = People(names={DINA: "one", ELI: "one"})
    by_name, by_group = (
        a_ruling(a_policy(people=people, approver_sets={"platform": asked}))
        for asked in (an_approver_set(accounts=(ADA, BORIS)), an_approver_set(accounts=(ADA,), groups=(GROUP,)))
    )

    assert counted_as_one(by_name) == frozenset()
    assert counted_as_one(by_group) == {frozenset({DINA, ELI})}
