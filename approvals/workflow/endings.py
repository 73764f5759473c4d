"""Endings of a request that no vote brings: silence, its agent's wish, a revoked token, an upgrade, a successor.

Silence denies at the deadline, which is an instant in the row. *Expired* is nobody's denial.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from approvals.audit.events import ITSELF, EventKind, Transition, changed
from approvals.canonical import Value
from approvals.errors import Late, Refused, Settled
from approvals.identity.names import EscalationId
from approvals.workflow.execution import Attempt, Execution, Reason
from approvals.workflow.request import EXPIRED_UNSEEN, TOKEN_REVOKED, UPGRADED, Request, State, request_event
from approvals.workflow.voiding import void
from approvals.workflow.votes import DecisionContext, check_deniable, settled_already, stop_execution


def expire(request: Request, *, now: datetime, seen: bool) -> Transition[Request]:
    """Return the transition by which silence denies.

    Args:
        request: Whose deadline has come.
        now: Aware instant.
        seen: Whether its card stood in its channel before, or may have; else its code says that it was shown to nobody.

    Raises:
        Settled: It is not pending any more.
        Refused: Its deadline has not come.
    """
    if request.state is not State.PENDING or request.deadline is None:
        raise Settled("It has its outcome already.")
    if now < request.deadline:
        raise Refused("Its deadline has not come.", code="not_due")
    expired = replace(
        request,
        state=State.EXPIRED,
        revision=request.revision + 1,
        decided_at=now,
        outcome_code="expired" if seen else EXPIRED_UNSEEN,
    )
    return changed(expired, request_event(EventKind.REQUEST_EXPIRED, expired, actor=ITSELF, at=now))


def cancel(request: Request, context: DecisionContext, *, actor: str) -> Transition[Request]:
    """Return the transition by which the agent takes its request back.

    Raises:
        Settled: It has ended otherwise, or its effect has started.
        Late: Its deadline has passed.
    """
    return _cancelled(request, context, "cancelled", Reason.CANCELLED, actor=actor, data={})


def cancel_for_token(request: Request, context: DecisionContext) -> Transition[Request]:
    """Return the transition that ends a question whose token was revoked: nobody's denial, and not the agent's wish.

    Raises:
        Settled: It has ended otherwise, or its effect has started.
        Late: Its deadline has passed.
    """
    data = {"token_id": request.token}
    return _cancelled(request, context, TOKEN_REVOKED, Reason.TOKEN_REVOKED, actor=ITSELF, data=data)


def end_for_upgrade(
    request: Request, execution: Execution | None, attempt: Attempt | None, *, now: datetime
) -> Transition[Request]:
    """Return the transition that ends a request which was asked in another form, before anything of it was sent.

    Args:
        request: Pending, or approved.
        execution: What it was approved for; None while it is pending.
        attempt: Its start record where it is armed: nothing has left.
        now: Aware instant. A deadline that has passed by then is for silence to end.

    Raises:
        Settled: It has ended otherwise, or its effect has started.
        Late: Its deadline has passed.
        Clash: It may have been sent.
    """
    if request.state is State.PENDING and (request.deadline is None or now >= request.deadline):
        raise Late("The deadline has passed; silence has denied it.")
    if request.state not in {State.PENDING, State.APPROVED} or (execution is not None and execution.is_over):
        raise settled_already(request)
    ended = replace(
        request, state=State.CANCELLED, revision=request.revision + 1, decided_at=now, outcome_code=UPGRADED
    )
    end = changed(ended, request_event(EventKind.REQUEST_CANCELLED, ended, actor=ITSELF, at=now))
    return end if execution is None else end.beside(void(execution, Reason.UPGRADED, now=now, attempt=attempt))


def flag_for_token(request: Request, context: DecisionContext, *, revoked_at: datetime) -> Transition[Request]:
    """Return the transition that marks an open question as asked with a token that was revoked since.

    Raises:
        Settled: It is marked already, has ended, or its effect has started.
        Late: Its deadline has passed.
    """
    check_deniable(request, context)
    if request.token_revoked_at is not None:
        raise Settled("It says already that its token was revoked.", code="already_flagged")
    flagged = replace(request, revision=request.revision + 1, token_revoked_at=revoked_at)
    data = {"token_id": request.token}
    told = request_event(EventKind.REQUEST_TOKEN_REVOKED, flagged, actor=ITSELF, at=context.now, data=data)
    return changed(flagged, told)


def _cancelled(
    request: Request, context: DecisionContext, code: str, reason: Reason, *, actor: str, data: Mapping[str, Value]
) -> Transition[Request]:
    check_deniable(request, context)
    cancelled = replace(
        request, state=State.CANCELLED, revision=request.revision + 1, decided_at=context.now, outcome_code=code
    )
    end = request_event(EventKind.REQUEST_CANCELLED, cancelled, actor=actor, at=context.now, data=data)
    return changed(cancelled, end).beside(stop_execution(context, reason, actor=actor))


def supersede(request: Request, *, successor: EscalationId | None, now: datetime) -> Transition[Request]:
    """Return the transition by which a drifted request gives way to *successor*, or to nothing where the chain is full.

    Raises:
        Settled: It is not approved: nothing else drifts.
    """
    if request.state is not State.APPROVED:
        raise Settled(f"It is {request.state.value}, so nothing follows it.")
    superseded = replace(
        request,
        state=State.SUPERSEDED,
        revision=request.revision + 1,
        superseded_by=successor,
        outcome_code="drift",
    )
    return changed(superseded, request_event(EventKind.REQUEST_SUPERSEDED, superseded, actor=ITSELF, at=now))
