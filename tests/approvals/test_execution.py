"""Executions: every step from every state, allowed or a clash; each with its whole event."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from approvals.audit import ITSELF, AuditEvent, Kind, Transition
from approvals.errors import Clash
from approvals.execution import (
    EFFECT_DEADLINE,
    LEASE,
    ROUNDS,
    START_TO_SEND,
    TOKEN_LEEWAY,
    VOID_SENTENCES,
    Attempt,
    Execution,
    Fate,
    Phase,
    Reason,
    abandon,
    applied,
    arm,
    can_resend,
    cannot_land_any_more,
    claim,
    disarm,
    followed,
    not_landed,
    put_back,
    queued,
    rejected,
    sending,
    unknown,
    void,
)
from approvals.facts import facts_of
from approvals.pause import Place
from approvals.verb import Effect, Progress
from tests.builders import (
    CLUSTER_UID,
    ESCALATION,
    MINUTE,
    NOON,
    OBJECT_UID,
    TICK,
    an_attempt,
    an_execution,
)

NOW = NOON + MINUTE
WAIT = timedelta(seconds=7)
TOKEN_END = NOON + 10 * MINUTE


def held(phase: Phase, **changed: Any) -> Execution:
    """Return an execution in *phase* with every counter off its start, so that a lost one shows."""
    marks = {"revision": 5, "generation": 3, "attempts": 2, "rounds": 1, "message": "before", "lease_until": NOON}
    return an_execution(phase, **{**marks, **changed})


def sent(**changed: Any) -> Attempt:
    """Return the second start record, of which one send went out."""
    record = an_attempt(
        number=2, sends=1, sending_at=NOON, token_id="JTI=1", token_expires_at=TOKEN_END, fate=Fate.OPEN
    )
    return replace(record, **changed)


def moved(kind: Kind, execution: Execution, attempt: Attempt | None = None, **event: Any) -> Transition:
    """Return the transition to *execution* that one event at :data:`NOW` tells whole."""
    nouns = {"execution": execution} if attempt is None else {"execution": execution, "attempt": attempt}
    said = AuditEvent(
        kind=kind,
        stream=f"request:{ESCALATION}",
        actor=ITSELF,
        at=NOW,
        data={name: facts_of(noun) for name, noun in nouns.items()},
    )
    return Transition(nouns=tuple(nouns.values()), events=(replace(said, **event),))


def leased(execution: Execution, **changed: Any) -> Execution:
    """Return *execution* after a write by the worker that holds it: a fresh lease, a new revision.

    What was said of it is still said as long as its state is the same.
    """
    said = execution.message if changed.get("state", execution.state) is execution.state else ""
    after = {"revision": 6, "lease_until": NOW + LEASE, "due_at": NOW + LEASE, "message": said}
    return replace(execution, **{**after, **changed})


def freed(execution: Execution, **changed: Any) -> Execution:
    """Return *execution* after a write that gives the lease back."""
    return replace(execution, **{"revision": 6, "lease_until": None, **changed})


MOVES: Mapping[str, tuple[Callable[[Execution], Transition | None], frozenset[Phase]]] = {
    "claim": (
        lambda one: claim(one, now=NOW),
        frozenset({Phase.QUEUED, Phase.CLAIMED, Phase.ARMED, Phase.SENDING, Phase.UNKNOWN}),
    ),
    "arm": (
        lambda one: arm(one, resource_version="1", object_generation=1, request_hash="", epoch=0, now=NOW),
        frozenset({Phase.CLAIMED}),
    ),
    "sending": (
        lambda one: sending(one, sent(armed_at=NOW), token_id=None, token_expires_at=NOW, now=NOW),
        frozenset({Phase.ARMED, Phase.SENDING, Phase.UNKNOWN}),
    ),
    "applied": (
        lambda one: applied(one, sent(), now=NOW, http_status=200, audit_id=None, drift=False, read_back=False),
        frozenset({Phase.SENDING, Phase.UNKNOWN}),
    ),
    "rejected": (
        lambda one: rejected(one, sent(), now=NOW, http_status=403, audit_id=None, message=""),
        frozenset({Phase.SENDING, Phase.UNKNOWN}),
    ),
    "unknown": (
        lambda one: unknown(one, sent(), now=NOW, message="", look_again=WAIT),
        frozenset({Phase.SENDING, Phase.UNKNOWN}),
    ),
    "not landed": (
        lambda one: not_landed(one, sent(), now=NOW, message=""),
        frozenset({Phase.SENDING, Phase.UNKNOWN}),
    ),
    "disarm": (
        lambda one: disarm(one, sent(), now=NOW, wait=WAIT, message=""),
        frozenset({Phase.ARMED, Phase.SENDING}),
    ),
    "put back": (lambda one: put_back(one, now=NOW, wait=WAIT, message=""), frozenset({Phase.CLAIMED})),
    "abandon": (lambda one: abandon(one, sent(), now=NOW, actor="os:olga", reason=""), frozenset({Phase.UNKNOWN})),
    "void": (
        lambda one: void(one, Reason.DENIED, now=NOW),
        frozenset({Phase.QUEUED, Phase.CLAIMED, Phase.ARMED}),
    ),
    "never landed": (lambda one: void(one, Reason.NEVER_LANDED, now=NOW), frozenset({Phase.UNKNOWN})),
    "followed": (
        lambda one: followed(one, Progress(effect=Effect.VERIFIED, sentence=""), now=NOW, look_again=WAIT),
        frozenset({Phase.APPLIED}),
    ),
}


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("name", MOVES)
def test_a_move_is_allowed_from_its_states_and_a_clash_from_all_others(name, phase):
    """The state machine as a table: what is not drawn cannot happen, and whoever tries is told that it has moved on."""
    move, allowed = MOVES[name]
    effect = Effect.ROLLING if phase is Phase.APPLIED else None

    if phase in allowed:
        assert move(held(phase, effect=effect)) is not None
    else:
        with pytest.raises(Clash) as refused:
            move(held(phase, effect=effect))
        expected = (
            ("conflict", "There is nothing left to carry out.")
            if name == "claim"
            else (
                "execution_moved",
                f"The execution is {phase.value}.",
            )
        )
        assert (refused.value.code, refused.value.sentence) == expected


def test_an_approved_change_is_queued_whole():
    """The row that workers look for: due at once, nothing attempted, held by nobody."""
    transition = queued(
        execution_id="exe_1",
        escalation=ESCALATION,
        place=Place(agent="scaler", environment="prod-eu-1", namespace="shop"),
        cluster_uid=CLUSTER_UID,
        object_uid=OBJECT_UID,
        fingerprint="f" * 64,
        valid_until=NOON + 15 * MINUTE,
        now=NOW,
    )

    execution = Execution(
        id="exe_1",
        escalation=ESCALATION,
        step=0,
        state=Phase.QUEUED,
        revision=1,
        agent="scaler",
        environment="prod-eu-1",
        namespace="shop",
        cluster_uid=CLUSTER_UID,
        object_uid=OBJECT_UID,
        fingerprint="f" * 64,
        valid_until=NOON + 15 * MINUTE,
        due_at=NOW,
        generation=0,
        lease_until=None,
        attempts=0,
        rounds=0,
        effect=None,
        effect_deadline=None,
        reason=None,
        message="",
    )
    assert transition == moved(Kind.EXECUTION_QUEUED, execution)


@pytest.mark.parametrize(
    ("phase", "after"),
    [
        (Phase.QUEUED, Phase.CLAIMED),
        (Phase.CLAIMED, Phase.CLAIMED),
        (Phase.ARMED, Phase.CLAIMED),
        (Phase.SENDING, Phase.SENDING),
        (Phase.UNKNOWN, Phase.UNKNOWN),
    ],
)
def test_a_claim_takes_a_lease_and_a_new_generation(phase, after):
    """What was never sent starts over; what may have been sent keeps its state and its sentence, to be read back."""
    one = held(phase)

    message = "before" if after is phase else ""
    assert claim(one, now=NOW) == moved(Kind.EXECUTION_CLAIMED, leased(one, state=after, generation=4, message=message))


@pytest.mark.parametrize(
    ("lease_until", "free"), [(None, True), (NOW - TICK, True), (NOW, True), (NOW + TICK, False), (NOW + LEASE, False)]
)
def test_a_lease_keeps_others_out_until_it_ends(lease_until, free):
    """T-RACE-05: one worker at a time; at the instant the lease ends another may take over."""
    one = held(Phase.CLAIMED, lease_until=lease_until)

    if free:
        assert claim(one, now=NOW).nouns[0].generation == 4
    else:
        with pytest.raises(Clash) as refused:
            claim(one, now=NOW)
        assert (refused.value.code, refused.value.sentence) == ("conflict", "Another worker holds it.")


def test_the_start_record_holds_what_the_send_is_conditional_on():
    """Before a byte is written: which bytes, against which state of the object, past which pause epoch, and when."""
    one = held(Phase.CLAIMED)

    transition = arm(one, resource_version="77", object_generation=9, request_hash="e" * 64, epoch=5, now=NOW)

    attempt = Attempt(
        execution=one.id,
        number=3,
        resource_version="77",
        object_generation=9,
        request_hash="e" * 64,
        epoch=5,
        armed_at=NOW,
        sending_at=None,
        sends=0,
        token_id=None,
        token_expires_at=None,
        fate=Fate.OPEN,
        http_status=None,
        audit_id=None,
    )
    assert transition == moved(Kind.EXECUTION_ARMED, leased(one, state=Phase.ARMED, attempts=3), attempt)


def test_sending_is_committed_with_the_tokens_id_and_end():
    """The write-ahead of the send itself (I6): the first instant, the number of sends, the token's id, never the token."""
    one, record = held(Phase.ARMED), an_attempt(number=2, armed_at=NOW)

    transition = sending(one, record, token_id="JTI=9", token_expires_at=TOKEN_END, now=NOW)

    attempt = replace(record, sending_at=NOW, sends=1, token_id="JTI=9", token_expires_at=TOKEN_END)
    assert transition == moved(Kind.EXECUTION_SENDING, leased(one, state=Phase.SENDING), attempt)


