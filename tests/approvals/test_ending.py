"""Opening a question, and its other ends: silence, the agent's own second thoughts, and drift."""

from dataclasses import replace

import pytest

from approvals.audit.events import AuditEvent, EventKind
from approvals.errors import Late, Refused, Settled
from approvals.facts import facts_of
from approvals.identity.names import EscalationId
from approvals.identity.place import Place
from approvals.workflow.endings import cancel, expire, supersede
from approvals.workflow.execution import Phase, Reason
from approvals.workflow.request import CHAIN_LIMIT, Refusal, Request, State, mention, opened
from tests.approvals.judging import DUE, STREAM, said, what
from tests.builders import ADA, MINUTE, NOON, TICK, a_context, a_pause, a_request, a_vote, about, an_execution

AGENT = "agent:scaler"


def test_a_question_opens_with_everything_that_explains_it():
    """The event holds the request and the facts it rests on; the agent's words stand beside the chain."""
    transition = opened(a_request(), justification={"rationale": "p99 is 4.1 s"}, facts={"bound": {"schema": 1}})

    assert transition == about(
        Request,
        nouns=(a_request(),),
        events=(
            AuditEvent(
                kind=EventKind.REQUEST_OPENED,
                stream=STREAM,
                actor=AGENT,
                at=NOON,
                data={"bound": {"schema": 1}, "request": facts_of(a_request())},
                private={"rationale": "p99 is 4.1 s"},
            ),
        ),
    )


def test_a_refused_question_is_written_down_as_that():
    """What was refused at intake has an event of its own kind, at the instant it came in."""
    request = a_request(state=State.REFUSED, asked_at=NOON - MINUTE, refusal=Refusal(code="paused", sentence="Paused."))

    transition = opened(request, justification={}, facts={})

    assert transition == about(
        Request, nouns=(request,), events=(said(EventKind.REQUEST_REFUSED, AGENT, at=NOON - MINUTE, request=request),)
    )


def test_a_request_acts_at_its_targets_place():
    """What a pause covers is told by agent, environment and the target's namespace."""
    assert a_request().place == Place(agent="scaler", environment="prod-eu-1", namespace="shop")


@pytest.mark.parametrize("now", [DUE, DUE + TICK, DUE + 60 * MINUTE])
def test_silence_denies_from_the_deadline_on(now):
    """T-TIME-01: at the deadline and at any time after it, the request expires, by nobody."""
    after = replace(a_request(), state=State.EXPIRED, revision=2, decided_at=now, outcome_code="expired")

    assert expire(a_request(), now=now, seen=True) == about(
        Request, nouns=(after,), events=(said(EventKind.REQUEST_EXPIRED, "countersign", at=now, request=after),)
    )
    assert after.decided_by == ()


def test_nothing_expires_early():
    """One tick before its deadline a request is still a question."""
    with pytest.raises(Refused) as refused:
        expire(a_request(), now=DUE - TICK, seen=True)

    assert what(refused.value) == (Refused, "not_due", "Its deadline has not come.")


@pytest.mark.parametrize("state", sorted(set(State) - {State.PENDING}))
def test_only_a_pending_request_expires(state):
    """I3: what has an outcome keeps it, however late the sweep."""
    with pytest.raises(Settled) as refused:
        expire(a_request(state=state), now=DUE, seen=True)

    assert what(refused.value) == (Settled, "already_decided", "It has its outcome already.")


def test_a_request_without_a_deadline_never_was_a_question():
    """Only a refused request has none; a sweep that met one would leave it alone."""
    with pytest.raises(Settled):
        expire(a_request(deadline=None), now=DUE, seen=True)


def test_an_agent_takes_its_question_back():
    """The request ends by the agent's own word; the votes given so far stay on record."""
    after = replace(a_request(), state=State.CANCELLED, revision=2, decided_at=NOON, outcome_code="cancelled")

    assert cancel(a_request(), a_context(votes=(a_vote(),), pauses=(a_pause(),)), actor=AGENT) == about(
        Request, nouns=(after,), events=(said(EventKind.REQUEST_CANCELLED, AGENT, request=after),)
    )


