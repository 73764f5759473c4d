"""Asking: what an agent's request becomes, in what order it is refused, and what one key stands for (I8, I14, I16, I18)."""

from dataclasses import replace
from threading import Barrier, Thread

import pytest

from approvals.change.plan import bound_of, fingerprint_of
from approvals.errors import Clash, KeyReused, Malformed, OutOfScope, TooMany, Unavailable, Unplannable
from approvals.facts import facts_of
from approvals.identity.tokens import created
from approvals.policy.policy import Match
from approvals.ports.journey import Milestone
from approvals.usecases.intake.questions import Opened
from approvals.workflow.pause import Scope, ScopeKind
from approvals.workflow.request import FORM, Request, State
from tests.builders import (
    ADA,
    CHANNEL,
    CHEN,
    ELI,
    GROUP,
    MINUTE,
    a_charter,
    a_denial,
    a_policy,
    a_rule,
    a_ruling,
    a_target,
    a_token,
    an_action,
    an_approver_set,
    an_escalation,
)
from tests.fakes.journey import Remembered
from tests.usecases.looks import kinds, story
from tests.usecases.mishaps import Between, Unwritable

ALL = Scope(kind=ScopeKind.ALL)
PAY = a_target(namespace="pay")


def asked_of(world):
    """Return how often the cluster was asked for a preview."""
    return [one for one, _ in world.journey.reached_so_far].count(Milestone.PLANNED)


def test_the_whole_story_of_a_question(world, instant):
    """A request becomes a pending request with its ruling, its plan and the hash of what people are shown, as one whole event."""
    opened = world.asks()

    request = opened.request
    with world.store.reading() as reading:
        plan, texts = reading.plan(request.fingerprint), reading.texts(request.id)
    assert opened.created
    assert request == Request(
        id=request.id,
        agent="scaler",
        environment="prod-eu-1",
        action=an_action(),
        on_behalf_of=CHEN,
        idempotency_key="key-1",
        body_hash="b" * 64,
        token=a_token().id,
        channel=CHANNEL,
        state=State.PENDING,
        revision=1,
        asked_at=instant(),
        deadline=instant() + 15 * MINUTE,
        ruling=request.ruling,
        fingerprint=fingerprint_of(plan.bound),
        effect_key=request.effect_key,
        render_hash=request.render_hash,
        shown_whole=True,
        form=FORM,
        breaches=an_escalation().justification.breaches,
        confidence=an_escalation().justification.confidence,
    )
    assert (request.ruling.asks, request.ruling.rules, request.ruling.quorum) == (True, ("shop-changes",), 1)
    assert world.request(request) == request
    ((kind, actor, data),) = story(world, request)
    assert (kind, actor) == ("request.opened", "agent:scaler")
    assert (data["request"], set(data)) == (facts_of(request), {"request", "bound", "evidence", "clauses"})
    assert data["bound"] == facts_of(bound_of(plan.bound))
    assert texts["rationale"] == "p99 is 4.1 s against an objective of 1 s"
    assert (asked_of(world), world.cluster.sent, world.cluster.minted) == (1, [], [])


@pytest.mark.parametrize(
    ("rules", "state"),
    [((a_rule(),), State.PENDING), ((a_rule(), a_denial(verbs=frozenset({"scale"}))), State.REFUSED)],
)
def test_a_question_keeps_the_tree_of_its_ruling(rules, state, make_world):
    """Asked or refused: the row keeps the clauses that spoke, the event of the asking those that did not, too, and why not."""
    restarts = a_rule("restarts", match=Match(verbs=frozenset({"restart"})))
    policy = a_policy(rules=(*rules, restarts))
    world = make_world(policy)

    request = world.asks().request

    whole = a_ruling(policy)
    kept = world.request(request)
    ((_, _, data),) = story(world, request)
    assert (request.state, kept.ruling) == (state, whole.kept())
    assert data["clauses"] == facts_of(whole.tree)
    assert [one.name for one in kept.ruling.tree.children] == [rule.name for rule in rules]


def test_one_key_is_one_question(world, instant):
    """The same key with the same body gives the original, whatever has happened since; nothing is planned or written."""
    first = world.asks()
    world.answers(first.request)
    before = kinds(world, first.request)
    instant.pass_by(MINUTE)

    again = world.asks()

    assert (again.created, again.request) == (False, world.request(first.request))
    assert (asked_of(world), kinds(world, first.request)) == (1, before)


def test_one_key_with_another_body_is_refused(world):
    """A key stands for one body."""
    first = world.asks()

    with pytest.raises(KeyReused):
        world.asks(body_hash="c" * 64)

    assert kinds(world, first.request) == ["request.opened"]


def test_a_refusal_is_bound_to_its_key_too(world):
    """Refused by a pause, the same key is refused again after the resume: the agent asks anew with another one."""
    world.pause(ALL, account=ADA, duration=None, reason="")
    refused = world.asks()
    with world.store.reading() as reading:
        (pause,) = reading.pauses()
    for account in (ADA, ADA.replace("ADA", "BORIS")):
        world.resume(pause.id, account=account, reason="")

    assert world.asks().request == refused.request
    assert (refused.request.state, refused.request.outcome_code) == (State.REFUSED, "paused")
    assert world.asks("key-2").request.state is State.PENDING


