"""Starting: everything is checked once more on fresh reads; what stops a start leaves no write and no lock (I1, I4, I7)."""

from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from approvals.change.plan import bound_of, bytes_hash
from approvals.errors import Clash, Forbidden, Unavailable
from approvals.identity.people import MemberStatus
from approvals.ports.cluster import Came, Reply
from approvals.ports.journey import Milestone
from approvals.workflow.execution import LEASE, Fate, Phase, Reason
from approvals.workflow.pause import Scope, ScopeKind
from approvals.workflow.request import Answer, State
from tests.builders import (
    ADA,
    BORIS,
    GROUP,
    MINUTE,
    NOON,
    a_denial,
    a_policy,
    a_rule,
    a_token,
    an_approver_set,
    an_asking,
)
from tests.fakes.journey import Crash, CrashesAt
from tests.usecases.looks import attempt_of, execution_of, held_targets, kinds, stands, story
from tests.usecases.mishaps import Blind

ALL = Scope(kind=ScopeKind.ALL)
BEFORE_THE_START = (Milestone.CLAIMED, Milestone.REPLANNED)
BEFORE_THE_SEND = (Milestone.ARMED, Milestone.MINTED, Milestone.BEFORE_SENDING)
PAUSED = (Phase.VOIDED, Reason.PAUSED, "A pause stopped it before it started.")


@dataclass
class At:
    """A journey on which something happens, once, at a milestone."""

    milestone: Milestone
    happens: Any

    def reached(self, milestone, subject):
        """Let it happen, if this is the place."""
        if milestone is self.milestone and self.happens is not None:
            act, self.happens = self.happens, None
            act()


@pytest.fixture
def approved(world):
    """The agent's question, approved by Ada; nothing of it has begun."""
    return world.answers(world.pending()).request


def assert_nothing_happened(world):
    """Fail if anything was sent, or a target is held."""
    assert (world.cluster.sent, world.cluster.checkout()["spec"]["replicas"]) == ([], 3)
    assert held_targets(world) == []


def test_the_whole_story_of_a_change(world, approved, instant):
    """From queued to landed: each durable step is one event, and the start record names the bytes, the object and the epoch."""
    world.execute()

    execution, attempt = execution_of(world, approved), attempt_of(world, approved)
    (body,) = world.cluster.sent
    with world.store.reading() as reading:
        bound = bound_of(reading.plan(approved.fingerprint).bound)
    assert kinds(world, approved) == [
        "request.opened",
        "request.voted",
        "request.approved",
        "execution.queued",
        "execution.claimed",
        "execution.armed",
        "execution.sending",
        "execution.applied",
    ]
    assert {actor for kind, actor, _ in story(world, approved) if kind.startswith("execution.")} == {"countersign"}
    assert world.cluster.minted == [bound.executor]
    assert (attempt.number, attempt.sends, attempt.fate) == (1, 1, Fate.APPLIED)
    assert (attempt.request_hash, attempt.resource_version, attempt.object_generation) == (bytes_hash(body), "100", 4)
    assert (attempt.epoch, attempt.armed_at, attempt.sending_at) == (0, instant(), instant())
    assert (attempt.token_id, attempt.token_expires_at) == ("JTI=1", instant() + 10 * MINUTE)
    assert (attempt.http_status, attempt.audit_id) == (200, "audit-1")
    assert (execution.generation, execution.attempts, execution.valid_until) == (1, 1, instant() + 15 * MINUTE)


@pytest.mark.parametrize("milestone", [*BEFORE_THE_START, *BEFORE_THE_SEND], ids=str)
def test_t_kill_02_a_pause_at_any_moment_before_the_send_stops_it(milestone, world, approved):
    """T-KILL-02: between any two steps up to the send itself, a pause that has committed wins (I4)."""
    at = At(milestone, lambda: world.pause(ALL, account=ADA, duration=None, reason=""))

    world.restarted(journey=at).execute()

    assert stands(world, approved) == PAUSED
    assert_nothing_happened(world)


@pytest.mark.parametrize("milestone", BEFORE_THE_SEND, ids=str)
def test_a_pause_that_is_over_again_stops_what_was_armed_before_it(milestone, world, approved):
    """A start from before a pause sends nothing after it, even where the pause has ended by then (I4)."""

    def pause_and_resume():
        pause = world.pause(ALL, account=ADA, duration=None, reason="").pause
        for account in (ADA, BORIS):
            world.resume(pause.id, account=account, reason="")

    world.restarted(journey=At(milestone, pause_and_resume)).execute()

    assert stands(world, approved) == PAUSED
    assert attempt_of(world, approved).fate is Fate.NOT_SENT
    assert_nothing_happened(world)


