"""Outcomes: what became of a send, of a start that was not sent, and of the effect that follows; each with its whole event."""

from dataclasses import replace
from typing import Any

import pytest

from approvals.audit.events import EventKind, Transition
from approvals.change.plan import Change
from approvals.errors import Clash
from approvals.verbs.verb import Effect, Progress
from approvals.workflow.comparison import Comparison
from approvals.workflow.execution import Execution, Fate, Phase, Reason
from approvals.workflow.following import LONGEST_WATCH, UNDO_WATCH, corrected, followed
from approvals.workflow.landing import (
    EFFECT_DEADLINE,
    ROUNDS,
    abandon,
    applied,
    found_different,
    not_landed,
    rejected,
    unknown,
)
from approvals.workflow.setbacks import disarm, put_back
from approvals.workflow.voiding import VOID_SENTENCES, void
from tests.approvals.executions import NOW, WAIT, freed, held, leased, moved, sent
from tests.builders import (
    ADA,
    MINUTE,
    NOON,
    TICK,
)

OTHERWISE = (Change(path="/spec/template/spec/containers/[web]/image", before="shop:1", after="shop:2"),)
WITH_IT = "The cluster changed something else with it than was approved."
SINCE = "from what was approved; whether that came with our write or since cannot be told."


def telling(transition: Transition[Execution], *approvers: str) -> Transition[Execution]:
    """Return the same transition with an event that tells these people."""
    (event,) = transition.events
    return replace(transition, events=(replace(event, data={**event.data, "approvers": list(approvers)}),))


@pytest.mark.parametrize("phase", [Phase.SENDING, Phase.UNKNOWN])
@pytest.mark.parametrize(
    ("comparison", "read_back", "effect", "reason", "message"),
    [
        (None, False, Effect.IN_PROGRESS, None, "Applied."),
        (Comparison(), False, Effect.IN_PROGRESS, None, "Applied."),
        (Comparison(), True, Effect.IN_PROGRESS, None, "Applied; the reply was lost and it was read back."),
        (Comparison(differences=OTHERWISE, came_with_it=True), False, Effect.FAILED, Reason.DRIFT, WITH_IT),
        (Comparison(came_with_it=True, is_unlike=True), False, Effect.FAILED, Reason.DRIFT, WITH_IT),
        (Comparison(differences=OTHERWISE), False, Effect.DIFFERS, None, f"1 field differs {SINCE}"),
        (Comparison(differences=OTHERWISE * 2), False, Effect.DIFFERS, None, f"2 fields differ {SINCE}"),
        (Comparison(differences=OTHERWISE), True, Effect.DIFFERS, None, f"The reply was lost. 1 field differs {SINCE}"),
    ],
    ids=[
        "answered, not seen yet",
        "answered",
        "read back",
        "something else came with it",
        "answered with something else",
        "something else, perhaps since",
        "several things else",
        "read back with something else",
    ],
)
def test_what_landed_is_applied_and_followed_from_there(phase, comparison, read_back, effect, reason, message):
    """The effect starts rolling with a deadline of its own; what is unlike the plan is no success (I8)."""
    one = held(phase)

    transition = applied(
        one,
        sent(),
        now=NOW,
        http_status=200,
        audit_id="audit-1",
        comparison=comparison,
        read_back=read_back,
        approvers=(ADA,),
    )

    after = freed(
        one,
        state=Phase.APPLIED,
        due_at=NOW,
        effect=effect,
        effect_deadline=NOW + EFFECT_DEADLINE,
        landed_at=NOW,
        reason=reason,
        message=message,
        compared=comparison is not None,
        drift=() if comparison is None else comparison.differences,
    )
    closed = sent(fate=Fate.APPLIED, http_status=200, audit_id="audit-1")
    expected = moved(EventKind.EXECUTION_APPLIED, after, closed)
    assert transition == (expected if effect is Effect.IN_PROGRESS else telling(expected, ADA))
    assert after.is_over is (effect is not Effect.IN_PROGRESS)


