"""Denying: a no counts by itself, ends the question, and stops what has not started."""

from dataclasses import replace
from typing import Any

import pytest

from approvals.audit.events import ITSELF, AuditEvent, EventKind
from approvals.errors import Late, NotEligible, Settled, Stale, Unavailable
from approvals.facts import facts_of
from approvals.identity.names import Account
from approvals.identity.people import Authority, People
from approvals.workflow.execution import Phase, Reason
from approvals.workflow.request import Answer, Request, State, Via
from approvals.workflow.votes import Judged, Vote, VoteSubmission, judge
from tests.approvals.judging import DUE, STREAM, by, refusal, said, what
from tests.builders import (
    ADA,
    BORIS,
    CHEN,
    DINA,
    ELI,
    HOUR,
    MINUTE,
    NOON,
    TICK,
    a_context,
    a_pause,
    a_request,
    a_ruling,
    a_standing,
    a_submission,
    a_vote,
    about,
    an_authority,
    an_execution,
)


def no(account: Account = ADA, **changed: Any) -> VoteSubmission:
    """Return a denial by the button."""
    return a_submission(Account(account), Answer.DENY, **changed)


def the_vote(**changed: Any) -> Vote:
    """Return Ada's denial as it is recorded."""
    return replace(a_vote(id="vote_new", answer=Answer.DENY), **changed)


def denied(request: Request, account: Account = ADA, **changed: Any) -> Request:
    """Return *request*, denied at noon by that account."""
    ended = replace(
        request,
        state=State.DENIED,
        revision=request.revision + 1,
        decided_at=NOON,
        decided_by=(account,),
        outcome_code="denied",
    )
    return replace(ended, **changed)


def test_one_denial_denies():
    """T-DEC-12: whatever the quorum, one eligible no ends it; vote, outcome and both events, whole."""
    judged = judge(by(2), no(reason="not tonight"), a_context(by(2)))

    after = denied(by(2))
    assert judged == Judged(
        transition=about(
            Request,
            nouns=(the_vote(), after),
            events=(
                said(EventKind.REQUEST_VOTED, ADA, vote=the_vote(), private={"reason": "not tonight"}),
                said(EventKind.REQUEST_DENIED, ADA, request=after),
            ),
        ),
        request=after,
        sentence="Denied. Nothing will run.",
        counted=True,
        missing=0,
    )


def test_a_denial_outweighs_every_approval_before_it():
    """T-DEC-12: A approves, B denies: denied, and C comes too late."""
    judged = judge(by(3), no(BORIS), a_context(by(3), votes=(a_vote(ADA), a_vote(ELI))))

    assert judged.request.state is State.DENIED
    assert [noun for noun in judged.transition.nouns if isinstance(noun, Vote)] == [
        the_vote(account=BORIS, person=BORIS)
    ]
    assert what(refusal(a_submission(ELI), request=judged.request)) == (
        Settled,
        "already_decided",
        "It is already denied by <@U0BORIS>.",
    )


@pytest.mark.parametrize("account", [ADA, BORIS], ids=["the same account", "another account of hers"])
def test_who_has_approved_may_still_say_no(account):
    """A person has one live answer: her yes is voided as changed, by whatever account she says no; others' stand."""
    people = People(names={ADA: "ada", BORIS: "ada"})
    ruling = replace(a_ruling(), people=people)
    yes, others = a_vote(account, person="recorded under an older map"), a_vote(ELI)

    judged = judge(by(2), no(), a_context(by(2), ruling=ruling, votes=(yes, others)))

    fallen, vote, after = (
        replace(yes, voided_at=NOON, voided_why="changed"),
        the_vote(person=f"{ADA}+{BORIS}"),
        denied(by(2)),
    )
    assert judged.transition == about(
        Request,
        nouns=(fallen, vote, after),
        events=(
            said(EventKind.REQUEST_VOTE_VOIDED, ITSELF, vote=fallen),
            said(EventKind.REQUEST_VOTED, ADA, vote=vote),
            said(EventKind.REQUEST_DENIED, ADA, request=after),
        ),
    )


