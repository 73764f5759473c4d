"""Approving: every way in which a yes does not count, and the one in which enough of them do."""

from dataclasses import replace
from typing import Any

import pytest

from approvals.audit.events import ITSELF, EventKind, unchanged
from approvals.errors import Late, NotEligible, Paused, PolicyDenied, Settled, Stale, Unavailable
from approvals.identity.names import Account
from approvals.identity.people import FRESH, Authority, People
from approvals.policy.ruling import Ruling
from approvals.workflow.pause import Scope, ScopeKind
from approvals.workflow.request import Answer, Request, State, Via
from approvals.workflow.votes import DecisionContext, Judged, Vote, judge
from tests.approvals.judging import DUE, by, refusal, said, what
from tests.builders import (
    ADA,
    BORIS,
    CHEN,
    DINA,
    ELI,
    ESCALATION,
    GROUP,
    MINUTE,
    NOON,
    TICK,
    a_context,
    a_pause,
    a_policy,
    a_request,
    a_rule,
    a_ruling,
    a_standing,
    a_submission,
    a_vote,
    about,
    an_approver_set,
    an_asking,
    an_authority,
)

EVERYBODY = an_approver_set(accounts=[ADA, BORIS, CHEN, DINA, ELI])


def the_vote(**changed: Any) -> Vote:
    """Return Ada's approval as it is recorded."""
    return replace(a_vote(id="vote_new"), **changed)


def approved(request: Request, *accounts: Account, **changed: Any) -> Request:
    """Return *request*, approved at noon by these accounts."""
    decided = replace(
        request,
        state=State.APPROVED,
        revision=2,
        valid_until=DUE,
        decided_at=NOON,
        decided_by=accounts,
        outcome_code="approved",
    )
    return replace(decided, **changed)


def test_the_one_approval_that_is_needed_approves():
    """Quorum one: the vote, the decision and both events, whole, in one transition."""
    judged = judge(a_request(), a_submission(reason="looks right"), a_context())

    after = approved(a_request(), ADA)
    assert judged == Judged(
        transition=about(
            Request,
            nouns=(the_vote(), after),
            events=(
                said(EventKind.REQUEST_VOTED, ADA, vote=the_vote(), private={"reason": "looks right"}),
                said(EventKind.REQUEST_APPROVED, ADA, request=after),
            ),
        ),
        request=after,
        sentence="Approved. Countersign carries it out as soon as it may start.",
        counted=True,
        missing=0,
    )


def test_the_first_of_two_waits_for_the_second():
    """Quorum two: one yes is recorded, the request stays pending at a new revision and says how many are missing."""
    judged = judge(by(2), a_submission(), a_context(by(2)))

    after = by(2, revision=2)
    assert judged == Judged(
        transition=about(
            Request,
            nouns=(after, the_vote()),
            events=(said(EventKind.REQUEST_VOTED, ADA, vote=the_vote(), request=after),),
        ),
        request=after,
        sentence="Your approval counts. 1 more needed before anything runs.",
        counted=True,
        missing=1,
    )


def test_the_second_of_two_approves_and_both_are_named():
    """As soon as enough different people have said yes, it is approved; by whom stands in the order they said it."""
    earlier = a_vote(BORIS)

    judged = judge(by(2), a_submission(), a_context(by(2), votes=(earlier,)))

    after = approved(by(2), BORIS, ADA)
    assert judged.transition == about(
        Request,
        nouns=(the_vote(), after),
        events=(
            said(EventKind.REQUEST_VOTED, ADA, vote=the_vote()),
            said(EventKind.REQUEST_APPROVED, ADA, request=after),
        ),
    )
    assert (judged.request, judged.missing) == (after, 0)


def test_the_validity_is_what_both_rulings_leave():
    """How long it may start is counted from the instant of the decision, by the context's ruling."""
    later = NOON + MINUTE
    context = a_context(
        now=later, ruling=replace(a_ruling(), valid_for=2 * MINUTE), authority=an_authority(seen_at=later)
    )

    after = judge(a_request(), a_submission(), context).request

    assert (after.decided_at, after.valid_until) == (later, later + 2 * MINUTE)


