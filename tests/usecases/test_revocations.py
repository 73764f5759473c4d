"""Revocations: what was asked with a token ends with it, or says so on its card, as the agent's charter has it (T-AUTH-04)."""

from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from approvals.facts import facts_of
from approvals.identity.tokens import created
from approvals.policy.charter import WhenTokenRevoked
from approvals.ports.journey import Milestone
from approvals.usecases.people.revocations import BATCH, Followed
from approvals.workflow.execution import Phase, Reason
from approvals.workflow.request import Answer, State
from tests.builders import BORIS, HOUR, MINUTE, a_charter, a_policy, a_token, an_action, an_escalation
from tests.fakes.journey import Crash, CrashesAt
from tests.usecases.looks import held_targets, kinds, stands, story
from tests.usecases.mishaps import Between, Blind
from tests.world import number_of

TOKEN = a_token().id
OTHER = "tok_01JD0000000000000000000009"
VOIDED = (Phase.VOIDED, Reason.TOKEN_REVOKED, "The token it was asked with was revoked before it started.")


@pytest.fixture
def flagging(make_world):
    """A world whose agent's questions are flagged."""
    charter = a_charter(when_token_revoked=WhenTokenRevoked.FLAG)
    return make_world(a_policy(charters={"scaler": charter}))


def revoke(world, token=TOKEN):
    """Revoke the token that the agent asks with, or another."""
    return world.admit.revoke(token, by="os:olga")


def asked_with_another_token(world, key="other"):
    """Let the same agent ask with a second token of its own."""
    with world.store.writing() as uow:
        uow.save(created(a_token(id=OTHER, hash="0" * 64)))
    asked = an_escalation(idempotency_key=key, action=an_action(replicas=number_of(key)))
    return world.escalate(asked, a_token(id=OTHER, hash="0" * 64)).request


def test_t_auth_04_open_questions_end_with_their_token(world, instant):
    """T-AUTH-04: pending is cancelled by the product itself, in one whole event; another token's question is left alone."""
    request, others = world.pending(), asked_with_another_token(world)
    revoke(world)

    assert (world.follow_revocations.sweep(), world.follow_revocations()) == (Followed(cancelled=1), 0)

    cancelled = replace(request, state=State.CANCELLED, revision=2, decided_at=instant(), outcome_code="token_revoked")
    assert world.request(request) == cancelled
    assert story(world, request)[1:] == [
        ("request.cancelled", "countersign", {"token_id": TOKEN, "request": facts_of(cancelled)})
    ]
    assert world.request(others) == others


def test_t_auth_04_flagged_questions_stay_open(flagging, instant):
    """T-AUTH-04: told of once, by what it is; another token's question is left alone; whoever may can still answer."""
    request, others = flagging.pending(), asked_with_another_token(flagging)
    revoked = revoke(flagging)
    instant.pass_by(MINUTE)

    assert (flagging.follow_revocations.sweep(), flagging.follow_revocations()) == (Followed(flagged=1), 0)

    flagged = replace(request, revision=2, token_revoked_at=revoked.revoked_at)
    assert flagging.request(request) == flagged
    assert story(flagging, request)[1:] == [
        ("request.token_revoked", "countersign", {"token_id": TOKEN, "request": facts_of(flagged)})
    ]
    assert flagging.request(others) == others
    after = flagging.answers(flagged).request
    assert (after.state, after.token_revoked_at) == (State.APPROVED, revoked.revoked_at)
    assert flagging.follow_revocations() == 0


def test_t_auth_04_nothing_starts_between_a_revocation_and_its_sweep(world):
    """T-AUTH-04: the start gate asks for itself, so no change of a revoked token's runs while the sweep has not come yet."""
    request = world.answers(world.pending()).request
    revoke(world)

    world.execute()

    assert stands(world, request) == VOIDED
    assert world.cluster.sent == []