@pytest.mark.parametrize("phase", [Phase.SENDING, Phase.UNKNOWN])
def test_a_resend_counts_and_keeps_the_first_instant(phase):
    """However long ago it was armed, the same bytes may go out again; the record says how often, and since when."""
    one, record = held(phase), sent(armed_at=NOON - 9 * MINUTE)

    transition = sending(one, record, token_id=None, token_expires_at=TOKEN_END + MINUTE, now=NOW)

    attempt = replace(record, sending_at=NOON, sends=2, token_id=None, token_expires_at=TOKEN_END + MINUTE)
    message = "before" if phase is Phase.SENDING else ""
    assert transition == moved(Kind.EXECUTION_SENDING, leased(one, state=Phase.SENDING, message=message), attempt)


@pytest.mark.parametrize(("waited", "sends"), [(START_TO_SEND, True), (START_TO_SEND + TICK, False)])
def test_a_start_goes_stale_after_five_seconds(waited, sends):
    """T-RACE-06: a worker that was frozen between start and send does not send on old checks; the end is included."""
    record = an_attempt(armed_at=NOW - waited)

    if sends:
        assert (
            sending(held(Phase.ARMED), record, token_id=None, token_expires_at=TOKEN_END, now=NOW).nouns[1].sends == 1
        )
    else:
        with pytest.raises(Clash) as refused:
            sending(held(Phase.ARMED), record, token_id=None, token_expires_at=TOKEN_END, now=NOW)
        assert (refused.value.code, refused.value.sentence) == (
            "slow",
            "Too long between the start record and the send.",
        )


