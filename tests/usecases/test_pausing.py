"""Pause and resume: what was approved before never runs after; a duration only asks; going on takes two people (I4)."""

from dataclasses import replace
from datetime import timedelta

import pytest

from approvals.errors import Clash, Malformed, Missing, NotEligible, Paused, Settled, Unavailable
from approvals.facts import facts_of
from approvals.identity.names import Account
from approvals.identity.people import MemberStatus, People
from approvals.ports.cluster import Came, Reply
from approvals.ports.journey import Milestone
from approvals.ports.store import Urgency
from approvals.workflow.execution import Phase, Reason
from approvals.workflow.pause import Pause, Scope, ScopeKind
from approvals.workflow.request import Answer, State
from tests.builders import (
    ADA,
    BORIS,
    CHANNEL,
    DINA,
    ELI,
    GROUP,
    HOUR,
    MINUTE,
    TEAM,
    TICK,
    a_charter,
    a_policy,
    a_rule,
    an_approver_set,
    an_asking,
    an_environment,
)
from tests.fakes.directory import NeverAsked
from tests.fakes.journey import Remembered
from tests.fixtures.stores import readers_taken
from tests.usecases.looks import execution_of, kinds, stands, story, votes_on
from tests.usecases.mishaps import Between, Blind, Leaping

ALL = Scope(kind=ScopeKind.ALL)
SCALER = Scope(kind=ScopeKind.AGENT, name="scaler")
SHOP = Scope(kind=ScopeKind.NAMESPACE, name="prod-eu-1/shop")
PAY = Scope(kind=ScopeKind.NAMESPACE, name="prod-eu-1/pay")
PAUSED = (Phase.VOIDED, Reason.PAUSED, "A pause stopped it before it started.")


def pause(world, scope=ALL, account=ADA, duration=None, reason=""):
    """Stop what is in a scope."""
    return world.pause(scope, account=account, duration=duration, reason=reason)


def resume(world, pause_id, *accounts):
    """Let people agree to end a pause, and return what the last one led to."""
    return [world.resume(pause_id, account=account, reason="") for account in accounts or (ADA, BORIS)][-1]


def stored(world, pause_id):
    """Return a pause as it is."""
    with world.store.reading() as reading:
        return reading.pause(pause_id)


def test_what_stops_waits_for_nobodys_look(world):
    """With every ordinary reader taken, a pause begins and a denial counts: neither stands behind a storm of intake (I13)."""
    request = world.pending()

    with readers_taken(world.store):
        engaged = pause(world, SHOP)
        denied = world.answers(request, BORIS, Answer.DENY)

    assert (engaged.pause.is_open, denied.request.state) == (True, State.DENIED)


def test_a_denial_that_has_to_be_judged_anew_waits_for_nobodys_look(world):
    """Where its authority is not known, whoever denies is told so at once, however many look at the store."""
    request = world.pending()
    world.directory.down = True

    with readers_taken(world.store), pytest.raises(Unavailable) as refused:
        world.answers(request, BORIS, Answer.DENY)

    assert refused.value.code == "authority_unknown"


def test_the_whole_story_of_a_pause(world, instant):
    """Engaged, asked about, agreed to, ended: each step is one whole event, and the pause carries its epochs."""
    engaged = pause(world, SCALER, duration=30 * MINUTE, reason="It scales too often.").pause
    begun = instant()
    instant.pass_by(30 * MINUTE)
    assert world.ask_for_resumes() == 1
    first = world.resume(engaged.id, account=ADA, reason="Understood.")
    instant.pass_by(MINUTE)
    second = world.resume(engaged.id, account=BORIS, reason="")

    assert engaged == Pause(
        id=engaged.id,
        scope=SCALER,
        by=ADA,
        engaged_at=begun,
        engaged_epoch=1,
        ask_at=begun + 30 * MINUTE,
        channels=(CHANNEL,),
    )
    asked = replace(engaged, asked_at=begun + 30 * MINUTE, revision=2)
    agreed = replace(asked, revision=3)
    ended = replace(agreed, ended_at=instant(), ended_epoch=2, revision=4)
    assert ((first.pause, first.missing), (second.pause, second.missing)) == ((agreed, 1), (ended, 0))
    assert stored(world, engaged.id) == ended
    consents = [
        {"pause": engaged.id, "person": one, "account": one, "at": facts_of(at)}
        for one, at in ((ADA, begun + 30 * MINUTE), (BORIS, instant()))
    ]
    assert story(world) == [
        ("pause.engaged", ADA, {"pause": facts_of(engaged)}),
        ("pause.resume_asked", "countersign", {"pause": facts_of(asked)}),
        ("pause.consented", ADA, {"consent": consents[0], "pause_id": engaged.id, "pause": facts_of(agreed)}),
        ("pause.consented", BORIS, {"consent": consents[1], "pause_id": engaged.id}),
        ("pause.ended", BORIS, {"pause": facts_of(ended), "persons": [ADA, BORIS]}),
    ]


