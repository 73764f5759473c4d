"""What an agent sees of its own escalation. Made from nouns alone; nothing here is read from a request.

A hidden value is shown as hidden: neither it nor the keyed hash that stands for it leaves the house.
"""

from collections.abc import Iterable
from datetime import datetime
from itertools import islice
from typing import Annotated, Final, Literal

from pydantic import Field

from approvals.change.plan import Bound, Change, Leaf, Redacted, changes_of
from approvals.policy.ruling import Ruling
from approvals.verbs.verb import Effect
from approvals.workflow.execution import Execution, Phase, Reason
from approvals.workflow.request import EXPIRED_UNSEEN, TOKEN_REVOKED, UPGRADED, Request, State
from models.payloads.shapes import Code, Count, Instant, PayloadShape, Sentence, ShownId

MOST_EARLIER: Final = 10
"""How many earlier escalations an agent is told of."""

MOST_LISTED: Final = 200
"""How many escalations are on one page."""

MOST_DECIDING: Final = 100
"""How many people are named for one decision; a quorum is ten at most."""

MOST_REASONS: Final = 1000
"""How many reasons of the policy are told."""

LARGEST_OBJECT: Final = 1_572_864
"""In bytes: etcd takes no request beyond it, so no value of an object is longer and no object has more fields that change."""


class RedactedView(PayloadShape):
    """Stands for a value that is not shown."""

    redacted: Literal[True] = True


LeafView = (
    bool
    | Annotated[int, Field(ge=-(2**63), le=2**63 - 1)]
    | Annotated[str, Field(max_length=LARGEST_OBJECT)]
    | RedactedView
    | None
)


class ChangeView(PayloadShape):
    """One field that changes; null where it is absent."""

    path: Annotated[
        str,
        Field(
            max_length=LARGEST_OBJECT, description="JSON pointer into the object; named list items stand in brackets."
        ),
    ]
    before: LeafView
    after: LeafView


class RulingView(PayloadShape):
    """What the policy said."""

    rule: Annotated[Sentence, Field(description="The names of the rules that spoke, joined by a comma; may be empty.")]
    reasons: Annotated[list[Sentence], Field(max_length=MOST_REASONS)]


class DecisionView(PayloadShape):
    """How it ended."""

    outcome: Annotated[State, Field(description="The status it ended with; never pending.")]
    code: Annotated[
        Code | None,
        Field(
            description="Why it ended so, as a stable code: expired_unseen where its deadline passed before it was shown to"
            " anybody, token_revoked, upgraded, and others; a refused one's is the code of its refusal."
        ),
    ]
    by: Annotated[list[Sentence], Field(max_length=MOST_DECIDING, description="Who decided; empty where nobody did.")]
    at: Instant
    reason: Sentence | None


class ExecutionView(PayloadShape):
    """How far it is carried out."""

    status: Phase
    effect: Annotated[
        Effect | None,
        Field(
            description="What has become of what was applied: in_progress, verified, failed, timed_out, overtaken by a newer "
            "change, undone by somebody else since, or differs: otherwise than approved, whether with the write or since cannot "
            "be told."
        ),
    ]
    reason: Reason | None
    message: Sentence
    drift: Annotated[
        list[ChangeView],
        Field(
            max_length=LARGEST_OBJECT,
            description="What the target has otherwise than was approved: before is the approved, after what is there.",
        ),
    ]


class EarlierView(PayloadShape):
    """An escalation of the same agent that asked for the same effect before."""

    id: ShownId
    status: State
    asked_at: Instant
    decided_at: Instant | None


