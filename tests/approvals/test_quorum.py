"""Quorums: enough different, eligible people, of answers that still count; asked again before anything starts (I7)."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.errors import NotEligible, PolicyDenied, Unavailable
from approvals.identity.names import Account
from approvals.identity.people import Authority, People
from approvals.policy.ruling import Requirement, Ruling
from approvals.workflow.pause import Scope, ScopeKind
from approvals.workflow.request import Answer, Request, State
from approvals.workflow.votes import Judged, Vote, check_quorum, judge, missing_approvals
from tests.approvals.judging import by, what
from tests.approvals.strategies import FEW
from tests.builders import (
    ADA,
    BORIS,
    CHEN,
    DINA,
    ELI,
    NOON,
    a_context,
    a_pause,
    a_ruling,
    a_standing,
    a_submission,
    a_vote,
    an_approver_set,
    an_authority,
)

PEOPLE = [ADA, BORIS, DINA, ELI]
ANYBODY = (Requirement(rule="r", sets=(an_approver_set(accounts=PEOPLE),)),)


def needing(quorum: int, **changed: object) -> Ruling:
    """Return a ruling under which any of four people may answer, and so many must."""
    return replace(a_ruling(), quorum=quorum, panels=ANYBODY, conflicted=frozenset({CHEN}), **changed)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("votes", "missing"),
    [
        ((), 2),
        ((a_vote(ADA),), 1),
        ((a_vote(ADA), a_vote(BORIS)), 0),
        ((a_vote(ADA), a_vote(BORIS), a_vote(ELI)), 0),
        ((a_vote(ADA), a_vote(ADA)), 1),
        ((a_vote(ADA), a_vote(DINA)), 1),
        ((a_vote(ADA), a_vote(BORIS, Answer.DENY)), 1),
    ],
    ids=["none", "one", "two", "more than enough", "twice the same", "one person's two accounts", "a denial"],
)
def test_missing_is_what_different_people_have_not_said(votes, missing):
    """T-DEC-03: persons are counted, not accounts and not clicks; a denial is no approval."""
    people = People(names={ADA: "ada", DINA: "ada"})

    assert missing_approvals(needing(2, people=people), votes) == missing


def test_a_quorum_that_stands_lets_it_start():
    """Both voters still in good standing: nothing is raised."""
    check_quorum(by(2), a_context(by(2), votes=(a_vote(ADA), a_vote(BORIS))))


def not_enough(votes: Sequence[Vote], **context: object) -> tuple[type, str, str] | None:
    """Return what the start of a change that took two approvals is refused with."""
    try:
        check_quorum(by(2), a_context(by(2), votes=tuple(votes), **context))
    except NotEligible as refused:
        return what(refused)
    return None


BOTH = (a_vote(ADA), a_vote(BORIS))
TOO_FEW = "Too few of the approvals still count."


def test_a_voter_who_is_gone_takes_the_quorum_with_her():
    """T-DEC-09: deactivated after the approval and before the start: it does not start, for want of authority."""
    standings = {ADA: a_standing(ADA), BORIS: a_standing(BORIS, active=False)}

    assert not_enough(BOTH, authority=Authority(standings=standings, groups={})) == (NotEligible, "authority", TOO_FEW)


def test_too_few_votes_are_too_few():
    """Without any fallen vote, too, a quorum that is not there is not there."""
    assert not_enough((a_vote(ADA),)) == (NotEligible, "authority", TOO_FEW)


@pytest.mark.parametrize(("epoch", "counts"), [(3, False), (4, True)])
def test_approvals_from_before_a_pause_do_not_start_anything_after_it(epoch, counts):
    """I4: the votes' epoch must have reached that in which the covering pause ended; the refusal names the pause."""
    votes = [replace(vote, epoch=epoch) for vote in BOTH]
    over = a_pause(ended_at=NOON, ended_epoch=4)

    assert not_enough(votes, epoch=4, pauses=(over,)) == (None if counts else (NotEligible, "paused", TOO_FEW))
    elsewhere = replace(over, scope=Scope(kind=ScopeKind.AGENT, name="other"))
    assert not_enough(votes, epoch=4, pauses=(elsewhere,)) is None


def test_a_changed_plan_has_no_votes():
    """A vote on another fingerprint is none for this one."""
    assert not_enough([replace(vote, fingerprint="f" * 64) for vote in BOTH]) == (NotEligible, "authority", TOO_FEW)


def test_one_fallen_vote_of_three_is_no_matter():
    """The quorum is counted over the votes that still stand, not over all that were given."""
    votes = (a_vote(ELI), *BOTH)

    assert not_enough(votes, authority=an_authority(ADA, BORIS, ELI)) is None


def test_todays_policy_is_asked_first():
    """I10: what is denied by now does not start, whoever approved it."""
    with pytest.raises(PolicyDenied):
        check_quorum(by(2), a_context(by(2), votes=BOTH, ruling=replace(a_ruling(), asks=False)))


def test_an_unknown_voter_is_no_answer():
    """While a voter cannot be asked about, it is not known whether it may start."""
    with pytest.raises(Unavailable):
        check_quorum(by(2), a_context(by(2), votes=BOTH, authority=an_authority(ADA)))


def vote_after_vote(request: Request, ruling: Ruling, accounts: Sequence[str]) -> list[Judged]:
    """Return what each answer led to, one after the other, until it was approved."""
    votes: tuple[Vote, ...] = ()
    judged: list[Judged] = []
    for number, account in enumerate(accounts):
        context = a_context(request, ruling=ruling, votes=votes, authority=an_authority(*PEOPLE))
        judged.append(judge(request, a_submission(Account(account), id=f"vote_{number}"), context))
        request = judged[-1].request
        votes += tuple(noun for noun in judged[-1].transition.nouns if isinstance(noun, Vote))
        if request.state is not State.PENDING:
            break
    return judged


@FEW
@given(
    st.integers(1, 4),
    st.lists(st.sampled_from(PEOPLE), max_size=8),
    st.dictionaries(st.sampled_from(PEOPLE), st.sampled_from("xy"), max_size=4),
)
def test_it_is_approved_when_and_as_soon_as_enough_people_have_said_yes(quorum, accounts, names):
    """Both directions: with the answer that makes enough different people it is approved, with none before."""
    people = People(names=names)

    judged = vote_after_vote(by(quorum), needing(quorum, people=people), accounts)

    for place, one in enumerate(judged):
        persons = {people.person_of(account) for account in accounts[: place + 1]}
        assert one.missing == max(0, quorum - len(persons))
        assert (one.request.state is State.APPROVED) == (len(persons) >= quorum)
    if judged and judged[-1].request.state is State.APPROVED:
        named = judged[-1].request.decided_by
        assert len({people.person_of(account) for account in named}) == len(named) == quorum