def test_approvers_are_told_once():
    """Who heard of it while it was unknown does not hear of it again."""
    lost = unknown(
        held(Phase.SENDING), sent(), now=NOW, message="M", look_again=WAIT, drift=OTHERWISE, approvers=(ADA,)
    )
    again = unknown(
        lost.nouns[0], lost.nouns[1], now=NOW, message="M", look_again=WAIT, drift=OTHERWISE, approvers=(ADA,)
    )
    landed = applied(
        again.nouns[0],
        again.nouns[1],
        now=NOW,
        http_status=None,
        audit_id=None,
        comparison=Comparison(differences=OTHERWISE),
        read_back=True,
        approvers=(ADA,),
    )

    assert [one.events[0].data.get("approvers") for one in (lost, again, landed)] == [[ADA], None, None]
    assert [one.nouns[0].drift for one in (lost, again, landed)] == [OTHERWISE] * 3


@pytest.mark.parametrize(
    ("with_it", "effect", "reason"), [(True, Effect.FAILED, Reason.DRIFT), (False, Effect.DIFFERS, None)]
)
def test_what_the_first_look_finds_ends_the_effect(with_it, effect, reason):
    """Where the target could not be seen with the answer, whoever follows makes the same check."""
    one = rolling()

    transition = found_different(
        one, Comparison(differences=OTHERWISE, came_with_it=with_it), now=NOW, approvers=(ADA,)
    )

    message = WITH_IT if with_it else f"1 field differs {SINCE}"
    after = freed(one, effect=effect, reason=reason, message=message, compared=True, drift=OTHERWISE)
    assert transition == telling(moved(EventKind.EXECUTION_EFFECT, after), ADA)
    with pytest.raises(Clash, match=r"The effect has ended\."):
        found_different(after, Comparison(differences=OTHERWISE), now=NOW, approvers=())


def test_a_drift_before_the_start_is_kept_with_the_void():
    """In what the target is no longer what was approved, and whom to tell."""
    one = held(Phase.CLAIMED)

    transition = void(one, Reason.DRIFT, now=NOW, drift=OTHERWISE, approvers=(ADA,))

    after = freed(one, state=Phase.VOIDED, reason=Reason.DRIFT, message=VOID_SENTENCES[Reason.DRIFT], drift=OTHERWISE)
    assert transition == telling(moved(EventKind.EXECUTION_VOIDED, after), ADA)


def test_what_the_server_refused_is_over():
    """A refusal ends it, with the server's status and our own sentence."""
    one = held(Phase.SENDING)

    transition = rejected(one, sent(), now=NOW, http_status=422, audit_id="audit-2", message="The server refused.")

    after = freed(one, state=Phase.REJECTED, reason=Reason.REFUSED_BY_CLUSTER, message="The server refused.")
    assert transition == moved(
        EventKind.EXECUTION_REJECTED, after, sent(fate=Fate.REJECTED, http_status=422, audit_id="audit-2")
    )


@pytest.mark.parametrize("phase", [Phase.SENDING, Phase.UNKNOWN])
def test_a_lost_reply_is_unknown_and_looked_at_again(phase):
    """T-EXE-07: neither landed nor not; the lease is given back and the next look is due."""
    one = held(phase)

    transition = unknown(one, sent(), now=NOW, message="The reply was lost.", look_again=WAIT)

    after = freed(one, state=Phase.UNKNOWN, due_at=NOW + WAIT, waits=5, message="The reply was lost.")
    assert transition == moved(EventKind.EXECUTION_UNKNOWN, after, sent(fate=Fate.UNKNOWN))


