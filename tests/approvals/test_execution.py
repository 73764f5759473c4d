"""Executions: every step from every state, allowed or a clash; each with its whole event."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from approvals.audit.events import EventKind, Transition
from approvals.errors import Clash
from approvals.identity.names import ExecutionId
from approvals.identity.place import Place
from approvals.verbs.verb import Effect, Progress
from approvals.workflow.comparison import Comparison
from approvals.workflow.execution import LEASE, Attempt, Execution, Fate, Phase, Reason
from approvals.workflow.following import followed, overtaken
from approvals.workflow.landing import (
    EFFECT_DEADLINE,
    TOKEN_LEEWAY,
    abandon,
    applied,
    can_resend,
    cannot_land_any_more,
    not_landed,
    rejected,
    unknown,
)
from approvals.workflow.setbacks import disarm, put_back, wait_after_loss, wait_after_unsent
from approvals.workflow.starting import START_TO_SEND, arm, claim, is_left_behind, leaves_within, queued, sending
from approvals.workflow.voiding import void
from tests.approvals.executions import NOW, TOKEN_END, WAIT, held, leased, moved, sent
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

MOVES: Mapping[str, tuple[Callable[[Execution], Transition[Execution] | None], frozenset[Phase]]] = {
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
        lambda one: applied(
            one, sent(), now=NOW, http_status=200, audit_id=None, comparison=Comparison(), read_back=False
        ),
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
    "put back": (
        lambda one: put_back(one, now=NOW, wait=WAIT, message=""),
        frozenset({Phase.QUEUED, Phase.CLAIMED}),
    ),
    "abandon": (
        lambda one: abandon(one, sent(), now=NOW, actor="os:olga", reason=""),
        frozenset({Phase.SENDING, Phase.UNKNOWN}),
    ),
    "overtaken": (lambda one: overtaken(one, by="esc_2", now=NOW), frozenset({Phase.APPLIED})),
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
    effect = Effect.IN_PROGRESS if phase is Phase.APPLIED else None

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
        execution_id=ExecutionId("exe_1"),
        escalation=ESCALATION,
        place=Place(agent="scaler", environment="prod-eu-1", namespace="shop"),
        cluster_uid=CLUSTER_UID,
        object_uid=OBJECT_UID,
        fingerprint="f" * 64,
        valid_until=NOON + 15 * MINUTE,
        now=NOW,
    )

    execution = Execution(
        id=ExecutionId("exe_1"),
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
    assert transition == moved(EventKind.EXECUTION_QUEUED, execution)


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
    """What was never sent starts over; what may have been sent keeps its state, to be read back. Nothing is news yet."""
    one = held(phase)

    assert claim(one, now=NOW) == moved(
        EventKind.EXECUTION_CLAIMED, leased(one, state=after, generation=4, message="before")
    )


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


@pytest.mark.parametrize("phase", [Phase.CLAIMED, Phase.ARMED, Phase.SENDING])
@pytest.mark.parametrize(
    ("before", "now", "is_earlier"),
    [(1, 2, True), (1, 9, True), (2, 2, False), (3, 2, False), (0, 2, False), (1, 0, False)],
    ids=["the next", "a later one", "the same", "an earlier one", "not known whose", "no leader"],
)
def test_a_later_leader_takes_at_once_what_was_merely_claimed(phase, before, now, is_earlier):
    """Of it nothing can be on its way. What was armed or is being sent keeps its own lease, whoever leads by now."""
    one = held(phase, lease_until=NOW + LEASE, leader=before)

    assert is_left_behind(one, leader=now) == (is_earlier and phase is Phase.CLAIMED)
    if is_earlier and phase is Phase.CLAIMED:
        assert claim(one, now=NOW, leader=now) == moved(
            EventKind.EXECUTION_CLAIMED, leased(one, generation=4, leader=now)
        )
    else:
        with pytest.raises(Clash):
            claim(one, now=NOW, leader=now)


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
    assert transition == moved(EventKind.EXECUTION_ARMED, leased(one, state=Phase.ARMED, attempts=3), attempt)


def test_sending_is_committed_with_the_tokens_id_and_end():
    """The write-ahead of the send itself (I6): the first instant, the number of sends, the token's id, never the token."""
    one, record = held(Phase.ARMED), an_attempt(number=2, armed_at=NOW)

    transition = sending(one, record, token_id="JTI=9", token_expires_at=TOKEN_END, now=NOW)

    attempt = replace(record, sending_at=NOW, sends=1, token_id="JTI=9", token_expires_at=TOKEN_END)
    assert transition == moved(EventKind.EXECUTION_SENDING, leased(one, state=Phase.SENDING), attempt)