@pytest.mark.parametrize("milestone", BEFORE_THE_START, ids=str)
def test_a_denial_before_the_start_wins(milestone, world, approved):
    """An eligible denial ends it until it has started: the worker finds that out and writes nothing."""
    at = At(milestone, lambda: world.answers(approved, BORIS, Answer.DENY))

    world.restarted(journey=at).execute()

    assert stands(world, approved) == (Phase.VOIDED, Reason.DENIED, "Denied before it started.")
    assert world.request(approved).state is State.DENIED
    assert_nothing_happened(world)


@pytest.mark.parametrize("milestone", BEFORE_THE_START, ids=str)
def test_t_race_04_what_the_agent_has_taken_back_does_not_start(milestone, world, approved):
    """T-RACE-04: a worker that read the request before it was taken back is refused, not silently served."""
    at = At(milestone, lambda: world.cancel(approved.id, token=a_token()))

    world.restarted(journey=at).execute()

    assert stands(world, approved) == (Phase.VOIDED, Reason.CANCELLED, "Taken back by the agent before it started.")
    assert_nothing_happened(world)


@pytest.mark.parametrize("milestone", [*BEFORE_THE_START, *BEFORE_THE_SEND, Milestone.REPLIED], ids=str)
def test_t_race_05_a_worker_that_lost_its_lease_writes_nothing(milestone, world, approved, instant):
    """T-RACE-05: another worker took over while this one stood still: one of the two sends, once (I2)."""

    def another_takes_over():
        instant.pass_by(LEASE)
        world.execute()

    world.restarted(journey=At(milestone, another_takes_over)).execute()

    assert len(world.cluster.sent) == 1
    assert (execution_of(world, approved).state, world.cluster.checkout()["spec"]["replicas"]) == (Phase.APPLIED, 6)


@pytest.mark.parametrize("milestone", BEFORE_THE_START, ids=str)
def test_t_time_07_an_approval_that_lapses_on_the_way_does_not_start(milestone, world, approved, instant):
    """T-TIME-07: the validity is judged at the start record, not when a worker took it up."""
    world.restarted(journey=At(milestone, lambda: instant.pass_by(15 * MINUTE))).execute()

    assert stands(world, approved) == (Phase.VOIDED, Reason.LAPSED, "The approval lapsed before it could start.")
    assert_nothing_happened(world)


@pytest.mark.parametrize(
    ("later", "state"),
    [(15 * MINUTE - timedelta(microseconds=1), Phase.APPLIED), (15 * MINUTE, Phase.VOIDED)],
    ids=["last moment", "lapsed"],
)
def test_t_time_07_an_approval_is_good_until_its_last_instant(later, state, world, approved, instant):
    """T-TIME-07: the end of the validity is excluded."""
    instant.pass_by(later)

    world.execute()

    assert execution_of(world, approved).state is state


@pytest.mark.parametrize(
    ("seconds", "state"), [(5, Phase.APPLIED), (5.000001, Phase.VOIDED)], ids=["in time", "too slow"]
)
@pytest.mark.parametrize("milestone", BEFORE_THE_SEND, ids=str)
def test_a_start_is_sent_at_once_or_not_at_all(milestone, seconds, state, world, approved, instant):
    """From the start record to the send at most five seconds: what was checked is true still."""
    world.restarted(journey=At(milestone, lambda: instant.pass_by(timedelta(seconds=seconds)))).execute()

    execution = execution_of(world, approved)
    assert (execution.state, execution.reason) == (state, Reason.SLOW if state is Phase.VOIDED else None)
    assert held_targets(world) == []


@pytest.mark.parametrize(("milestone", "left"), [(Milestone.MINTED, 2), (Milestone.SENDING, 5)], ids=str)
def test_the_door_is_told_how_long_the_write_may_take_to_leave(milestone, left, world, approved, instant):
    """What of the five seconds is not used up when the send is committed: the look before the write takes time as well."""
    told, send = [], world.cluster.send

    def noted(**call):
        told.append(call["within"])
        return send(**call)

    world.cluster.send = noted
    world.restarted(journey=At(milestone, lambda: instant.pass_by(timedelta(seconds=3)))).execute()

    assert told == [timedelta(seconds=left)]