@pytest.mark.parametrize(
    ("phase", "fate", "message", "news"),
    [
        (Phase.UNKNOWN, Fate.UNKNOWN, "The reply was lost.", False),
        (Phase.UNKNOWN, Fate.UNKNOWN, "The target is gone.", True),
        (Phase.SENDING, Fate.OPEN, "The reply was lost.", True),
        (Phase.SENDING, Fate.UNKNOWN, "The reply was lost.", False),
        (Phase.SENDING, Fate.UNKNOWN, "The target is gone.", True),
    ],
)
def test_what_is_still_unknown_for_the_same_reason_is_no_news(phase, fate, message, news):
    """Each look and each further loss is on record; people are told, and cards drawn, only when the reason is another (I13)."""
    one, record = held(phase, message="The reply was lost."), sent(fate=fate)

    transition = unknown(one, record, now=NOW, message=message, look_again=WAIT)

    kind = EventKind.EXECUTION_UNKNOWN if news else EventKind.EXECUTION_STILL_UNKNOWN
    after = freed(one, state=Phase.UNKNOWN, due_at=NOW + WAIT, waits=5, message=message)
    assert transition == moved(kind, after, sent(fate=Fate.UNKNOWN))


@pytest.mark.parametrize("phase", [Phase.SENDING, Phase.UNKNOWN])
def test_what_provably_did_not_land_is_planned_anew(phase):
    """The same worker goes on: the attempt is closed, one round more is counted."""
    one = held(phase, rounds=0)

    transition = not_landed(one, sent(), now=NOW, message="Somebody was faster.")

    after = leased(one, state=Phase.CLAIMED, rounds=1, message="Somebody was faster.")
    assert transition == moved(EventKind.EXECUTION_RETRIED, after, sent(fate=Fate.NOT_LANDED))


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
        EventKind.EXECUTION_VOIDED, after, sent(fate=Fate.NOT_LANDED)
    )
    assert ROUNDS == 3


@pytest.mark.parametrize("phase", [Phase.ARMED, Phase.SENDING])
def test_a_start_of_which_nothing_left_waits(phase):
    """No byte went out, so it goes back to the queue and starts over while the approval lasts."""
    one = held(phase)

    transition = disarm(one, sent(), now=NOW, wait=WAIT, message="The server is busy.")

    after = freed(one, state=Phase.QUEUED, due_at=NOW + WAIT, waits=5, message="The server is busy.")
    assert transition == moved(EventKind.EXECUTION_RETRIED, after, sent(fate=Fate.NOT_SENT))


def test_what_cannot_start_now_waits_its_turn():
    """A target that is taken, or approvers who cannot be asked about: back to the queue, nothing attempted."""
    one = held(Phase.CLAIMED)

    transition = put_back(one, now=NOW, wait=WAIT, message="The target is taken.")

    after = freed(one, state=Phase.QUEUED, due_at=NOW + WAIT, waits=5, message="The target is taken.")
    assert transition == moved(EventKind.EXECUTION_RETRIED, after)


def test_a_person_may_close_what_nothing_can_tell():
    """Only somebody who looked at the target ends an unknown outcome; the words stand beside the chain."""
    one = held(Phase.UNKNOWN, reason=None)

    transition = abandon(one, sent(fate=Fate.UNKNOWN), now=NOW, actor="os:olga", reason="it is at 6")

    after = freed(one, state=Phase.ABANDONED, message="A person has looked at the target and closed this.")
    assert transition == moved(
        EventKind.EXECUTION_ABANDONED,
        after,
        sent(fate=Fate.UNKNOWN),
        actor="os:olga",
        private={"reason": "it is at 6"},
    )


@pytest.mark.parametrize("phase", [Phase.QUEUED, Phase.CLAIMED, Phase.ARMED])
@pytest.mark.parametrize("reason", sorted(set(Reason) - {Reason.NEVER_LANDED}))
def test_what_was_never_sent_can_be_voided_for_any_reason(phase, reason):
    """It ends without having touched the cluster, and says why in a sentence of its own, and of a lapse what it waited for."""
    one = held(phase)
    why = f"{VOID_SENTENCES[reason]} It waited: before" if reason is Reason.LAPSED else VOID_SENTENCES[reason]

    after = freed(one, state=Phase.VOIDED, reason=reason, message=why)
    assert void(one, reason, now=NOW) == moved(EventKind.EXECUTION_VOIDED, after)


