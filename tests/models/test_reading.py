"""What the store answers, on either engine: whole nouns, in the order promised, and nothing that was not asked for."""

from dataclasses import replace
from typing import Any

import pytest

import models.store.reading
from approvals.audit.events import AuditEvent, EventKind, agent_stream, request_stream
from approvals.errors import Clash
from approvals.identity.names import Account
from approvals.ports.rows import AskerState, DecidingRows, EventText, Page, Question
from approvals.verbs.verb import Effect
from approvals.workflow.alert import Alert, AlertState, told_of_alert
from approvals.workflow.execution import Phase
from approvals.workflow.pause import Consent, Scope, ScopeKind, scope_of
from approvals.workflow.request import State
from models.store.mapping import REQUEST
from tests.builders import (
    ADA,
    BORIS,
    CHANNEL,
    HOUR,
    MINUTE,
    NOON,
    TICK,
    a_pause,
    a_policy,
    a_report,
    a_target,
    a_token,
    a_vote,
    about,
    an_action,
    an_alert,
    an_alert_group,
    an_attempt,
    an_execution,
)
from tests.models.records import REASON, a_question, approved, ask, now_of, put, queue, refused, with_grounds


def test_an_empty_store_knows_nothing(store):
    """Before anything is written every question has its empty answer, and the epoch is 0."""
    with store.reading() as reading:
        one = (
            reading.pause("pause_1"),
            reading.request("esc_1"),
            reading.question("esc_1"),
            reading.execution_of("esc_1"),
            reading.execution("exe_1"),
            reading.last_attempt("exe_1"),
            reading.plan("f" * 64),
            reading.token_by_hash("0" * 64),
            reading.token("tok_1"),
            reading.last_alert("prod-eu-1", "f"),
            reading.alert_group("alert_1"),
            reading.open_alert_group("prod-eu-1", "g"),
            reading.last_refused("prod-eu-1", "am", CHANNEL),
            reading.refused_deliveries("refused_1"),
            reading.policy_text("a" * 64),
        )
        several = (
            reading.pauses(),
            reading.pauses(ended_after=0),
            reading.consents("pause_1"),
            reading.overdue(limit=5),
            reading.asked_with_revoked_tokens(limit=5),
            reading.votes("esc_1"),
            reading.due_executions(limit=5),
            reading.said("esc_1"),
            reading.tokens(),
        )
        page = reading.requests_of("scaler", state=None, limit=5, cursor=None)
        standing = reading.standing("scaler", "key-1")
        in_play = {reading.is_in_play(scope_of(one)) for one in ("all", "agent:scaler", "namespace:prod-eu-1/shop")}
        epoch, texts, now = reading.epoch(), reading.texts("esc_1"), reading.now

    assert (set(one), set(several), in_play) == ({None}, {()}, {False})
    assert (epoch, texts, page) == (0, {}, Page(requests=(), next_cursor=None))
    assert standing == AskerState(now=now, asked=None, body_hash=None, pending=0, pauses=())


def test_a_request_is_found_by_its_id_and_by_its_key(store):
    """Both ways give the whole request as it was saved; another agent's key is another key (I16)."""
    with_grounds(store)
    request = ask(store)

    with store.reading() as reading:
        found = (
            reading.request(request.id),
            reading.standing("scaler", "key-1").asked,
            reading.standing("tuner", "key-1").asked,
            reading.standing("scaler", None).asked,
        )

    assert found == (request, request, None, None)


def test_a_question_is_one_look(store):
    """A request with its live votes and its plan, all as they are, at one instant; beside it how its agent stands."""
    with_grounds(store)
    request = ask(store)
    vote = a_vote(escalation=request.id, at=now_of(store))
    pause = a_pause(engaged_at=now_of(store))
    put(store, vote, pause)

    with store.reading() as reading:
        assert reading.question(request.id) == Question(
            now=reading.now, request=request, votes=(vote,), plan=reading.plan(request.fingerprint or "")
        )
        assert reading.standing("scaler", None) == AskerState(
            now=reading.now, asked=None, body_hash=None, pending=1, pauses=(pause,)
        )