@pytest.mark.parametrize("scope", [ALL, SCALER, SHOP], ids=str)
def test_t_kill_01_what_waits_in_the_queue_never_starts(scope, make_world, instant):
    """T-KILL-01: twenty approved changes wait; after the pause none of them has a start record, and all are void."""
    world = make_world()
    requests = [world.answers(world.pending(f"key-{number}")).request for number in range(20)]

    voided = pause(world, scope).voided
    world.execute(limit=50)

    assert voided == 20
    assert {stands(world, request) for request in requests} == {PAUSED}
    assert world.cluster.sent == []
    assert "execution.armed" not in kinds(world, requests[0])


def test_what_was_approved_before_a_pause_does_not_run_after_it(world):
    """The resume brings nothing back: what a pause has voided is over, and denying it says so."""
    request = world.answers(world.pending()).request
    resume(world, pause(world).pause.id)

    world.execute()

    assert stands(world, request) == PAUSED
    with pytest.raises(Settled) as refusal:
        world.answers(request, BORIS, Answer.DENY)
    assert refusal.value.code == "already_stopped"
    assert world.cluster.sent == []


def test_a_vote_from_before_a_pause_does_not_count_after_it(make_world):
    """One of two had approved: after the resume both must, for a new epoch has begun."""
    world = make_world(a_policy(rules=(a_rule(asking=an_asking(quorum=2)),)))
    request = world.pending()
    world.answers(request, ADA)
    resume(world, pause(world).pause.id)

    by_boris = world.answers(request, BORIS)
    again_by_ada = world.answers(request, ADA)

    assert (by_boris.missing, by_boris.request.state) == (1, State.PENDING)
    assert again_by_ada.request.state is State.APPROVED
    voided = [data["vote"] for kind, _, data in story(world, request) if kind == "request.vote_voided"]
    assert [(vote["account"], vote["voided_why"]) for vote in voided] == [(ADA, "paused")]
    assert votes_on(world, request) == {ADA: "approve", BORIS: "approve"}


@pytest.fixture
def wide(make_world):
    """A world whose agent is chartered for a second namespace, too."""
    namespaces = {"prod-eu-1": frozenset({"shop", "pay"})}
    return make_world(a_policy(charters={"scaler": a_charter(namespaces=namespaces)}))


def test_a_pause_elsewhere_stops_nothing_here(wide):
    """A pause covers its scope and nothing else."""
    world = wide
    engaged = pause(world, PAY)
    request = world.answers(world.pending()).request

    world.execute()

    assert (engaged.voided, execution_of(world, request).state) == (0, Phase.APPLIED)


def test_what_a_pause_refuses_and_what_it_lets_through(world, instant):
    """New questions and approvals are refused; a denial and silence count as ever; deadlines do not stand still."""
    denied, silent = world.pending("denied"), world.pending("silent")
    pause(world)

    asked = world.asks("asked").request
    with pytest.raises(Paused):
        world.answers(denied)
    world.answers(denied, BORIS, Answer.DENY)
    instant.pass_by(15 * MINUTE)
    world.expire()

    assert (asked.state, asked.outcome_code) == (State.REFUSED, "paused")
    assert kinds(world, asked) == ["request.refused"]
    assert (world.request(denied).state, world.request(silent).state) == (State.DENIED, State.EXPIRED)
    assert ("answer.refused", ADA, {"answer": "approve", "via": "slack", "code": "paused"}) in story(world, denied)


def test_a_duration_only_asks(world, instant):
    """No duration ends a pause: when it is over, the bot asks once, and everything stays stopped."""
    engaged = pause(world, duration=30 * MINUTE).pause
    pause(world, SHOP)
    early = world.ask_for_resumes()
    instant.pass_by(30 * MINUTE)

    asked = [world.ask_for_resumes(), world.ask_for_resumes()]
    instant.pass_by(24 * HOUR)

    assert (early, asked, world.ask_for_resumes()) == (0, [1, 0], 0)
    assert stored(world, engaged.id).is_open
    assert world.asks().request.outcome_code == "paused"


