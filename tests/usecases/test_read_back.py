"""Unknown outcomes: what a read tells about a write whose reply was lost, case by case of the resend rule (T-EXE-07, I2)."""

from datetime import timedelta

import pytest

from approvals.errors import Clash, Forbidden, Missing, Unavailable
from approvals.ports.cluster import Came, Reply
from approvals.ports.journey import Milestone
from approvals.verbs.verb import Effect
from approvals.workflow.execution import LEASE, Fate, Phase, Reason
from approvals.workflow.pause import Scope, ScopeKind
from approvals.workflow.setbacks import RESEND_WAIT
from tests.builders import ADA, BORIS, MINUTE, an_action
from tests.fakes.journey import Crash, CrashesAt
from tests.usecases.looks import (
    attempt_of,
    execution_of,
    held_targets,
    kinds,
    lines_to_tell,
    stands,
    story,
    tamper,
    wanted_of,
)

LOST = Reply(came=Came.LOST, message="The reply was lost.")
NO_CERTAINTY = "Whether it took effect is not certain (500 InternalError)."
LOST_TO_A_WEBHOOK = Reply(came=Came.LOST, status=500, message=NO_CERTAINTY)
CONFLICT = Reply(came=Came.CONFLICT, status=409, message="Somebody was faster.")
ALL = Scope(kind=ScopeKind.ALL)
MAY_LAND = "It may still land; the target stays locked until it no longer can."
TOKEN_DEAD = timedelta(minutes=10, seconds=61 + 30)
"""From minting until no API server takes the token any more and no call under way can still be let in."""


@pytest.fixture
def approved(world):
    """The agent's question, approved; nothing of it has begun."""
    return world.answers(world.pending()).request


def replicas(world):
    """Return how many pods the target wants."""
    return world.cluster.checkout()["spec"]["replicas"]


def crash_at(world, milestone):
    """Let the process die at a milestone of its next look."""
    with pytest.raises(Crash):
        world.restarted(journey=CrashesAt(milestone)).execute()


def test_it_had_landed(world, approved):
    """The mark is found: it was applied, once, and nothing is sent again."""
    world.cluster.lose_next_reply = True

    world.execute()

    attempt = attempt_of(world, approved)
    assert stands(world, approved) == (Phase.APPLIED, None, "Applied; the reply was lost and it was read back.")
    assert (attempt.number, attempt.sends, attempt.fate, attempt.http_status) == (1, 1, Fate.APPLIED, None)
    assert (len(world.cluster.sent), replicas(world)) == (1, 6)


def test_it_had_not_landed_and_nothing_has_moved(world, approved):
    """The object is still at the resource version that the bytes named: the same bytes go out again, under the same name."""
    world.cluster.replies = [LOST]

    world.execute()

    first, second = world.cluster.sent
    attempt = attempt_of(world, approved)
    assert first == second
    assert (attempt.number, attempt.sends, attempt.resource_version) == (1, 2, "100")
    assert (attempt.fate, replicas(world)) == (Fate.APPLIED, 6)


def test_it_had_not_landed_and_the_object_has_churned(world, approved, instant):
    """Its generation is the old one and its resource version is not: the old bytes can land no more, so it is planned again."""
    world.cluster.replies = [LOST]
    crash_at(world, Milestone.REPLIED)
    world.cluster.churn()
    instant.pass_by(LEASE)

    world.execute()

    attempt = attempt_of(world, approved)
    assert (attempt.number, attempt.sends, attempt.resource_version) == (2, 1, "101")
    assert (execution_of(world, approved).rounds, attempt.fate, replicas(world)) == (1, Fate.APPLIED, 6)


