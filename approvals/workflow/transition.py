"""How an execution moves: its next row, and the event that tells of it."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from approvals.audit.events import ITSELF, AuditEvent, EventKind, Transition, request_stream
from approvals.canonical import Value
from approvals.errors import Clash
from approvals.facts import facts_of
from approvals.workflow.execution import LEASE, Attempt, Execution, Phase, Reason

MOST_WAITS: Final = 30
"""How many reasons to wait are told of one execution; two that alternate would otherwise fill the trail and the thread."""


def expect(execution: Execution, *states: Phase) -> None:
    """Return if *execution* is in one of these *states*.

    Raises:
        Clash: It has moved on.
    """
    if execution.state not in states:
        raise Clash(f"The execution is {execution.state.value}.", code="execution_moved")


def held(
    execution: Execution,
    *,
    now: datetime,
    state: Phase | None = None,
    generation: int | None = None,
    attempts: int | None = None,
) -> Execution:
    """Return the row as the worker that holds it keeps it for a further :data:`~approvals.workflow.execution.LEASE`."""
    return replace(
        execution,
        state=state or execution.state,
        revision=execution.revision + 1,
        generation=execution.generation if generation is None else generation,
        attempts=execution.attempts if attempts is None else attempts,
        lease_until=now + LEASE,
        due_at=now + LEASE,
        message=execution.message if state in {None, execution.state, Phase.CLAIMED} else "",
    )


def waiting(execution: Execution, *, now: datetime, wait: timedelta, message: str) -> Execution:
    """Return the row as it waits in the queue for its next look, with one more reason told."""
    return replace(
        execution,
        state=Phase.QUEUED,
        revision=execution.revision + 1,
        lease_until=None,
        due_at=now + wait,
        waits=execution.waits + 1,
        message=telling(execution, message),
    )


def telling(execution: Execution, message: str) -> str:
    """Return *message* as it goes on record: the last of many says that it is the last."""
    last = " From here on only the log tells why it waits."
    return f"{message}{last}" if execution.waits + 1 == MOST_WAITS else message


def ended(execution: Execution, state: Phase, reason: Reason | None, message: str) -> Execution:
    """Return the row at its end: nobody holds it any more."""
    return replace(
        execution, state=state, revision=execution.revision + 1, lease_until=None, reason=reason, message=message
    )


def moved(
    kind: EventKind,
    execution: Execution,
    *,
    now: datetime,
    actor: str = ITSELF,
    attempt: Attempt | None = None,
    approvers: tuple[str, ...] = (),
) -> Transition[Execution]:
    """Return the transition to *execution*: the row, its start record if that moved, and the event that tells of both."""
    data: dict[str, Value] = {"execution": facts_of(execution)}
    nouns: tuple[object, ...] = (execution,)
    if attempt is not None:
        data["attempt"] = facts_of(attempt)
        nouns = (execution, attempt)
    if approvers:
        data["approvers"] = list(approvers)
    event = AuditEvent(kind=kind, stream=request_stream(execution.escalation), actor=actor, at=now, data=data)
    return Transition(noun=execution, nouns=nouns, events=(event,))