def test_what_a_judgement_rests_on(store):
    """Live votes, the epoch, open pauses, and ended ones at least as far back as the oldest vote; under locks, at one instant."""
    with_grounds(store)
    request, other = ask(store, 1), ask(store, 2)
    at = now_of(store)
    ended, still_open = (
        a_pause(id="pause_1", engaged_at=at, ended_at=at, ended_epoch=2),
        a_pause(id="pause_2", engaged_at=at),
    )
    vote = a_vote(escalation=request.id, at=at, epoch=1)
    put(store, ended)
    put(store, still_open, vote)

    with store.writing() as uow:
        assert uow.enter_gate() == (still_open,)
        uow.lock_request(request.id)
        assert uow.grounds(request.id) == DecidingRows(now=uow.now, epoch=0, votes=(vote,), pauses=(ended, still_open))
        assert uow.grounds(other.id) == DecidingRows(now=uow.now, epoch=0, votes=(), pauses=(ended, still_open))


def test_a_plan_comes_back_as_its_bytes(store):
    """What was hashed is what is stored; storing it again changes nothing."""
    request, plan = a_question(now_of(store))

    for _ in range(2):
        with store.writing() as uow:
            uow.save_plan(plan)

    with store.reading() as reading:
        assert reading.plan(request.fingerprint) == plan


def test_an_agent_pages_through_its_requests(store):
    """Newest first, cut where asked, from where the last page ended; the state narrows it; nobody else's are in it."""
    with_grounds(store)
    asked = [ask(store, number) for number in range(1, 6)]
    foreign = ask(store, 6, agent="tuner")
    done = approved(store, asked[2])

    with store.reading() as reading:
        first = reading.requests_of("scaler", state=None, limit=2, cursor=None)
        second = reading.requests_of("scaler", state=None, limit=2, cursor=first.next_cursor)
        last = reading.requests_of("scaler", state=None, limit=2, cursor=second.next_cursor)
        pending = reading.requests_of("scaler", state="pending", limit=5, cursor=None)
        others = reading.requests_of("tuner", state=None, limit=5, cursor=None)
        counts = (reading.standing("scaler", None).pending, reading.standing("tuner", None).pending)

    assert first == Page(requests=(asked[4], asked[3]), next_cursor=asked[3].id)
    assert second == Page(requests=(done, asked[1]), next_cursor=asked[1].id)
    assert last == Page(requests=(asked[0],), next_cursor=None)
    assert pending.requests == (asked[4], asked[3], asked[1], asked[0])
    assert others == Page(requests=(foreign,), next_cursor=None)
    assert counts == (4, 1)


def test_overdue_are_the_pending_whose_deadline_has_come(store, host_clock):
    """Most overdue first, as many as asked; a deadline that is now has come, one a tick later has not (I3)."""
    host_clock.at = now_of(store)
    with_grounds(store)
    far = HOUR
    early, late = ask(store, 1, deadline=host_clock.at - far), ask(store, 2, deadline=host_clock.at - far - TICK)
    approved_already = ask(store, 3)
    approved(store, approved_already)
    ask(store, 4, deadline=host_clock.at + far)

    with store.reading() as reading:
        found = (reading.overdue(limit=5), reading.overdue(limit=1))

    assert found == ((late.id, early.id), (late.id,))


def test_asked_with_revoked_tokens_are_the_open_ones(store):
    """Pending, and approved with an execution that can still be stopped, which come first; nothing else, and none told of."""
    token = with_grounds(store)
    good = replace(token, id="tok_good", hash="0" * 64)
    put(store, good)
    now = now_of(store)
    pending, other = ask(store, 1), ask(store, 2)
    queued, claimed, armed, voided = (approved(store, ask(store, number)) for number in range(3, 7))
    queue(store, queued)
    for request, state in ((claimed, Phase.CLAIMED), (armed, Phase.ARMED), (voided, Phase.VOIDED)):
        queue(store, request, state=state)
    flagged = ask(store, 7)
    put(store, replace(flagged, revision=2, token_revoked_at=now))
    ask(store, 8, state=State.DENIED, decided_at=now)
    ask(store, 9, token=good.id)
    queue(store, approved(store, ask(store, 10, token=good.id)))
    with store.reading() as reading:
        before = reading.asked_with_revoked_tokens(limit=9)

    put(store, replace(token, revoked_at=now, revision=2))

    with store.reading() as reading:
        found = [reading.asked_with_revoked_tokens(limit=limit) for limit in (9, 3, 2, 1)]
    everything = (queued.id, claimed.id, pending.id, other.id)
    assert (before, found) == ((), [everything, everything[:3], everything[:2], everything[:1]])