def test_the_first_copy_lands_after_the_read(world, approved, instant):
    """A conflict on a resend says only that something landed: it is read back, and it was the first copy."""
    send = world.cluster.send
    late = []

    def lands_late(**call):
        late.append(call)
        world.cluster.send = meets_the_first_copy
        world.cluster.sent.append(call["body"])
        return LOST

    def meets_the_first_copy(**call):
        world.cluster.send = send
        send(**late[0])
        return send(**call)

    world.cluster.send = lands_late

    world.execute()
    instant.pass_by(RESEND_WAIT)
    world.execute()

    generation = world.cluster.checkout()["metadata"]["generation"]
    assert stands(world, approved) == (Phase.APPLIED, None, "Applied; the reply was lost and it was read back.")
    assert (attempt_of(world, approved).sends, generation, replicas(world)) == (2, 5, 6)


def closing(request):
    """Return what tells a person to look, and how to close it then."""
    return f"A person must look at it, and then close this: countersign abandon {request.id} --reason ..."


def test_what_may_have_been_overwritten_is_a_persons_to_judge(world, approved, instant):
    """No mark and a moved object prove nothing: its target stays locked, nothing is sent again, until a person closes it."""
    world.cluster.replies = [LOST]
    crash_at(world, Milestone.REPLIED)
    world.cluster.somebody_scales(4)
    instant.pass_by(LEASE)
    world.execute()
    unknown = stands(world, approved)
    second = world.answers(world.pending("second", action=an_action(replicas=9))).request
    world.execute()
    waits = stands(world, second)

    closed = world.abandon(approved.id, account="os:olga", reason="It runs with 4.")
    instant.pass_by(timedelta(seconds=5))
    world.execute()

    assert unknown == (Phase.UNKNOWN, None, f"It may have landed and been overwritten. {closing(approved)}")
    landed = f"It is not known yet whether {approved.id}, another change of the same target, has landed."
    assert waits == (Phase.QUEUED, None, landed)
    assert (closed.state, closed) == (Phase.ABANDONED, execution_of(world, approved))
    assert (execution_of(world, second).state, replicas(world)) == (Phase.APPLIED, 9)
    assert story(world, approved)[-1][:2] == ("execution.abandoned", "os:olga")


def test_only_what_is_unknown_can_be_closed_by_a_person(world):
    """A person closes an outcome that nothing can tell, and no other."""
    request = world.pending()
    with pytest.raises(Missing, match="started"):
        world.abandon(request.id, account="os:olga", reason="")
    world.answers(request)
    with pytest.raises(Missing, match="started"):
        world.abandon(request.id, account="os:olga", reason="")
    world.execute()

    with pytest.raises(Clash) as refusal:
        world.abandon(request.id, account="os:olga", reason="")

    assert refusal.value.code == "not_unknown"


def test_a_send_that_no_worker_holds_any_more_can_be_closed(world, approved, instant):
    """The process died on it: before its lease has ended a person is told when, and from then on may give the target back."""
    world.cluster.replies = [LOST]
    crash_at(world, Milestone.REPLIED)
    with pytest.raises(Clash, match="sending") as refusal:
        world.abandon(approved.id, account="os:olga", reason="Too early.")
    ends = f"{execution_of(world, approved).lease_until:%Y-%m-%d %H:%M:%S} UTC"
    instant.pass_by(LEASE)

    closed = world.abandon(approved.id, account="os:olga", reason="It runs with 3.")

    told = f"It is sending, and whether it landed is still being found out. Try again after {ends}."
    assert (refusal.value.code, refusal.value.sentence) == ("not_unknown", told)
    assert (closed.state, held_targets(world)) == (Phase.ABANDONED, [])


def test_the_target_is_gone_at_the_read(world, approved, instant):
    """It stays unknown and locked, and says what a person can do about that."""
    world.cluster.replies = [LOST]
    crash_at(world, Milestone.REPLIED)
    world.cluster.objects.clear()
    instant.pass_by(LEASE)

    world.execute()

    gone = f"The target is gone, so nothing can tell whether the write landed. {closing(approved)}"
    assert stands(world, approved) == (Phase.UNKNOWN, None, gone)
    assert held_targets(world) == [execution_of(world, approved).id]


