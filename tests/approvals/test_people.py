"""People: an account is not a person, and what is not known right now is never taken for a yes."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.errors import NotEligible, Refused, Unavailable
from approvals.identity.names import SLACK_ACCOUNT, Account, Group, is_operator
from approvals.identity.people import FRESH, REMEMBERED, Authority, Membership, People, check_standing
from tests.builders import ADA, BORIS, DINA, GROUP, HOUR, NOON, TICK, a_standing, an_approver_set, an_authority

OTHER_GROUP = Group(GROUP.replace("S0PROD", "S0AAAA"))
ACCOUNTS = [Account(one) for one in "abcde"]
MAPS = st.dictionaries(st.sampled_from(ACCOUNTS), st.sampled_from("xyz"), max_size=5).map(
    lambda names: People(names=names)
)


def check(authority: Authority, account: Account = ADA) -> Refused | None:
    """Return what *account*'s standing is refused with at noon, or None."""
    try:
        check_standing(account, authority, now=NOON, within=FRESH)
    except Refused as refusal:
        return refusal
    return None


def test_the_spans_are_ten_seconds_and_an_hour():
    """How fresh authority must be is a promise to the people who are removed from a group."""
    assert (FRESH.total_seconds(), REMEMBERED.total_seconds()) == (10, 3600)


def test_an_account_that_nobody_maps_is_its_own_person():
    """The map says which accounts are one person; an account that it does not name is nobody else."""
    people = People(names={ADA: "ada", Account("os:ada"): "ada", DINA: "dina"})

    assert [people.person_of(Account(one)) for one in (ADA, "os:ada", DINA, BORIS)] == [f"{ADA}+os:ada"] * 2 + [
        DINA,
        BORIS,
    ]
    assert [people.knows(Account(one)) for one in (ADA, "os:ada", BORIS)] == [True, True, False]


@given(MAPS, MAPS)
def test_two_maps_call_nobody_by_anothers_name(one, other):
    """A person is stored with a vote and outlives the map: two maps have a name in common only for the very same accounts."""
    for person in {one.person_of(account) for account in ACCOUNTS} & {other.person_of(account) for account in ACCOUNTS}:
        assert {account for account in ACCOUNTS if one.person_of(account) == person} == {
            account for account in ACCOUNTS if other.person_of(account) == person
        }


def together(people: People) -> set[frozenset[str]]:
    """Return the pairs of accounts that *people* takes for one person."""
    return {
        frozenset(pair)
        for pair in combinations(ACCOUNTS, 2)
        if len({people.person_of(Account(account)) for account in pair}) == 1
    }


def closed(pairs: set[frozenset[str]]) -> set[frozenset[str]]:
    """Return *pairs* and whatever follows from them through a third account."""
    while True:
        more = {one ^ other for one in pairs for other in pairs if len(one & other) == 1} - pairs
        if not more:
            return pairs
        pairs = pairs | more


@given(MAPS, MAPS)
def test_two_maps_together_join_whomever_either_joins(one, other):
    """While two policies are in force, one person cannot count as two because only one of them knows her accounts."""
    assert together(one.merged_with(other)) == closed(together(one) | together(other))


@given(MAPS, MAPS, st.randoms(use_true_random=False))
def test_the_order_of_a_map_names_nobody_anew(one, other, order):
    """A person's name is stored with her vote, so it must not hang on the order in which a store lists a map."""
    entries = list(one.names.items())
    order.shuffle(entries)

    assert People(names=dict(entries)).merged_with(other) == one.merged_with(other)


@pytest.mark.parametrize(
    ("changed", "code", "sentence"),
    [
        ({"active": False}, "deactivated", "This account is deactivated."),
        ({"human": False}, "bot", "Apps and bots cannot answer; only people can."),
        ({"full_member": False}, "guest", "Guests and people from other workspaces cannot answer."),
    ],
    ids=["T-DEC-07", "T-DEC-06", "T-DEC-04 and 05"],
)
def test_who_is_no_active_human_full_member_cannot_answer(changed, code, sentence):
    """A deactivated account, a bot and a guest are refused, each by a code of its own."""
    refusal = check(Authority(standings={ADA: a_standing(ADA, **changed)}, groups={}))

    assert isinstance(refusal, NotEligible)
    assert (refusal.code, refusal.sentence) == (code, sentence)


def test_good_standing_is_enough():
    """An active, human, full member may answer as far as standing goes."""
    assert check(an_authority()) is None


