"""Headcount: a rule that too few people could answer is told to an operator before anybody is refused for it."""

import pytest

from approvals.identity.people import MemberStatus
from approvals.policy.policy import Match
from approvals.usecases.people.headcount import MOST_SHORTAGES, Shortage
from tests.builders import (
    ADA,
    BORIS,
    CHEN,
    DINA,
    ELI,
    GROUP,
    a_charter,
    a_denial,
    a_policy,
    a_rule,
    an_approver_set,
    an_asking,
)


def policy(quorum=2, sets=None, **changed):
    """Return a policy whose one rule asks that many of Ada and Boris."""
    rules = (a_rule(asking=an_asking(quorum=quorum)), a_denial())
    return a_policy(rules=rules, approver_sets={"platform": sets or an_approver_set()}, **changed)


def gone(world, *accounts, **flags):
    """Let the workspace say something else of some people."""
    with world.store.reading() as reading:
        at = reading.now
    for account in accounts:
        world.directory.standings[account] = MemberStatus(account=account, seen_at=at, **(flags or {"active": False}))


def test_enough_people_are_nothing_to_tell(make_world):
    """Two are asked and two can answer."""
    assert make_world(policy()).count_people() == ()


@pytest.mark.parametrize("flags", [{"active": False}, {"human": False}, {"full_member": False}], ids=str)
def test_who_cannot_answer_is_not_counted(flags, make_world):
    """Somebody deactivated, an app and a guest are listed and can answer nothing."""
    world = make_world(policy())
    gone(world, BORIS, **flags)

    (shortage,) = world.count_people()

    assert shortage == Shortage(rules=("shop-changes",), agent="scaler", quorum=2, could=1, is_sure=True)
    assert shortage.sentence == (
        "Rule shop-changes asks 2 people to approve what scaler asks, and 1 can: the others are deactivated, guests, apps"
        " or in conflict. What it asks by this rule is refused until the policy names more."
    )


def test_owners_count_only_where_the_rule_lets_them(make_world):
    """An agent's owner is one less, unless the rule says that owners may approve."""
    sets = an_approver_set(accounts=(ADA, DINA))
    let = (a_rule(asking=an_asking(quorum=2, owners_may_approve=True)),)

    world = make_world(policy(sets=sets))

    before = world.count_people()
    world.policies.policy = a_policy(rules=let, approver_sets={"platform": sets})

    assert ([one.could for one in before], world.count_people()) == ([1], ())


def test_whoever_the_agent_acts_for_is_one_less(make_world):
    """The only approver is the one person for whom it may act: told before it asks for them and is refused."""
    world = make_world(policy(quorum=1, sets=an_approver_set(accounts=(CHEN,))))

    (shortage,) = world.count_people()

    assert shortage == Shortage(rules=("shop-changes",), agent="scaler", quorum=1, could=0, is_sure=True, acts_for=CHEN)
    assert shortage.asked == f"scaler for {CHEN}"
    assert shortage.sentence.startswith(
        f"Rule shop-changes asks 1 person to approve what scaler asks for {CHEN}, and 0 can:"
    )


def test_rules_about_the_same_ask_together(make_world):
    """Each has enough people, and nobody is an approver by both: whatever the agent asks is refused."""
    sets = {"platform": an_approver_set(), "others": an_approver_set("others", accounts=(ELI,))}
    rules = (a_rule("a"), a_rule("b", asking=an_asking(approvers=("others",))))
    world = make_world(a_policy(rules=rules, approver_sets=sets))

    (shortage,) = world.count_people()

    assert shortage == Shortage(rules=("a", "b"), agent="scaler", quorum=1, could=0, is_sure=True)
    assert shortage.sentence == (
        "Rules a and b together ask 1 person to approve what scaler asks, and 0 can: the others are deactivated, guests, apps,"
        " not approvers by each or in conflict. What it asks by these rules is refused until the policy names more."
    )


def test_rules_about_different_targets_do_not_ask_together(make_world):
    """A target has one name: rules that each name another are never about the same."""
    sets = {"platform": an_approver_set(), "others": an_approver_set("others", accounts=(ELI,))}
    cart = Match(namespaces=frozenset({"shop"}), names=frozenset({"cart"}))
    till = Match(namespaces=frozenset({"shop"}), names=frozenset({"till"}))
    rules = (a_rule("a", match=cart), a_rule("b", match=till, asking=an_asking(approvers=("others",))))

    assert make_world(a_policy(rules=rules, approver_sets=sets)).count_people() == ()


def test_what_slack_does_not_say_is_told_as_that(make_world):
    """A group that cannot be asked about is neither enough nor too few."""
    world = make_world(policy(sets=an_approver_set(accounts=(), groups=(GROUP,))))
    world.directory.down = True

    (shortage,) = world.count_people()

    assert (shortage.could, shortage.is_sure) == (0, False)
    assert shortage.sentence == (
        "Whether 2 people can approve by rule shop-changes what scaler asks could not be checked:"
        " Slack did not say enough of them."
    )


def test_a_rule_that_can_be_about_nothing_of_an_agent_is_left_out(make_world):
    """Where an agent can ask nothing that the rule speaks of, nobody is needed for it."""
    elsewhere = a_charter(namespaces={"prod-eu-1": frozenset({"pay"})})
    world = make_world(policy(charters={"scaler": elsewhere}))
    gone(world, ADA, BORIS)

    assert world.count_people() == ()


def test_no_more_than_some_are_told_at_once(make_world):
    """A policy with more shortages than anybody reads has one cause."""
    rules = tuple(a_rule(f"r{number}", asking=an_asking(quorum=2)) for number in range(MOST_SHORTAGES + 1))
    world = make_world(a_policy(rules=rules))
    gone(world, BORIS)

    assert len(world.count_people()) == MOST_SHORTAGES