def test_a_cluster_that_cannot_be_asked_is_asked_again(world, approved, instant):
    """Not being able to read is not an answer: it is read again later."""
    world.cluster.lose_next_reply = True
    crash_at(world, Milestone.REPLIED)
    world.cluster.down = True
    instant.pass_by(LEASE)
    world.execute()
    down = stands(world, approved)

    world.cluster.down = False
    instant.pass_by(timedelta(seconds=10))
    world.execute()

    assert down == (Phase.UNKNOWN, None, "The cluster does not answer.")
    assert execution_of(world, approved).state is Phase.APPLIED
    assert len(world.cluster.sent) == 1


def pause(world, instant):
    """Stop everything."""
    world.pause(ALL, account=ADA, duration=None, reason="")


def pause_and_resume(world, instant):
    """Stop everything, and let two people end it: what was approved before still may not run."""
    engaged = world.pause(ALL, account=ADA, duration=None, reason="")
    for account in (ADA, BORIS):
        world.resume(engaged.pause.id, account=account, reason="")


def lapse(world, instant):
    """Let the approval's validity end."""
    instant.pass_by(15 * MINUTE)


UNWANTED = {"paused": pause, "paused and resumed": pause_and_resume}


@pytest.mark.parametrize("unwant", UNWANTED.values(), ids=UNWANTED)
def test_what_is_not_wanted_any_more_waits_until_it_can_land_no_more(unwant, world, approved, instant):
    """Its bytes may be on their way still: the target stays locked until their token is dead, then it never landed (I4)."""
    world.cluster.replies = [LOST]
    crash_at(world, Milestone.REPLIED)
    unwant(world, instant)
    instant.pass_by(LEASE)
    world.execute()
    waiting = stands(world, approved)

    instant.pass_by(TOKEN_DEAD)
    world.execute()

    assert waiting == (Phase.UNKNOWN, None, MAY_LAND)
    assert stands(world, approved)[:2] == (Phase.VOIDED, Reason.NEVER_LANDED)
    assert attempt_of(world, approved).fate is Fate.NEVER_LANDED
    assert (len(world.cluster.sent), replicas(world), held_targets(world)) == (1, 3, [])


@pytest.mark.parametrize("unwant", [*UNWANTED.values(), lapse], ids=[*UNWANTED, "lapsed"])
def test_what_was_being_sent_when_everything_went_down_for_long(unwant, world, approved, instant):
    """The process died while sending and came back after its token's death: nothing is sent, and the target is free (I1)."""
    crash_at(world, Milestone.SENDING)
    unwant(world, instant)
    instant.pass_by(LEASE + TOKEN_DEAD)

    for _ in range(3):
        world.execute()
        instant.pass_by(timedelta(minutes=1))

    assert stands(world, approved)[:2] == (Phase.VOIDED, Reason.NEVER_LANDED)
    assert (world.cluster.sent, replicas(world), held_targets(world)) == ([], 3, [])


def test_t_time_07_an_approval_that_has_lapsed_sends_nothing_again(world, approved, instant):
    """T-TIME-07: a resend is a write, too: past the approval's validity the bytes do not go out a second time (I1)."""
    world.cluster.replies = [LOST]
    crash_at(world, Milestone.REPLIED)
    lapse(world, instant)

    world.execute()
    waiting = stands(world, approved)
    instant.pass_by(TOKEN_DEAD)
    world.execute()

    assert waiting == (Phase.UNKNOWN, None, MAY_LAND)
    assert stands(world, approved)[:2] == (Phase.VOIDED, Reason.NEVER_LANDED)
    assert (len(world.cluster.sent), replicas(world)) == (1, 3)