def test_in_play_is_what_is_not_over(store):
    """Where something is pending, queued or followed to its end; what was decided against or is over is in play no more."""
    with_grounds(store)
    nothing = in_play(store)
    ask(store, 1, environment="asked")
    ask(store, 2, environment="denied", state=State.DENIED, decided_at=now_of(store))
    states = (("queued", Phase.QUEUED, None), ("rolling", Phase.APPLIED, Effect.IN_PROGRESS))
    over = (("done", Phase.APPLIED, Effect.VERIFIED), ("voided", Phase.VOIDED, None))
    for number, (environment, state, effect) in enumerate((*states, *over), start=3):
        request = approved(store, ask(store, number, environment="decided"))
        grounds = {"escalation": request.id, "fingerprint": request.fingerprint}
        put(store, an_execution(state, id=f"exe_{number}", environment=environment, effect=effect, **grounds))

    assert nothing == set()
    assert in_play(store) == {
        "all",
        "agent:scaler",
        *(f"namespace:{environment}/shop" for environment in ("asked", "queued", "rolling")),
    }


def in_play(store):
    """Return which of some scopes have something in play."""
    places = (
        "asked/shop",
        "asked/pay",
        "denied/shop",
        "decided/shop",
        "queued/shop",
        "rolling/shop",
        "done/shop",
        "voided/shop",
    )
    with store.reading() as reading:
        return {
            scope
            for scope in ("all", "agent:scaler", "agent:tuner", *(f"namespace:{place}" for place in places))
            if reading.is_in_play(scope_of(scope))
        }


def test_a_narrowed_page_decodes_what_it_shows(store, monkeypatch):
    """However much lies outside, a page reads the rows it returns and no others; looking past much, it is short and goes on."""
    with_grounds(store)
    inside = [ask(store, number) for number in (1, 5)]
    for number in (2, 3, 4):
        ask(store, number, action=an_action(target=a_target(namespace="pay")))
    narrow = {"environments": frozenset({"prod-eu-1"}), "namespaces": frozenset({"shop"})}
    decoded = []
    known = REQUEST.noun_of

    def noun_of(row):
        decoded.append(row)
        return known(row)

    monkeypatch.setattr(REQUEST, "noun_of", noun_of)

    with store.reading() as reading:
        whole = reading.requests_of("scaler", state="pending", limit=2, cursor=None, **narrow)
        nowhere = reading.requests_of("scaler", state=None, limit=2, cursor=None, environments=frozenset({"other"}))
        first = reading.requests_of("scaler", state=None, limit=1, cursor=None, **narrow)
        monkeypatch.setattr(models.store.reading, "MOST_PASSED", 2)
        short = reading.requests_of("scaler", state=None, limit=1, cursor=first.next_cursor, **narrow)
        rest = reading.requests_of("scaler", state=None, limit=1, cursor=short.next_cursor, **narrow)

    assert whole == Page(requests=(inside[1], inside[0]), next_cursor=None)
    assert nowhere == Page(requests=(), next_cursor=None)
    assert first == Page(requests=(inside[1],), next_cursor=inside[1].id)
    assert short == Page(requests=(), next_cursor=f"esc_{3:026d}")
    assert (rest.requests, len(decoded)) == ((inside[0],), 4)


def test_a_cursor_is_no_id_of_what_a_token_may_not_see(store, monkeypatch):
    """It leads past what lies outside, and tells neither its id nor, where nothing is left behind it, that there is any (I16)."""
    with_grounds(store)
    inside = ask(store, 1_111_111)
    outside = [
        ask(store, n, action=an_action(target=a_target(namespace="pay"))) for n in (2_222_222, 3_333_333, 4_444_444)
    ]
    asked = {"state": None, "limit": 1, "environments": frozenset(), "namespaces": frozenset({"shop"})}

    with store.reading() as reading:
        monkeypatch.setattr(models.store.reading, "MOST_PASSED", 2)
        first = reading.requests_of("scaler", cursor=None, **asked)
        second = reading.requests_of("scaler", cursor=first.next_cursor, **asked)
        monkeypatch.setattr(models.store.reading, "MOST_PASSED", 4)
        all_at_once = reading.requests_of("scaler", cursor=None, **asked)

    assert first == Page(requests=(), next_cursor=f"esc_{3_000_000:026d}")
    assert first.next_cursor not in {one.id for one in outside}
    assert second == all_at_once == Page(requests=(inside,), next_cursor=None)


def test_votes_are_the_live_ones_in_order(store):
    """A voided vote stays on record and is not among them; a person's new one takes its place."""
    with_grounds(store)
    request = ask(store)
    now = now_of(store)
    changed: dict[str, Any] = {"escalation": request.id, "fingerprint": request.fingerprint}
    first = a_vote(ADA, id="vote_1", at=now, **changed)
    second = a_vote(BORIS, id="vote_2", at=now + TICK, **changed)
    put(store, first, second)

    again = a_vote(ADA, id="vote_3", at=now + 2 * TICK, **changed)
    put(store, again, replace(first, voided_at=now + 2 * TICK, voided_why="changed"))

    with store.reading() as reading:
        assert reading.votes(request.id) == (second, again)


