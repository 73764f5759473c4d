"""What becomes of a question whose token is revoked: it ends as nobody's denial, or stays open and says so (T-AUTH-04)."""

from dataclasses import replace

import pytest

from approvals.audit.events import EventKind
from approvals.errors import Late, Settled
from approvals.workflow.endings import cancel_for_token, flag_for_token
from approvals.workflow.execution import Phase, Reason
from approvals.workflow.request import Request, State
from tests.approvals.judging import DUE, said, what
from tests.builders import ADA, MINUTE, NOON, TICK, a_context, a_request, about, an_execution

TOKEN = "tok_01JD0000000000000000000000"
BEFORE = NOON - MINUTE
STARTED = sorted(set(Phase) - {Phase.QUEUED, Phase.CLAIMED})
ENDED = [State.DENIED, State.CANCELLED, State.SUPERSEDED, State.REFUSED]


def test_t_auth_04_a_question_ends_with_its_token():
    """T-AUTH-04: it is cancelled with a code of its own, by the product itself, with nobody's name to it."""
    after = replace(a_request(), state=State.CANCELLED, revision=2, decided_at=NOON, outcome_code="token_revoked")

    assert cancel_for_token(a_request(), a_context()) == about(
        Request,
        nouns=(after,),
        events=(said(EventKind.REQUEST_CANCELLED, "countersign", request=after, token_id=TOKEN),),
    )
    assert after.decided_by == ()


@pytest.mark.parametrize("phase", [Phase.QUEUED, Phase.CLAIMED])
def test_t_auth_04_what_was_approved_and_not_armed_ends_with_its_token(phase):
    """T-AUTH-04: request and execution end together, before anything was sent."""
    request, execution = a_request(state=State.APPROVED, decided_by=(ADA,)), an_execution(phase)

    after = replace(request, state=State.CANCELLED, revision=2, decided_at=NOON, outcome_code="token_revoked")
    stopped = replace(
        execution,
        state=Phase.VOIDED,
        revision=2,
        reason=Reason.TOKEN_REVOKED,
        message="The token it was asked with was revoked before it started.",
    )
    assert cancel_for_token(request, a_context(execution=execution)) == about(
        Request,
        nouns=(after, stopped),
        events=(
            said(EventKind.REQUEST_CANCELLED, "countersign", request=after, token_id=TOKEN),
            said(EventKind.EXECUTION_VOIDED, "countersign", execution=stopped),
        ),
    )


@pytest.mark.parametrize(
    ("request_", "execution"),
    [
        (a_request(), None),
        (a_request(state=State.APPROVED, decided_by=(ADA,)), an_execution(Phase.QUEUED)),
        (a_request(state=State.APPROVED, decided_by=(ADA,)), an_execution(Phase.CLAIMED)),
    ],
    ids=["pending", "queued", "claimed"],
)
def test_t_auth_04_a_flagged_question_stays_open_and_says_so(request_, execution):
    """T-AUTH-04: nothing of it changes but that it remembers when its token was revoked; what was approved still runs."""
    after = replace(request_, revision=2, token_revoked_at=BEFORE)

    assert flag_for_token(request_, a_context(execution=execution), revoked_at=BEFORE) == about(
        Request,
        nouns=(after,),
        events=(said(EventKind.REQUEST_TOKEN_REVOKED, "countersign", request=after, token_id=TOKEN),),
    )


def test_a_question_is_flagged_once():
    """A second sweep has nothing new to tell."""
    with pytest.raises(Settled) as refused:
        flag_for_token(a_request(token_revoked_at=BEFORE), a_context(), revoked_at=BEFORE)

    assert what(refused.value) == (Settled, "already_flagged", "It says already that its token was revoked.")


def test_what_was_flagged_can_still_be_cancelled():
    """Where the policy turned to cancelling, a flag of yesterday protects nothing."""
    (after,) = cancel_for_token(a_request(token_revoked_at=BEFORE, revision=2), a_context()).nouns

    assert (after.state, after.token_revoked_at) == (State.CANCELLED, BEFORE)


ACTS = {
    "cancel": cancel_for_token,
    "flag": lambda request, context: flag_for_token(request, context, revoked_at=BEFORE),
}


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS.keys())
@pytest.mark.parametrize("phase", STARTED)
def test_a_revocation_does_not_reach_what_has_started(act, phase):
    """From the start record on nothing stops it here, and its book stays as it was."""
    with pytest.raises(Settled):
        act(a_request(state=State.APPROVED), a_context(execution=an_execution(phase)))


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS.keys())
@pytest.mark.parametrize("state", ENDED)
def test_a_revocation_does_not_reach_what_has_ended(act, state):
    """An outcome is final; a denial that turned into a cancellation would be a denial undone."""
    with pytest.raises(Settled):
        act(a_request(state=state), a_context())


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS.keys())
@pytest.mark.parametrize(("now", "late"), [(DUE - TICK, False), (DUE, True)])
def test_silence_comes_before_a_revocation(act, now, late):
    """At the deadline the outcome is *expired*, whether the sweep of revocations or that of deadlines comes first."""
    if late:
        with pytest.raises(Late):
            act(a_request(), a_context(now=now))
    else:
        assert act(a_request(), a_context(now=now)).nouns[0].revision == 2
