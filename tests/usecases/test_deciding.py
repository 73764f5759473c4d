"""Deciding: whose answer counts, how often, and what every answer leaves on record (I3, I7, I14)."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from approvals.errors import Clash, Late, Missing, NotEligible, PolicyDenied, Refused, Settled, Stale, Unavailable
from approvals.facts import facts_of
from approvals.identity.people import MemberStatus, People
from approvals.policy.feasibility import DOUBT
from approvals.ports.store import Urgency
from approvals.presentation.review import Rendered
from approvals.usecases.people.decide import PersonsAnswer
from approvals.workflow.deciding import ruling_today
from approvals.workflow.execution import Phase, Reason
from approvals.workflow.request import Answer, State, Via
from approvals.workflow.votes import Vote
from tests.builders import (
    ADA,
    BORIS,
    CHEN,
    DINA,
    ELI,
    GROUP,
    HOUR,
    MINUTE,
    a_denial,
    a_policy,
    a_rule,
    a_token,
    an_approver_set,
    an_asking,
    an_escalation,
)
from tests.fakes.directory import NeverAsked
from tests.usecases.looks import execution_of, kinds, stands, story, votes_on
from tests.usecases.mishaps import Blind, Planless, Unwritable

TRIO = an_approver_set(accounts=(ADA, BORIS, ELI))


def policy(quorum=1, sets=TRIO, **changed):
    """Return a policy that asks that many of some people."""
    return a_policy(rules=(a_rule(asking=an_asking(quorum=quorum)),), approver_sets={"platform": sets}, **changed)


@pytest.fixture
def two(make_world):
    """A world in which two of three people have to approve."""
    return make_world(policy(quorum=2))


def refused(world, request, account, answer=Answer.APPROVE):
    """Return the code by which an answer is refused; it changes nothing and is written down."""
    before = world.request(request)
    with pytest.raises(Refused) as refusal:
        world.answers(request, account, answer)
    assert world.request(request) == before
    told = {"answer": answer.value, "via": "slack", "code": refusal.value.code}
    assert story(world, request)[-1] == ("answer.refused", account, told)
    return refusal.value.code


def test_the_whole_story_of_an_approval(two, instant):
    """Each vote is one whole event; the last one approves and queues the execution in the same commit."""
    request = two.pending()
    first = two.answers(request, ADA)
    instant.pass_by(MINUTE)
    second = two.answers(request, BORIS)

    waiting = replace(request, revision=2)
    approved = replace(
        waiting,
        state=State.APPROVED,
        revision=3,
        valid_until=instant() + 15 * MINUTE,
        decided_at=instant(),
        decided_by=(ADA, BORIS),
        outcome_code="approved",
    )
    assert (first.request, first.missing, first.counted) == (waiting, 1, True)
    assert (second.request, second.missing, two.request(request)) == (approved, 0, approved)
    with two.store.reading() as reading:
        by_ada, by_boris = reading.votes(request.id)
        queued = reading.execution_of(request.id)
    assert by_ada == Vote(
        id=by_ada.id,
        escalation=request.id,
        person=ADA,
        account=ADA,
        answer=Answer.APPROVE,
        via=Via.SLACK,
        at=instant() - MINUTE,
        epoch=0,
        fingerprint=request.fingerprint,
        render_hash=request.render_hash,
        authority_at=instant() - MINUTE,
    )
    assert story(two, request)[1:] == [
        ("request.voted", ADA, {"vote": facts_of(by_ada), "request": facts_of(waiting)}),
        ("request.voted", BORIS, {"vote": facts_of(by_boris)}),
        ("request.approved", BORIS, {"request": facts_of(approved)}),
        ("execution.queued", "countersign", {"execution": facts_of(queued)}),
    ]
    assert (queued.state, queued.valid_until, queued.due_at) == (Phase.QUEUED, approved.valid_until, instant())


def test_the_whole_story_of_a_denial(world):
    """A denial ends it at once, with the person's words beside the record and not in it."""
    request = world.pending()
    short = request.fingerprint[:12]
    given = PersonsAnswer(
        request=request.id, account=BORIS, answer=Answer.DENY, via=Via.SLACK, fingerprint=short, reason="Not on Friday."
    )

    judged = world.decide(given)

    denied = replace(
        request,
        state=State.DENIED,
        revision=2,
        decided_at=judged.request.decided_at,
        decided_by=(BORIS,),
        outcome_code="denied",
    )
    with world.store.reading() as reading:
        (vote,) = reading.votes(request.id)
        texts = reading.texts(request.id)
    assert (judged.request, judged.sentence) == (denied, "Denied. Nothing will run.")
    assert story(world, request)[1:] == [
        ("request.voted", BORIS, {"vote": facts_of(vote)}),
        ("request.denied", BORIS, {"request": facts_of(denied)}),
    ]
    assert texts["reason"] == "Not on Friday."