@pytest.mark.parametrize(
    ("phase", "reason", "fate"),
    [(Phase.ARMED, Reason.PAUSED, Fate.NOT_SENT), (Phase.UNKNOWN, Reason.NEVER_LANDED, Fate.NEVER_LANDED)],
)
def test_a_void_closes_the_start_record_it_is_given(phase, reason, fate):
    """Who voided it, a sentence that says more, and what became of the attempt."""
    one = held(phase)

    transition = void(one, reason, now=NOW, actor="os:olga", attempt=sent(), message="Because.")

    after = freed(one, state=Phase.VOIDED, reason=reason, message="Because.")
    assert transition == moved(EventKind.EXECUTION_VOIDED, after, sent(fate=fate), actor="os:olga")


def test_every_reason_has_a_sentence():
    """Whatever it was voided for, the card can say it; no two reasons read alike."""
    assert set(VOID_SENTENCES) == set(Reason)
    assert len(set(VOID_SENTENCES.values())) == len(Reason)
    assert all(sentence.endswith(".") and sentence[0].isupper() for sentence in VOID_SENTENCES.values())


def rolling(**changed: Any) -> Execution:
    """Return an applied execution whose effect is under way until a quarter past noon."""
    return held(Phase.APPLIED, effect=Effect.IN_PROGRESS, effect_deadline=NOON + 15 * MINUTE, landed_at=NOON, **changed)


def look(
    one: Execution, effect: Effect = Effect.IN_PROGRESS, sentence: str = "3 of 6 pods ready.", now=NOW
) -> Transition[Execution] | None:
    """Return what one look changes."""
    return followed(one, Progress(effect=effect, sentence=sentence), now=now, look_again=WAIT)


@pytest.mark.parametrize("effect", [Effect.IN_PROGRESS, Effect.VERIFIED])
def test_a_look_that_sees_something_new_is_written_down(effect):
    """Another effect, or the same with another number of pods, is a new revision and an event."""
    watched = NOW + UNDO_WATCH if effect is Effect.VERIFIED else None
    after = freed(rolling(), effect=effect, message="3 of 6 pods ready.", due_at=NOW + WAIT, watched_until=watched)

    assert look(rolling(), effect) == moved(EventKind.EXECUTION_EFFECT, after)
    assert after.is_over is (effect is not Effect.IN_PROGRESS)


def test_a_failure_is_believed_when_it_is_seen_twice():
    """The first look at it may still be at the old rollout's condition; the same seen again ends it."""
    once = freed(rolling(), message="No progress.", doubted=True, waits=5, due_at=NOW + WAIT)
    twice = freed(once, revision=7, doubted=False, effect=Effect.FAILED, watched_until=NOON + LONGEST_WATCH)

    assert look(rolling(), Effect.FAILED, "No progress.") == moved(EventKind.EXECUTION_EFFECT, once)
    assert look(once, Effect.FAILED, "No progress.") == moved(EventKind.EXECUTION_EFFECT, twice)


def test_a_look_that_sees_nothing_new_writes_nothing():
    """A rollout that takes minutes fills no trail with the same sentence."""
    assert look(rolling(message="3 of 6 pods ready.")) is None
    assert look(rolling(message="3 of 6 pods ready."), Effect.VERIFIED) is not None
    assert look(rolling(message="2 of 6 pods ready.")) is not None