@pytest.mark.parametrize("phase", [Phase.SENDING, Phase.UNKNOWN])
def test_a_resend_counts_and_keeps_the_first_instant(phase):
    """However long ago it was armed, the same bytes may go out again; the record says how often, and since when."""
    one, record = held(phase), sent(armed_at=NOON - 9 * MINUTE)

    transition = sending(one, record, token_id=None, token_expires_at=TOKEN_END + MINUTE, now=NOW)

    attempt = replace(record, sending_at=NOON, sends=2, token_id=None, token_expires_at=TOKEN_END + MINUTE)
    after = leased(one, state=Phase.SENDING, message="before")
    assert transition == moved(EventKind.EXECUTION_SENDING, after, attempt)


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


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("effect", [None, *Effect])
def test_what_is_over_and_what_can_be_stopped(phase, effect):
    """Over: nothing to carry out or to follow. Stoppable: nothing of it has been armed."""
    one = an_execution(phase, effect=effect)

    assert one.is_over == (
        phase in {Phase.REJECTED, Phase.VOIDED, Phase.ABANDONED}
        or (phase is Phase.APPLIED and effect not in {None, Effect.IN_PROGRESS})
    )
    assert one.can_still_be_stopped == (phase in {Phase.QUEUED, Phase.CLAIMED})


def test_an_execution_acts_at_its_place():
    """What a pause covers is told by agent, environment and namespace."""
    assert an_execution().place == Place(agent="scaler", environment="prod-eu-1", namespace="shop")


def test_the_same_bytes_may_go_out_again_only_against_the_same_version():
    """I2: conditional on the version they were made for, at most one of two sends can land."""
    assert can_resend(an_attempt(resource_version="100"), resource_version_now="100")
    assert not can_resend(an_attempt(resource_version="100"), resource_version_now="101")


@pytest.mark.parametrize(
    ("sends", "seconds"), [(1, 0), (2, 10), (3, 20), (4, 40), (5, 80), (6, 160), (7, 320), (8, 320), (4000, 320)]
)
def test_what_is_lost_again_waits_longer_each_time(sends, seconds):
    """The first loss is read back at once; from the second on each wait is twice the last, up to some five minutes (I13)."""
    assert wait_after_loss(sent(sends=sends)) == timedelta(seconds=seconds)


@pytest.mark.parametrize(("number", "seconds"), [(1, 5), (2, 10), (3, 20), (4, 40), (5, 40), (99, 40)])
def test_a_start_of_which_nothing_left_waits_longer_each_time(number, seconds):
    """A cluster that stays away is told of ever more rarely, and one that comes back is used within the minute (I13)."""
    assert wait_after_unsent(an_attempt(number=number)) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("sends", "passed", "left"), [(1, 0, 5), (1, 4, 1), (1, 5, 0), (2, 4, 5), (3, 600, 5)], ids=str
)
def test_a_write_leaves_within_five_seconds_of_what_was_checked(sends, passed, left):
    """The first counts from its start record; a resend, which may come hours later, from the look at the gate just before it."""
    record = sent(sends=sends, armed_at=NOON, sending_at=NOON + timedelta(seconds=passed))

    assert leaves_within(record) == timedelta(seconds=left)


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