AUTHORITY = (Phase.VOIDED, Reason.AUTHORITY, "Too few of the approvals still count.")


def test_t_dec_09_a_voter_who_has_left_since_is_no_authority(world, approved):
    """T-DEC-09: deactivated after the quorum: what it approved does not run (I7)."""
    world.directory.standings[ADA] = MemberStatus(account=ADA, seen_at=NOON, active=False)

    world.execute()

    assert stands(world, approved) == AUTHORITY
    assert world.directory.asked_anew == 1
    assert_nothing_happened(world)


def test_t_dec_09_a_voter_who_has_left_the_group_since_is_no_authority(make_world):
    """T-DEC-09: group lists are asked for anew before anything starts."""
    world = make_world(a_policy(approver_sets={"platform": an_approver_set(accounts=(), groups=(GROUP,))}))
    world.directory.groups[GROUP] = frozenset({ADA, BORIS})
    request = world.answers(world.pending()).request
    world.directory.groups[GROUP] = frozenset({BORIS})

    world.execute()

    assert stands(world, request) == AUTHORITY
    assert_nothing_happened(world)


def test_a_quorum_that_still_stands_without_one_who_left(make_world):
    """Of three who approved two by two, enough must be left; here one is not."""
    world = make_world(a_policy(rules=(a_rule(asking=an_asking(quorum=2)),)))
    request = world.pending()
    world.answers(request, ADA)
    world.answers(request, BORIS)
    world.directory.standings[BORIS] = MemberStatus(account=BORIS, seen_at=NOON, full_member=False)

    world.execute()

    assert stands(world, request) == AUTHORITY


def test_a_start_waits_while_nobody_can_be_asked(world, approved, instant):
    """Whether the voters still may cannot be known: nothing starts, and it is tried again while the approval lasts."""
    world.directory.down = True
    world.execute()
    waiting = stands(world, approved)
    nothing = (list(world.cluster.sent), held_targets(world))

    world.directory.down = False
    instant.pass_by(timedelta(seconds=5))
    world.execute()

    sentence = "Slack could not be asked about your account just now; try again in a moment."
    assert waiting == (Phase.QUEUED, None, sentence)
    assert (nothing, execution_of(world, approved).state) == (([], []), Phase.APPLIED)


STRICTER = {
    "denies": (a_policy(rules=(a_rule(), a_denial(verbs=frozenset({"scale"})))), Reason.POLICY),
    "wants two": (a_policy(rules=(a_rule(asking=an_asking(quorum=2)),)), Reason.AUTHORITY),
    "wants others": (
        a_policy(approver_sets={"platform": an_approver_set(accounts=(BORIS,))}),
        Reason.AUTHORITY,
    ),
}


@pytest.mark.parametrize(("policy", "reason"), STRICTER.values(), ids=STRICTER)
def test_a_policy_that_got_stricter_stops_what_was_approved_before_it(policy, reason, world, approved):
    """The policy in force at the start can only take away (I10)."""
    world.policies.policy = policy

    world.execute()

    assert stands(world, approved)[:2] == (Phase.VOIDED, reason)
    assert_nothing_happened(world)


def test_a_policy_that_got_laxer_gives_nothing(make_world):
    """What was asked of two people is not started by one, whatever the policy says by now (I10)."""
    world = make_world(a_policy(rules=(a_rule(asking=an_asking(quorum=2)),)))
    request = world.pending()
    world.answers(request, ADA)
    world.policies.policy = a_policy()

    world.execute()

    assert world.request(request).state is State.PENDING
    assert_nothing_happened(world)


def test_an_executor_that_may_not_be_used_ends_it(world, approved):
    """No token, no write: the target is free again (I11)."""
    world.cluster.mint_refusal = Forbidden("The server minted another identity.", code="wrong_identity")

    world.execute()

    assert stands(world, approved) == (Phase.VOIDED, Reason.NOT_PERMITTED, "The server minted another identity.")
    assert attempt_of(world, approved).fate is Fate.NOT_SENT
    assert_nothing_happened(world)


