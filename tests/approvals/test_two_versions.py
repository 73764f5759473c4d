"""Two versions of the policy in force at once: only what both allow is allowed, whichever of them comes first."""

from dataclasses import replace
from itertools import permutations

import pytest

from approvals.change.risk import Risk
from approvals.identity.people import People
from approvals.policy.policy import Policy
from approvals.policy.ruling import Ruling, rule_on, stricter_of
from tests.builders import ADA, BORIS, CHEN, MINUTE, a_denial, a_policy, a_rule, a_timeout, a_wish, an_asking

OTHER = "b" * 64


def ruled(policy: Policy) -> Ruling:
    """Return the ruling on the usual question."""
    return rule_on(policy, a_wish(on_behalf_of=None), risk=Risk.LOW, timeout=None)


def test_one_version_is_in_force_as_a_rule():
    """It alone rules, and its people are everybody's."""
    policy = a_policy(people=People(names={ADA: "ada"}))

    assert (policy.versions, policy.everybody) == ((policy,), policy.people)


def test_both_versions_rule():
    """Where both ask, everything of both is asked for, and the shorter time is given; the versions stand side by side."""
    asks_two = a_rule(asking=an_asking(quorum=2, timeout=a_timeout(default=5 * MINUTE)))
    ours, theirs = a_policy(), a_policy(version=OTHER, rules=(asks_two,))

    both = ruled(replace(ours, beside=theirs))

    assert both == replace(stricter_of(ruled(ours), ruled(theirs)), timeout=5 * MINUTE)
    assert (both.policy, both.asks, both.quorum) == (ours.version, True, 2)


DENYING = {
    "a rule denies": a_policy(version=OTHER, rules=(a_rule(), a_denial(namespaces=frozenset({"shop"})))),
    "no rule speaks": a_policy(version=OTHER, rules=()),
    "no charter": a_policy(version=OTHER, charters={}),
    "no such environment": a_policy(version=OTHER, environments={}),
}


@pytest.mark.parametrize("denies", DENYING.values(), ids=DENYING)
def test_what_either_denies_is_denied(denies):
    """The order in which two files are laid side by side lets nothing through."""
    for first, second in permutations((a_policy(), denies)):
        assert not ruled(replace(first, beside=second)).asks


def test_as_many_versions_as_there_are_count():
    """Each of them has to allow it, and any of them may say that two accounts are one person's."""
    third = a_policy(version="c" * 64, rules=(), people=People(names={ADA: "x", BORIS: "x"}))
    second = a_policy(version=OTHER, beside=third)
    policy = a_policy(beside=second)

    assert policy.versions == (policy, second, third)
    assert not ruled(policy).asks
    assert policy.everybody.person_of(ADA) == policy.everybody.person_of(BORIS)


def test_accounts_are_one_person_where_either_says_so():
    """Nobody counts as two because two files map them differently."""
    ours = a_policy(people=People(names={ADA: "x", BORIS: "x"}))
    theirs = a_policy(version=OTHER, people=People(names={BORIS: "y", CHEN: "y"}))

    everybody = replace(ours, beside=theirs).everybody

    assert len({everybody.person_of(account) for account in (ADA, BORIS, CHEN)}) == 1