def test_a_pause_that_ends_while_it_is_asked_about_is_not_asked_about(world, instant):
    """The sweep looks again under the row's lock: what has ended in between is left alone."""
    engaged = pause(world, duration=MINUTE).pause
    instant.pass_by(MINUTE)

    replace(world.ask_for_resumes, store=Between(world.store, lambda: resume(world, engaged.id)))()

    assert "pause.resume_asked" not in kinds(world)


def test_t_kill_06_one_person_is_not_enough(world):
    """T-KILL-06: one person agrees twice, and it still takes another; then the pause is over and cannot be ended again."""
    engaged = pause(world).pause
    once = resume(world, engaged.id, ADA)
    with pytest.raises(Settled) as twice:
        resume(world, engaged.id, ADA)
    still_open = stored(world, engaged.id).is_open
    both = resume(world, engaged.id, BORIS)
    with pytest.raises(Settled) as over:
        resume(world, engaged.id, ADA)

    assert (once.missing, twice.value.code, still_open) == (1, "already_agreed", True)
    assert (both.missing, both.pause.is_open, over.value.code) == (0, False, "pause_ended")


@pytest.mark.parametrize("account", [DINA, ELI], ids=["the agent's owner", "somebody"])
def test_t_kill_06_who_may_not_resume_is_refused(account, world):
    """T-KILL-06: nobody whom the policy does not name ends a pause; the attempt is written down."""
    engaged = pause(world).pause

    with pytest.raises(NotEligible) as refusal:
        resume(world, engaged.id, account)

    assert refusal.value.code == "may_not_resume"
    assert story(world)[-1] == ("pause.refused", account, {"what": "resume", "code": "may_not_resume"})
    assert stored(world, engaged.id) == engaged


def test_a_resumer_who_left_since_does_not_count(world):
    """Whoever agreed first is looked up again when the second agrees (I7)."""
    engaged = pause(world).pause
    resume(world, engaged.id, ADA)
    world.directory.standings[ADA] = MemberStatus(account=ADA, seen_at=engaged.engaged_at, active=False)

    after = resume(world, engaged.id, BORIS)

    assert (after.missing, after.pause.is_open) == (1, True)


def test_a_resume_needs_to_know_who_is_asking(world):
    """While the workspace cannot be asked, nobody resumes: stopped is the safe side."""
    engaged = pause(world).pause
    world.directory.down = True

    with pytest.raises(Unavailable):
        resume(world, engaged.id, ADA)

    assert stored(world, engaged.id) == engaged


def test_there_is_no_such_pause(world):
    """An id that names no pause is said so."""
    with pytest.raises(Missing):
        resume(world, "pause_none", ADA)


def test_a_pause_that_cannot_be_locked_is_not_ended(world):
    """A row that is not there by the time it is to be locked is nobody's to end, and is asked about by nobody."""
    engaged = pause(world, duration=MINUTE).pause
    blind = Blind(world.store, engaged.id)

    with pytest.raises(Missing):
        resume(replace(world, store=blind), engaged.id, ADA)

    assert stored(world, engaged.id) == engaged


def test_an_operator_whom_the_policy_does_not_know_may_stop_and_not_go_on(world):
    """A name at the command line is nobody until people: says who it is."""
    engaged = pause(world, account="os:olga").pause

    with pytest.raises(NotEligible) as refusal:
        resume(world, engaged.id, "os:olga")

    assert (engaged.by, refusal.value.code) == ("os:olga", "unmapped")
    assert story(world)[-1] == ("pause.refused", "os:olga", {"what": "resume", "code": "unmapped"})


@pytest.fixture
def mapped(make_world):
    """A world whose policy says that the operator Olga is Ada."""
    return make_world(a_policy(people=People(names={Account("os:olga"): "ada", ADA: "ada"})))


def test_an_operator_resumes_as_the_person_that_the_policy_knows(mapped):
    """Mapped, an operator counts among the two."""
    engaged = pause(mapped).pause

    resume(mapped, engaged.id, "os:olga")
    after = resume(mapped, engaged.id, BORIS)

    assert not after.pause.is_open
    assert story(mapped)[-1][2]["persons"] == [f"{ADA}+os:olga", BORIS]


