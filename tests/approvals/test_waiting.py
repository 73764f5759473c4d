"""Waiting: what cannot go on is told once for each reason, so an execution has a bounded number of events, and it ends."""

from dataclasses import replace
from datetime import timedelta

import pytest

from approvals.audit.events import EventKind
from approvals.errors import Clash
from approvals.verbs.verb import Effect, Progress
from approvals.workflow.execution import Fate, Phase, Reason
from approvals.workflow.following import followed, overtaken
from approvals.workflow.landing import EFFECT_DEADLINE, abandon
from approvals.workflow.setbacks import is_told, put_back, set_back
from approvals.workflow.transition import MOST_WAITS
from approvals.workflow.voiding import VOID_SENTENCES
from tests.approvals.executions import NOW, WAIT, freed, held, moved, sent
from tests.builders import MINUTE, NOON, TICK, an_execution

WHY = "The cluster does not answer."
SECOND = timedelta(seconds=1)


def back(one, attempt=None, *, now=NOW, message=WHY):
    """Return what a look that could not be finished makes of an execution."""
    return set_back(one, attempt, now=now, wait=WAIT, message=message)


@pytest.mark.parametrize("phase", [Phase.QUEUED, Phase.CLAIMED])
def test_what_was_not_armed_waits_and_says_why(phase):
    """It goes back to the queue, with its reason, and nobody holds it."""
    one = held(phase)

    after = freed(one, state=Phase.QUEUED, due_at=NOW + WAIT, waits=5, message=WHY)
    assert back(one) == moved(EventKind.EXECUTION_RETRIED, after)


def test_what_was_armed_and_not_sent_is_disarmed():
    """Nothing left, so its start record is closed as not sent."""
    one = held(Phase.ARMED)

    after = freed(one, state=Phase.QUEUED, due_at=NOW + WAIT, waits=5, message=WHY)
    assert back(one, sent()) == moved(EventKind.EXECUTION_RETRIED, after, sent(fate=Fate.NOT_SENT))


@pytest.mark.parametrize("phase", [Phase.SENDING, Phase.UNKNOWN])
def test_what_may_have_been_sent_is_unknown(phase):
    """Whatever kept the look from being finished, it may have landed: only a read or a person ends that (I2)."""
    one = held(phase)

    after = freed(one, state=Phase.UNKNOWN, due_at=NOW + WAIT, waits=5, message=WHY)
    assert back(one, sent()) == moved(EventKind.EXECUTION_UNKNOWN, after, sent(fate=Fate.UNKNOWN))


@pytest.mark.parametrize(
    ("phase", "attempt"), [(Phase.QUEUED, None), (Phase.CLAIMED, None), (Phase.ARMED, sent())], ids=str
)
@pytest.mark.parametrize("early", [timedelta(0), TICK], ids=["lapsed", "a tick before"])
def test_what_was_not_sent_ends_with_its_approval(phase, attempt, early):
    """A look that never works must not keep an approval alive: at its end, which is excluded, it is void."""
    one = held(phase, valid_until=NOW + early, message="")

    transition = back(one, attempt)

    assert transition is not None
    ended = (Phase.VOIDED, Reason.LAPSED, VOID_SENTENCES[Reason.LAPSED])
    found = transition.nouns[0]
    assert (found.state, found.reason, found.message) == (ended if not early else (Phase.QUEUED, None, WHY))


def test_a_rollout_that_cannot_be_looked_at_is_followed_to_its_deadline():
    """It neither failed nor finished by not being seen; at the deadline it is said that it was not followed."""
    one = held(Phase.APPLIED, effect=Effect.IN_PROGRESS, effect_deadline=NOW + TICK)

    waits = back(one)
    ended = back(one, now=NOW + TICK)

    assert waits is not None
    assert ended is not None
    assert (waits.nouns[0].effect, waits.nouns[0].message) == (Effect.IN_PROGRESS, WHY)
    assert (ended.nouns[0].effect, ended.nouns[0].message) == (Effect.TIMED_OUT, f"Not followed to its end. {WHY}")


@pytest.mark.parametrize("phase", [Phase.REJECTED, Phase.VOIDED, Phase.ABANDONED])
def test_what_is_over_stays_over(phase):
    """There is nothing to wait for."""
    assert back(held(phase)) is None


@pytest.mark.parametrize("phase", [Phase.QUEUED, Phase.UNKNOWN])
def test_the_same_reason_is_told_once(phase):
    """Waiting is not progress: a look that finds what the last one found is no event; another reason is one."""
    one = held(phase, message=WHY)

    assert back(one, sent()) is None
    assert back(one, sent(), message="Another reason.") is not None


