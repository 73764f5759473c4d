"""Judging: what the tests of answers share: a request for several people, an event as it must be, a refusal to look at."""

from datetime import datetime
from typing import Any

from approvals.audit.events import AuditEvent, EventKind
from approvals.errors import Refused
from approvals.facts import facts_of
from approvals.workflow.request import Request
from approvals.workflow.votes import DecisionContext, VoteSubmission, judge
from tests.builders import ESCALATION, MINUTE, NOON, a_context, a_policy, a_request, a_rule, a_submission, an_asking

STREAM = f"request:{ESCALATION}"
DUE = NOON + 15 * MINUTE


def by(people: int, **changed: Any) -> Request:
    """Return a request that needs *people* approvals."""
    policy = a_policy(rules=(a_rule(asking=an_asking(quorum=people)),))
    return a_request(policy, **changed)


def refusal(
    submission: VoteSubmission | None = None, context: DecisionContext | None = None, request: Request | None = None
) -> Refused | None:
    """Return what the answer is refused with, or None where it counts."""
    asked = request or a_request()
    try:
        judge(asked, submission or a_submission(), context or a_context(asked))
    except Refused as refused:
        return refused
    return None


def what(refused: Refused | None) -> tuple[type, str, str] | None:
    """Return the kind, the code and the sentence of a refusal."""
    return None if refused is None else (type(refused), refused.code, refused.sentence)


def said(
    kind: EventKind, actor: str, *, at: datetime = NOON, private: dict[str, str] | None = None, **nouns: Any
) -> AuditEvent:
    """Return an event of the request's stream that holds these nouns."""
    data = {name: facts_of(noun) for name, noun in nouns.items()}
    return AuditEvent(kind=kind, stream=STREAM, actor=actor, at=at, data=data, private=private or {})