@pytest.mark.parametrize("phase", [Phase.QUEUED, Phase.CLAIMED])
def test_an_agent_takes_back_what_was_approved_and_not_armed(phase):
    """Request and execution end together, before anything was sent."""
    request, execution = a_request(state=State.APPROVED, decided_by=(ADA,)), an_execution(phase)

    after = replace(request, state=State.CANCELLED, revision=2, decided_at=NOON, outcome_code="cancelled")
    stopped = replace(
        execution,
        state=Phase.VOIDED,
        revision=2,
        reason=Reason.CANCELLED,
        message="Taken back by the agent before it started.",
    )
    assert cancel(request, a_context(execution=execution), actor=AGENT) == about(
        Request,
        nouns=(after, stopped),
        events=(
            said(EventKind.REQUEST_CANCELLED, AGENT, request=after),
            said(EventKind.EXECUTION_VOIDED, AGENT, execution=stopped),
        ),
    )


@pytest.mark.parametrize("phase", sorted(set(Phase) - {Phase.QUEUED, Phase.CLAIMED}))
def test_an_agent_cannot_take_back_what_has_started(phase):
    """From the start record on it is too late, for the agent as for everybody."""
    with pytest.raises(Settled):
        cancel(a_request(state=State.APPROVED), a_context(execution=an_execution(phase)), actor=AGENT)


@pytest.mark.parametrize("state", [State.DENIED, State.CANCELLED, State.SUPERSEDED, State.REFUSED])
def test_an_agent_cannot_take_back_what_has_ended(state):
    """A cancelled denial would be a denial undone."""
    with pytest.raises(Settled):
        cancel(a_request(state=state), a_context(), actor=AGENT)


@pytest.mark.parametrize(("now", "late"), [(DUE - TICK, False), (DUE, True)])
def test_an_agent_cannot_take_back_what_silence_has_denied(now, late):
    """At the deadline the outcome is *expired*, whoever comes first, the sweep or the agent."""
    if late:
        with pytest.raises(Late):
            cancel(a_request(), a_context(now=now), actor=AGENT)
    else:
        assert cancel(a_request(), a_context(now=now), actor=AGENT).nouns[0].state is State.CANCELLED


@pytest.mark.parametrize("successor", ["esc_2", None])
def test_a_drifted_request_gives_way(successor):
    """It is linked to what follows, or to nothing; when and by whom it was approved stays as it was."""
    request = a_request(state=State.APPROVED, decided_at=NOON, decided_by=(ADA,), revision=5)

    after = replace(request, state=State.SUPERSEDED, revision=6, superseded_by=successor, outcome_code="drift")
    assert supersede(request, successor=successor, now=NOON + MINUTE) == about(
        Request,
        nouns=(after,),
        events=(said(EventKind.REQUEST_SUPERSEDED, "countersign", at=NOON + MINUTE, request=after),),
    )


@pytest.mark.parametrize("state", sorted(set(State) - {State.APPROVED}))
def test_only_what_was_approved_can_drift(state):
    """A question has not been answered, and an outcome is final: nothing follows either."""
    with pytest.raises(Settled) as refused:
        supersede(a_request(state=state), successor=EscalationId("esc_2"), now=NOON)

    assert refused.value.sentence == f"It is {state.value}, so nothing follows it."


def test_at_most_three_follow_one_another():
    """A target that never stands still does not ask for ever."""
    assert (CHAIN_LIMIT, a_request().chain) == (3, 1)


@pytest.mark.parametrize(
    ("account", "called"), [(ADA, "<@U0ADA>"), ("os:olga", "os:olga"), ("scaler", "scaler"), ("T0X:", "T0X:"), ("", "")]
)
def test_people_in_slack_are_mentioned_and_others_named(account, called):
    """A mention is made of a Slack account only."""
    assert mention(account) == called
