"""Drafts: an escalation that passed the first look, and the request that it becomes, pending or refused."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from approvals.canonical import Value
from approvals.change.plan import (
    Plan,
    Preview,
    bind,
)
from approvals.facts import facts_of
from approvals.identity.names import Channel, EscalationId
from approvals.identity.people import Authority
from approvals.policy.clauses import MOST_SKIPPED
from approvals.policy.policy import Policy
from approvals.policy.ruling import Ruling
from approvals.ports.store import UnitOfWork
from approvals.presentation.review import Rendered
from approvals.usecases.intake.questions import Opened
from approvals.verbs.verb import Verb
from approvals.workflow.escalation import Escalation, Justification
from approvals.workflow.request import (
    FORM,
    Refusal,
    Request,
    State,
    opened,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalationDraft:
    """An escalation that has passed the first look, with its preview: all that is needed to open it in a transaction."""

    id: EscalationId
    escalation: Escalation
    verb: Verb
    token: str | None
    texts: Mapping[str, str]
    asked_at: datetime
    preview: Preview
    authority: Authority
    supersedes: EscalationId | None = None
    chain: int = 1


def explanation(ruling: Ruling | None) -> dict[str, Value]:
    """Return what the event of the asking keeps of *ruling*: its tree with what did not speak of it, and why not."""
    if ruling is None or ruling.tree is None:
        return {}
    return {"clauses": facts_of(ruling.tree.kept(skipped=MOST_SKIPPED))}


def plan_of(draft: EscalationDraft, policy: Policy, ruling: Ruling) -> Plan:
    """Return the plan of *draft*: its preview, bound to the request, the account that would write and the ruling's validity."""
    action = draft.escalation.action
    account = policy.installation.executor(draft.escalation.agent, action.verb, action.target.namespace)
    return bind(
        draft.preview,
        escalation=draft.id,
        action=action,
        executor=account.username,
        valid_for=ruling.valid_for,
    )


def pending_request(
    draft: EscalationDraft,
    policy: Policy,
    ruling: Ruling,
    rendered: Rendered,
    *,
    fingerprint: str,
    effect_key: str,
    now: datetime,
) -> Request:
    """Return the question that *draft* becomes, whose deadline runs from *now*."""
    escalation = draft.escalation
    return Request(
        id=draft.id,
        agent=escalation.agent,
        environment=escalation.environment,
        action=escalation.action,
        on_behalf_of=escalation.on_behalf_of,
        idempotency_key=escalation.idempotency_key,
        body_hash=escalation.body_hash,
        token=draft.token,
        channel=policy.environments[escalation.environment].channel,
        state=State.PENDING,
        revision=1,
        asked_at=draft.asked_at,
        deadline=now + ruling.timeout,
        ruling=ruling.kept(),
        fingerprint=fingerprint,
        effect_key=effect_key,
        render_hash=rendered.hash,
        shown_whole=rendered.whole,
        form=FORM,
        breaches=escalation.justification.breaches,
        confidence=escalation.justification.confidence,
        supersedes=draft.supersedes,
        chain=draft.chain,
    )


def save_refused(uow: UnitOfWork, draft: EscalationDraft, policy: Policy, ruling: Ruling, refusal: Refusal) -> Opened:
    """Store *draft* as a request that was refused, with the ruling that explains it, so that nothing is lost."""
    refused = refused_request(
        draft.id,
        draft.escalation,
        policy,
        token=draft.token,
        asked_at=draft.asked_at,
        refusal=refusal,
        ruling=ruling,
    )
    request = replace(refused, supersedes=draft.supersedes, chain=draft.chain)
    uow.save(opened(request, justification=draft.texts, facts=explanation(ruling)))
    return Opened(request=request, created=True)


def refused_request(
    request_id: EscalationId,
    escalation: Escalation,
    policy: Policy,
    *,
    token: str | None,
    asked_at: datetime,
    refusal: Refusal,
    ruling: Ruling | None,
) -> Request:
    """Return the request that records a refusal: it was never a question, and holds no plan."""
    environment = policy.environments.get(escalation.environment)
    return Request(
        id=request_id,
        agent=escalation.agent,
        environment=escalation.environment,
        action=escalation.action,
        on_behalf_of=escalation.on_behalf_of,
        idempotency_key=escalation.idempotency_key,
        body_hash=escalation.body_hash,
        token=token,
        channel=Channel("") if environment is None else environment.channel,
        state=State.REFUSED,
        revision=1,
        asked_at=asked_at,
        deadline=None,
        ruling=None if ruling is None else ruling.kept(),
        fingerprint=None,
        effect_key=None,
        render_hash=None,
        shown_whole=False,
        form=FORM,
        breaches=escalation.justification.breaches,
        confidence=escalation.justification.confidence,
        refusal=refusal,
        decided_at=asked_at,
        outcome_code=refusal.code,
    )


def escalation_of(request: Request) -> Escalation:
    """Return the escalation that would ask for the same again, without a key: nobody sent it."""
    return Escalation(
        agent=request.agent,
        environment=request.environment,
        action=request.action,
        justification=Justification(rationale="", breaches=request.breaches, confidence=request.confidence),
        on_behalf_of=request.on_behalf_of,
        timeout=None if request.ruling is None else request.ruling.timeout,
        idempotency_key=None,
        body_hash=request.body_hash,
    )
