"""What was asked in another form ends as upgraded, or is denied: it is never approved, and never called drift."""

from dataclasses import replace
from typing import Any

import pytest

from approvals.audit.events import EventKind
from approvals.errors import Clash, Late, Settled
from approvals.workflow.endings import end_for_upgrade
from approvals.workflow.execution import Fate, Phase, Reason
from approvals.workflow.request import FORM, Answer, Request, State
from approvals.workflow.votes import judge
from tests.approvals.judging import DUE, said
from tests.builders import ADA, NOON, TICK, a_context, a_request, a_submission, about, an_attempt, an_execution

BEFORE = a_request(form=FORM - 1)
APPROVED = replace(BEFORE, state=State.APPROVED, decided_by=(ADA,), decided_at=NOON, outcome_code="approved")
SENTENCE = "An upgrade of Countersign ended it before it started."


def test_an_open_question_ends_as_nobodys_denial():
    """It is cancelled with a code of its own, by the product itself."""
    after = replace(BEFORE, state=State.CANCELLED, revision=2, decided_at=NOON, outcome_code="upgraded")

    assert end_for_upgrade(BEFORE, None, None, now=NOON) == about(
        Request, nouns=(after,), events=(said(EventKind.REQUEST_CANCELLED, "countersign", request=after),)
    )


@pytest.mark.parametrize("phase", [Phase.QUEUED, Phase.CLAIMED, Phase.ARMED])
def test_what_was_approved_and_not_sent_ends_with_it(phase):
    """Request, execution and start record end together; of an armed one nothing has left."""
    execution = an_execution(phase)
    attempt = an_attempt() if phase is Phase.ARMED else None

    ended = end_for_upgrade(APPROVED, execution, attempt, now=NOON)

    after = replace(APPROVED, state=State.CANCELLED, revision=2, decided_at=NOON, outcome_code="upgraded")
    stopped = replace(execution, state=Phase.VOIDED, revision=2, reason=Reason.UPGRADED, message=SENTENCE)
    closed: dict[str, Any] = {} if attempt is None else {"attempt": replace(attempt, fate=Fate.NOT_SENT)}
    assert ended == about(
        Request,
        nouns=(after, stopped, *closed.values()),
        events=(
            said(EventKind.REQUEST_CANCELLED, "countersign", request=after),
            said(EventKind.EXECUTION_VOIDED, "countersign", execution=stopped, **closed),
        ),
    )


@pytest.mark.parametrize("phase", [Phase.SENDING, Phase.UNKNOWN, Phase.APPLIED])
def test_what_may_have_been_sent_is_not_ended(phase):
    """A write that may land is no matter for a sentence."""
    with pytest.raises(Clash):
        end_for_upgrade(APPROVED, an_execution(phase), None, now=NOON)


@pytest.mark.parametrize("phase", [Phase.VOIDED, Phase.REJECTED, Phase.ABANDONED])
def test_what_is_over_keeps_its_end(phase):
    """An execution that has ended tells why already."""
    with pytest.raises(Settled):
        end_for_upgrade(APPROVED, an_execution(phase), None, now=NOON)


@pytest.mark.parametrize("state", [State.DENIED, State.EXPIRED, State.CANCELLED, State.SUPERSEDED, State.REFUSED])
def test_an_outcome_stays(state):
    """Whatever has its outcome keeps it."""
    with pytest.raises((Settled, Late)):
        end_for_upgrade(replace(BEFORE, state=state), None, None, now=NOON)


@pytest.mark.parametrize(("now", "is_late"), [(DUE - TICK, False), (DUE, True)])
def test_a_deadline_that_has_passed_is_silences(now, is_late):
    """At the deadline silence has denied it, whatever else would have ended it."""
    if not is_late:
        assert end_for_upgrade(BEFORE, None, None, now=now).noun.outcome_code == "upgraded"
        return
    with pytest.raises(Late):
        end_for_upgrade(BEFORE, None, None, now=now)


def test_nobody_approves_what_another_release_has_asked():
    """The card that would be signed cannot be drawn any more; a denial counts as ever."""
    with pytest.raises(Settled) as refusal:
        judge(BEFORE, a_submission(), a_context())

    assert refusal.value.code == "upgraded"
    assert judge(BEFORE, a_submission(answer=Answer.DENY), a_context()).request.state is State.DENIED