class EscalationView(PayloadShape):
    """One escalation, as its agent sees it."""

    id: ShownId
    version: Annotated[Count, Field(description="Rises with every change; for after_version.")]
    status: State
    deadline: Instant | None
    shown_at: Annotated[
        Instant | None,
        Field(
            description="When people could first see it in its channel; null where they cannot yet, or never could. It does not"
            " raise the version."
        ),
    ]
    fingerprint: Annotated[str | None, Field(max_length=64)]
    diff: Annotated[list[ChangeView], Field(max_length=LARGEST_OBJECT)]
    ruling: RulingView | None
    decision: DecisionView | None
    execution: ExecutionView | None
    superseded_by: Annotated[ShownId | None, Field(description="The escalation that replaced it after a drift.")]
    earlier: Annotated[
        list[EarlierView],
        Field(
            max_length=MOST_EARLIER,
            description="Your own escalations for the same effect in the 24 hours before this one, newest first.",
        ),
    ]


class EscalationPageView(PayloadShape):
    """Some of an agent's escalations within the token's scope, newest first. A page may be short; the last has no cursor."""

    escalations: Annotated[list[EscalationView], Field(max_length=MOST_LISTED)]
    next_cursor: Annotated[str | None, Field(max_length=30)]


_SILENT_REASONS: Final = {
    State.EXPIRED: "Nobody decided before the deadline, so silence denied it.",
    State.CANCELLED: "The agent took it back.",
    State.SUPERSEDED: "The target changed after the approval, so it never ran.",
}


def view_of(
    request: Request,
    *,
    bound: Bound | None,
    execution: Execution | None,
    reason: str | None = None,
    earlier: Iterable[Request] = (),
    shown_at: datetime | None = None,
) -> EscalationView:
    """Return what the agent sees of *request*.

    Args:
        request: The request as it is now.
        bound: Its plan; None where none was made.
        execution: Its execution, once it was approved.
        reason: What the person who decided gave as a reason, in that person's words.
        earlier: What the same agent asked for the same effect lately, newest first.
        shown_at: When its card first stood in its channel.
    """
    return EscalationView(
        id=request.id,
        # Both revisions only ever rise, so their sum names every state that a long poll can wait for.
        version=request.revision + (execution.revision if execution else 0),
        status=request.state,
        deadline=request.deadline,
        shown_at=shown_at,
        fingerprint=request.fingerprint,
        diff=[_change(change) for change in changes_of(bound)] if bound else [],
        ruling=_ruling(request.ruling) if request.ruling else None,
        decision=_decision(request, reason),
        execution=_execution(execution) if execution else None,
        superseded_by=request.superseded_by,
        earlier=[_earlier(one) for one in islice(earlier, MOST_EARLIER)],
    )


def _earlier(request: Request) -> EarlierView:
    return EarlierView(id=request.id, status=request.state, asked_at=request.asked_at, decided_at=request.decided_at)


def _change(change: Change) -> ChangeView:
    return ChangeView(path=change.path, before=_leaf(change.before), after=_leaf(change.after))


def _leaf(leaf: Leaf) -> LeafView:
    return RedactedView() if isinstance(leaf, Redacted) else leaf


def _ruling(ruling: Ruling) -> RulingView:
    return RulingView(rule=", ".join(ruling.rules), reasons=list(ruling.reasons[:MOST_REASONS]))


def _decision(request: Request, reason: str | None) -> DecisionView | None:
    if request.state is State.PENDING:
        return None
    if request.refusal is not None:
        reason = request.refusal.sentence
    elif request.outcome_code == TOKEN_REVOKED:
        reason = "The token it was asked with was revoked."
    elif request.outcome_code == UPGRADED:
        reason = "An upgrade of Countersign ended it before it started. Ask again, under another key."
    elif request.outcome_code == EXPIRED_UNSEEN:
        reason = "Its deadline passed before it was shown to anybody, so silence denied it."
    return DecisionView(
        outcome=request.state,
        code=request.outcome_code,
        by=list(request.decided_by[:MOST_DECIDING]),
        at=request.decided_at or request.asked_at,
        reason=reason or _SILENT_REASONS.get(request.state),
    )


def _execution(execution: Execution) -> ExecutionView:
    return ExecutionView(
        status=execution.state,
        effect=execution.effect,
        reason=execution.reason,
        message=execution.message,
        drift=[_change(change) for change in execution.drift],
    )
