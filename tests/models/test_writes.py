"""Conditional writes: nobody writes over what somebody faster has written, nor into a state that nothing leads to."""

from dataclasses import replace
from typing import Any

import pytest

from approvals.errors import Clash
from approvals.identity.names import Account, ExecutionId
from approvals.workflow.alert import AlertState
from approvals.workflow.execution import Fate, Phase
from approvals.workflow.request import State
from models.engine.faults import Inconsistent
from models.store.fence import Lease
from tests.builders import (
    ADA,
    BORIS,
    HOUR,
    MINUTE,
    a_pause,
    a_token,
    a_vote,
    about,
    an_alert,
    an_alert_group,
    an_attempt,
)
from tests.models.records import approved, ask, now_of, put, queue, refused, with_grounds


def moved(request, state: State, *, by: int = 1, **changed):
    """Return *request* as somebody would save it in *state*."""
    decided_at = None if state is State.PENDING else request.asked_at
    return replace(request, state=state, revision=request.revision + by, decided_at=decided_at, **changed)


LEADS = {
    State.PENDING: {State.PENDING, State.APPROVED, State.DENIED, State.CANCELLED},
    State.APPROVED: {State.DENIED, State.CANCELLED, State.SUPERSEDED},
}


@pytest.mark.parametrize("before", list(State))
def test_only_what_may_follow_follows(store, before):
    """The write itself knows which states lead where; before its deadline nothing has expired."""
    with_grounds(store)
    for number, after in enumerate((state for state in State if state is not State.REFUSED), start=1):
        request = put_in_state(store, before, number)
        wanted = moved(request, after)

        if after in LEADS.get(before, set()):
            put(store, wanted)
        else:
            with pytest.raises(Clash):
                put(store, wanted)
            wanted = request

        with store.reading() as reading:
            assert reading.request(request.id) == wanted


def test_an_approved_request_is_written_again_only_to_be_flagged(store):
    """The one write that leaves it approved says that its token was revoked, and says so once."""
    with_grounds(store)
    request = ask(store, state=State.APPROVED, decided_at=now_of(store))
    flagged = moved(request, State.APPROVED, token_revoked_at=now_of(store))

    put(store, flagged)

    with pytest.raises(Clash):
        put(store, moved(flagged, State.APPROVED, token_revoked_at=now_of(store) + MINUTE))
    with store.reading() as reading:
        assert reading.request(request.id) == flagged


def put_in_state(store, state: State, number: int):
    """Return a stored request that stands in *state*."""
    if state is State.REFUSED:
        request = refused(now_of(store), number)
        put(store, request)
        return request
    return ask(store, number, state=state, decided_at=None if state is State.PENDING else now_of(store))


@pytest.mark.parametrize("after", [State.PENDING, State.APPROVED, State.DENIED, State.CANCELLED])
def test_no_answer_lands_after_the_deadline(store, after):
    """A person's answer to a pending question that is due is lost in the write itself (I3)."""
    with_grounds(store)
    request = ask(store, deadline=now_of(store) - MINUTE)

    with pytest.raises(Clash):
        put(store, moved(request, after))

    with store.reading() as reading:
        assert reading.request(request.id) == request


def test_silence_denies_once_the_deadline_has_come(store):
    """What is due expires; an approval that stands is not touched by the deadline any more."""
    with_grounds(store)
    due = ask(store, 1, deadline=now_of(store) - MINUTE)
    expired = moved(due, State.EXPIRED)
    decided = ask(store, 2, deadline=now_of(store) - MINUTE, state=State.APPROVED, decided_at=now_of(store))
    denied = moved(decided, State.DENIED)

    put(store, expired, denied)

    with store.reading() as reading:
        assert (reading.request(due.id), reading.request(decided.id)) == (expired, denied)


@pytest.mark.parametrize("by", [0, 2], ids=["the same revision", "a revision too far"])
def test_a_write_names_the_revision_before_it(store, by):
    """Whoever read an older state than the one that stands is told so; nothing of the unit is kept (T-RACE-04)."""
    with_grounds(store)
    request = moved(ask(store), State.PENDING)
    put(store, request)

    def write_over() -> None:
        with store.writing() as uow:
            uow.raise_epoch()
            uow.save(about(object, nouns=(moved(request, State.APPROVED, by=by),), events=()))

    with pytest.raises(Clash) as refused_:
        write_over()

    with store.reading() as reading:
        assert (reading.request(request.id), reading.epoch()) == (request, 0)
    assert refused_.value.code == Clash.code


