"""Escalate: put an agent's request before people, or refuse it.

Scope, pause and every rule that denies come first, so that no agent can make us read or dry-run what it may not touch; then
the cluster door previews the exact change, outside any transaction; then, in one transaction, everything is judged again on fresh
reads and the question is stored with its ruling, its plan and the hash of what people will be shown. A refusal is stored
too, so that the same key gets the same answer again.

Whoever asks for an effect again, for the same person, while the question of it waits, is given that question: one effect rings
people's phones once. The new key stands for it from then on. Another agent's question is never handed out (I16).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from approvals.change.plan import (
    Plan,
    bound_facts,
    bytes_of,
    check_changes,
    effect_key,
    fingerprint_of,
)
from approvals.change.risk import Risk
from approvals.errors import (
    Clash,
    Forbidden,
    Malformed,
    OutOfScope,
    Paused,
    PolicyDenied,
    TooMany,
    Unavailable,
)
from approvals.facts import facts_of
from approvals.identity.names import EscalationId
from approvals.identity.tokens import Token
from approvals.policy.feasibility import DOUBT, Answerers, answerers
from approvals.policy.policy import Policy
from approvals.policy.ruling import Ruling, rule_on
from approvals.ports.cluster import Cluster
from approvals.ports.directory import Directory
from approvals.ports.ids import NewId
from approvals.ports.journey import Journey, Milestone
from approvals.ports.policies import Policies
from approvals.ports.rows import StoredPlan, texts_of
from approvals.ports.store import Store, UnitOfWork
from approvals.presentation.review import Rendered, Renderer, review_of
from approvals.usecases.intake.drafts import (
    EscalationDraft,
    escalation_of,
    explanation,
    pending_request,
    plan_of,
    refused_request,
    save_refused,
)
from approvals.usecases.intake.questions import (
    Opened,
    _own,
    acted_for,
    check_token,
    joined,
    same_body,
    still_asked,
    told_again,
)
from approvals.usecases.standing import who_could_answer
from approvals.verbs.registry import verb_called
from approvals.verbs.verb import PlanSeed, Verb
from approvals.verbs.workload import counted
from approvals.workflow.escalation import Escalation
from approvals.workflow.pause import Pause, open_pause_over
from approvals.workflow.request import (
    LATELY,
    Refusal,
    Request,
    opened,
    question_key,
)

TRIES: Final = 3
"""How often it is tried to put a question whose key, or whose effect, somebody else puts at the same moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalate:
    """The verb. ``most_pending`` bounds how many questions one agent may have open at once (I13)."""

    store: Store
    policies: Policies
    cluster: Cluster
    directory: Directory
    render: Renderer
    new_id: NewId
    journey: Journey
    most_pending: int = 50

    def __call__(self, escalation: Escalation, token: Token) -> Opened:
        """Return the request that *escalation* became: pending, or refused with its reason.

        Raises:
            KeyReused: Its key stands for another body.
            OutOfScope: Its key, or its effect, stands for what another token asked, where this one may not be used.
            Malformed: Verb, parameters or a named limit are not known.
            Unplannable: It cannot be previewed, or would change nothing.
            TooMany: The agent has too many questions open.
            Unavailable: The cluster or the store cannot be asked just now.
        """
        # No snapshot: key, pauses and rules are judged again in the transaction that opens the question.
        with self.store.glancing() as reading:
            standing = reading.standing(escalation.agent, escalation.idempotency_key)
        if (found := same_body(standing, escalation)) is not None:
            return told_again(found, token)
        if standing.pending >= self.most_pending:
            raise TooMany(f"This agent has {self.most_pending} questions open already.", code="too_many_pending")
        asked_at = standing.now
        verb = _checked_verb(escalation)
        _check_limits(self.policies.current(), escalation)
        ruling = None
        try:
            check_token(token, escalation.wish.place)
            ruling = _ruling(self.policies.current(), escalation, risk=Risk.LOW)
            self._check_first(escalation, standing.pauses, ruling)
        except Forbidden as refusal:
            return self._refuse(escalation, token, refusal, asked_at, ruling=ruling)
        draft = self._draft(
            escalation, verb, token=token.id, texts=texts_of(escalation.justification), asked_at=asked_at
        )
        return self._open(draft, token)

    def draft_again(self, request: Request, texts: Mapping[str, str], *, asked_at: datetime) -> EscalationDraft:
        """Return the draft of what follows *request* after a drift: the same wish, planned on the target as it is now.

        Raises:
            Refused: It cannot follow: out of scope or denied by now, paused, or not plannable.
        """
        escalation = escalation_of(request)
        with self.store.reading() as reading:
            pauses = reading.pauses()
        verb = _checked_verb(escalation)
        self._check_first(escalation, pauses, _ruling(self.policies.current(), escalation, risk=Risk.LOW))
        draft = self._draft(escalation, verb, token=request.token, texts=texts, asked_at=asked_at)
        check_changes(draft.preview)
        return replace(draft, supersedes=request.id, chain=request.chain + 1)

    def open_in(
        self, uow: UnitOfWork, draft: EscalationDraft, *, pauses: tuple[Pause, ...], token: Token | None = None
    ) -> Opened:
        """Store *draft* as a request, pending or refused, or find the question that waits for the same effect already.

        Args:
            uow: A transaction that holds the gate.
            draft: What is asked.
            pauses: The open ones.
            token: What it was asked with; None where it follows a drift.
        """
        policy = self.policies.current()
        escalation = draft.escalation
        ruling = _ruling(policy, escalation, risk=draft.preview.evidence.risk)
        could = answerers(ruling, draft.authority, now=uow.now)
        refusal = _refusal(ruling, escalation, pauses, could)
        if refusal is not None:
            return save_refused(uow, draft, policy, ruling, refusal)
        plan = plan_of(draft, policy, ruling)
        key = effect_key(plan.bound, draft.verb.effect_words)
        asked = uow.effect_asked(
            key,
            question_key(agent=escalation.agent, on_behalf_of=acted_for(ruling, escalation), effect_key=key),
            since=draft.asked_at - LATELY,
        )
        if (found := still_asked(uow, asked.question, lock=token is not None)) is not None:
            return joined(uow, found, escalation, token)
        if not could.are_surely_enough(ruling.quorum):
            plan = replace(plan, evidence=replace(plan.evidence, findings=(*plan.evidence.findings, DOUBT)))
        bound = bound_facts(plan.bound)
        data = bytes_of(bound)
        fingerprint = fingerprint_of(data)
        rendered = self._rendered(draft, plan, ruling, fingerprint)
        request = pending_request(draft, policy, ruling, rendered, fingerprint=fingerprint, effect_key=key, now=uow.now)
        earlier = _own(request, asked.lately)
        uow.save_plan(StoredPlan(fingerprint=fingerprint, bound=data, evidence=plan.evidence))
        explained = {"bound": bound, "evidence": facts_of(plan.evidence), **explanation(ruling)}
        uow.save(opened(request, justification=draft.texts, facts=explained))
        return Opened(request=request, created=True, bound=plan.bound, earlier=earlier)

    def _rendered(self, draft: EscalationDraft, plan: Plan, ruling: Ruling, fingerprint: str) -> Rendered:
        """Return what people will review of *plan*, drawn once so that its hash is fixed with the request."""
        return self.render(
            review_of(
                plan,
                ruling,
                fingerprint=fingerprint,
                verb=draft.verb,
                agent=draft.escalation.agent,
                environment=draft.escalation.environment,
                on_behalf_of=draft.escalation.on_behalf_of,
            )
        )

    def _check_first(self, escalation: Escalation, pauses: tuple[Pause, ...], ruling: Ruling) -> None:
        for version in self.policies.current().versions:
            charter = version.charters.get(escalation.agent)
            if charter is None:
                raise OutOfScope("The policy has no charter for this agent.", code="no_charter")
            charter.check(escalation.wish)
        _check_pauses(pauses, escalation)
        _check_ruling(ruling)

    def _draft(
        self, escalation: Escalation, verb: Verb, *, token: str | None, texts: Mapping[str, str], asked_at: datetime
    ) -> EscalationDraft:
        request_id = EscalationId(self.new_id("esc"))
        preview = self.cluster.preview(
            escalation.wish,
            verb=verb,
            occasion=PlanSeed(escalation=request_id, at=asked_at),
        )
        self.journey.reached(Milestone.PLANNED, request_id)
        ruling = _ruling(self.policies.current(), escalation, risk=Risk.LOW)
        authority = who_could_answer(self.directory, ruling, at=asked_at)
        return EscalationDraft(
            id=request_id,
            escalation=escalation,
            verb=verb,
            token=token,
            texts=texts,
            asked_at=asked_at,
            preview=preview,
            authority=authority,
        )

    def _open(self, draft: EscalationDraft, token: Token) -> Opened:
        for _ in range(TRIES):
            try:
                with self.store.writing() as uow:
                    made = self.open_in(uow, draft, pauses=uow.enter_gate(), token=token)
            except Clash:
                # Another insert of this key or of this question won. Where it was the key, its answer is the answer; where it
                # was the question, it is there to be found now.
                if (found := self._under_key(draft.escalation)) is not None:
                    return told_again(found, token)
                continue
            if made.created:
                self.journey.reached(Milestone.OPENED, made.request.id)
            return made
        raise Unavailable("The same is being asked again and again just now; send it again.")

    def _refuse(
        self, escalation: Escalation, token: Token, refusal: Forbidden, asked_at: datetime, *, ruling: Ruling | None
    ) -> Opened:
        # Of a question that a pause keeps out, the effect is not known, and so not what the policy would ask of it. Where the
        # token may not be used, what the policy says of that place is not for who shows it.
        denying = None if ruling is None or ruling.asks else ruling
        request = refused_request(
            EscalationId(self.new_id("esc")),
            escalation,
            self.policies.current(),
            token=token.id,
            asked_at=asked_at,
            refusal=Refusal(code=refusal.code, sentence=refusal.sentence),
            ruling=denying,
        )
        try:
            with self.store.writing() as uow:
                uow.save(opened(request, justification=texts_of(escalation.justification), facts=explanation(denying)))
        except Clash:
            if (found := self._under_key(escalation)) is None:
                raise
            return told_again(found, token)
        return Opened(request=request, created=True)

    def _under_key(self, escalation: Escalation) -> Request | None:
        with self.store.reading() as reading:
            return same_body(reading.standing(escalation.agent, escalation.idempotency_key), escalation)