@pytest.mark.parametrize(
    ("account", "code"),
    [(CHEN, "conflicted"), (DINA, "conflicted"), (ELI, "not_an_approver")],
    ids=["T-DEC-01 the requester's human", "T-DEC-02 the agent's owner", "T-DEC-13 not an approver"],
)
@pytest.mark.parametrize("answer", Answer, ids=str)
def test_who_may_not_answer(account, code, answer, make_world):
    """T-DEC-01, 02, 13: neither the requester, nor the agent's owner, nor whoever is not named decides anything."""
    named = an_approver_set(accounts=(ADA, BORIS, CHEN, DINA))
    world = make_world(policy(sets=named))

    assert refused(world, world.pending(), account, answer) == code


def test_t_dec_02_an_owner_may_where_the_rule_says_so(make_world):
    """T-DEC-02: a rule may let owners approve; without it they may not."""
    asking = an_asking(owners_may_approve=True)
    sets = {"platform": an_approver_set(accounts=(ADA, DINA))}
    world = make_world(a_policy(rules=(a_rule(asking=asking),), approver_sets=sets))

    assert world.answers(world.pending(), DINA).request.state is State.APPROVED


def test_t_dec_03_the_same_person_counts_once(two):
    """T-DEC-03: a second click of one person changes nothing, and says so."""
    request = two.pending()
    two.answers(request, ADA)
    before = kinds(two, request)

    again = two.answers(request, ADA)

    assert (again.counted, again.missing, again.sentence) == (False, 1, "Your approval counted already. 1 more needed.")
    assert kinds(two, request) == before


def test_t_dec_03_two_accounts_of_one_person_count_once(make_world):
    """T-DEC-03: people are told apart by person: a second account of the same one is no second person."""
    world = make_world(policy(quorum=2, people=People(names={ADA: "ada", ELI: "ada"})))
    request = world.pending()
    world.answers(request, ADA)

    assert world.answers(request, ELI).counted is False
    assert world.answers(request, BORIS).request.state is State.APPROVED


@pytest.fixture
def taken_back(make_world):
    """A question on which Boris voted while the policy said that he and Ada are one person, which it has taken back since."""
    one = policy(quorum=2)
    world = make_world(one)
    request = world.pending()
    world.policies.policy = replace(one, version="b" * 64, people=People(names={ADA: "one", BORIS: "one"}))
    world.answers(request, BORIS)
    world.policies.policy = replace(one, version="c" * 64)
    return world, world.request(request)


def fallen(world, request):
    """Return whose votes have fallen, and why."""
    votes = [data["vote"] for kind, _, data in story(world, request) if kind == "request.vote_voided"]
    return [(vote["account"], vote["voided_why"]) for vote in votes]


def test_t_dec_12_a_denial_lands_whoever_the_votes_stand_under(taken_back):
    """T-DEC-12: another's vote, given while a policy took both for one person, stands in no eligible no's way."""
    world, request = taken_back

    denied = world.answers(request, ADA, Answer.DENY)

    assert (denied.request.state, fallen(world, request)) == (State.DENIED, [])


def test_two_whom_a_policy_took_for_one_are_two_again(taken_back):
    """I7: Boris said yes while a policy took him and Ada for one person; it does no more, so with Ada's yes two have agreed."""
    world, request = taken_back

    by_ada = world.answers(request, ADA)

    assert (by_ada.request.state, fallen(world, request)) == (State.APPROVED, [])
    assert votes_on(world, request) == {ADA: "approve", BORIS: "approve"}