def test_one_person_with_two_accounts_is_one_person(mapped):
    """The operator Olga and Ada in Slack are one, so together they end nothing."""
    engaged = pause(mapped).pause
    resume(mapped, engaged.id, "os:olga")

    with pytest.raises(Settled) as refusal:
        resume(mapped, engaged.id, ADA)

    assert refusal.value.code == "already_agreed"
    assert stored(mapped, engaged.id).is_open


def test_an_agreement_is_never_taken_for_anothers(make_world):
    """A policy's word for a person may mean others later: their agreement is their own, and the second of two ends the pause."""
    world = make_world(a_policy(people=People(names={Account("os:lead"): "lead", ADA: "lead"})))
    engaged = pause(world).pause
    resume(world, engaged.id, ADA)

    world.policies.policy = replace(
        world.policies.policy, people=People(names={Account("os:lead"): "lead", BORIS: "lead"})
    )
    after = resume(world, engaged.id, BORIS)

    assert not after.pause.is_open
    assert story(world)[-1][2]["persons"] == [ADA, f"{BORIS}+os:lead"]


def test_an_operator_mapped_to_somebody_who_may_not_resume(make_world):
    """The map gives an operator a person's rights, and no others."""
    world = make_world(
        a_policy(people=People(names={Account("os:olga"): "dina", DINA: "dina", Account("os:root"): "dina"}))
    )
    engaged = pause(world).pause

    with pytest.raises(NotEligible) as refusal:
        resume(world, engaged.id, "os:olga")

    assert refusal.value.code == "may_not_resume"


def test_an_end_in_another_epoch_than_the_gates_is_none(world):
    """A pause that would end in an epoch which is not in force goes on, and nothing of the second agreement is kept."""
    engaged = pause(world).pause
    resume(world, engaged.id, ADA)
    leaping = replace(world.resume, store=Leaping(world.store))

    with pytest.raises(Clash):
        leaping(engaged.id, account=BORIS, reason="")

    assert stored(world, engaged.id).is_open
    with world.store.reading() as reading:
        assert (reading.epoch(), [one.account for one in reading.consents(engaged.id)]) == (1, [ADA])


def test_a_pause_delivered_twice_is_one_pause(world, instant):
    """I14: the same message once more, a little later, changes nothing: one pause, one epoch, two people to resume it."""
    first = pause(world, SCALER, duration=30 * MINUTE, reason="It scales too often.")
    instant.pass_by(MINUTE)

    again = pause(world, SCALER, duration=30 * MINUTE, reason="It scales too often.")

    assert (first.already, again) == (False, replace(first, already=True))
    assert kinds(world) == ["pause.engaged"]
    with world.store.reading() as reading:
        assert (reading.pauses(), reading.epoch()) == ((first.pause,), 1)


AGAIN = {
    "later": (30 * MINUTE, 2 * HOUR, 2 * HOUR),
    "sooner": (2 * HOUR, 30 * MINUTE, None),
    "never": (30 * MINUTE, None, "never"),
    "after never": (None, 30 * MINUTE, None),
    "a moment later": (30 * MINUTE, 31 * MINUTE, None),
    "more than a moment later": (30 * MINUTE, 31 * MINUTE + TICK, 31 * MINUTE + TICK),
}


@pytest.mark.parametrize(("before", "wanted", "asks"), AGAIN.values(), ids=AGAIN)
def test_a_pause_asked_for_again_is_never_weakened(before, wanted, asks, world, instant):
    """Of two wishes the later one says when to ask for the resume, and one that names no time says never."""
    first = pause(world, duration=before).pause

    again = pause(world, duration=wanted).pause

    ask_at = instant() + asks if isinstance(asks, timedelta) else None
    assert again == stored(world, first.id) == (replace(first, ask_at=ask_at, revision=2) if asks else first)
    assert kinds(world) == ["pause.engaged", *(["pause.repeated"] if asks else [])]


def test_a_pause_asked_for_again_keeps_the_new_reason(world):
    """It is written down beside the first one, shown from then on, and told once."""
    first = pause(world, reason="night").pause

    again = [pause(world, reason=reason).pause for reason in ("the sale", "the sale", "")][-1]

    assert story(world)[1:] == [("pause.repeated", ADA, {"pause": facts_of(again)})]
    assert again == replace(first, revision=2)
    with world.store.reading() as reading:
        assert reading.texts(first.id) == {"reason": "the sale"}


