"""What the archive's tests put into a store before their own act: a policy, a token, and questions asked just now."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import update

from approvals.change.action import ProposedAction
from approvals.change.plan import bound_bytes, fingerprint_of
from approvals.identity.names import Account, EscalationId, ExecutionId
from approvals.identity.tokens import Token, created
from approvals.ports.rows import StoredPlan
from approvals.ports.store import Store
from approvals.workflow.execution import Execution, Phase
from approvals.workflow.request import Refusal, Request, State, opened
from models.store.tables import clock_floor
from tests.builders import MINUTE, a_plan, a_policy, a_request, a_token, about, an_action, an_execution

REASON = "p99 is 4.1 s"


def let_pass(store: Any, duration: timedelta) -> datetime:
    """Let time pass for the store, by the floor under its clock; from then on it stands still until the clock is there."""
    with store.reading() as reading:
        later: datetime = reading.now + duration
    with store.database.writing() as connection:
        connection.execute(update(clock_floor).values(at=later))
    return later


def now_of(store: Store) -> datetime:
    """Return the store's instant."""
    with store.reading() as reading:
        return reading.now


def with_grounds(store: Store) -> Token:
    """Keep what every request refers to: the policy and the agent's token, which is returned."""
    now = now_of(store)
    token = a_token(created_at=now, expires_at=now + 60 * MINUTE)
    with store.writing() as uow:
        uow.keep_policy(a_policy(), "environments: {}")
        uow.save(created(token))
    return token


def a_question(now: datetime, number: int = 1, **changed: object) -> tuple[Request, StoredPlan]:
    """Return the question with that *number*, asked at *now*, and its plan."""
    request_id = f"esc_{number:026d}"
    plan = a_plan(request_id)
    data = bound_bytes(plan.bound)
    stored = StoredPlan(fingerprint=fingerprint_of(data), bound=data, evidence=plan.evidence)
    request = replace(
        a_request(),
        id=EscalationId(request_id),
        idempotency_key=f"key-{number}",
        asked_at=now,
        deadline=now + 15 * MINUTE,
        fingerprint=stored.fingerprint,
        effect_key=f"{number:064x}",
    )
    return replace(request, **changed), stored  # type: ignore[arg-type]


def ask(store: Store, number: int = 1, **changed: object) -> Request:
    """Open the question with that *number* and return it; :func:`with_grounds` came before."""
    request, plan = a_question(now_of(store), number, **changed)
    with store.writing() as uow:
        uow.save_plan(plan)
        uow.save(opened(request, justification={"rationale": REASON}, facts={}))
    return request


def refused(now: datetime, number: int = 1, action: ProposedAction | None = None) -> Request:
    """Return a request that was refused at intake."""
    question, _ = a_question(now, number)
    return replace(
        question,
        action=action or an_action(),
        state=State.REFUSED,
        deadline=None,
        ruling=None,
        fingerprint=None,
        effect_key=None,
        render_hash=None,
        shown_whole=False,
        refusal=Refusal(code="paused", sentence="Paused (all)."),
        decided_at=now,
        outcome_code="paused",
    )


def approved(store: Store, request: Request) -> Request:
    """Approve *request* without votes, and return it."""
    now = now_of(store)
    after = replace(
        request,
        state=State.APPROVED,
        revision=request.revision + 1,
        valid_until=now + 15 * MINUTE,
        decided_at=now,
        decided_by=(Account("T0:U0"),),
        outcome_code="approved",
    )
    put(store, after)
    return after


def queue(store: Store, request: Request, *, state: Phase = Phase.QUEUED) -> Execution:
    """Queue the execution of *request* and return it."""
    execution = replace(
        an_execution(state),
        id=ExecutionId(request.id.replace("esc", "exe")),
        escalation=request.id,
        fingerprint=request.fingerprint or "",
        object_uid=f"uid-of-{request.id}",
        valid_until=now_of(store) + 15 * MINUTE,
        due_at=now_of(store),
    )
    put(store, execution)
    return execution


def put(store: Store, *nouns: object) -> None:
    """Save *nouns* without events."""
    with store.writing() as uow:
        uow.save(about(object, nouns=nouns, events=()))