def approved(**changed: Any) -> Request:
    """Return the request, approved by Boris before noon, past its deadline."""
    return a_request(state=State.APPROVED, revision=4, valid_until=DUE, decided_by=(BORIS,), deadline=NOON, **changed)


@pytest.mark.parametrize("phase", [Phase.QUEUED, Phase.CLAIMED])
def test_an_approved_change_can_be_denied_until_it_is_armed(phase):
    """Deny wins until the effect has started: request and execution end in one transition, the latter by the denier."""
    execution = an_execution(phase, lease_until=NOON + MINUTE, generation=2)

    judged = judge(approved(), no(), a_context(execution=execution))

    after = denied(approved())
    stopped = replace(
        execution,
        state=Phase.VOIDED,
        revision=2,
        lease_until=None,
        reason=Reason.DENIED,
        message="Denied before it started.",
    )
    assert judged.transition == about(
        Request,
        nouns=(the_vote(), after, stopped),
        events=(
            said(EventKind.REQUEST_VOTED, ADA, vote=the_vote()),
            said(EventKind.REQUEST_DENIED, ADA, request=after),
            AuditEvent(
                kind=EventKind.EXECUTION_VOIDED,
                stream=STREAM,
                actor=ADA,
                at=NOON,
                data={"execution": facts_of(stopped)},
            ),
        ),
    )
    assert after.valid_until == DUE


def test_an_approved_change_that_is_not_queued_yet_can_be_denied():
    """Between approval and queue there is nothing to stop, and the denial holds."""
    judged = judge(approved(), no(), a_context())

    assert judged.transition.nouns == (the_vote(), denied(approved()))


@pytest.mark.parametrize("phase", sorted(set(Phase) - {Phase.QUEUED, Phase.CLAIMED, Phase.VOIDED}))
def test_what_has_started_cannot_be_denied(phase):
    """From the start record on, a denial is told that it comes too late."""
    assert what(refusal(no(), a_context(execution=an_execution(phase)), approved())) == (
        Settled,
        "already_started",
        "It has started, so it cannot be stopped here any more.",
    )


def test_what_was_stopped_already_did_not_start():
    """An execution that was voided is not said to have started."""
    assert what(refusal(no(), a_context(execution=an_execution(Phase.VOIDED)), approved())) == (
        Settled,
        "already_stopped",
        "It was stopped before it started, so nothing will run.",
    )


@pytest.mark.parametrize("state", [State.DENIED, State.CANCELLED, State.SUPERSEDED, State.REFUSED])
def test_a_second_outcome_there_is_not(state):
    """Exactly one outcome: a no changes none of the others."""
    assert what(refusal(no(), request=a_request(state=state))) == (
        Settled,
        "already_decided",
        f"It is already {state.value}.",
    )


@pytest.mark.parametrize(("now", "late"), [(DUE - TICK, False), (DUE, True), (DUE + TICK, True)])
def test_a_late_denial_is_late_too(now, late):
    """I3: at the deadline silence has denied; the person is told so, and *expired* stays nobody's."""
    context = a_context(now=now, authority=an_authority(seen_at=now))

    assert what(refusal(no(), context)) == (
        (Late, "late", "The deadline has passed; silence has denied it.") if late else None
    )
    assert isinstance(refusal(no(), request=a_request(state=State.EXPIRED)), Late)
    assert isinstance(refusal(no(), context=a_context(), request=a_request(deadline=None)), Late)


def test_a_denial_counts_during_a_pause():
    """A pause stops what would run, and a no stops more: it is never refused for a pause."""
    judged = judge(a_request(), no(), a_context(epoch=1, pauses=(a_pause(),)))

    assert judged.request.state is State.DENIED
    assert judged.transition.nouns[0] == the_vote(epoch=1)