def test_due_executions_are_those_a_worker_may_take(store):
    """Due and not leased to another, the longest due first; what is over is never due again."""
    with_grounds(store)
    now = now_of(store)
    queued = [queue(store, approved(store, ask(store, number))) for number in range(1, 7)]
    changes: list[dict[str, Any]] = [
        {"due_at": now - MINUTE},
        {"due_at": now - HOUR},
        {"due_at": now + HOUR},
        {"due_at": now - HOUR, "state": Phase.CLAIMED, "lease_until": now + HOUR},
        {"due_at": now - HOUR, "state": Phase.VOIDED, "message": "Denied."},
        {"due_at": now - 2 * HOUR, "state": Phase.APPLIED, "effect": Effect.IN_PROGRESS},
    ]
    for one, change in zip(queued, changes, strict=True):
        put(store, replace(one, revision=2, **change))

    with store.reading() as reading:
        found = (reading.due_executions(limit=10), reading.due_executions(limit=1))

    expected = (queued[5].id, queued[1].id, queued[0].id)
    assert found == (expected, expected[:1])


def test_an_execution_is_found_with_its_last_attempt(store):
    """By its id and by its request; the newest start record is the one that counts."""
    with_grounds(store)
    execution = queue(store, approved(store, ask(store)))
    attempts = [an_attempt(execution=execution.id, number=number) for number in (1, 2)]
    armed = replace(execution, state=Phase.ARMED, revision=2, attempts=2)
    put(store, armed, *attempts)

    with store.reading() as reading:
        found = (
            reading.execution(execution.id),
            reading.execution_of(execution.escalation),
            reading.last_attempt(execution.id),
        )

    assert found == (armed, armed, attempts[1])


def test_pauses_open_and_ended_since(store):
    """Open ones always; ended ones only where they ended in an epoch above the one asked about (I4)."""
    now = now_of(store)
    ended = a_pause(id="pause_1", engaged_at=now, ended_at=now, ended_epoch=2)
    lasting = a_pause(Scope(kind=ScopeKind.AGENT, name="scaler"), id="pause_2", engaged_at=now + TICK, engaged_epoch=3)
    put(store, ended, lasting)

    with store.reading() as reading:
        found = (
            reading.pauses(),
            reading.pauses(ended_after=1),
            reading.pauses(ended_after=2),
            reading.pause("pause_1"),
            reading.pause("pause_2"),
        )

    assert found == ((lasting,), (ended, lasting), (lasting,), ended, lasting)


def test_consents_are_one_a_person(store):
    """In the order given; a person who agrees again renews what was said and is still one person."""
    now = now_of(store)
    put(store, a_pause(engaged_at=now))
    pause_id = a_pause().id
    first = Consent(pause=pause_id, person=ADA, account=ADA, at=now)
    second = Consent(pause=pause_id, person=BORIS, account=BORIS, at=now + TICK)
    again = replace(first, account=Account("os:ada"), at=now + 2 * TICK)
    put(store, first)
    put(store, second)
    put(store, again)

    with store.reading() as reading:
        assert reading.consents(pause_id) == (second, again)


def test_tokens_are_found_by_hash_and_listed_by_age(store):
    """Only the hash finds one; what is listed is all there is."""
    now = now_of(store)
    old = a_token("old", id="tok_2", created_at=now, expires_at=now + HOUR)
    new = a_token("new", id="tok_1", created_at=now + TICK, expires_at=now + HOUR, namespaces=frozenset({"b", "a"}))
    put(store, new)
    put(store, old)

    with store.reading() as reading:
        assert (reading.token_by_hash(new.hash), reading.token_by_hash(new.id)) == (new, None)
        assert reading.tokens() == (old, new)