def test_t_auth_04_what_is_flagged_still_starts(flagging):
    """T-AUTH-04: where the charter says to flag, whoever approved has seen or will see it; the change runs."""
    request = flagging.answers(flagging.pending()).request
    revoke(flagging)

    flagging.execute()

    assert stands(flagging, request)[0] is Phase.APPLIED


def test_t_auth_04_what_was_approved_and_not_started_is_voided(world):
    """T-AUTH-04: approved and queued, it ends before it starts, and gives its target back."""
    request = world.answers(world.pending()).request
    revoke(world)

    assert world.follow_revocations.sweep() == Followed(cancelled=1)

    after = world.request(request)
    assert (after.state, after.outcome_code, after.decided_by) == (
        State.CANCELLED,
        "token_revoked",
        request.decided_by,
    )
    assert stands(world, request) == VOIDED
    assert kinds(world, request)[-2:] == ["request.cancelled", "execution.voided"]
    world.execute()
    assert (world.cluster.sent, held_targets(world)) == ([], [])


def test_t_auth_04_what_was_approved_is_flagged_and_runs(flagging):
    """T-AUTH-04: where the charter says flag, an approval of before stands; the trail says what was known."""
    request = flagging.answers(flagging.pending()).request
    revoked = revoke(flagging)

    assert flagging.follow_revocations.sweep() == Followed(flagged=1)

    assert flagging.request(request) == replace(request, revision=3, token_revoked_at=revoked.revoked_at)
    flagging.execute()
    assert stands(flagging, request).state is Phase.APPLIED
    assert flagging.follow_revocations() == 0


@pytest.mark.parametrize("when", list(WhenTokenRevoked))
@pytest.mark.parametrize(
    ("milestone", "phase"),
    [(Milestone.ARMED, Phase.ARMED), (Milestone.SENDING, Phase.SENDING), (Milestone.OUTCOME, Phase.APPLIED)],
)
def test_t_auth_04_what_has_started_goes_on(make_world, when, milestone, phase):
    """T-AUTH-04: from the start record on a revocation reaches it no more than a denial does; its book is left alone."""
    world = make_world(a_policy(charters={"scaler": a_charter(when_token_revoked=when)}))
    request = world.answers(world.pending()).request
    with pytest.raises(Crash):
        world.restarted(journey=CrashesAt(milestone)).execute()
    revoke(world)

    assert world.follow_revocations() == 0
    assert (world.request(request), stands(world, request).state) == (request, phase)


def test_what_was_armed_and_never_sent_is_caught_when_it_is_claimed_again(world, instant):
    """Its start came to nothing: on its way to another one it can be stopped, and is."""
    request = world.answers(world.pending()).request
    with pytest.raises(Crash):
        world.restarted(journey=CrashesAt(Milestone.ARMED)).execute()
    revoke(world)
    instant.pass_by(2 * MINUTE)
    with pytest.raises(Crash):
        world.restarted(journey=CrashesAt(Milestone.CLAIMED)).execute()

    assert world.follow_revocations.sweep() == Followed(cancelled=1)
    assert (stands(world, request), held_targets(world)) == (VOIDED, [])


def test_a_start_between_the_look_and_the_lock_ends_it_by_itself(world):
    """The start was faster, and voided it: there is nothing left to cancel."""
    request = world.answers(world.pending()).request
    revoke(world)

    assert replace(world.follow_revocations, store=Between(world.store, world.execute))() == 0
    assert (world.request(request), stands(world, request), world.cluster.sent) == (request, VOIDED, [])


def test_a_decision_between_the_look_and_the_lock_counts(world):
    """A denial was faster: it keeps its outcome, and nobody's name is taken off it."""
    request = world.pending()
    revoke(world)

    def denies():
        world.answers(request, BORIS, Answer.DENY)

    assert replace(world.follow_revocations, store=Between(world.store, denies))() == 0
    assert world.request(request).state is State.DENIED


