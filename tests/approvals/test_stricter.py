"""Two rulings at once (I10): a policy that changes in flight takes rights away and never gives any."""

from dataclasses import replace
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from approvals.change.risk import Risk
from approvals.errors import Refused
from approvals.identity.names import Account
from approvals.identity.people import FRESH, People
from approvals.policy.eligibility import check_eligible
from approvals.policy.ruling import Requirement, Ruling, stricter_of
from tests.approvals.strategies import FEW
from tests.builders import ADA, BORIS, CHEN, DINA, ELI, MINUTE, NOON, a_ruling, an_approver_set, an_authority

PEOPLE = [ADA, BORIS, CHEN, DINA, ELI]


def test_what_satisfies_both_takes_the_stricter_of_everything():
    """Risk, number, validity, panels, conflicts and people: the sum of both; version, reasons and deadline of the first."""
    first = replace(a_ruling(), quorum=2, valid_for=5 * MINUTE, people=People(names={ADA: "x", BORIS: "x"}))
    managers = Requirement(rule="new", sets=(an_approver_set("managers", accounts=[ELI]),))
    second = Ruling(
        policy="b" * 64,
        asks=True,
        rules=("shop-changes", "new"),
        reasons=("Rule new asks managers.",),
        risk=Risk.HIGH,
        panels=(*first.panels, managers),
        quorum=1,
        timeout=MINUTE,
        valid_for=10 * MINUTE,
        conflicted=frozenset({ELI}),
        people=People(names={BORIS: "y", DINA: "y"}),
    )

    assert stricter_of(first, second) == Ruling(
        policy="a" * 64,
        asks=True,
        rules=("shop-changes", "new"),
        reasons=("Rule shop-changes asks platform.",),
        risk=Risk.HIGH,
        panels=(*first.panels, managers),
        quorum=2,
        timeout=15 * MINUTE,
        valid_for=5 * MINUTE,
        conflicted=frozenset({CHEN, DINA, ELI}),
        people=first.people.merged_with(second.people),
        tree=first.tree,
    )


def test_a_set_that_lost_somebody_counts_beside_the_one_that_had_her():
    """A rule whose set changed is two panels: who was taken out fails the new one, who came in fails the old one."""
    today = replace(
        a_ruling(), panels=(Requirement(rule="shop-changes", sets=(an_approver_set(accounts=[BORIS, ELI]),)),)
    )

    both = stricter_of(a_ruling(), today)

    assert both.panels == (*a_ruling().panels, *today.panels)
    assert [one for one in PEOPLE if counts(both, one)] == [BORIS]


def test_a_denial_of_today_denies_with_its_reasons():
    """What today's policy denies cannot be approved any more; who may say no to it stays as it was."""
    today = Ruling(policy="b" * 64, asks=False, rules=("never",), reasons=("Rule never denies it.",), risk=Risk.LOW)

    assert stricter_of(a_ruling(), today) == replace(
        a_ruling(), asks=False, rules=("never",), reasons=("Rule never denies it.",)
    )


def test_what_was_denied_stays_denied():
    """A policy loosened since opens nothing that was refused."""
    denied = Ruling(policy="a" * 64, asks=False, rules=("never",), reasons=("Rule never denies it.",), risk=Risk.LOW)

    assert stricter_of(denied, a_ruling()) == denied


def counts(ruling: Ruling, account: str) -> bool:
    """Tell whether *account*'s answer counts, everybody being in good standing."""
    try:
        check_eligible(ruling, Account(account), an_authority(*PEOPLE), now=NOON, within=FRESH)
    except Refused:
        return False
    return True


def rulings(**fixed: Any) -> st.SearchStrategy[Ruling]:
    """Return a strategy for rulings that ask, or do not."""
    accounts = st.lists(st.sampled_from(PEOPLE), max_size=4, unique=True)
    panel = accounts.map(lambda some: Requirement(rule="r", sets=(an_approver_set(accounts=some),)))
    fields: dict[str, st.SearchStrategy[Any]] = {
        "panels": st.lists(panel, min_size=1, max_size=2).map(tuple),
        "people": st.dictionaries(st.sampled_from(PEOPLE), st.sampled_from("xyz"), max_size=4).map(
            lambda names: People(names=names)
        ),
        "asks": st.sampled_from([True, True, True, False]),
        "quorum": st.integers(1, 3),
        "valid_for": st.integers(1, 20).map(lambda minutes: minutes * MINUTE),
        "risk": st.sampled_from(Risk),
        "conflicted": st.frozensets(st.sampled_from(PEOPLE), max_size=2),
    }
    return st.fixed_dictionaries({**fields, **fixed}).map(lambda given: replace(a_ruling(), **given))


@FEW
@given(rulings(), rulings())
def test_nobody_counts_whom_either_would_refuse(first, second):
    """Whoever counts under both counted under the first; and under the second, where that asks at all."""
    both = stricter_of(first, second)
    eligible = {one for one in PEOPLE if counts(both, one)}

    assert both.asks == (first.asks and second.asks)
    assert eligible <= {one for one in PEOPLE if counts(first, one)}
    if both.asks:
        assert eligible <= {one for one in PEOPLE if counts(second, one)}


@FEW
@given(rulings(), rulings(), st.sets(st.sampled_from(PEOPLE)))
def test_no_crowd_is_enough_for_both_that_is_too_small_for_one(first, second, crowd):
    """Whatever people say yes: if they satisfy both rulings together, they satisfy each."""
    both = stricter_of(first, second)
    assume(both.asks)

    def enough(ruling: Ruling) -> bool:
        persons = {ruling.people.person_of(one) for one in crowd if counts(both, one)}
        return len(persons) >= ruling.quorum

    if enough(both):
        assert enough(first)
        assert enough(second)


@FEW
@given(rulings(asks=st.just(True)))
def test_the_same_policy_changes_nothing(ruling):
    """A ruling beside itself lets the same people answer, in the same number, for as long."""
    both = stricter_of(ruling, ruling)

    assert replace(both, people=ruling.people) == ruling
    assert [counts(both, one) for one in PEOPLE] == [counts(ruling, one) for one in PEOPLE]