def test_a_denial_counts_though_the_policy_denies_by_now_or_the_card_was_not_whole():
    """What cannot be approved can still be denied, by those who were asked; by nobody else."""
    denying = replace(a_ruling(), asks=False)

    assert judge(a_request(shown_whole=False), no(), a_context()).request.state is State.DENIED
    assert judge(a_request(), no(), a_context(ruling=denying)).request.state is State.DENIED
    assert isinstance(refusal(no(ELI), a_context(ruling=denying, authority=an_authority(ELI))), NotEligible)


def test_the_command_line_denies_without_a_fingerprint_and_without_slack():
    """An operator's no needs no standing in Slack: nothing is known of it, and nothing is remembered."""
    nobody = Authority(standings={}, groups={})

    judged = judge(a_request(), no(Account("os:olga"), via=Via.CLI, fingerprint=None), a_context(authority=nobody))

    assert judged.transition.nouns == (
        the_vote(account="os:olga", person="os:olga", via=Via.CLI, authority_at=None),
        denied(a_request(), Account("os:olga")),
    )


def test_a_denial_of_what_has_no_plan_names_none():
    """At the command line even a question without a plan can be stopped; the vote claims no fingerprint."""
    bare = a_request(fingerprint=None, render_hash=None)

    judged = judge(bare, no(Account("os:olga"), via=Via.CLI, fingerprint=None), a_context())

    vote = judged.transition.nouns[0]
    assert (vote.fingerprint, vote.render_hash) == ("", "")
    assert judged.request.state is State.DENIED


def test_a_denial_by_a_button_of_another_version_is_stale():
    """A no, too, belongs to what was shown, where it names one."""
    assert what(refusal(no(fingerprint="f" * 12))) == (
        Stale,
        "stale",
        "That button belongs to another version of this change.",
    )
    assert refusal(no(fingerprint=None)) is None
    assert isinstance(refusal(no(), request=a_request(fingerprint=None), context=a_context()), Stale)


@pytest.mark.parametrize("account", [CHEN, DINA, ELI], ids=["the requester", "an owner", "not asked"])
def test_only_who_may_decide_may_deny(account):
    """T-DEC-01, 02, 13: an answer counts by who gives it, whichever it is."""
    assert isinstance(refusal(no(account), a_context(authority=an_authority(account))), NotEligible)


@pytest.mark.parametrize(
    ("age", "remembered", "counts"),
    [
        (10 * TICK, False, True),
        (MINUTE / 6, False, True),
        (MINUTE / 6 + TICK, True, True),
        (HOUR, True, True),
        (HOUR + TICK, True, False),
    ],
    ids=["just now", "ten seconds", "a tick more", "an hour", "a tick more than that"],
)
def test_a_denial_counts_by_remembered_authority_and_says_so(age, remembered, counts):
    """While Slack cannot be asked, what it said within the hour is enough to stop something; it is marked."""
    context = a_context(authority=an_authority(seen_at=NOON - age))

    if counts:
        vote = judge(a_request(), no(), context).transition.nouns[0]
        assert vote == the_vote(authority_at=NOON - age, remembered=remembered)
    else:
        assert isinstance(refusal(no(), context), Unavailable)


def faults() -> dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]]:
    """Return every fault of a denial, in the order in which it is told: changes of request, submission and context."""
    deactivated = Authority(standings={ADA: a_standing(ADA, active=False)}, groups={})
    return {
        "already_decided": ({"state": State.CANCELLED}, {}, {}),
        "late": ({"deadline": NOON}, {}, {}),
        "stale": ({}, {"fingerprint": "f" * 12}, {}),
        "deactivated": ({}, {}, {"authority": deactivated}),
    }


@pytest.mark.parametrize("code", faults())
def test_of_several_faults_the_first_in_order_is_told(code):
    """As for an approval: an outcome outranks lateness, lateness a stale button, that one the person."""
    request, submission, context = a_request(), no(), a_context()
    for name in list(faults())[list(faults()).index(code) :]:
        of_request, of_ballot, of_bench = faults()[name]
        request, submission, context = (
            replace(request, **of_request),
            replace(submission, **of_ballot),
            replace(context, **of_bench),
        )

    refused = refusal(submission, context, request)

    assert refused is not None
    assert refused.code == code