@pytest.mark.parametrize("phase", [Phase.SENDING, Phase.UNKNOWN])
@pytest.mark.parametrize(
    ("drift", "read_back", "effect", "reason", "message"),
    [
        (False, False, Effect.ROLLING, None, "Applied."),
        (False, True, Effect.ROLLING, None, "Applied; the reply was lost and it was read back."),
        (
            True,
            False,
            Effect.FAILED_ROLLOUT,
            Reason.DRIFT,
            "The cluster changed something else with it than was approved.",
        ),
    ],
    ids=["answered", "read back", "answered with something else"],
)
def test_what_landed_is_applied_and_followed_from_there(phase, drift, read_back, effect, reason, message):
    """The effect starts rolling with a deadline of its own; an answer unlike the plan is drift, not success (I8)."""
    one = held(phase)

    transition = applied(one, sent(), now=NOW, http_status=200, audit_id="audit-1", drift=drift, read_back=read_back)

    after = freed(
        one,
        state=Phase.APPLIED,
        due_at=NOW,
        effect=effect,
        effect_deadline=NOW + EFFECT_DEADLINE,
        reason=reason,
        message=message,
    )
    closed = sent(fate=Fate.APPLIED, http_status=200, audit_id="audit-1")
    assert transition == moved(Kind.EXECUTION_APPLIED, after, closed)
    assert after.is_over is drift