def test_an_approval_between_the_look_and_the_lock_is_voided(world):
    """An approval was faster, and nothing has been armed: what it queued ends with the question."""
    request = world.pending()
    revoke(world)

    assert replace(world.follow_revocations, store=Between(world.store, lambda: world.answers(request)))() == 1
    assert (world.request(request).state, stands(world, request)) == (State.CANCELLED, VOIDED)


@pytest.mark.parametrize("when", list(WhenTokenRevoked))
def test_another_sweep_was_faster(make_world, when):
    """Two sweeps, the service's and a command's, see to each question once."""
    world = make_world(a_policy(charters={"scaler": a_charter(when_token_revoked=when)}))
    request = world.pending()
    revoke(world)

    assert replace(world.follow_revocations, store=Between(world.store, world.follow_revocations))() == 0
    assert len(kinds(world, request)) == 2


def test_t_auth_04_a_question_that_came_in_meanwhile_is_met_by_the_next_sweep(world):
    """T-AUTH-04: its token was good when the call began, and revoked by the time it was written."""
    revoke(world)
    assert world.follow_revocations() == 0
    late = world.pending()

    assert world.follow_revocations() == 1
    assert world.request(late).outcome_code == "token_revoked"


def test_an_agent_that_is_in_no_policy_any_more_keeps_nothing_open(flagging):
    """Unknown means no: whoever answered for it is gone, so its question is cancelled whatever its charter said."""
    request = flagging.pending()
    revoke(flagging)
    flagging.policies.policy = a_policy(charters={})

    assert flagging.follow_revocations.sweep() == Followed(cancelled=1)
    assert flagging.request(request).state is State.CANCELLED


def test_silence_has_denied_what_is_overdue(world, instant):
    """What nobody answered by its deadline is expired, also where the sweep of revocations comes first."""
    request = world.pending()
    revoke(world)
    instant.pass_by(HOUR)

    assert (world.follow_revocations(), world.expire()) == (0, 1)
    assert world.request(request).state is State.EXPIRED


def test_everything_is_seen_to_in_one_sweep(world):
    """More than one look finds: all of it is cancelled before the sweep ends."""
    world.escalate = replace(world.escalate, most_pending=BATCH + 10)
    requests = [world.pending(f"key-{number}") for number in range(BATCH + 2)]
    revoke(world)

    assert world.follow_revocations() == BATCH + 2
    assert {world.request(one).state for one in requests} == {State.CANCELLED}


def test_a_request_that_cannot_be_locked_is_left_out(world):
    """A row that is not there by the time it is to be locked is left as it is; the others are seen to."""
    kept, unseen = world.pending("kept"), world.pending("unseen")
    revoke(world)

    assert replace(world.follow_revocations, store=Blind(world.store, unseen.id))() == 1
    assert (world.request(kept).state, world.request(unseen).state) == (State.CANCELLED, State.PENDING)


class Mistaken:
    """A store whose look names a question that it should not name."""

    def __init__(self, store, named):
        self._store = store
        self._named = named

    def __getattr__(self, name):
        return getattr(self._store, name)

    @contextmanager
    def reading(self):
        """Look, and be mistaken."""
        with self._store.reading() as reading:
            yield _MistakenReading(reading, self._named)


class _MistakenReading:
    def __init__(self, reading, named):
        self._reading = reading
        self._named = named

    @property
    def now(self):
        """Return the instant."""
        return self._reading.now

    def asked_with_revoked_tokens(self, *, limit):
        """Name it whatever the tables say."""
        del limit
        return (self._named,)


def test_a_good_tokens_question_is_never_touched(world):
    """What the look says is not believed: the token is read again under the lock."""
    request = world.pending()

    assert replace(world.follow_revocations, store=Mistaken(world.store, request.id))() == 0
    assert world.request(request) == request


def test_an_expired_token_cancels_nothing(world, instant):
    """A token that ran out was not taken back: what was asked in time stays a question until its own deadline."""
    request = world.pending()
    instant.pass_by(timedelta(minutes=10))

    assert world.follow_revocations() == 0
    assert world.request(request) == request
