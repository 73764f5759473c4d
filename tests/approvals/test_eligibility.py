"""Eligibility: whose answer may count under a ruling."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from approvals.errors import NotEligible, Refused, Unavailable
from approvals.identity.names import Account, Group
from approvals.identity.people import FRESH, REMEMBERED, Authority, Membership, People
from approvals.policy.eligibility import check_eligible, groups_of, in_any
from approvals.policy.ruling import Requirement, Ruling
from tests.builders import (
    ADA,
    BORIS,
    CHEN,
    DINA,
    ELI,
    GROUP,
    NOON,
    TICK,
    a_ruling,
    a_standing,
    an_approver_set,
    an_authority,
)

OTHER_GROUP = Group(GROUP.replace("S0PROD", "S0AAAA"))
PLATFORM = an_approver_set()
BY_GROUP = an_approver_set("group", accounts=(), groups=(GROUP,))
ADA_ELSEWHERE = "T0PARTNER:U0ADA"


def ruling(*panels: tuple[Any, ...], **changed: Any) -> Ruling:
    """Return a ruling with one panel for each tuple of sets, of the platform people if there is none."""
    made = tuple(Requirement(rule=f"r{place}", sets=sets) for place, sets in enumerate(panels)) or a_ruling().panels
    return replace(a_ruling(), panels=made, **changed)


def refusal(
    account: str, authority: Authority | None = None, under: Ruling | None = None, within: timedelta = FRESH
) -> Refused | None:
    """Return what *account*'s answer at noon is refused with, or None where it may count."""
    try:
        check_eligible(under or a_ruling(), Account(account), authority or an_authority(), now=NOON, within=within)
    except Refused as refused:
        return refused
    return None


def code(*args: Any, **kwargs: Any) -> str | None:
    """Return the code of :func:`refusal`."""
    refused = refusal(*args, **kwargs)
    return None if refused is None else refused.code


def test_who_is_asked_and_in_good_standing_may_answer():
    """The plain case: an approver, active, human, a full member, with no stake of her own."""
    assert code(ADA) is None


def test_who_is_not_asked_is_refused_by_name_of_the_sets():
    """T-DEC-13: a member who approves nothing is told whose decision it is."""
    refused = refusal(ELI, an_authority(ELI), ruling((PLATFORM, an_approver_set("managers", accounts=[BORIS]))))

    assert isinstance(refused, NotEligible)
    assert (refused.code, refused.sentence) == ("not_an_approver", "Only platform or managers can decide this.")


@pytest.mark.parametrize("account", [CHEN, DINA], ids=["T-DEC-01", "T-DEC-02"])
def test_who_asked_or_owns_the_agent_is_refused(account):
    """The human behind the request and the agent's owners decide nothing, even where a set lists them."""
    everybody = an_approver_set(accounts=[ADA, CHEN, DINA])

    refused = refusal(account, under=ruling((everybody,)))

    assert isinstance(refused, NotEligible)
    assert (refused.code, refused.sentence) == (
        "conflicted",
        "You asked for this change, or own the agent that did, so somebody else must decide.",
    )
    assert code(ADA, under=ruling((everybody,))) is None


def test_another_account_of_the_requester_is_the_requester():
    """T-DEC-03: conflict is a matter of persons, so a second account does not help."""
    people = People(names={CHEN: "chen", ADA: "chen"})

    assert code(ADA, under=ruling(people=people)) == "conflicted"


def test_the_same_user_id_in_another_workspace_is_a_stranger():
    """T-DEC-05: approvers are team-qualified."""
    assert code(ADA_ELSEWHERE, an_authority(Account(ADA_ELSEWHERE))) == "not_an_approver"


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"active": False}, "deactivated"),
        ({"human": False}, "bot"),
        ({"full_member": False}, "guest"),
        ({"known": False, "active": False}, "unknown_account"),
    ],
)
def test_standing_comes_before_everything(changed, why):
    """T-DEC-04, 06, 07: an approver who is deactivated, a bot or a guest is refused as that, listed or not."""
    for account in (ADA, ELI):
        authority = Authority(standings={account: a_standing(account, **changed)}, groups={})
        assert code(account, authority) == why


def test_every_panel_must_accept():
    """Where two rules ask, somebody whom only one accepts is refused with that other one's sets."""
    both = ruling((PLATFORM,), (an_approver_set("managers", accounts=[BORIS]),))

    assert code(BORIS, under=both) is None
    refused = refusal(ADA, under=both)
    assert refused is not None
    assert refused.sentence == "Only managers can decide this."


def test_an_empty_set_accepts_nobody():
    """T-DEC-13: an empty list is nobody, never anybody."""
    assert code(ADA, under=ruling((an_approver_set(accounts=()),))) == "not_an_approver"
    assert code(ADA, under=ruling(())) == "not_an_approver"


@pytest.mark.parametrize(("age", "known"), [(FRESH, True), (FRESH + TICK, False)])
def test_what_was_seen_too_long_ago_is_unknown(age, known):
    """To approve, ten seconds; what is older is neither yes nor no. To deny, the hour that is asked for instead."""
    authority = an_authority(seen_at=NOON - age, members=[ELI])

    assert (code(ADA, authority) is None) is known
    assert code(ADA, authority, within=REMEMBERED) is None
    assert isinstance(refusal(ADA, an_authority(seen_at=NOON - REMEMBERED - TICK), within=REMEMBERED), Unavailable)


def test_a_group_is_asked_as_recently_as_standing():
    """A group's list counts within the same span as the standing that goes with it."""
    fresh = an_authority(ELI, members=[ELI])
    old = replace(fresh, groups={GROUP: Membership(accounts=frozenset({ELI}), seen_at=NOON - FRESH - TICK)})

    assert code(ELI, fresh, ruling((BY_GROUP,))) is None
    assert code(ELI, old, ruling((BY_GROUP,))) == "authority_unknown"
    assert code(ELI, old, ruling((BY_GROUP,)), within=REMEMBERED) is None


@pytest.mark.parametrize("sets", [(PLATFORM, BY_GROUP), (BY_GROUP, PLATFORM)])
def test_found_in_one_set_another_may_be_silent(sets):
    """In any order: found in a set that is known, she is in; found in none while one is unknown, it is unknown."""
    authority = an_authority()

    assert in_any(sets, ADA, authority, now=NOON, within=FRESH)
    with pytest.raises(Unavailable):
        in_any(sets, ELI, authority, now=NOON, within=FRESH)
    assert not in_any(sets, ELI, an_authority(members=[BORIS]), now=NOON, within=FRESH)
    assert not in_any((), ADA, authority, now=NOON, within=FRESH)


def test_every_group_of_every_panel_must_be_asked_about():
    """A group that was forgotten would leave its rule undecidable."""
    other = an_approver_set("others", groups=(OTHER_GROUP,))

    assert groups_of(ruling((PLATFORM, BY_GROUP), (other,))) == {GROUP, OTHER_GROUP}
    assert groups_of(a_ruling()) == set()