@pytest.mark.parametrize(
    ("standing", "code"),
    [
        ({"full_member": False}, "guest"),
        ({"human": False}, "bot"),
        ({"active": False}, "deactivated"),
    ],
    ids=["T-DEC-04 and 05 a guest or a stranger", "T-DEC-06 a bot", "T-DEC-07 deactivated a moment ago"],
)
def test_standing_is_looked_up_live(standing, code, world, instant):
    """T-DEC-04..07: who is listed counts only as an active, human, full member, as seen at this very click."""
    request = world.pending()
    world.directory.standings[ADA] = MemberStatus(account=ADA, seen_at=instant(), **standing)

    assert refused(world, request, ADA) == code


def test_t_dec_08_a_vote_of_somebody_who_left_the_group_counts_no_more(make_world):
    """T-DEC-08: Ada voted and was taken out of the group; Boris's vote finds hers void, and both stand on record."""
    world = make_world(policy(quorum=2, sets=an_approver_set(accounts=(), groups=(GROUP,))))
    world.directory.groups[GROUP] = frozenset({ADA, BORIS, ELI})
    request = world.pending()
    world.answers(request, ADA)
    world.directory.groups[GROUP] = frozenset({BORIS, ELI})

    by_boris = world.answers(request, BORIS)
    by_eli = world.answers(request, ELI)

    voided = [data["vote"] for kind, _, data in story(world, request) if kind == "request.vote_voided"]
    assert (by_boris.missing, by_eli.request.decided_by) == (1, (BORIS, ELI))
    assert [(vote["account"], vote["voided_why"]) for vote in voided] == [(ADA, "ineligible")]
    assert votes_on(world, request) == {BORIS: "approve", ELI: "approve"}


def test_t_dec_10_an_emptied_group_approves_nothing(make_world, instant):
    """T-DEC-10: nobody is eligible any more: it stays pending, and silence denies it."""
    world = make_world(policy(sets=an_approver_set(accounts=(), groups=(GROUP,))))
    world.directory.groups[GROUP] = frozenset({ADA})
    request = world.pending()
    world.directory.groups[GROUP] = frozenset()

    assert refused(world, request, ADA) == "not_an_approver"
    instant.pass_by(15 * MINUTE)
    world.expire()
    assert world.request(request).state is State.EXPIRED


def test_t_dec_10_while_slack_cannot_be_asked_nobody_approves(world, instant):
    """T-DEC-10: a lookup that fails is no yes: nothing changes, nothing is recorded, and it may be tried again."""
    request = world.pending()
    world.directory.down = True
    with pytest.raises(Unavailable):
        world.answers(request, ADA)
    before = kinds(world, request)

    world.directory.down = False
    after = world.answers(request, ADA)

    assert before == ["request.opened"]
    assert after.request.state is State.APPROVED


def test_a_denial_counts_by_remembered_authority(world, instant):
    """Somebody known as eligible within the hour may still say no while Slack is away; it is marked so on the vote."""
    request = world.pending()
    authority = world.directory.authority
    world.directory.authority = lambda *, at, **asked: authority(at=at - HOUR, **asked)

    with pytest.raises(Unavailable):
        world.answers(request, ADA)
    world.answers(request, ADA, Answer.DENY)

    with world.store.reading() as reading:
        (vote,) = reading.votes(request.id)
    assert (vote.remembered, vote.authority_at) == (True, instant() - HOUR)


@pytest.mark.parametrize("lacks", ["active", "human", "full_member"])
def test_a_quorum_that_nobody_can_make_is_refused_at_intake(lacks, make_world, instant):
    """T-DEC-11: two must agree and one of the two cannot answer: it is refused at once, and nobody is asked in vain."""
    world = make_world(policy(quorum=2, sets=an_approver_set(accounts=(ADA, BORIS))))
    world.directory.standings[BORIS] = MemberStatus(account=BORIS, seen_at=instant(), **{lacks: False})

    request = world.asks().request

    assert (request.state, request.outcome_code) == (State.REFUSED, "no_eligible_approver")
    assert request.refusal.sentence == "It takes 2 approvals, and 1 could be given."