def test_a_pause_asked_for_again_is_asked_about_again(world, instant):
    """Prolonged after its time was over, it is asked about when the new time is."""
    pause(world, duration=30 * MINUTE)
    instant.pass_by(30 * MINUTE)
    world.ask_for_resumes()

    again = pause(world, duration=30 * MINUTE).pause
    early = world.ask_for_resumes()
    instant.pass_by(30 * MINUTE)

    assert (again.ask_at, again.asked_at, early, world.ask_for_resumes()) == (instant(), None, 0, 1)


def test_a_pause_asked_for_again_stops_what_it_finds(world):
    """What was being sent when the first one came, and did not get through, is voided as if that one had found it waiting."""

    class Pauses(Remembered):
        def reached(self, milestone, subject):
            if milestone is Milestone.SENDING:
                pause(world)

    request = world.answers(world.pending()).request
    world.cluster.replies = [Reply(came=Came.BUSY, status=429, message="busy")]
    world.restarted(journey=Pauses()).execute()

    again = pause(world)

    assert (again.already, again.voided, stands(world, request)) == (True, 1, PAUSED)


def test_a_pause_that_cannot_be_locked_is_not_taken_for_the_same(world):
    """A row that is not there by the time it is to be locked is no stop: a new one is made."""
    first = pause(world).pause

    second = pause(replace(world, store=Blind(world.store, first.id)))

    assert (second.already, second.pause.engaged_epoch) == (False, 2)


ANOTHER = {"another scope": {"scope": SHOP}, "another account": {"account": BORIS}}


@pytest.mark.parametrize("changed", ANOTHER.values(), ids=ANOTHER)
def test_another_stop_is_another_pause(changed, world):
    """Somebody else's stop, and one of something else, stands for itself."""
    first = pause(world)

    second = pause(world, **changed)

    assert (second.already, second.pause.engaged_epoch) == (False, 2)
    assert stored(world, first.pause.id) == first.pause


def test_a_stop_after_somebody_agreed_to_resume_is_another_pause(world):
    """It is no repetition but a new stop: the agreement that was given before does not help to end it."""
    first = pause(world).pause
    resume(world, first.id, BORIS)

    second = pause(world)
    resume(world, first.id, ADA)

    assert (second.already, stored(world, first.id).is_open) == (False, False)
    assert stored(world, second.pause.id).is_open


def test_t_kill_10_a_resume_ends_the_pause_that_it_names(world):
    """T-KILL-10: two pauses, one resume: the other still stops everything in its scope."""
    first, second = pause(world, ALL).pause, pause(world, SCALER).pause
    resume(world, first.id)
    between = world.asks("between").request
    resume(world, second.id)

    after = world.asks("after").request

    assert (first.engaged_epoch, second.engaged_epoch) == (1, 2)
    assert (between.outcome_code, after.state) == ("paused", State.PENDING)
    assert stored(world, second.id).ended_epoch == 4


def test_who_may_not_pause_is_refused(world):
    """Somebody whom the policy does not name stops nothing, and is told no names; the attempt is written down."""
    with pytest.raises(NotEligible) as refusal:
        pause(world, Scope(kind=ScopeKind.AGENT, name="scalar"), account=DINA)

    assert refusal.value.code == "may_not_pause"
    assert story(world) == [("pause.refused", DINA, {"what": "engage", "code": "may_not_pause"})]


MISSPELT = {
    "agent": (Scope(kind=ScopeKind.AGENT, name="scalar"), "agent", "pruner and scaler"),
    "environment": (
        Scope(kind=ScopeKind.NAMESPACE, name="prod-eu-2/shop"),
        "namespace",
        "prod-eu-1/pay and prod-eu-1/shop",
    ),
    "namespace": (
        Scope(kind=ScopeKind.NAMESPACE, name="prod-eu-1/shopp"),
        "namespace",
        "prod-eu-1/pay and prod-eu-1/shop",
    ),
}


