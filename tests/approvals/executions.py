"""Executions on stage: with every counter off its start, so that a lost one shows, and their events as they must be."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from approvals.audit.events import ITSELF, AuditEvent, EventKind, Transition
from approvals.facts import facts_of
from approvals.workflow.execution import LEASE, Attempt, Execution, Fate, Phase
from tests.builders import (
    ESCALATION,
    MINUTE,
    NOON,
    about,
    an_attempt,
    an_execution,
)

NOW = NOON + MINUTE
WAIT = timedelta(seconds=7)
TOKEN_END = NOON + 10 * MINUTE


def held(phase: Phase, **changed: Any) -> Execution:
    """Return an execution in *phase* with every counter off its start, so that a lost one shows."""
    marks = {
        "revision": 5,
        "generation": 3,
        "attempts": 2,
        "rounds": 1,
        "waits": 4,
        "message": "before",
        "lease_until": NOON,
    }
    return an_execution(phase, **{**marks, **changed})


def sent(**changed: Any) -> Attempt:
    """Return the second start record, of which one send went out."""
    record = an_attempt(
        number=2, sends=1, sending_at=NOON, token_id="JTI=1", token_expires_at=TOKEN_END, fate=Fate.OPEN
    )
    return replace(record, **changed)


def moved(kind: EventKind, execution: Execution, attempt: Attempt | None = None, **event: Any) -> Transition[Execution]:
    """Return the transition to *execution* that one event at :data:`NOW` tells whole."""
    nouns = {"execution": execution} if attempt is None else {"execution": execution, "attempt": attempt}
    said = AuditEvent(
        kind=kind,
        stream=f"request:{ESCALATION}",
        actor=ITSELF,
        at=NOW,
        data={name: facts_of(noun) for name, noun in nouns.items()},
    )
    return about(Execution, nouns=tuple(nouns.values()), events=(replace(said, **event),))


def leased(execution: Execution, **changed: Any) -> Execution:
    """Return *execution* after a write by the worker that holds it: a fresh lease, a new revision.

    What was said of it is still said as long as its state is the same.
    """
    said = execution.message if changed.get("state", execution.state) is execution.state else ""
    after = {"revision": 6, "lease_until": NOW + LEASE, "due_at": NOW + LEASE, "message": said}
    return replace(execution, **{**after, **changed})


def freed(execution: Execution, **changed: Any) -> Execution:
    """Return *execution* after a write that gives the lease back."""
    return replace(execution, **{"revision": 6, "lease_until": None, **changed})