def test_who_is_not_needed_may_be_away(make_world, instant):
    """One of two is deactivated and one is enough: it is asked as ever."""
    world = make_world(policy(quorum=1))
    world.directory.standings[BORIS] = MemberStatus(account=BORIS, seen_at=instant(), active=False)

    request = world.asks().request

    assert request.state is State.PENDING
    assert DOUBT not in findings_of(world, request)


def test_what_could_not_be_checked_is_asked_and_said(make_world):
    """Slack does not answer: the question is put all the same, and its card says that nobody could count the people."""
    world = make_world(policy(quorum=2))
    world.directory.down = True

    request = world.asks().request

    assert request.state is State.PENDING
    assert findings_of(world, request)[-1] == DOUBT


def findings_of(world, request):
    """Return what our own checks found, as people are shown it."""
    with world.store.reading() as reading:
        return reading.plan(request.fingerprint).evidence.findings


def test_t_dec_11_nobody_is_left_who_could_approve(make_world):
    """T-DEC-11: whoever may approve is in conflict: it is refused at intake, and not widened."""
    world = make_world(policy(sets=an_approver_set(accounts=(CHEN, DINA))))

    request = world.asks().request

    assert (request.state, request.outcome_code) == (State.REFUSED, "no_eligible_approver")
    assert request.refusal.sentence == "It takes 1 approval, and 0 could be given."
    with pytest.raises(Missing):
        world.answers(request, ADA)


def test_t_dec_12_one_eligible_no_is_final(two):
    """T-DEC-12: Ada approves, Boris denies, Eli approves: denied; votes cannot be shopped for (I7)."""
    request = two.pending()
    two.answers(request, ADA)
    two.answers(request, BORIS, Answer.DENY)

    assert refused(two, request, ELI) == "already_decided"
    assert two.request(request).state is State.DENIED


def test_a_denial_after_the_approval_stops_what_has_not_started(world):
    """A no wins until the effect has started: the execution is void, and the same person's yes is withdrawn."""
    request = world.answers(world.pending()).request
    world.answers(request, ADA, Answer.DENY)
    world.execute()

    assert world.request(request).state is State.DENIED
    assert stands(world, request) == (Phase.VOIDED, Reason.DENIED, "Denied before it started.")
    assert votes_on(world, request) == {ADA: "deny"}
    assert world.cluster.sent == []


def test_a_denial_after_the_start_says_that_it_is_too_late(world):
    """What has started is not stopped by a click, and nobody is told that it was."""
    request = world.answers(world.pending()).request
    world.execute()

    assert refused(world, request, BORIS, Answer.DENY) == "already_started"


def test_t_race_01_the_same_click_delivered_twice_is_one_vote(two):
    """T-RACE-01: a signature proves where a click came from, not that it came once (I14)."""
    request = two.pending()
    given = PersonsAnswer(
        request=request.id, account=ADA, answer=Answer.APPROVE, via=Via.SLACK, fingerprint=request.fingerprint[:12]
    )

    judged = [two.decide(given), two.decide(given)]

    assert [one.counted for one in judged] == [True, False]
    assert kinds(two, request) == ["request.opened", "request.voted"]


def test_t_race_02_many_answers_at_once_make_one_outcome(two):
    """T-RACE-02: approvals and denials of three people all at once: one outcome, and everybody gets an answer (I3)."""
    requests = [two.pending(f"key-{number}") for number in range(5)]
    answers = [(account, answer) for account in (ADA, BORIS, ELI) for answer in Answer] * 2

    def answered(request, given):
        try:
            return two.answers(request, *given).request.state
        except Refused as refusal:
            return refusal.code

    for request in requests:
        with ThreadPoolExecutor(len(answers)) as pool:
            outcomes = list(pool.map(partial(answered, request), answers))
        ends = [kind for kind in kinds(two, request) if kind in {"request.approved", "request.denied"}]
        assert ends.count("request.denied") == 1
        assert ends in (["request.denied"], ["request.approved", "request.denied"])
        assert two.request(request).state is State.DENIED
        assert len(outcomes) == len(answers)


