"""Feasibility: who could approve at all, told apart into surely, perhaps and not."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.errors import NotEligible
from approvals.identity.names import Account
from approvals.identity.people import FRESH, Authority, People
from approvals.policy.eligibility import check_eligible
from approvals.policy.feasibility import MOST_ASKED_ABOUT, SEEN_WITHIN, Answerers, answerers
from approvals.policy.ruling import Requirement, Ruling
from tests.builders import (
    ADA,
    BORIS,
    CHEN,
    DINA,
    ELI,
    GROUP,
    HOUR,
    NOON,
    TICK,
    a_ruling,
    a_standing,
    an_approver_set,
    an_authority,
)

PLATFORM = an_approver_set()
BY_GROUP = an_approver_set("group", accounts=(), groups=(GROUP,))
PEOPLE = [ADA, BORIS, CHEN, DINA, ELI]
EVERYBODY = an_authority(*PEOPLE)


def ruling(*panels: tuple[Any, ...], **changed: Any) -> Ruling:
    """Return a ruling with one panel for each tuple of sets."""
    made = tuple(Requirement(rule=f"r{place}", sets=sets) for place, sets in enumerate(panels))
    return replace(a_ruling(), panels=made, **changed)


def possible(under: Ruling, authority: Authority) -> tuple[set[str], set[str] | None]:
    """Return the persons who surely and those who perhaps could approve at noon."""
    could = answerers(under, authority, now=NOON)
    return set(could.surely), None if could.perhaps is None else set(could.perhaps)


def all_sure(*persons: str) -> tuple[set[str], set[str]]:
    """Return that exactly these could approve."""
    return set(persons), set(persons)


def test_the_bounds_are_an_hour_and_two_rounds():
    """How old it may be is what operators are told; how many are asked about bounds one intake's calls."""
    assert (SEEN_WITHIN, MOST_ASKED_ABOUT) == (HOUR, 16)


def test_they_are_those_whom_every_panel_accepts():
    """T-DEC-11: by id or by group, in all panels, and not in conflict."""
    managers = an_approver_set("managers", accounts=[BORIS, CHEN, ELI])
    authority = an_authority(*PEOPLE, members=[CHEN, ELI])

    assert possible(ruling((PLATFORM, BY_GROUP), (managers,)), authority) == all_sure(BORIS, ELI)
    assert possible(a_ruling(), authority) == all_sure(ADA, BORIS)


def test_two_accounts_in_two_panels_are_no_approver():
    """An answer is given by one account, which every panel has to accept: one in each of two panels accepts nobody."""
    people = People(names={ADA: "ada", ELI: "ada"})
    split = ruling((PLATFORM,), (an_approver_set("managers", accounts=[ELI]),), people=people)

    assert possible(split, EVERYBODY) == all_sure()


def test_nobody_is_left_where_only_the_conflicted_could():
    """T-DEC-11: a set that holds exactly the conflicted people holds nobody, and is not widened."""
    assert possible(ruling((an_approver_set(accounts=[CHEN, DINA]),)), EVERYBODY) == all_sure()
    assert possible(replace(a_ruling(), panels=()), EVERYBODY) == all_sure()
    assert possible(ruling(()), EVERYBODY) == all_sure()


def test_accounts_of_one_person_are_one():
    """T-DEC-03: a quorum of two cannot be met by one person with two accounts; a person in conflict is out by any of them."""
    one = People(names={ADA: "ada", BORIS: "ada"})
    asker = People(names={ADA: "chen", CHEN: "chen"})

    assert possible(replace(a_ruling(), people=one), EVERYBODY) == all_sure(f"{ADA}+{BORIS}")
    assert possible(replace(a_ruling(), people=asker), EVERYBODY) == all_sure(BORIS)


def test_an_unknown_group_leaves_the_number_unknown():
    """Nobody is refused for want of approvers while it is not known who they are; those who are listed count all the same."""
    nobody_asked = an_authority(*PEOPLE)

    assert possible(ruling((PLATFORM, BY_GROUP)), nobody_asked) == ({ADA, BORIS}, None)
    assert possible(ruling((PLATFORM,), (BY_GROUP,)), nobody_asked) == (set(), None)
    assert possible(ruling((BY_GROUP,)), an_authority(*PEOPLE, members=[ELI])) == all_sure(ELI)


@pytest.mark.parametrize(
    "standing",
    [a_standing(BORIS, active=False), a_standing(BORIS, human=False), a_standing(BORIS, full_member=False)],
    ids=["deactivated", "an app", "a guest"],
)
def test_who_cannot_answer_does_not_count(standing):
    """A set of two with somebody deactivated is a set of one, and so with a bot or a guest."""
    authority = Authority(standings={ADA: a_standing(ADA), BORIS: standing}, groups={})

    assert possible(a_ruling(), authority) == all_sure(ADA)


@pytest.mark.parametrize(("seen_at", "is_sure"), [(NOON - HOUR, True), (NOON - HOUR - TICK, False)])
def test_what_is_older_than_an_hour_is_doubt(seen_at, is_sure):
    """Of whom nothing that recent is known perhaps can, and is neither counted on nor counted out."""
    authority = Authority(standings={ADA: a_standing(ADA), BORIS: a_standing(BORIS, seen_at=seen_at)}, groups={})

    assert possible(a_ruling(), authority) == ({ADA, BORIS} if is_sure else {ADA}, {ADA, BORIS})


def test_enough_are_as_many_as_are_asked():
    """The quorum itself is enough; those in doubt do not make it."""
    could = Answerers(surely=frozenset({ADA}), perhaps=frozenset({ADA, BORIS}))

    assert [could.are_surely_enough(quorum) for quorum in (1, 2)] == [True, False]


SETS = st.lists(st.sampled_from(PEOPLE), max_size=4).map(lambda accounts: an_approver_set(accounts=accounts))
PANELS = st.lists(st.lists(SETS, min_size=1, max_size=2).map(tuple), min_size=1, max_size=3)


def would_be_let(account: str, under: Ruling) -> bool:
    """Tell whether *account*'s answer would count at noon."""
    try:
        check_eligible(under, Account(account), EVERYBODY, now=NOON, within=FRESH)
    except NotEligible:
        return False
    return True


@given(PANELS, st.frozensets(st.sampled_from(PEOPLE), max_size=2))
def test_who_could_approve_is_who_would_be_let(panels, conflicted):
    """With everybody in good standing, those who could approve are exactly those whose answer counts."""
    under = ruling(*panels, conflicted=conflicted)

    assert possible(under, EVERYBODY) == all_sure(*(one for one in PEOPLE if would_be_let(one, under)))