def test_a_pause_between_the_read_and_the_resend_stops_it(world, approved, instant):
    """The gate is read again immediately before every send, the second as the first (I4, T-KILL-02)."""

    class Pauses:
        def reached(self, milestone, subject):
            if milestone is Milestone.BEFORE_SENDING:
                pause(world, instant)

    world.cluster.replies = [LOST]
    crash_at(world, Milestone.REPLIED)
    instant.pass_by(LEASE)

    world.restarted(journey=Pauses()).execute()

    assert stands(world, approved) == (Phase.UNKNOWN, None, MAY_LAND)
    assert len(world.cluster.sent) == 1


def test_what_a_person_closes_between_the_read_and_the_resend_is_not_sent(world, approved, instant):
    """Abandoned in that moment, it is over: the worker that had meant to resend finds that out and sends nothing."""
    world.cluster.replies = [LOST]
    crash_at(world, Milestone.REPLIED)
    world.cluster.down = True
    instant.pass_by(LEASE)
    world.execute()
    world.cluster.down = False
    instant.pass_by(LEASE)

    class Closes:
        def reached(self, milestone, subject):
            if milestone is Milestone.BEFORE_SENDING:
                world.abandon(approved.id, account="os:olga", reason="")

    world.restarted(journey=Closes()).execute()

    assert execution_of(world, approved).state is Phase.ABANDONED
    assert (len(world.cluster.sent), held_targets(world)) == (1, [])


@pytest.mark.parametrize(
    "refusal", [Forbidden("The bot may not mint it."), Unavailable("The cluster does not answer.")], ids=["no", "down"]
)
def test_a_resend_without_a_token_waits(refusal, world, approved, instant):
    """A token that cannot be had changes nothing about what is known; it is tried again."""
    world.cluster.replies = [LOST]
    crash_at(world, Milestone.REPLIED)
    world.cluster.mint_refusal = refusal
    instant.pass_by(LEASE)
    world.execute()
    waiting = stands(world, approved)

    world.cluster.mint_refusal = None
    instant.pass_by(timedelta(seconds=10))
    world.execute()

    assert waiting == (Phase.UNKNOWN, None, refusal.sentence)
    assert (execution_of(world, approved).state, len(world.cluster.sent)) == (Phase.APPLIED, 2)


def test_a_resend_that_is_refused_is_read_back(world, approved, instant):
    """Once bytes were sent twice, a no to the second says nothing about the first."""
    world.cluster.replies = [LOST, Reply(came=Came.REJECTED, status=403, message="no")]

    world.execute()
    unknown = stands(world, approved)
    instant.pass_by(RESEND_WAIT)
    world.execute()

    assert unknown == (Phase.UNKNOWN, None, "no")
    assert (attempt_of(world, approved).sends, replicas(world)) == (3, 6)


def sends_until(world, instant, end):
    """Let the worker tick every ten seconds until *end*, every write lost, and return how long after now each went out."""
    begun, send, sends = instant(), world.cluster.send, []

    def noted(**call):
        sends.append((instant() - begun).seconds)
        return send(**call)

    world.cluster.send = noted
    while instant() < end:
        world.cluster.replies = [LOST_TO_A_WEBHOOK] * 2
        world.execute()
        instant.pass_by(timedelta(seconds=10))
    world.cluster.send = send
    return sends


def test_what_is_lost_again_and_again_is_sent_ever_more_rarely(world, approved, instant):
    """A server that fails every write is not hammered (I13): each wait is twice the last, while the approval is good (I1)."""
    valid_until = execution_of(world, approved).valid_until

    sends = sends_until(world, instant, valid_until)
    instant.pass_by(MINUTE)
    world.execute()
    lapsed = stands(world, approved)
    instant.pass_by(TOKEN_DEAD)
    world.execute()

    assert sends == [0, 0, 10, 30, 70, 150, 310, 630]
    assert set(world.cluster.sent) == {world.cluster.sent[0]}
    assert (attempt_of(world, approved).sends, len(world.cluster.minted)) == (len(sends), len(sends))
    assert lapsed == (Phase.UNKNOWN, None, MAY_LAND)
    assert stands(world, approved)[:2] == (Phase.VOIDED, Reason.NEVER_LANDED)
    assert (replicas(world), held_targets(world)) == (3, [])