def test_what_is_fixed_stays_fixed(store):
    """A later write cannot move what people were shown: only the columns of the outcome change."""
    with_grounds(store)
    request = ask(store)
    forged = moved(request, State.APPROVED, fingerprint="0" * 64, deadline=request.asked_at + HOUR, channel="T0:C0")

    put(store, forged)

    kept = replace(forged, fingerprint=request.fingerprint, deadline=request.deadline, channel=request.channel)
    with store.reading() as reading:
        assert reading.request(request.id) == kept


def test_a_key_is_taken_once(store):
    """Of two requests under one key the second loses, and can look up the first (I14)."""
    with_grounds(store)
    first = ask(store, 1)

    with pytest.raises(Clash):
        ask(store, 2, idempotency_key=first.idempotency_key)

    with store.reading() as reading:
        assert reading.standing("scaler", "key-1").asked == first


def test_successors_have_no_key(store):
    """Requests without a key are never one another's repeat, and name each other where one follows another."""
    with_grounds(store)
    old = approved(store, ask(store, 1, idempotency_key=None))
    new = ask(store, 2, idempotency_key=None, supersedes=old.id, chain=2)
    superseded = moved(old, State.SUPERSEDED, superseded_by=new.id)
    put(store, superseded)

    with store.reading() as reading:
        assert (reading.request(old.id), reading.request(new.id)) == (superseded, new)


def test_what_refers_to_nothing_is_a_fault(store):
    """A request under a policy that was never kept is no lost race but a fault, and goes up as one."""
    with pytest.raises(Inconsistent, match=r"escalations|FOREIGN KEY"):
        ask(store)


def test_a_person_has_one_live_vote(store):
    """A second live vote of the same person is refused by its key, whatever account it came from (I7)."""
    with_grounds(store)
    request = ask(store)
    first = a_vote(ADA, id="vote_1", escalation=request.id, at=now_of(store))
    put(store, first)

    with pytest.raises(Clash):
        put(store, replace(first, id="vote_2", account=Account("os:ada")))

    put(store, replace(first, id="vote_3", person=BORIS))
    with store.reading() as reading:
        assert [vote.id for vote in reading.votes(request.id)] == ["vote_1", "vote_3"]


def test_a_vote_falls_once(store):
    """Two writers who void the same vote: the second is told that it is void already."""
    with_grounds(store)
    vote = a_vote(ADA, escalation=ask(store).id, at=now_of(store))
    fallen = replace(vote, voided_at=vote.at, voided_why="paused")
    put(store, vote)
    put(store, fallen)

    with pytest.raises(Clash):
        put(store, fallen)


def a_claimed(store, **changed):
    """Return a stored execution that a worker has claimed, its lease good for a minute."""
    execution = queue(store, approved(store, ask(store)))
    lease: dict[str, Any] = {"generation": 1, "lease_until": now_of(store) + MINUTE} | changed
    claimed = replace(execution, state=Phase.CLAIMED, revision=2, **lease)
    put(store, claimed)
    return claimed


def test_a_step_has_one_execution(store):
    """A second permit for the same step of the same request is refused by its key (I2, T-RACE-05)."""
    with_grounds(store)
    execution = queue(store, approved(store, ask(store)))

    with pytest.raises(Clash):
        put(store, replace(execution, id=ExecutionId("exe_other")))


@pytest.mark.parametrize(
    ("lease", "generation", "lands"),
    [
        (MINUTE, 1, True),
        (MINUTE, 2, False),
        (-MINUTE, 2, True),
        (None, 2, True),
        (-MINUTE, 3, False),
        (-MINUTE, 0, False),
    ],
    ids=["its holder", "a claim too early", "after it lapsed", "given back", "two claims at once", "a holder before"],
)
def test_a_lease_changes_hands_only_where_it_has_lapsed(store, lease, generation, lands):
    """A write names the lease it was made under; one generation more is a claim, good where nobody holds it (I2)."""
    with_grounds(store)
    held = a_claimed(store, lease_until=None if lease is None else now_of(store) + lease)
    after = replace(held, revision=3, generation=generation)

    if lands:
        put(store, after)
    else:
        with pytest.raises(Clash):
            put(store, after)

    with store.reading() as reading:
        assert reading.execution(held.id) == (after if lands else held)