@pytest.mark.parametrize("account", [ADA, "T0COUNTERSIGN:U0ADA2"], ids=["the same account", "another account"])
def test_one_person_counts_once(account):
    """T-DEC-03: the same person's yes again, by whatever account, changes nothing and is told so."""
    people = People(names={ADA: "ada", account: "ada"})
    request = by(2)
    ruling = request.ruling
    assert ruling is not None
    ruling = replace(
        ruling, people=people, panels=(replace(ruling.panels[0], sets=(an_approver_set(accounts=[ADA, account]),)),)
    )
    context = a_context(
        request, ruling=ruling, votes=(a_vote(ADA, person=people.person_of(ADA)),), authority=an_authority(ADA, account)
    )

    judged = judge(request, a_submission(account), context)

    assert judged == Judged(
        transition=unchanged(request),
        request=request,
        sentence="Your approval counted already. 1 more needed.",
        counted=False,
        missing=1,
    )


def test_two_accounts_that_became_one_person_do_not_make_a_quorum():
    """T-DEC-03: votes are counted by today's map of people, also those given before the map knew."""
    ruling = by(3).ruling
    assert ruling is not None
    ruling = replace(
        ruling, people=People(names={BORIS: "b", ELI: "b"}), panels=(replace(ruling.panels[0], sets=(EVERYBODY,)),)
    )
    context = a_context(
        by(3), ruling=ruling, votes=(a_vote(BORIS), a_vote(ELI)), authority=an_authority(ADA, BORIS, ELI)
    )

    judged = judge(by(3), a_submission(), context)

    assert (judged.request.state, judged.missing) == (State.PENDING, 1)


@pytest.mark.parametrize(
    ("then", "now"),
    [(frozenset({ADA, ELI}), frozenset()), (frozenset({BORIS, ELI}), frozenset({ADA, f"{ADA}2"}))],
    ids=["parted again", "the policy's word means others by now"],
)
def test_a_persons_vote_is_never_taken_for_anothers(then, now):
    """What was one person by a policy that has passed blocks nobody's own answer: two agreed, so it is approved (I7)."""
    first = replace(a_ruling(), quorum=2, panels=(replace(a_ruling().panels[0], sets=(EVERYBODY,)),))
    merged = replace(first, people=People(names=dict.fromkeys(then, "lead")).merged_with(first.people))
    today = replace(first, people=People(names=dict.fromkeys(now, "lead")).merged_with(first.people))
    authority = an_authority(ADA, ELI)
    (elis, *_) = judge(by(2), a_submission(ELI), a_context(by(2), ruling=merged, authority=authority)).transition.nouns[
        ::-1
    ]

    judged = judge(by(2), a_submission(), a_context(by(2), ruling=today, votes=(elis,), authority=authority))

    assert (judged.request.state, judged.request.decided_by) == (State.APPROVED, (ELI, ADA))


def test_an_approval_repeated_when_it_is_enough_by_now_approves():
    """A policy that asked for more meanwhile and does not any more: saying yes again ends the wait, with no second vote."""
    votes = (a_vote(ADA), a_vote(BORIS), a_vote(ELI))
    fallen = replace(a_vote(ELI), voided_at=NOON, voided_why="ineligible")

    judged = judge(by(2), a_submission(BORIS), a_context(by(2), votes=votes, authority=an_authority(ADA, BORIS, ELI)))

    after = approved(by(2), ADA, BORIS)
    assert judged == Judged(
        transition=about(
            Request,
            nouns=(fallen, after),
            events=(
                said(EventKind.REQUEST_VOTE_VOIDED, ITSELF, vote=fallen),
                said(EventKind.REQUEST_APPROVED, BORIS, request=after),
            ),
        ),
        request=after,
        sentence="Approved. Countersign carries it out as soon as it may start.",
    )