def test_what_the_server_refused_is_over():
    """A refusal ends it, with the server's status and our own sentence."""
    one = held(Phase.SENDING)

    transition = rejected(one, sent(), now=NOW, http_status=422, audit_id="audit-2", message="The server refused.")

    after = freed(one, state=Phase.REJECTED, reason=Reason.REFUSED_BY_CLUSTER, message="The server refused.")
    assert transition == moved(
        Kind.EXECUTION_REJECTED, after, sent(fate=Fate.REJECTED, http_status=422, audit_id="audit-2")
    )


@pytest.mark.parametrize("phase", [Phase.SENDING, Phase.UNKNOWN])
def test_a_lost_reply_is_unknown_and_looked_at_again(phase):
    """T-EXE-07: neither landed nor not; the lease is given back and the next look is due."""
    one = held(phase)

    transition = unknown(one, sent(), now=NOW, message="The reply was lost.", look_again=WAIT)

    after = freed(one, state=Phase.UNKNOWN, due_at=NOW + WAIT, message="The reply was lost.")
    assert transition == moved(Kind.EXECUTION_UNKNOWN, after, sent(fate=Fate.UNKNOWN))


@pytest.mark.parametrize(
    ("phase", "message", "news"),
    [
        (Phase.UNKNOWN, "The reply was lost.", False),
        (Phase.UNKNOWN, "The target is gone.", True),
        (Phase.SENDING, "The reply was lost.", True),
    ],
)
def test_what_is_still_unknown_for_the_same_reason_is_no_news(phase, message, news):
    """Each look is on record; the thread is told only when the state or the reason is another."""
    transition = unknown(held(phase, message="The reply was lost."), sent(), now=NOW, message=message, look_again=WAIT)

    kind = Kind.EXECUTION_UNKNOWN if news else Kind.EXECUTION_STILL_UNKNOWN
    after = freed(held(phase), state=Phase.UNKNOWN, due_at=NOW + WAIT, message=message)
    assert transition == moved(kind, after, sent(fate=Fate.UNKNOWN))


def test_what_is_still_unknown_for_the_same_reason_is_housekeeping():
    """Looked at again and again, the same news is written down each time and told to people once."""
    one = held(Phase.UNKNOWN, message="The reply was lost.")

    transition = unknown(one, sent(), now=NOW, message="The reply was lost.", look_again=WAIT)

    after = freed(one, due_at=NOW + WAIT, message="The reply was lost.")
    assert transition == moved(Kind.EXECUTION_STILL_UNKNOWN, after, sent(fate=Fate.UNKNOWN))


@pytest.mark.parametrize("phase", [Phase.SENDING, Phase.UNKNOWN])
def test_what_provably_did_not_land_is_planned_anew(phase):
    """The same worker goes on: the attempt is closed, one round more is counted."""
    one = held(phase, rounds=0)

    transition = not_landed(one, sent(), now=NOW, message="Somebody was faster.")

    after = leased(one, state=Phase.CLAIMED, rounds=1, message="Somebody was faster.")
    assert transition == moved(Kind.EXECUTION_RETRIED, after, sent(fate=Fate.NOT_LANDED))


def test_three_rounds_and_no_more():
    """T-TOC-01: a target that others keep changing is given up after the third conflict."""
    assert not_landed(held(Phase.SENDING, rounds=1), sent(), now=NOW, message="").nouns[0].rounds == 2

    one = held(Phase.SENDING, rounds=2)

    after = freed(
        one,
        state=Phase.VOIDED,
        reason=Reason.CONTENDED,
        message="Others kept changing the target; it was not applied.",
    )
    assert not_landed(one, sent(), now=NOW, message="") == moved(
        Kind.EXECUTION_VOIDED, after, sent(fate=Fate.NOT_LANDED)
    )
    assert ROUNDS == 3


@pytest.mark.parametrize("phase", [Phase.ARMED, Phase.SENDING])
def test_a_start_of_which_nothing_left_waits(phase):
    """No byte went out, so it goes back to the queue and starts over while the approval lasts."""
    one = held(phase)

    transition = disarm(one, sent(), now=NOW, wait=WAIT, message="The server is busy.")

    after = freed(one, state=Phase.QUEUED, due_at=NOW + WAIT, message="The server is busy.")
    assert transition == moved(Kind.EXECUTION_RETRIED, after, sent(fate=Fate.NOT_SENT))