def test_what_is_lost_again_is_told_and_drawn_once(world, approved, instant):
    """Each further loss is on record and no news: the thread is not told of it, and no card is drawn for it (I13)."""
    world.cluster.replies = [LOST_TO_A_WEBHOOK] * 2
    world.execute()
    told, drawn = lines_to_tell(world), wanted_of(world, approved)

    sends_until(world, instant, execution_of(world, approved).valid_until)

    assert told == lines_to_tell(world)
    assert drawn == wanted_of(world, approved)
    assert kinds(world, approved)[4:11] == [
        "execution.claimed",
        "execution.armed",
        "execution.sending",
        "execution.unknown",
        "execution.sending",
        "execution.still_unknown",
        "execution.claimed",
    ]
    assert stands(world, approved) == (Phase.UNKNOWN, None, NO_CERTAINTY)


def test_a_resend_never_sends_other_bytes(world, approved, instant):
    """The bytes are made anew from the stored plan, and go out only where they hash as those that were sent."""
    world.cluster.replies = [LOST]
    crash_at(world, Milestone.REPLIED)
    instant.pass_by(LEASE)
    tamper(world, "UPDATE attempts SET request_hash = 'tampered'")

    world.execute()

    assert len(world.cluster.sent) == 1
    told = "The bytes are not those that were sent, so they are not sent again."
    assert stands(world, approved) == (Phase.UNKNOWN, None, told)


def test_a_conflict_on_the_only_send_is_planned_again(world, approved):
    """T-TOC-01: a 409 on the only send proves that nothing landed; unrelated churn does not stop it."""
    world.cluster.replies = [world.cluster.churn]

    world.execute()

    attempt = attempt_of(world, approved)
    assert (attempt.number, attempt.resource_version, attempt.fate) == (2, "101", Fate.APPLIED)
    assert (execution_of(world, approved).rounds, replicas(world)) == (1, 6)
    assert kinds(world, approved).count("execution.armed") == 2


def test_t_toc_01_three_conflicts_are_enough(world, approved):
    """T-TOC-01: it is planned again at most three times; then it is void, and was never applied."""
    world.cluster.replies = [CONFLICT] * 3

    world.execute()

    contended = "Others kept changing the target; it was not applied."
    assert stands(world, approved) == (Phase.VOIDED, Reason.CONTENDED, contended)
    assert (len(world.cluster.sent), replicas(world), held_targets(world)) == (3, 3, [])


def test_a_token_that_is_not_taken_is_minted_anew(world, approved):
    """A 401 proves that nothing landed."""
    world.cluster.replies = [Reply(came=Came.EXPIRED, status=401, message="The token was not taken.")]

    world.execute()

    assert (len(world.cluster.minted), attempt_of(world, approved).number, replicas(world)) == (2, 2, 6)


def test_what_the_cluster_refuses_is_over(world, approved):
    """A refusal of the only send ends it, and the target is free."""
    world.cluster.replies = [Reply(came=Came.REJECTED, status=422, audit_id="audit-9", message="Invalid.")]

    world.execute()

    attempt = attempt_of(world, approved)
    assert stands(world, approved) == (Phase.REJECTED, Reason.REFUSED_BY_CLUSTER, "Invalid.")
    assert (attempt.fate, attempt.http_status, attempt.audit_id) == (Fate.REJECTED, 422, "audit-9")
    assert held_targets(world) == []


def test_a_reply_that_is_not_as_planned_is_no_success(world, approved):
    """The server's answer is compared with what was approved: a difference is drift, not success (I8)."""
    world.cluster.replies = [Reply(came=Came.APPLIED, status=200, as_planned=False)]

    world.execute()

    execution = execution_of(world, approved)
    told = (Phase.APPLIED, Reason.DRIFT, "The cluster changed something else with it than was approved.")
    assert (stands(world, approved), execution.effect) == (told, Effect.FAILED)