def test_a_token_that_cannot_be_had_now_is_waited_for(world, approved, instant):
    """The start is taken back, and made anew with fresh checks."""
    world.cluster.mint_refusal = Unavailable("The cluster does not answer.")
    world.execute()
    waiting = stands(world, approved)
    fate, held = attempt_of(world, approved).fate, held_targets(world)

    world.cluster.mint_refusal = None
    instant.pass_by(timedelta(seconds=5))
    world.execute()

    assert (waiting, fate, held) == ((Phase.QUEUED, None, "The cluster does not answer."), Fate.NOT_SENT, [])
    assert (attempt_of(world, approved).number, execution_of(world, approved).state) == (2, Phase.APPLIED)


@pytest.mark.parametrize("came", [Came.BUSY, Came.NOT_SENT], ids=str)
def test_what_provably_never_left_is_started_anew(came, world, approved, instant):
    """A server that is too busy, or that cannot be reached, has taken nothing on."""
    world.cluster.replies = [Reply(came=came, message="Later.")]
    world.execute()
    waiting = stands(world, approved)
    instant.pass_by(timedelta(seconds=5))

    world.execute()

    assert waiting == (Phase.QUEUED, None, "Later.")
    assert (attempt_of(world, approved).number, world.cluster.checkout()["spec"]["replicas"]) == (2, 6)


@dataclass
class Broken:
    """A store that can be cut off: from then on neither state nor pauses can be read."""

    store: Any
    gone: bool = False

    @contextmanager
    def reading(self):
        """Look, unless it is cut off."""
        if self.gone:
            raise Unavailable("The store cannot be reached.")
        with self.store.reading() as reading:
            yield reading

    @contextmanager
    def writing(self, *lane):
        """Write, unless it is cut off."""
        if self.gone:
            raise Unavailable("The store cannot be reached.")
        with self.store.writing(*lane) as uow:
            yield uow


@pytest.mark.parametrize("milestone", [*BEFORE_THE_START, *BEFORE_THE_SEND], ids=str)
def test_t_kill_05_what_cannot_be_read_is_taken_for_paused(milestone, world, approved, instant):
    """T-KILL-05: with the store gone at any moment before the send, nothing is sent; back again, it goes on (I6)."""
    broken = Broken(world.store)

    def cut_off():
        broken.gone = True

    with pytest.raises(Unavailable):
        replace(world, store=broken, journey=At(milestone, cut_off)).execute()
    sent = list(world.cluster.sent)
    instant.pass_by(LEASE)
    world.execute()

    assert (sent, execution_of(world, approved).state) == ([], Phase.APPLIED)


def test_t_kill_05_a_worker_without_a_store_looks_at_nothing(world, approved):
    """T-KILL-05: what is due cannot be known, so nothing is."""
    with pytest.raises(Unavailable):
        replace(world, store=Broken(world.store, gone=True)).execute()

    assert_nothing_happened(world)


@pytest.mark.parametrize("milestone", [Milestone.CLAIMED, Milestone.ARMED, Milestone.BEFORE_SENDING], ids=str)
def test_what_had_begun_before_a_crash_and_a_pause_does_not_go_on(milestone, world, approved, instant):
    """A restart knows of the pause: what was claimed or armed before both is void (I4)."""
    with pytest.raises(Crash):
        world.restarted(journey=CrashesAt(milestone)).execute()
    world.pause(ALL, account=ADA, duration=None, reason="")
    instant.pass_by(LEASE)

    world.execute()

    assert stands(world, approved) == PAUSED
    assert_nothing_happened(world)


def test_an_execution_that_cannot_be_locked_is_nobodys(world, approved):
    """A row that is not there by the time it is to be locked is not claimed."""
    execution = execution_of(world, approved)

    replace(world, store=Blind(world.store, execution.id)).execute()

    assert execution_of(world, approved) == execution
    assert_nothing_happened(world)


def test_a_request_that_cannot_be_locked_does_not_start(world, approved):
    """Without its request nothing can be judged, so nothing starts."""
    replace(world, store=Blind(world.store, approved.id)).execute()

    assert execution_of(world, approved).state is Phase.CLAIMED
    assert_nothing_happened(world)


def test_what_may_not_be_sent_as_it_stands_is_not_sent(world, monkeypatch):
    """A start record that fits no send, whatever the reason: nothing goes out, and it is looked at anew."""
    request = world.answers(world.pending()).request

    def refuses(*args: Any, **kwargs: Any) -> Any:
        raise Clash("It stands otherwise.")

    monkeypatch.setattr("approvals.usecases.execution.send.sending", refuses)
    world.execute()

    assert world.cluster.sent == []
    assert execution_of(world, request).state is Phase.ARMED