@pytest.mark.parametrize(
    ("phase", "before", "now", "lands"),
    [
        (Phase.CLAIMED, 1, 2, True),
        (Phase.CLAIMED, 2, 2, False),
        (Phase.CLAIMED, 0, 2, False),
        (Phase.CLAIMED, 1, 0, False),
        (Phase.ARMED, 1, 2, False),
        (Phase.SENDING, 1, 2, False),
    ],
    ids=["an earlier leader's", "the same one's", "nobody knows whose", "no leader", "armed", "being sent"],
)
def test_a_lease_of_an_earlier_leader_ends_with_it_where_nothing_was_armed(store, phase, before, now, lands):
    """The statement that writes knows it, too; the next leader finds it at once, and no other (I2)."""
    with_grounds(store)
    held = a_claimed(store, leader=before)
    if phase is not Phase.CLAIMED:
        held = replace(held, state=phase, revision=3)
        put(store, held)
    after = replace(held, revision=held.revision + 1, generation=2, leader=now, state=phase)
    later = store.under(Lease(name="leader", holder="b", generation=now))

    with later.reading() as reading:
        found = reading.left_behind(limit=5)
    with store.reading() as reading:
        found_by_nobody = reading.left_behind(limit=5)
    if lands:
        put(store, after)
    else:
        with pytest.raises(Clash):
            put(store, after)

    assert (found, found_by_nobody) == ((held.id,) if lands else (), ())
    with store.reading() as reading:
        assert reading.execution(held.id) == (after if lands else held)


def test_what_could_not_be_finished_is_not_left_behind(store):
    """Its last look failed: it waits for its turn, or one that cannot be read would come up with every look."""
    with_grounds(store)
    held = a_claimed(store, leader=1)
    with store.writing() as uow:
        uow.look_later(held.id, uow.now + MINUTE, setbacks=1)

    with store.under(Lease(name="leader", holder="b", generation=2)).reading() as reading:
        assert reading.left_behind(limit=5) == ()


def test_an_attempt_is_a_start_record_then_its_fate(store):
    """Armed once; later writes add what became of it and cannot change what it was armed with."""
    with_grounds(store)
    execution = a_claimed(store)
    armed = an_attempt(execution=execution.id, armed_at=now_of(store))
    put(store, armed)
    sent = replace(armed, sends=1, sending_at=armed.armed_at, token_id="jti-1", token_expires_at=armed.armed_at + HOUR)
    put(store, replace(sent, resource_version="999"))
    applied = replace(sent, fate=Fate.APPLIED, http_status=200, audit_id="a-1")
    put(store, applied)

    with store.reading() as reading:
        assert reading.last_attempt(execution.id) == applied


def test_a_start_record_is_made_once(store):
    """The same number armed twice, or moved under other bytes, is a clash."""
    with_grounds(store)
    armed = an_attempt(execution=a_claimed(store).id, armed_at=now_of(store))
    put(store, armed)

    with pytest.raises(Clash):
        put(store, armed)
    with pytest.raises(Clash):
        put(store, replace(armed, sends=1, request_hash="e" * 64))


def test_an_ended_pause_stays_ended(store):
    """Nothing reopens a pause or ends it twice (I4)."""
    now = now_of(store)
    pause = a_pause(engaged_at=now)
    ended = replace(pause, ended_at=now, ended_epoch=2, revision=2)
    put(store, pause)
    put(store, ended)

    with pytest.raises(Clash):
        put(store, replace(ended, ended_at=None, ended_epoch=None, revision=3))

    with store.reading() as reading:
        assert reading.pause(pause.id) == ended


def test_a_revoked_token_stays_revoked(store):
    """Nothing makes a revoked token good again."""
    now = now_of(store)
    revoked = replace(a_token(created_at=now), revoked_at=now, revision=2)
    put(store, a_token(created_at=now))
    put(store, revoked)

    with pytest.raises(Clash):
        put(store, replace(revoked, revoked_at=None, revision=3))

    with store.reading() as reading:
        assert reading.tokens() == (revoked,)


def test_an_alert_resolves_over_the_revision_before(store):
    """Two deliveries of one resolution: the second finds it resolved (I14, T-RACE-08)."""
    token = with_grounds(store)
    now = now_of(store)
    group = an_alert_group()
    alert = an_alert(token=token.id, alert_group=group.id, seen_at=now)
    resolved = replace(alert, state=AlertState.RESOLVED, revision=2, resolved_at=now)
    put(store, group)
    put(store, alert)
    put(store, resolved)

    with pytest.raises(Clash):
        put(store, resolved)

    with store.reading() as reading:
        assert reading.last_alert(alert.environment, "f1") == resolved


def test_what_has_no_row_is_a_fault(store):
    """A thing that is no noun cannot be saved by accident."""
    with pytest.raises(TypeError, match="str is not kept in a row"):
        put(store, "a string")