def test_an_alert_is_told_apart_by_what_its_sender_keeps(store):
    """Environment and fingerprint find the last time that it burnt; no token of ours does, nor a double on no card (I14)."""
    token = with_grounds(store)
    group = an_alert_group()
    old = an_alert(AlertState.RESOLVED, token=token.id)
    new = an_alert(token=token.id, id="alert_3", starts_at=old.starts_at + TICK)
    double = an_alert(
        AlertState.RESOLVED, token=token.id, id="alert_4", alert_group=None, starts_at=new.starts_at + TICK
    )
    told = told_of_alert(new, a_report(), token=token.id, now=NOON)
    with store.writing() as uow:
        uow.save(about(object, nouns=(group, old, new, double), events=(told,)))

    with store.reading() as reading:
        found = (
            reading.last_alert("prod-eu-1", "f1"),
            reading.last_alert("prod-us-1", "f1"),
            reading.alerts_in(group.id, limit=2),
            reading.alerts_in(group.id, limit=1),
            reading.open_alert_group("prod-eu-1", "g1"),
            reading.open_alert_group("prod-eu-1", "g2"),
            reading.alert_group(group.id),
            reading.texts(new.id),
        )

    assert found == (
        new,
        None,
        (new, old),
        (new,),
        group,
        None,
        group,
        {"label alertname": "HighLatency", "annotation summary": "<!channel> slow"},
    )


@pytest.mark.parametrize(
    "second",
    [
        an_alert(id="alert_3"),
        an_alert(id="alert_3", starts_at=NOON),
        an_alert_group(id="alert_3"),
    ],
    ids=["the same time", "two at once", "two groups"],
)
def test_no_alert_burns_twice_at_once(store, second):
    """By the engine's own constraints, whoever reports it."""
    token = with_grounds(store)
    first = an_alert(token=token.id)
    put(store, an_alert_group())
    put(store, first)

    with pytest.raises(Clash):
        put(store, replace(second, token=token.id) if isinstance(second, Alert) else second)


def test_texts_stand_beside_their_subject(store):
    """By name, the newest of each, or all of them with who said them when; what belongs elsewhere is elsewhere."""
    with_grounds(store)
    request = ask(store)
    said = AuditEvent(
        kind=EventKind.REQUEST_VOTED,
        stream=request_stream(request.id),
        actor=ADA,
        at=now_of(store),
        private={"reason": "not during the sale"},
    )
    with store.writing() as uow:
        uow.record(said)
        uow.record(replace(said, private={"reason": "changed my mind"}))
        uow.record(replace(said, stream=agent_stream("scaler"), private={"reason": "elsewhere"}))

    with store.reading() as reading:
        found = (reading.texts(request.id), reading.texts(agent_stream("scaler")))
        told = reading.said(request.id)

    assert found == ({"rationale": REASON, "reason": "changed my mind"}, {"reason": "elsewhere"})
    assert told == (
        EventText(kind=EventKind.REQUEST_OPENED, actor=f"agent:{request.agent}", name="rationale", text=REASON),
        EventText(kind=EventKind.REQUEST_VOTED, actor=ADA, name="reason", text="not during the sale"),
        EventText(kind=EventKind.REQUEST_VOTED, actor=ADA, name="reason", text="changed my mind"),
    )


def test_a_policy_is_kept_once(store):
    """The text of a version that was loaded can be had again; the same version is not new twice."""
    with store.writing() as uow:
        new = [uow.keep_policy(a_policy(), "environments: {}"), uow.keep_policy(a_policy(), "something else")]

    with store.reading() as reading:
        assert (new, reading.policy_text(a_policy().version)) == ([True, False], "environments: {}")


def test_a_refused_request_comes_back_whole(store):
    """A refusal is bound to its key like an answer; it never waits for one."""
    with_grounds(store)
    request = refused(now_of(store))
    put(store, request)

    with store.reading() as reading:
        standing = reading.standing("scaler", "key-1")

    assert (standing.asked, standing.pending, request.state) == (request, 0, State.REFUSED)


def test_a_look_is_one_snapshot(store):
    """What is committed while somebody reads is not seen by halves: a look begun before it does not see it."""
    with_grounds(store)
    with store.reading() as reading:
        before = reading.epoch()
        with store.writing() as uow:
            uow.raise_epoch()
        assert (before, reading.epoch()) == (0, 0)

    with store.reading() as reading:
        assert reading.epoch() == 1


def test_what_waits_is_counted(store):
    """How many questions are open, executions under way, and outcomes unknown: what a status shows."""
    with_grounds(store)
    ask(store, 1)
    executions = [queue(store, approved(store, ask(store, number))) for number in (2, 3, 4)]
    put(store, replace(executions[0], revision=2, state=Phase.UNKNOWN))
    put(store, replace(executions[1], revision=2, state=Phase.VOIDED))

    with store.reading() as reading:
        assert reading.waiting() == {"requests pending": 1, "executions under way": 2, "outcomes unknown": 1}