def test_what_cannot_start_now_waits_its_turn():
    """A target that is taken, or approvers who cannot be asked about: back to the queue, nothing attempted."""
    one = held(Phase.CLAIMED)

    transition = put_back(one, now=NOW, wait=WAIT, message="The target is taken.")

    after = freed(one, state=Phase.QUEUED, due_at=NOW + WAIT, message="The target is taken.")
    assert transition == moved(Kind.EXECUTION_RETRIED, after)


def test_a_person_may_close_what_nothing_can_tell():
    """Only somebody who looked at the target ends an unknown outcome; the words stand beside the chain."""
    one = held(Phase.UNKNOWN, reason=None)

    transition = abandon(one, sent(fate=Fate.UNKNOWN), now=NOW, actor="os:olga", reason="it is at 6")

    after = freed(one, state=Phase.ABANDONED, message="A person has looked at the target and closed this.")
    assert transition == moved(
        Kind.EXECUTION_ABANDONED,
        after,
        sent(fate=Fate.UNKNOWN),
        actor="os:olga",
        private={"reason": "it is at 6"},
    )


@pytest.mark.parametrize("phase", [Phase.QUEUED, Phase.CLAIMED, Phase.ARMED])
@pytest.mark.parametrize("reason", sorted(set(Reason) - {Reason.NEVER_LANDED}))
def test_what_was_never_sent_can_be_voided_for_any_reason(phase, reason):
    """It ends without having touched the cluster, and says why in a sentence of its own."""
    one = held(phase)

    after = freed(one, state=Phase.VOIDED, reason=reason, message=VOID_SENTENCES[reason])
    assert void(one, reason, now=NOW) == moved(Kind.EXECUTION_VOIDED, after)


@pytest.mark.parametrize(
    ("phase", "reason", "fate"),
    [(Phase.ARMED, Reason.PAUSED, Fate.NOT_SENT), (Phase.UNKNOWN, Reason.NEVER_LANDED, Fate.NEVER_LANDED)],
)
def test_a_void_closes_the_start_record_it_is_given(phase, reason, fate):
    """Who voided it, a sentence that says more, and what became of the attempt."""
    one = held(phase)

    transition = void(one, reason, now=NOW, actor="os:olga", attempt=sent(), message="Because.")

    after = freed(one, state=Phase.VOIDED, reason=reason, message="Because.")
    assert transition == moved(Kind.EXECUTION_VOIDED, after, sent(fate=fate), actor="os:olga")


def test_every_reason_has_a_sentence():
    """Whatever it was voided for, the card can say it; no two reasons read alike."""
    assert set(VOID_SENTENCES) == set(Reason)
    assert len(set(VOID_SENTENCES.values())) == len(Reason)
    assert all(sentence.endswith(".") and sentence[0].isupper() for sentence in VOID_SENTENCES.values())


def rolling(**changed: Any) -> Execution:
    """Return an applied execution whose effect is under way until a quarter past noon."""
    return held(Phase.APPLIED, effect=Effect.ROLLING, effect_deadline=NOON + 15 * MINUTE, **changed)


def look(
    one: Execution, effect: Effect = Effect.ROLLING, sentence: str = "3 of 6 pods ready.", now=NOW
) -> Transition | None:
    """Return what one look changes."""
    return followed(one, Progress(effect=effect, sentence=sentence), now=now, look_again=WAIT)


@pytest.mark.parametrize("effect", [Effect.ROLLING, Effect.VERIFIED])
def test_a_look_that_sees_something_new_is_written_down(effect):
    """Another effect, or the same with another number of pods, is a new revision and an event."""
    after = freed(rolling(), effect=effect, message="3 of 6 pods ready.", due_at=NOW + WAIT)

    assert look(rolling(), effect) == moved(Kind.EXECUTION_EFFECT, after)
    assert after.is_over is (effect is not Effect.ROLLING)


def test_a_failure_is_believed_when_it_is_seen_twice():
    """The first look at it may still be at the old rollout's condition; the same seen again ends it."""
    once = freed(rolling(), message="No progress.", due_at=NOW + WAIT)
    twice = freed(once, revision=7, effect=Effect.FAILED_ROLLOUT)

    assert look(rolling(), Effect.FAILED_ROLLOUT, "No progress.") == moved(Kind.EXECUTION_EFFECT, once)
    assert look(once, Effect.FAILED_ROLLOUT, "No progress.") == moved(Kind.EXECUTION_EFFECT, twice)