def test_t_race_03_the_deadline_is_the_deadline(world, instant):
    """T-RACE-03, T-TIME-02: at the deadline an answer is late, whether or not a sweep has run; a tick before, it counts."""
    last, late = world.pending("last"), world.pending("late")
    instant.pass_by(15 * MINUTE - timedelta(microseconds=1))
    in_time = world.answers(last)
    instant.pass_by(timedelta(microseconds=1))

    assert in_time.request.state is State.APPROVED
    for answer in Answer:
        assert refused(world, late, ADA, answer) == "late"
    assert world.expire() == 1
    assert refused(world, late, ADA) == "late"


def test_a_button_of_another_version_is_stale(world):
    """A button carries what it showed; another fingerprint is another change (I8)."""
    request = world.pending()
    given = PersonsAnswer(request=request.id, account=ADA, answer=Answer.APPROVE, via=Via.SLACK, fingerprint="0" * 12)

    with pytest.raises(Stale):
        world.decide(given)

    assert kinds(world, request)[-1] == "answer.refused"


def test_an_operator_denies_and_never_approves(world):
    """At the command line there is no card: whoever sits there may stop things, and start none."""
    request = world.pending()
    with pytest.raises((NotEligible, Stale)):
        world.answers(request, "os:olga", via=Via.CLI)

    denied = world.answers(request, "os:olga", Answer.DENY, via=Via.CLI).request

    assert (denied.state, denied.decided_by) == (State.DENIED, ("os:olga",))
    with world.store.reading() as reading:
        (vote,) = reading.votes(request.id)
    assert (vote.authority_at, vote.via) == (None, Via.CLI)


def test_an_operator_denies_without_slack(make_world):
    """At the command line nobody is looked up: a Slack that hangs or is broken neither delays nor undoes a denial (I13)."""
    world = make_world(policy(sets=an_approver_set(groups=(GROUP,))))
    world.directory.groups[GROUP] = frozenset({ADA})
    request = world.pending()

    denied = replace(world, directory=NeverAsked()).answers(request, "os:olga", Answer.DENY, via=Via.CLI)

    assert denied.request.state is State.DENIED


def test_what_is_not_shown_whole_cannot_be_approved(world):
    """A change that does not fit on its card has no Approve; a denial needs none (I8)."""
    cut = replace(world, render=lambda _review: Rendered(hash="c" * 64, whole=False))
    request = cut.pending()

    assert refused(cut, request, ADA) == "not_shown_whole"
    assert cut.answers(request, ADA, Answer.DENY).request.state is State.DENIED


def test_a_policy_that_denies_by_now_lets_nobody_approve(world):
    """The policy in force when somebody answers can only take away; a no still counts (I10)."""
    request = world.pending()
    world.policies.policy = a_policy(rules=(a_rule(), a_denial(verbs=frozenset({"scale"}))))

    with pytest.raises(PolicyDenied):
        world.answers(request)

    assert world.answers(request, ADA, Answer.DENY).request.state is State.DENIED


def test_an_answer_to_nothing(world):
    """An id that names no request is said so, and nothing is written."""
    with pytest.raises(Missing):
        world.decide(
            PersonsAnswer(request="esc_none", account=ADA, answer=Answer.DENY, via=Via.SLACK, fingerprint=None)
        )


def test_a_voter_who_comes_in_between_is_asked_about(two):
    """Boris voted after Ada's click was looked up: his standing is unknown to it, so it is judged anew, and counts."""
    request = two.pending()
    authority = two.directory.authority

    def boris_is_faster(**asked):
        two.directory.authority = authority
        before = authority(**asked)
        two.answers(request, BORIS)
        return before

    two.directory.authority = boris_is_faster

    assert two.answers(request, ADA).request.decided_by == (BORIS, ADA)


def test_an_unknown_authority_is_not_asked_about_for_ever(two):
    """Where nobody came in between, asking again at once would not help: it is said that it is not known."""
    request = two.pending()
    two.answers(request, ADA)
    two.directory.down = True

    with pytest.raises(Unavailable):
        two.answers(request, BORIS)