def test_two_agents_may_use_one_key(make_world):
    """A key is the agent's own."""
    charters = {"scaler": a_charter(), "other": a_charter(agent="other")}
    world = make_world(a_policy(charters=charters))
    first = world.asks()

    second = world.asks(agent="other")

    assert (second.created, second.request.id != first.request.id) == (True, True)


def test_two_deliveries_of_one_key_at_once_are_one_question(world):
    """Both find no request under the key and both plan: one insert wins, and the other reads the winner (I14)."""
    barrier = Barrier(2)

    class Together(Remembered):
        def reached(self, milestone, subject):
            if milestone is Milestone.PLANNED:
                barrier.wait(10)

    both = replace(world, journey=Together())
    opened = []
    threads = [Thread(target=lambda: opened.append(both.asks())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert sorted(one.created for one in opened) == [False, True]
    assert opened[0].request == opened[1].request
    assert kinds(world, opened[0].request) == ["request.opened"]


def test_two_deliveries_of_one_refused_key_at_once(world):
    """The refusal of a lost race is the winner's as well."""
    world.pause(ALL, account=ADA, duration=None, reason="")
    winner: list[Opened] = []

    late = replace(world, store=Between(world.store, lambda: winner.append(world.asks()))).asks()

    assert (winner[0].created, late.created, late.request) == (True, False, winner[0].request)


def test_a_key_tells_a_token_nothing_outside_of_its_scope(world):
    """Where another token asked, one that may not act there is refused, found at once or by a lost race (I16)."""
    narrow = a_token("cst_narrow", id="tok_narrow", namespaces=frozenset({"pay"}))
    with world.store.writing() as uow:
        uow.save(created(narrow))
    overtaken = replace(world.escalate, store=Between(world.store, world.asks))

    refusals = []
    for escalate in (overtaken, world.escalate):
        with pytest.raises(OutOfScope) as refusal:
            escalate(an_escalation(), narrow)
        refusals.append(refusal.value.field)

    assert refusals == ["/action/target/namespace"] * 2
    assert kinds(world, world.asks().request) == ["request.opened"]


def test_a_lost_race_without_a_winner_is_said_so(world):
    """Where the row that was in the way is gone again, the agent is told to send it once more."""
    clashing = Unwritable(world.store, Clash("Its key is taken."))

    with pytest.raises(Unavailable, match="send it again"):
        replace(world, store=clashing).asks()


def test_a_refusal_that_cannot_be_kept_is_no_refusal(world):
    """Where another row was in the way of writing it down, and none stands under its key, the agent does not hear a no."""
    clashing = Unwritable(world.store, Clash("Its key is taken."))

    with pytest.raises(Clash):
        replace(world.escalate, store=clashing)(an_escalation(agent="stranger"), a_token())


def test_a_question_without_a_key_is_found_by_its_effect(world):
    """Only a successor of our own has no key; where its question waits already, there is no second one."""
    assert [world.asks(None).created for _ in range(2)] == [True, False]


OUT_OF_SCOPE = {
    "no charter": ({"agent": "stranger"}, "no_charter"),
    "another namespace": ({"action": an_action(target=PAY)}, "out_of_scope"),
    "another environment": ({"environment": "prod-us-1"}, "out_of_scope"),
    "somebody it does not act for": ({"on_behalf_of": ELI}, "out_of_scope"),
}


@pytest.mark.parametrize(("changed", "code"), OUT_OF_SCOPE.values(), ids=OUT_OF_SCOPE)
def test_what_is_out_of_scope_is_refused_unseen(changed, code, world):
    """Nothing is read from the cluster for what an agent may not touch; the refusal is stored and written down (I18)."""
    request = world.asks(**changed).request

    assert (request.state, request.outcome_code, request.deadline) == (State.REFUSED, code, None)
    assert (request.ruling.asks, request.ruling.rules) == (False, ("built-in",))
    ((kind, _, data),) = story(world, request)
    assert (kind, data["request"]["refusal"]["code"], set(data)) == ("request.refused", code, {"request", "clauses"})
    assert asked_of(world) == 0


NARROW = {
    "environment": {"environments": frozenset({"prod-us-1"})},
    "namespace": {"namespaces": frozenset({"pay"})},
}


@pytest.mark.parametrize("scope", NARROW.values(), ids=NARROW)
def test_a_token_may_be_narrower_than_the_charter(scope, world):
    """Charter and token must both allow it; a token that names the very place does."""
    narrow = world.escalate(an_escalation(), a_token(**scope)).request
    fitting = a_token(environments=frozenset({"prod-eu-1"}), namespaces=frozenset({"shop"}))
    allowed = world.escalate(an_escalation(idempotency_key="key-2"), fitting).request

    assert (narrow.state, narrow.outcome_code, narrow.ruling) == (State.REFUSED, "out_of_scope", None)
    assert set(story(world, narrow)[0][2]) == {"request"}
    assert allowed.state is State.PENDING


DENIES = {"no rule": a_policy(rules=()), "a rule": a_policy(rules=(a_denial(verbs=frozenset({"scale"})),))}


@pytest.mark.parametrize("policy", DENIES.values(), ids=DENIES)
def test_the_policy_denies_before_the_cluster_is_asked(policy, make_world):
    """A rule that denies, or the absence of one that asks, is answered without a dry run."""
    world = make_world(policy)

    request = world.asks().request

    assert (request.state, request.outcome_code, asked_of(world)) == (State.REFUSED, "policy_denied", 0)


def test_a_pause_refuses_before_the_cluster_is_asked(world):
    """Paused, nothing of the cluster is read."""
    world.pause(ALL, account=ADA, duration=None, reason="")

    request = world.asks().request

    assert (request.outcome_code, asked_of(world)) == ("paused", 0)
    assert request.ruling is None
    assert request.refusal.sentence == "Paused (all): nothing new is taken on until two people resume it."


def test_a_pause_that_comes_while_it_is_planned_refuses_it(world):
    """Judged again on fresh reads under the gate: what was planned meanwhile is not put before anybody (I4)."""

    class Pauses(Remembered):
        def reached(self, milestone, subject):
            if milestone is Milestone.PLANNED:
                world.pause(ALL, account=ADA, duration=None, reason="")

    request = world.restarted(journey=Pauses()).asks().request

    assert (request.state, request.outcome_code, request.ruling.asks) == (State.REFUSED, "paused", True)
    assert kinds(world, request) == ["request.refused"]


MALFORMED = {
    "unknown verb": {"action": an_action("explode")},
    "wrong parameter": {"action": an_action(replicas=-1)},
    "a kind the verb does not know": {"action": an_action(target=a_target(kind="Pod"))},
}


@pytest.mark.parametrize("changed", MALFORMED.values(), ids=MALFORMED)
def test_what_cannot_be_understood_binds_no_key(changed, world):
    """The agent may correct it and send it again under the same key."""
    with pytest.raises(Malformed):
        world.asks(**changed)

    assert world.asks().created


def test_a_breach_has_to_name_a_limit_of_the_policy(world):
    """A claim about a limit that nobody set is refused, and says which one."""
    justification = an_escalation().justification
    made_up = replace(
        justification, breaches=(*justification.breaches, replace(justification.breaches[0], limit="made-up"))
    )

    with pytest.raises(Malformed) as refusal:
        world.asks(justification=made_up)

    assert (refusal.value.code, refusal.value.field) == ("unknown_limit", "/breaches/1/limit")


def test_what_cannot_be_planned_binds_no_key(world):
    """No such target, nothing to change, a cluster that is down: nothing is stored, and the key is free (T-TOC-14)."""
    with pytest.raises(Unplannable):
        world.asks(action=an_action(target=a_target(name="nothing")))
    with pytest.raises(Unplannable):
        world.asks(action=an_action(replicas=3))
    world.cluster.down = True
    with pytest.raises(Unavailable):
        world.asks()
    world.cluster.down = False

    assert world.asks().created


def test_a_target_that_no_hash_can_speak_of_is_refused(world):
    """A number that some readers of JSON would change is refused with its own code, and nobody is asked."""
    world.cluster.somebody_scales(2**53)

    with pytest.raises(Unplannable) as refusal:
        world.asks()

    assert refusal.value.code == "number_too_large"


def test_one_agent_has_so_many_questions_open_at_once(world):
    """People's attention is bounded, so open questions are, too; an answer makes room (I13)."""
    few = replace(world.escalate, most_pending=2)
    first = few(an_escalation(), a_token()).request
    few(an_escalation(idempotency_key="key-2", action=an_action(replicas=7)), a_token())
    with pytest.raises(TooMany) as refusal:
        few(an_escalation(idempotency_key="key-3", action=an_action(replicas=8)), a_token())
    world.answers(first)

    assert refusal.value.code == "too_many_pending"
    assert few(an_escalation(idempotency_key="key-3", action=an_action(replicas=8)), a_token()).created


def test_a_group_that_cannot_be_asked_refuses_nobody_at_intake(make_world):
    """Who is in it is asked again at every answer: not knowing now is no reason to refuse the question."""
    world = make_world(a_policy(approver_sets={"platform": an_approver_set(accounts=(), groups=(GROUP,))}))
    world.directory.down = True

    assert world.asks().request.state is State.PENDING


def test_the_agents_page(world):
    """An agent sees its own requests, newest first (I16)."""
    ids = [world.pending(f"key-{number}").id for number in range(3)]

    with world.store.reading() as reading:
        page = reading.requests_of("scaler", state=None, limit=2, cursor=None)
        rest = reading.requests_of("scaler", state=None, limit=2, cursor=page.next_cursor)
        other = reading.requests_of("other", state=None, limit=2, cursor=None)

    assert [one.id for one in page.requests] == ids[:0:-1]
    assert ([one.id for one in rest.requests], rest.next_cursor, other.requests) == ([ids[0]], None, ())