@pytest.mark.parametrize(("scope", "kind", "known"), MISSPELT.values(), ids=MISSPELT)
def test_a_misspelt_scope_is_refused(scope, kind, known, make_world):
    """A pause that stops nothing must not look like a stop: it is said so, with what there is to be paused."""
    charters = {
        "scaler": a_charter(),
        "pruner": a_charter(agent="pruner", namespaces={"prod-eu-1": frozenset({"pay"})}),
    }
    world = make_world(a_policy(charters=charters))

    with pytest.raises(Malformed) as refusal:
        pause(world, scope)

    told, _, meant = refusal.value.sentence.partition(" Did you mean ")
    assert (refusal.value.code, told, meant == "" or meant.startswith(f"{kind}:")) == (
        "unknown_scope",
        f"Nothing was paused: the policy names no such {kind}, so what ran still runs. It names {known}.",
        True,
    )
    assert kinds(world) == []


def test_a_misspelt_scope_is_told_some_of_what_there_is(make_world):
    """The answer stays short, however long the policy."""
    many = frozenset(f"team-{number:02d}" for number in range(12))
    world = make_world(a_policy(charters={"scaler": a_charter(namespaces={"prod-eu-1": many})}))

    with pytest.raises(Malformed, match=r"prod-eu-1/team-08, prod-eu-1/team-09 and 2 more\."):
        pause(world, SHOP)
    world.policies.policy = a_policy(charters={})
    with pytest.raises(Malformed, match=r"It names none\.$"):
        pause(world, SHOP)


@pytest.mark.parametrize("scope", [SCALER, SHOP], ids=str)
def test_what_is_in_play_can_be_paused_though_the_policy_does_not_name_it_any_more(scope, world):
    """A stop is not refused where it would stop something: what waits for an answer, what was approved, what is under way."""
    waiting, approved = world.pending("waiting"), world.answers(world.pending("approved")).request
    world.policies.policy = a_policy(charters={}, version="b" * 64)

    first = pause(world, scope)
    with pytest.raises(Paused):
        world.answers(waiting)
    world.answers(waiting, BORIS, Answer.DENY)
    resume(world, first.pause.id)

    assert (first.voided, stands(world, approved), first.pause.channels) == (1, PAUSED, (CHANNEL,))
    with pytest.raises(Malformed):
        pause(world, scope)


def test_t_kill_04_a_listed_person_stops_while_slack_is_down(make_world):
    """T-KILL-04: stopping fails towards the safe side: who is listed by id may, whom only a group names may not."""
    sets = {"platform": an_approver_set(accounts=(ADA,), groups=(GROUP,))}
    world = make_world(a_policy(approver_sets=sets))
    world.directory.down = True

    engaged = pause(world, account=ADA).pause
    with pytest.raises(Unavailable):
        pause(world, account=BORIS)

    assert engaged.is_open
    assert kinds(world) == ["pause.engaged"]


def test_an_operator_stops_without_slack(make_world):
    """At the command line nobody is looked up: a Slack that hangs or is broken neither delays nor undoes a stop (I13)."""
    world = make_world(a_policy(approver_sets={"platform": an_approver_set(groups=(GROUP,))}))

    engaged = pause(replace(world, directory=NeverAsked()), account="os:olga").pause

    assert (engaged.by, engaged.is_open) == ("os:olga", True)


def test_a_notice_is_shown_where_the_pause_bites(make_world):
    """In the channel of every environment that the pause touches, once each."""
    other = f"{TEAM}:C0US"
    environments = {"prod-eu-1": an_environment(), "prod-us-1": an_environment("prod-us-1", channel=other)}
    charters = {
        "scaler": a_charter(),
        "pruner": a_charter(agent="pruner", namespaces={"prod-us-1": frozenset({"shop"})}),
    }
    world = make_world(a_policy(environments=environments, charters=charters))
    us = Scope(kind=ScopeKind.NAMESPACE, name="prod-us-1/shop")

    shown = [pause(world, scope).pause.channels for scope in (ALL, SCALER, us)]

    assert shown == [tuple(sorted((CHANNEL, other))), (CHANNEL,), (other,)]


def test_a_group_may_say_who_stops(make_world):
    """A person in good standing whom a group names may stop."""
    world = make_world(a_policy(approver_sets={"platform": an_approver_set(accounts=(), groups=(GROUP,))}))
    world.directory.groups[GROUP] = frozenset({BORIS})

    assert pause(world, account=BORIS, duration=timedelta(minutes=5)).pause.is_open


def test_who_pauses_is_asked_about_before_others(world):
    """I13: who stops things is looked up in capacity that nothing else can use up; who lets them go on is not."""
    engaged = pause(world).pause
    resume(world, engaged.id)

    assert world.directory.lanes == [Urgency.URGENT, Urgency.NORMAL, Urgency.NORMAL]