def test_a_row_that_moves_under_an_answer_is_judged_anew(world):
    """A conditional write that finds its row moved on is no answer: it is judged again, at most three times."""
    request = world.pending()
    clashing = Unwritable(world.store, Clash("Somebody was faster."), times=2)

    judged = replace(world, store=clashing).answers(request)

    assert (judged.request.state, clashing.left) == (State.APPROVED, 0)


def test_a_row_that_keeps_moving_is_given_up(world):
    """Three times is enough: the person is told to try again, and nothing has changed."""
    request = world.pending()
    clashing = Unwritable(world.store, Clash("Somebody was faster."))

    with pytest.raises(Clash):
        replace(world, store=clashing).answers(request)

    assert kinds(world, request) == ["request.opened"]


def test_an_answer_to_what_cannot_be_locked(world):
    """A request that is not there by the time it is to be locked takes no answer."""
    request = world.pending()

    with pytest.raises(Missing):
        replace(world, store=Blind(world.store, request.id)).answers(request)

    assert kinds(world, request) == ["request.opened"]


def test_without_its_plan_nothing_is_approved(world):
    """What could not be carried out is not approved either: the vote and the approval are not written (I6)."""
    request = world.pending()

    with pytest.raises(Missing):
        replace(world, store=Planless(world.store)).answers(request)

    assert (world.request(request), votes_on(world, request)) == (request, {})


def test_what_was_refused_has_no_ruling_to_judge_by(world):
    """A question that never was one cannot be judged."""
    nothing = world.asks(agent="stranger").request

    with pytest.raises(ValueError, match="ruling"):
        ruling_today(nothing, world.policies.current())


def test_an_agent_takes_back_its_own(world):
    """An agent takes back its own, with a token for that place, and nothing of anybody else's, and nothing twice (I16)."""
    request = world.pending()
    with pytest.raises(Missing):
        world.cancel(request.id, token=a_token(holder="another"))
    with pytest.raises(Missing):
        world.cancel("esc_none", token=a_token())
    for narrow in (a_token(environments=frozenset({"prod-us-1"})), a_token(namespaces=frozenset({"pay"}))):
        with pytest.raises(Missing):
            world.cancel(request.id, token=narrow)

    cancelled = world.cancel(request.id, token=a_token())

    assert (cancelled.state, cancelled.outcome_code) == (State.CANCELLED, "cancelled")
    assert story(world, request)[-1][:2] == ("request.cancelled", "agent:scaler")
    with pytest.raises(Settled):
        world.cancel(request.id, token=a_token())


def test_a_refused_question_cannot_be_taken_back(make_world):
    """It never was one."""
    world = make_world(policy(sets=an_approver_set(accounts=(CHEN,))))
    refused_one = world.escalate(an_escalation(), a_token()).request

    with pytest.raises(Missing):
        world.cancel(refused_one.id, token=a_token())


def test_what_was_approved_can_be_taken_back_until_it_starts(world, instant):
    """Taken back, it does not run; started, it cannot be taken back; late, there is nothing to take back."""
    approved = world.answers(world.pending("approved")).request
    world.cancel(approved.id, token=a_token())
    started = world.answers(world.pending("started")).request
    late = world.pending("late")
    world.execute()
    instant.pass_by(15 * MINUTE)

    assert execution_of(world, approved).reason is Reason.CANCELLED
    with pytest.raises(Settled) as refusal:
        world.cancel(started.id, token=a_token())
    with pytest.raises(Late):
        world.cancel(late.id, token=a_token())
    assert refusal.value.code == "already_started"


@pytest.mark.parametrize(("answer", "lane"), [(Answer.APPROVE, Urgency.NORMAL), (Answer.DENY, Urgency.URGENT)])
def test_a_denier_is_asked_about_before_approvers(two, answer, lane):
    """I13: who denies is looked up in capacity that approvals cannot use up."""
    request = two.pending()
    two.directory.lanes.clear()

    two.answers(request, ADA, answer)

    assert two.directory.lanes == [lane]