@pytest.mark.parametrize(("seen_at", "known"), [(NOON - FRESH, True), (NOON - FRESH - TICK, False)])
def test_standing_holds_for_ten_seconds_and_no_longer(seen_at, known):
    """What was seen exactly that long ago still counts; one microsecond more, and it is unknown, which is no yes."""
    refusal = check(an_authority(seen_at=seen_at))

    assert (refusal is None) is known
    if refusal is not None:
        assert isinstance(refusal, Unavailable)
        assert (refusal.code, refusal.sentence) == (
            "authority_unknown",
            "Slack could not be asked about your account just now; try again in a moment.",
        )


def test_nothing_known_is_not_good_standing():
    """An account that the workspace did not answer for is unknown."""
    assert isinstance(check(an_authority(BORIS)), Unavailable)


def holds(authority: Authority, account: Account, groups: tuple[Group, ...] = (GROUP,)) -> bool:
    """Tell whether the set of Ada by id and those in *groups* holds *account* at noon."""
    approvers = an_approver_set(accounts=[ADA], groups=groups)
    return approvers.holds(Account(account), authority, now=NOON, within=FRESH)


def test_a_set_holds_whom_it_lists_and_whom_its_groups_list():
    """By id or by group, either is enough; who is in neither is not in the set."""
    authority = an_authority(members=[BORIS])

    assert [holds(authority, one) for one in (ADA, BORIS, DINA)] == [True, True, False]


def test_who_is_listed_by_id_needs_no_group():
    """Slack's silence about a group takes nothing from people whom the file names."""
    assert holds(an_authority(), ADA)


@pytest.mark.parametrize(("seen_at", "known"), [(NOON - FRESH, True), (NOON - FRESH - TICK, False)])
def test_a_membership_holds_for_ten_seconds_and_no_longer(seen_at, known):
    """T-DEC-08, 10: a group list that is older, or missing, is unknown: neither in nor out."""
    authority = an_authority(members=[BORIS], seen_at=seen_at)

    if known:
        assert holds(authority, BORIS)
        assert not holds(authority, DINA)
    else:
        for account in (BORIS, DINA):
            with pytest.raises(Unavailable) as refusal:
                holds(authority, account)
            assert (refusal.value.code, refusal.value.sentence) == (
                "authority_unknown",
                "Slack could not be asked who is in platform just now; try again in a moment.",
            )


@pytest.mark.parametrize("groups", [(GROUP, OTHER_GROUP), (OTHER_GROUP, GROUP)])
def test_one_group_that_lists_somebody_is_enough(groups):
    """Found in one group, it does not matter that another could not be asked; found in none, it does."""
    authority = an_authority(members=[BORIS])

    assert holds(authority, BORIS, groups)
    with pytest.raises(Unavailable):
        holds(authority, DINA, groups)


def test_an_emptied_group_has_nobody():
    """T-DEC-10: a group without members is known to be empty, which is nobody, not anybody."""
    authority = Authority(standings={}, groups={GROUP: Membership(accounts=frozenset(), seen_at=NOON)})

    assert not holds(authority, BORIS)


@pytest.mark.parametrize(
    ("account", "operator"), [("os:olga", True), (ADA, False), ("T0OS:U0OS", False), ("xos:olga", False), ("", False)]
)
def test_an_operator_is_known_by_the_prefix(account, operator):
    """Who signs at the command line can never be mistaken for somebody in Slack."""
    assert is_operator(account) is operator
    assert not (operator and SLACK_ACCOUNT.fullmatch(account))


@pytest.mark.parametrize(
    ("account", "good"),
    [
        ("T0123:U0123", True),
        ("E0123:W0123", True),
        ("T0123:B0123", False),
        ("C0123:U0123", False),
        ("U0123", False),
        ("T0123:U0123\n", False),
        ("t0123:u0123", False),
        ("T0123:U0123:U9", False),
        ("T" + "0" * 21 + ":U0123", False),
    ],
)
def test_a_slack_account_is_qualified_by_its_team(account, good):
    """T-DEC-05: a bare user id says nothing, because another workspace may use the same one."""
    assert bool(SLACK_ACCOUNT.fullmatch(account)) is good


def test_remembered_authority_is_within_the_hour():
    """For a denial an hour old standing is enough; the end is included."""
    at_end, after = an_authority(seen_at=NOON - HOUR), an_authority(seen_at=NOON - HOUR - TICK)

    check_standing(ADA, at_end, now=NOON, within=REMEMBERED)
    with pytest.raises(Unavailable):
        check_standing(ADA, after, now=NOON, within=REMEMBERED)