def voided(why: str, vote: Vote, context: DecisionContext, request: Request) -> None:
    """Assert that *vote* falls for that reason when Ada approves, and that both are written down."""
    judged = judge(request, a_submission(), context)

    fallen, after = replace(vote, voided_at=NOON, voided_why=why), replace(request, revision=2)
    new = the_vote(epoch=context.epoch)
    assert judged == Judged(
        transition=about(
            Request,
            nouns=(after, fallen, new),
            events=(
                said(EventKind.REQUEST_VOTE_VOIDED, ITSELF, vote=fallen),
                said(EventKind.REQUEST_VOTED, ADA, vote=new, request=after),
            ),
        ),
        request=after,
        sentence="Your approval counts. 1 more needed before anything runs.",
        missing=1,
    )


def test_a_vote_from_before_a_pause_falls():
    """I4: what was said before a pause ended does not count after it; the person may say it again."""
    over = a_pause(ended_at=NOON, ended_epoch=2)

    voided(
        "paused",
        a_vote(BORIS, epoch=1),
        a_context(by(2), epoch=2, pauses=(over,), votes=(a_vote(BORIS, epoch=1),)),
        by(2),
    )


@pytest.mark.parametrize("changed", [{"fingerprint": "f" * 64}, {"render_hash": "f" * 64}])
def test_a_vote_on_something_else_falls(changed):
    """I8: what was approved is exactly what was shown; a vote on another fingerprint or another drawing does not count."""
    vote = a_vote(BORIS, **changed)

    voided("changed", vote, a_context(by(2), votes=(vote,)), by(2))


def test_a_vote_of_somebody_who_was_taken_out_of_the_group_falls():
    """T-DEC-08: authority is judged again for every earlier vote, so the one who left the group does not count any more."""
    policy = a_policy(
        rules=(a_rule(asking=an_asking(quorum=2)),),
        approver_sets={"platform": an_approver_set(accounts=[ADA], groups=[GROUP])},
    )
    request, vote = a_request(policy), a_vote(BORIS)

    voided("ineligible", vote, a_context(request, votes=(vote,), authority=an_authority(members=[ELI])), request)


def test_a_vote_of_a_deactivated_account_falls():
    """T-DEC-07: a voter who has left since is looked up again and does not count."""
    standings = {ADA: a_standing(ADA), BORIS: a_standing(BORIS, active=False)}

    voided(
        "ineligible",
        a_vote(BORIS),
        a_context(by(2), votes=(a_vote(BORIS),), authority=Authority(standings=standings, groups={})),
        by(2),
    )


def test_a_persons_fallen_vote_gives_way_to_a_new_one():
    """Who voted before the pause may vote again: the old one is voided first, then the new one counts."""
    old, over = a_vote(ADA), a_pause(ended_at=NOON, ended_epoch=2)

    judged = judge(a_request(), a_submission(), a_context(epoch=2, pauses=(over,), votes=(old,)))

    fallen, new = replace(old, voided_at=NOON, voided_why="paused"), the_vote(epoch=2)
    after = approved(a_request(), ADA)
    assert judged.transition == about(
        Request,
        nouns=(fallen, new, after),
        events=(
            said(EventKind.REQUEST_VOTE_VOIDED, ITSELF, vote=fallen),
            said(EventKind.REQUEST_VOTED, ADA, vote=new),
            said(EventKind.REQUEST_APPROVED, ADA, request=after),
        ),
    )


def test_the_other_voters_authority_must_be_known():
    """What is not known of an earlier voter is neither a yes nor a no: the answer is *try again*, and nothing changes."""
    refused = refusal(context=a_context(by(2), votes=(a_vote(BORIS),), authority=an_authority(ADA)), request=by(2))

    assert isinstance(refused, Unavailable)
    assert refused.code == "authority_unknown"


@pytest.mark.parametrize(
    ("age", "counts"), [(FRESH, True), (FRESH + TICK, False)], ids=["ten seconds", "a microsecond more"]
)
def test_an_approval_needs_authority_of_the_last_ten_seconds(age, counts):
    """Remembered authority is for denials only."""
    assert (refusal(context=a_context(authority=an_authority(seen_at=NOON - age))) is None) is counts