@pytest.mark.parametrize(
    ("now", "effect", "message"),
    [
        (NOON + 15 * MINUTE - TICK, Effect.IN_PROGRESS, "3 of 6 pods ready."),
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
        (Effect.FAILED, rolling(message="3 of 6 pods ready.")),
    ):
        done = look(one, ended, now=now)
        assert done is not None
        assert (done.nouns[0].effect, done.nouns[0].message) == (ended, "3 of 6 pods ready.")


def test_an_effect_without_a_deadline_goes_on():
    """Nothing is timed out against an instant that is not there."""
    transition = look(replace(rolling(), effect_deadline=None), now=NOON + 24 * 60 * MINUTE)

    assert transition is not None
    assert transition.nouns[0].effect is Effect.IN_PROGRESS


@pytest.mark.parametrize("effect", [Effect.VERIFIED, Effect.FAILED, Effect.TIMED_OUT, Effect.OVERTAKEN])
def test_an_effect_that_has_ended_stays_ended(effect):
    """Two workers look at once; the slower one, who saw less, cannot set the outcome back."""
    with pytest.raises(Clash) as refused:
        look(replace(rolling(), effect=effect))

    assert (refused.value.code, refused.value.sentence) == ("execution_moved", "The effect has ended.")


DAY = 24 * 60 * MINUTE


def moves(one: Execution, minute: int, pace: str, effect: Effect = Effect.IN_PROGRESS) -> Execution:
    """Return an execution after a look at it so many minutes past noon that knew this of its pods."""
    progress = Progress(effect=effect, sentence=f"{pace} of 500 pods ready.", pace=pace)
    transition = followed(one, progress, now=NOON + minute * MINUTE, look_again=WAIT)
    return one if transition is None else transition.nouns[0]


def test_what_moves_is_followed_for_a_day_at_most():
    """A healthy rollout of 18 minutes, or of hours, is not timed out; after a day nobody looks for its end any more."""
    one = moves(rolling(), 1, "0")
    for minute in range(2, 24 * 60):
        one = moves(one, minute, str(minute))
        assert one.effect is Effect.IN_PROGRESS, minute

    assert moves(one, 24 * 60, "1440").effect is Effect.TIMED_OUT
    assert moves(one, 24 * 60 - 1, "1439", Effect.VERIFIED).effect is Effect.VERIFIED


def test_what_has_stood_still_for_a_quarter_of_an_hour_is_timed_out():
    """Counted from the last event that told of a move: a rollout may rest, and not for ever."""
    one = moves(moves(rolling(), 1, "0"), 14, "1")

    assert one.effect_deadline == NOON + 29 * MINUTE
    assert [moves(one, minute, "1").effect for minute in (28, 29)] == [Effect.IN_PROGRESS, Effect.TIMED_OUT]
    assert moves(one, 29, "2").effect_deadline == NOON + 44 * MINUTE


def correct(one: Execution, effect: Effect, now=NOW) -> Transition[Execution] | None:
    """Return what a look after the end changes."""
    return corrected(one, Progress(effect=effect, sentence="Said late.", pace="6/6"), now=now, look_again=WAIT)


@pytest.mark.parametrize(
    ("told", "found", "watched_until"),
    [
        (Effect.TIMED_OUT, Effect.VERIFIED, NOW + UNDO_WATCH),
        (Effect.TIMED_OUT, Effect.FAILED, NOON + DAY),
        (Effect.TIMED_OUT, Effect.UNDONE, None),
        (Effect.FAILED, Effect.VERIFIED, NOW + UNDO_WATCH),
        (Effect.FAILED, Effect.UNDONE, None),
        (Effect.VERIFIED, Effect.UNDONE, None),
    ],
)
def test_a_late_truth_corrects_what_was_told(told, found, watched_until):
    """What was given up and comes to its end after all is done; what is done and set back within a minute is undone."""
    one = replace(rolling(), effect=told, watched_until=NOON + DAY)

    after = freed(one, effect=found, message="Said late.", pace="6/6", due_at=NOW + WAIT, watched_until=watched_until)
    assert correct(one, found) == moved(EventKind.EXECUTION_EFFECT, after)


@pytest.mark.parametrize(
    ("told", "found"),
    [
        (Effect.TIMED_OUT, Effect.IN_PROGRESS),
        (Effect.FAILED, Effect.FAILED),
        (Effect.VERIFIED, Effect.IN_PROGRESS),
        (Effect.VERIFIED, Effect.FAILED),
    ],
)
def test_pods_that_come_and_go_later_correct_nothing(told, found):
    """Done stays done when a node is drained a minute later."""
    assert correct(replace(rolling(), effect=told, watched_until=NOON + DAY), found) is None


def test_what_nobody_watches_is_not_corrected():
    """A newer change may have ended the watch meanwhile."""
    with pytest.raises(Clash, match="watched no more"):
        correct(replace(rolling(), effect=Effect.OVERTAKEN), Effect.VERIFIED)