def test_reasons_that_alternate_are_told_thirty_times():
    """Then one sentence says that there will be no more, and only the instant of the next look moves."""
    one, told = an_execution(), []
    for look in range(200):
        transition = back(one, message=f"Reason {look % 2}.", now=NOON + look * SECOND)
        if transition is not None:
            (one,) = transition.nouns
            told.append(one.message)

    assert len(told) == one.waits == MOST_WAITS
    assert told[-2:] == ["Reason 0.", "Reason 1. From here on only the log tells why it waits."]


def test_a_first_wait_is_always_told():
    """What was never told to wait has nothing on record, whatever its sentence is."""
    assert [is_told(held(Phase.QUEUED, waits=waits), "before") for waits in (0, 1)] == [False, True]


def test_a_rollout_of_a_day_has_a_bounded_number_of_lines():
    """Pods that come and go every second are no events: a line comes when a quarter more time has passed."""
    one = held(
        Phase.APPLIED, effect=Effect.IN_PROGRESS, effect_deadline=NOON + EFFECT_DEADLINE, landed_at=NOON, due_at=NOON
    )
    told = []
    for second in range(int(EFFECT_DEADLINE.total_seconds())):
        progress = Progress(effect=Effect.IN_PROGRESS, sentence=f"{second} of 500 pods ready.")
        transition = followed(one, progress, now=NOON + second * SECOND, look_again=SECOND)
        if transition is not None:
            (one,) = transition.nouns
            told.append(second)

    assert told[:6] == [0, 2, 4, 7, 10, 14]
    assert len(told) < 50


def test_a_failure_that_comes_and_goes_is_believed_at_last():
    """Seen at every second look for ever it is one; and each doubt that is gone again is told, so none is remembered."""
    one = held(Phase.APPLIED, effect=Effect.IN_PROGRESS, effect_deadline=NOON + 60 * MINUTE, due_at=NOON, waits=0)
    events = 0
    for second in range(1000):
        effect = Effect.FAILED if second % 2 else Effect.IN_PROGRESS
        transition = followed(
            one, Progress(effect=effect, sentence=effect.value), now=NOON + second * SECOND, look_again=SECOND
        )
        events += transition is not None
        one = one if transition is None else transition.nouns[0]
        if one.is_over:
            break

    assert (one.effect, events) == (Effect.FAILED, 2 * MOST_WAITS + 2)


def test_a_doubt_that_is_gone_is_not_remembered():
    """A failure counts where two looks running saw it, and not where a good one lay between them."""
    one = held(Phase.APPLIED, effect=Effect.IN_PROGRESS, effect_deadline=NOON + 60 * MINUTE, due_at=NOON)
    for effect in (Effect.FAILED, Effect.IN_PROGRESS, Effect.FAILED):
        transition = followed(one, Progress(effect=effect, sentence=effect.value), now=NOON, look_again=SECOND)
        assert transition is not None
        (one,) = transition.nouns

    assert (one.effect, one.doubted) == (Effect.IN_PROGRESS, True)


def test_a_newer_change_ends_the_watch_over_an_older_one():
    """Neither done nor failed: nobody can tell its effect apart any more, and the newer one is named."""
    one = held(Phase.APPLIED, effect=Effect.IN_PROGRESS, effect_deadline=NOON + EFFECT_DEADLINE)

    transition = overtaken(one, by="esc_2", now=NOW)

    told = "esc_2, a newer change of the same target, was applied before it had finished."
    assert transition == moved(EventKind.EXECUTION_EFFECT, freed(one, effect=Effect.OVERTAKEN, message=told))
    with pytest.raises(Clash, match="The effect has ended"):
        overtaken(replace(one, effect=Effect.VERIFIED), by="esc_2", now=NOW)


@pytest.mark.parametrize(
    ("lease_until", "closes"), [(NOW + TICK, False), (NOW, True), (None, True)], ids=["held", "lapsed", "free"]
)
def test_what_no_worker_sends_any_more_can_be_closed(lease_until, closes):
    """A person's way out of a send that nobody reads back; while a worker holds it, it is found out."""
    one = held(Phase.SENDING, lease_until=lease_until)
    if closes:
        closed = abandon(one, sent(), now=NOW, actor="os:olga", reason="").nouns[0]
        assert closed.state is Phase.ABANDONED
    else:
        with pytest.raises(Clash):
            abandon(one, sent(), now=NOW, actor="os:olga", reason="")


def test_what_waits_is_marked_by_its_reason():
    """Until a look finds that it can start, it is looked at unclaimed; what was just queued is not waiting yet."""
    waiting = put_back(held(Phase.CLAIMED), now=NOW, wait=WAIT, message=WHY).nouns[0]

    assert (an_execution().is_waiting, waiting.is_waiting, held(Phase.CLAIMED).is_waiting) == (False, True, False)