@pytest.mark.parametrize(
    ("now", "late"),
    [(DUE - TICK, False), (DUE, True), (DUE + TICK, True)],
    ids=["one tick before", "at", "one tick after"],
)
def test_the_deadline_is_the_first_instant_that_is_too_late(now, late):
    """I3: at the deadline silence has denied, whether or not a sweep has run."""
    refused = refusal(context=a_context(now=now, authority=an_authority(seen_at=now)))

    assert what(refused) == ((Late, "late", "The deadline has passed; silence has denied it.") if late else None)


@pytest.mark.parametrize("state", [State.APPROVED, State.DENIED, State.CANCELLED, State.SUPERSEDED, State.REFUSED])
def test_what_has_its_outcome_is_settled(state):
    """Exactly one outcome: whatever it is, an approval comes too late to change it, and is told which it is, and whose."""
    request = a_request(state=state, decided_by=(ADA, "os:olga"))

    assert what(refusal(request=request)) == (
        Settled,
        "already_decided",
        f"It is already {state.value} by <@U0ADA> and os:olga.",
    )
    assert what(refusal(request=replace(request, decided_by=()))) == (
        Settled,
        "already_decided",
        f"It is already {state.value}.",
    )


def test_what_has_expired_is_late_and_nobodys_denial():
    """*Expired* is told as lateness, before and after the sweep alike."""
    assert what(refusal(request=a_request(state=State.EXPIRED))) == (
        Late,
        "late",
        "The deadline has passed; silence has denied it.",
    )


@pytest.mark.parametrize(
    "fingerprint", [None, "", "f" * 12, (a_request().fingerprint or "")[:11], a_request().fingerprint]
)
def test_a_button_of_another_version_is_stale(fingerprint):
    """An approval names what it is of: without the short fingerprint that stands, it is refused."""
    assert what(refusal(a_submission(fingerprint=fingerprint))) == (
        Stale,
        "stale",
        "That button belongs to another version of this change.",
    )


def test_a_request_without_a_plan_has_no_button_that_fits():
    """What was never planned cannot be approved, by whatever fingerprint."""
    assert isinstance(refusal(request=a_request(fingerprint=None), context=a_context()), Stale)


def test_an_operator_never_approves():
    """The command line may stop things; a yes comes from a person in Slack, even where the map knows the operator."""
    ruling = replace(a_ruling(), people=People(names={Account("os:ada"): "ada", ADA: "ada"}))

    assert what(refusal(a_submission(Account("os:ada"), via=Via.CLI), a_context(ruling=ruling))) == (
        NotEligible,
        "operator",
        "An operator at the command line may deny and pause, never approve.",
    )


def test_what_was_not_shown_whole_cannot_be_approved():
    """T-RND-10: a change that does not fit on its card has no Approve, whoever sends one."""
    assert what(refusal(request=a_request(shown_whole=False))) == (
        NotEligible,
        "not_shown_whole",
        "The change does not fit on the card, so it cannot be approved here.",
    )


@pytest.mark.parametrize(
    ("scope", "stopped"),
    [
        (Scope(kind=ScopeKind.ALL), "all"),
        (Scope(kind=ScopeKind.AGENT, name="scaler"), "agent:scaler"),
        (Scope(kind=ScopeKind.NAMESPACE, name="prod-eu-1/shop"), "namespace:prod-eu-1/shop"),
        (Scope(kind=ScopeKind.AGENT, name="other"), None),
    ],
)
def test_nothing_is_approved_under_a_pause_that_covers_it(scope, stopped):
    """While a covering pause is open an approval is refused, with its scope; a pause elsewhere is no matter."""
    refused = refusal(context=a_context(epoch=1, pauses=(a_pause(scope),)))

    assert what(refused) == (
        stopped and (Paused, "paused", f"Paused ({stopped}): nothing can be approved until two people resume it.")
    )