def test_a_look_that_sees_nothing_new_writes_nothing():
    """A rollout that takes minutes fills no trail with the same sentence."""
    assert look(rolling(message="3 of 6 pods ready.")) is None
    assert look(rolling(message="3 of 6 pods ready."), Effect.VERIFIED) is not None
    assert look(rolling(message="2 of 6 pods ready.")) is not None


@pytest.mark.parametrize(
    ("now", "effect", "message"),
    [
        (NOON + 15 * MINUTE - TICK, Effect.ROLLING, "3 of 6 pods ready."),
        (NOON + 15 * MINUTE, Effect.TIMED_OUT, "Not finished when we stopped looking. 3 of 6 pods ready."),
        (NOON + 16 * MINUTE, Effect.TIMED_OUT, "Not finished when we stopped looking. 3 of 6 pods ready."),
    ],
    ids=["one tick before", "at", "after"],
)
def test_an_effect_is_followed_until_its_deadline(now, effect, message):
    """At the deadline it is told as not finished, never as done; what is done or failed by then is told as that."""
    transition = look(rolling(), now=now)

    assert transition is not None
    assert (transition.nouns[0].effect, transition.nouns[0].message) == (effect, message)
    for ended, one in (
        (Effect.VERIFIED, rolling()),
        (Effect.FAILED_ROLLOUT, rolling(message="3 of 6 pods ready.")),
    ):
        done = look(one, ended, now=now)
        assert done is not None
        assert (done.nouns[0].effect, done.nouns[0].message) == (ended, "3 of 6 pods ready.")


def test_an_effect_without_a_deadline_goes_on():
    """Nothing is timed out against an instant that is not there."""
    transition = look(replace(rolling(), effect_deadline=None), now=NOON + 24 * 60 * MINUTE)

    assert transition is not None
    assert transition.nouns[0].effect is Effect.ROLLING


@pytest.mark.parametrize("effect", [Effect.VERIFIED, Effect.FAILED_ROLLOUT, Effect.TIMED_OUT])
def test_an_effect_that_has_ended_stays_ended(effect):
    """Two workers look at once; the slower one, who saw less, cannot set the outcome back."""
    with pytest.raises(Clash) as refused:
        look(replace(rolling(), effect=effect))

    assert (refused.value.code, refused.value.sentence) == ("execution_moved", "The effect has ended.")


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("effect", [None, *Effect])
def test_what_is_over_and_what_can_be_stopped(phase, effect):
    """Over: nothing to carry out or to follow. Stoppable: nothing of it has been armed."""
    one = an_execution(phase, effect=effect)

    assert one.is_over == (
        phase in {Phase.REJECTED, Phase.VOIDED, Phase.ABANDONED}
        or (phase is Phase.APPLIED and effect in {Effect.VERIFIED, Effect.FAILED_ROLLOUT, Effect.TIMED_OUT})
    )
    assert one.can_still_be_stopped == (phase in {Phase.QUEUED, Phase.CLAIMED})


def test_an_execution_acts_at_its_place():
    """What a pause covers is told by agent, environment and namespace."""
    assert an_execution().place == Place(agent="scaler", environment="prod-eu-1", namespace="shop")


def test_the_same_bytes_may_go_out_again_only_against_the_same_version():
    """I2: conditional on the version they were made for, at most one of two sends can land."""
    assert can_resend(an_attempt(resource_version="100"), resource_version_now="100")
    assert not can_resend(an_attempt(resource_version="100"), resource_version_now="101")


def test_a_send_is_dead_only_when_its_token_certainly_is():
    """A token's end, the leeway that was measured, and the longest a request may take: all of it past, not just reached."""
    timeout = timedelta(seconds=30)
    dead_from = TOKEN_END + TOKEN_LEEWAY + timeout

    assert not cannot_land_any_more(sent(), now=dead_from, request_timeout=timeout)
    assert cannot_land_any_more(sent(), now=dead_from + TICK, request_timeout=timeout)
    assert not cannot_land_any_more(sent(token_expires_at=None), now=dead_from + TICK, request_timeout=timeout)


def test_the_spans_are_those_that_were_measured():
    """Lease, start to send, effect, and a token's leeway are held against one another elsewhere; here is what they are."""
    assert (
        timedelta(seconds=60),
        timedelta(seconds=5),
        timedelta(minutes=15),
        timedelta(seconds=61),
    ) == (LEASE, START_TO_SEND, EFFECT_DEADLINE, TOKEN_LEEWAY)