def _checked_verb(escalation: Escalation) -> Verb:
    verb = verb_called(escalation.action.verb)
    verb.check(escalation.action)
    return verb


def _check_limits(policy: Policy, escalation: Escalation) -> None:
    for place, breach in enumerate(escalation.justification.breaches):
        if breach.limit not in policy.limits:
            raise Malformed("The policy names no such limit.", code="unknown_limit", field=f"/breaches/{place}/limit")


def _check_pauses(pauses: tuple[Pause, ...], escalation: Escalation) -> None:
    if (pause := open_pause_over(pauses, escalation.wish.place)) is not None:
        raise Paused(f"Paused ({pause.scope}): nothing new is taken on until two people resume it.")


def _check_ruling(ruling: Ruling) -> None:
    if not ruling.asks:
        raise PolicyDenied(" ".join(ruling.reasons))


def _ruling(policy: Policy, escalation: Escalation, *, risk: Risk) -> Ruling:
    return rule_on(policy, escalation.wish, risk=risk, timeout=escalation.timeout)


def _refusal(ruling: Ruling, escalation: Escalation, pauses: tuple[Pause, ...], could: Answerers) -> Refusal | None:
    """Return why it is refused after all, judged on fresh reads, or None."""
    try:
        _check_pauses(pauses, escalation)
        _check_ruling(ruling)
    except Forbidden as refusal:
        return Refusal(code=refusal.code, sentence=refusal.sentence)
    if could.perhaps is not None and len(could.perhaps) < ruling.quorum:
        # Never widened silently: a rule against self-approval must not turn into "anybody".
        sentence = f"It takes {counted(ruling.quorum, 'approval')}, and {len(could.perhaps)} could be given."
        return Refusal(code="no_eligible_approver", sentence=sentence)
    return None