def test_what_todays_policy_denies_is_not_approved():
    """I10: a policy that denies by now takes the yes away from everybody."""
    denying = replace(a_ruling(), asks=False, reasons=("Rule never denies it.",))

    assert what(refusal(context=a_context(ruling=denying))) == (
        PolicyDenied,
        "policy_denied",
        "The policy in force now denies this.",
    )


@pytest.mark.parametrize(
    ("account", "code"),
    [(CHEN, "conflicted"), (DINA, "conflicted"), (ELI, "not_an_approver"), ("T0PARTNER:U0ADA", "not_an_approver")],
    ids=["T-DEC-01", "T-DEC-02", "T-DEC-13", "T-DEC-05"],
)
def test_who_may_not_decide_is_refused(account, code):
    """The requester's human, the agent's owner, a member who is not asked, and a stranger with a familiar id."""
    refused = refusal(a_submission(account), a_context(authority=an_authority(account)))

    assert isinstance(refused, NotEligible)
    assert refused.code == code


def test_with_no_approvers_left_nobody_approves():
    """T-DEC-11: where only the conflicted are listed, each is refused; it is never widened to anybody."""
    ruling = a_ruling()
    ruling = replace(ruling, panels=(replace(ruling.panels[0], sets=(an_approver_set(accounts=[CHEN, DINA]),)),))

    codes = {
        one: refusal(a_submission(one), a_context(ruling=ruling, authority=an_authority(one)))
        for one in (ADA, CHEN, DINA)
    }

    assert {one: refused and refused.code for one, refused in codes.items()} == {
        ADA: "not_an_approver",
        CHEN: "conflicted",
        DINA: "conflicted",
    }


def faults(ruling: Ruling) -> dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]]:
    """Return every fault of an approval, in the order in which it is told: changes of request, submission and context."""
    return {
        "already_decided": ({"state": State.DENIED}, {}, {}),
        "late": ({"deadline": NOON}, {}, {}),
        "stale": ({}, {"fingerprint": "f" * 12}, {}),
        "operator": ({}, {"account": "os:olga"}, {}),
        "not_shown_whole": ({"shown_whole": False}, {}, {}),
        "paused": ({}, {}, {"pauses": (a_pause(),)}),
        "policy_denied": ({}, {}, {"ruling": replace(ruling, asks=False)}),
        "authority_unknown": ({}, {}, {"authority": Authority(standings={}, groups={})}),
    }


@pytest.mark.parametrize("code", faults(a_ruling()))
def test_of_several_faults_the_first_in_order_is_told(code):
    """An outcome outranks lateness, lateness a stale button, and so on, so that the answer does not hang on chance."""
    order = list(faults(a_ruling()))
    request, submission, context = a_request(), a_submission(), a_context()
    for name in order[order.index(code) :]:
        of_request, of_ballot, of_bench = faults(context.ruling)[name]
        request = replace(request, **of_request)
        submission, context = replace(submission, **of_ballot), replace(context, **of_bench)

    refused = refusal(submission, context, request)

    assert refused is not None
    assert refused.code == code


def test_an_approval_records_how_it_was_given():
    """The vote carries person, account, door, instant, epoch, both hashes and when the standing was seen."""
    ruling = replace(a_ruling(), people=People(names={ADA: "ada", Account("os:ada"): "ada"}))
    seen = NOON - FRESH

    judged = judge(a_request(), a_submission(), a_context(ruling=ruling, epoch=7, authority=an_authority(seen_at=seen)))

    assert judged.transition.nouns[0] == Vote(
        id="vote_new",
        escalation=ESCALATION,
        person=f"{ADA}+os:ada",
        account=ADA,
        answer=Answer.APPROVE,
        via=Via.SLACK,
        at=NOON,
        epoch=7,
        fingerprint=a_request().fingerprint or "",
        render_hash="c" * 64,
        authority_at=seen,
        remembered=False,
        voided_at=None,
        voided_why=None,
    )
