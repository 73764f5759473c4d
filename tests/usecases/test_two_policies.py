"""The verbs while two versions of the policy are in force: charters, people, and who may pause and resume, by both."""

from dataclasses import replace

import pytest

from approvals.errors import NotEligible, Settled
from approvals.identity.names import Account
from approvals.identity.people import People
from approvals.policy.charter import WhenTokenRevoked
from approvals.usecases.standing import cancels_for_token
from approvals.workflow.request import State
from tests.builders import ADA, BORIS, a_charter, a_policy, an_approver_set
from tests.usecases.test_pausing import ALL, pause, stored

OTHER = "b" * 64


def beside(world, **changed):
    """Put a second version in force beside the first."""
    world.policies.policy = a_policy(beside=a_policy(version=OTHER, **changed))


@pytest.mark.parametrize(
    "charters", [{}, {"scaler": a_charter(verbs=frozenset({"restart"}))}], ids=["none", "narrower"]
)
def test_a_charter_has_to_allow_it_in_both(world, charters):
    """What an agent may ask for by one file alone, it may not ask for."""
    beside(world, charters=charters)

    assert world.pending().state is State.REFUSED


def test_a_rule_has_to_ask_in_both(world):
    """A file in which no rule speaks of it denies it."""
    beside(world, rules=())

    assert world.pending().state is State.REFUSED


def test_an_approval_counts_by_both(world):
    """Whoever only one file lets approve does not approve; whoever both do does."""
    request = world.pending()
    beside(world, approver_sets={"platform": an_approver_set(accounts=[BORIS])})

    with pytest.raises(NotEligible):
        world.answers(request, ADA)
    world.answers(request, BORIS)


def test_who_may_pause_may_by_both(world):
    """A file that takes somebody out counts from the first process that has it."""
    beside(world, approver_sets={"platform": an_approver_set(accounts=[BORIS])})

    with pytest.raises(NotEligible):
        pause(world, ALL, ADA)
    assert pause(world, ALL, BORIS).pause.is_open


def test_who_may_resume_may_by_both(world):
    """Two people agree to a resume whom both files let."""
    engaged = pause(world).pause
    beside(
        world,
        approver_sets={
            "platform": an_approver_set(accounts=[ADA, BORIS]),
            "seniors": an_approver_set("seniors", [BORIS]),
        },
        may_resume=("seniors",),
    )

    with pytest.raises(NotEligible):
        world.resume(engaged.id, account=ADA, reason="")
    assert world.resume(engaged.id, account=BORIS, reason="").missing == 1
    assert stored(world, engaged.id).is_open


def test_one_person_of_either_file_agrees_once(world):
    """Two accounts that one of the files maps to one person are one agreement."""
    engaged = pause(world).pause
    beside(world, people=People(names={ADA: "ada", BORIS: "ada"}))
    world.resume(engaged.id, account=ADA, reason="")

    with pytest.raises(Settled):
        world.resume(engaged.id, account=BORIS, reason="")


@pytest.mark.parametrize(("ours", "theirs"), [(True, False), (False, True)])
def test_an_operator_is_somebody_by_both(world, ours, theirs):
    """At the command line a person is who both files say."""
    named, unnamed = People(names={Account("os:olga"): "olga", ADA: "olga"}), People(names={})
    engaged = pause(world).pause
    world.policies.policy = a_policy(
        people=named if ours else unnamed,
        beside=a_policy(version=OTHER, people=named if theirs else unnamed),
    )

    with pytest.raises(NotEligible) as refused:
        world.resume(engaged.id, account="os:olga", reason="")

    assert refused.value.code == "unmapped"


def test_a_question_ends_with_its_token_where_either_says_so():
    """To flag it instead, both files have to say so."""
    flags = a_policy(charters={"scaler": a_charter(when_token_revoked=WhenTokenRevoked.FLAG)})

    assert not cancels_for_token(flags, "scaler")
    assert not cancels_for_token(replace(flags, beside=flags), "scaler")
    assert cancels_for_token(replace(flags, beside=a_policy()), "scaler")
    assert cancels_for_token(replace(a_policy(), beside=flags), "scaler")
    assert cancels_for_token(replace(flags, beside=a_policy(charters={})), "scaler")
