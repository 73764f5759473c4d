"""Escalate: put an agent's plea before people, or refuse it.

Scope, pause and every rule that denies come first, so that no agent can make us read or dry-run what it may not touch; then
the cluster door previews the exact change, outside any transaction; then, in one transaction, everything is judged again on fresh
reads and the question is stored with its ruling, its plan and the hash of what people will be shown. A refusal is stored
too, so that the same key gets the same answer again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from approvals.errors import Clash, Forbidden, KeyReused, Malformed, OutOfScope, Paused, PolicyDenied, TooMany
from approvals.escalation import Escalation, Plea
from approvals.facts import facts_of
from approvals.feasibility import DOUBT, Answerers, answerers
from approvals.pause import Pause, Place, open_pause_over
from approvals.people import Authority
from approvals.plan import Bound, Plan, Preview, bind, bytes_of, check_changes, effect_key, fingerprint_of
from approvals.policy import Policy, Ruling, rule_on
from approvals.ports import (
    Cluster,
    Directory,
    Journey,
    Milestone,
    NewId,
    Policies,
    Store,
    StoredPlan,
    UnitOfWork,
    texts_of,
)
from approvals.request import Refusal, Request, State, opened
from approvals.review import Rendered, Renderer, review_of
from approvals.risk import Risk
from approvals.tokens import Token
from approvals.usecases.standing import who_could_answer
from approvals.verb import Occasion, Verb
from approvals.verbs import verb_called
from approvals.workload import counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The request that an escalation became, and whether it was made just now or found under its key."""

    request: Request
    created: bool
    bound: Bound | None = None
    """The plan, where it was made just now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """An escalation that has passed the first look, with its preview: all that is needed to open it in a transaction."""

    id: str
    escalation: Escalation
    verb: Verb
    token: str | None
    texts: Mapping[str, str]
    asked_at: datetime
    preview: Preview
    authority: Authority
    supersedes: str | None = None
    chain: int = 1


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
            OutOfScope: Its key stands for what another token asked, where this one may not be used.
            Malformed: Verb, parameters or a named limit are not known.
            Unplannable: It cannot be previewed, or would change nothing.
            TooMany: The agent has too many questions open.
            Unavailable: The cluster or the store cannot be asked just now.
        """
        # No snapshot: key, pauses and rules are judged again in the transaction that opens the question.
        with self.store.glancing() as reading:
            standing = reading.standing(escalation.agent, escalation.idempotency_key)
        if (found := _same(standing.asked, escalation)) is not None:
            return _told_again(found, token)
        if standing.pending >= self.most_pending:
            raise TooMany(f"This agent has {self.most_pending} questions open already.", code="too_many_pending")
        asked_at = standing.now
        verb = _checked_verb(escalation)
        _check_limits(self.policies.current(), escalation)
        try:
            self._check_first(escalation, token, standing.pauses)
        except Forbidden as refusal:
            return self._refuse(escalation, token, refusal, asked_at)
        draft = self._draft(escalation, verb, token=token.id, texts=texts_of(escalation.plea), asked_at=asked_at)
        return self._open(draft)

    def draft_again(self, request: Request, texts: Mapping[str, str], *, asked_at: datetime) -> Draft:
        """Return the draft of what follows *request* after a drift: the same wish, planned on the target as it is now.

        Raises:
            Refused: It cannot follow: out of scope or denied by now, paused, or not plannable.
        """
        escalation = _wish_of(request)
        with self.store.reading() as reading:
            pauses = reading.pauses()
        verb = _checked_verb(escalation)
        self._check_first(escalation, None, pauses)
        draft = self._draft(escalation, verb, token=request.token, texts=texts, asked_at=asked_at)
        check_changes(draft.preview)
        return replace(draft, supersedes=request.id, chain=request.chain + 1)

    def open_in(self, uow: UnitOfWork, draft: Draft, *, pauses: tuple[Pause, ...]) -> Opened:
        """Store *draft* as a request, pending or refused, in a transaction that holds the gate; *pauses* are the open ones."""
        policy = self.policies.current()
        escalation = draft.escalation
        ruling = _ruling(policy, escalation, risk=draft.preview.evidence.risk)
        could = answerers(ruling, draft.authority, now=uow.now)
        refusal = _refusal(ruling, escalation, pauses, could)
        if refusal is not None:
            request = replace(
                _refused(draft.id, escalation, policy, token=draft.token, asked_at=draft.asked_at, refusal=refusal),
                supersedes=draft.supersedes,
                chain=draft.chain,
            )
            uow.save(opened(request, plea=draft.texts, facts={}))
            return Opened(request=request, created=True)
        plan = _bound(draft, policy, ruling)
        if not could.are_surely_enough(ruling.quorum):
            plan = replace(plan, evidence=replace(plan.evidence, findings=(*plan.evidence.findings, DOUBT)))
        bound = facts_of(plan.bound)
        data = bytes_of(bound)
        fingerprint = fingerprint_of(data)
        rendered = self.render(
            review_of(
                plan,
                ruling,
                fingerprint=fingerprint,
                verb=draft.verb,
                agent=escalation.agent,
                environment=escalation.environment,
                on_behalf_of=escalation.on_behalf_of,
            )
        )
        request = _pending(draft, policy, ruling, plan, rendered, fingerprint=fingerprint, now=uow.now)
        uow.save_plan(StoredPlan(fingerprint=fingerprint, bound=data, evidence=plan.evidence))
        uow.save(opened(request, plea=draft.texts, facts={"bound": bound, "evidence": facts_of(plan.evidence)}))
        return Opened(request=request, created=True, bound=plan.bound)

    def _check_first(self, escalation: Escalation, token: Token | None, pauses: tuple[Pause, ...]) -> None:
        policy = self.policies.current()
        if token is not None:
            _check_token(token, _place(escalation))
        charter = policy.charters.get(escalation.agent)
        if charter is None:
            raise OutOfScope("The policy has no charter for this agent.", code="no_charter")
        charter.check(escalation.environment, escalation.action, escalation.on_behalf_of)
        _check_pauses(pauses, escalation)
        _check_ruling(_ruling(policy, escalation, risk=Risk.LOW))

    def _draft(
        self, escalation: Escalation, verb: Verb, *, token: str | None, texts: Mapping[str, str], asked_at: datetime
    ) -> Draft:
        request_id = self.new_id("esc")
        preview = self.cluster.preview(
            environment=escalation.environment,
            agent=escalation.agent,
            verb=verb,
            action=escalation.action,
            occasion=Occasion(escalation=request_id, at=asked_at),
        )
        self.journey.reached(Milestone.PLANNED, request_id)
        ruling = _ruling(self.policies.current(), escalation, risk=Risk.LOW)
        authority = who_could_answer(self.directory, ruling, at=asked_at)
        return Draft(
            id=request_id,
            escalation=escalation,
            verb=verb,
            token=token,
            texts=texts,
            asked_at=asked_at,
            preview=preview,
            authority=authority,
        )

    def _open(self, draft: Draft) -> Opened:
        try:
            with self.store.writing() as uow:
                made = self.open_in(uow, draft, pauses=uow.enter_gate())
        except Clash:
            # Two deliveries of one key raced: the other one's insert won, and its answer is the answer.
            return Opened(request=self._winner(draft.escalation), created=False)
        self.journey.reached(Milestone.OPENED, made.request.id)
        return made

    def _refuse(self, escalation: Escalation, token: Token, refusal: Forbidden, asked_at: datetime) -> Opened:
        request = _refused(
            self.new_id("esc"),
            escalation,
            self.policies.current(),
            token=token.id,
            asked_at=asked_at,
            refusal=Refusal(code=refusal.code, sentence=refusal.sentence),
        )
        try:
            with self.store.writing() as uow:
                uow.save(opened(request, plea=texts_of(escalation.plea), facts={}))
        except Clash:
            return _told_again(self._winner(escalation), token)
        return Opened(request=request, created=True)

    def _winner(self, escalation: Escalation) -> Request:
        with self.store.reading() as reading:
            found = _same(reading.standing(escalation.agent, escalation.idempotency_key).asked, escalation)
        if found is None:
            raise Clash("Somebody was faster; send it again.")
        return found


def _same(found: Request | None, escalation: Escalation) -> Request | None:
    """Return what was found under the key of *escalation*, if it is the same escalation."""
    if found is not None and found.body_hash != escalation.body_hash:
        raise KeyReused("That Idempotency-Key was used for another body.")
    return found


def _told_again(found: Request, token: Token) -> Opened:
    """Return what was found under a key, for whoever shows *token*: what another token asked only within its own scope (I16).

    What this very token asked it is told as it was, a refusal because of its scope included.
    """
    if found.token != token.id:
        _check_token(token, found.place)
    return Opened(request=found, created=False)


def _checked_verb(escalation: Escalation) -> Verb:
    verb = verb_called(escalation.action.verb)
    verb.check(escalation.action)
    return verb


def _check_limits(policy: Policy, escalation: Escalation) -> None:
    for place, breach in enumerate(escalation.plea.breaches):
        if breach.limit not in policy.limits:
            raise Malformed("The policy names no such limit.", code="unknown_limit", field=f"/breaches/{place}/limit")


def _check_token(token: Token, place: Place) -> None:
    if not token.is_for_environment(place.environment):
        raise OutOfScope("This token may not be used for that environment.", field="/environment")
    if not token.is_for_namespace(place.namespace):
        raise OutOfScope("This token may not be used for that namespace.", field="/action/target/namespace")


def _place(escalation: Escalation) -> Place:
    return Place(
        agent=escalation.agent, environment=escalation.environment, namespace=escalation.action.target.namespace
    )


def _check_pauses(pauses: tuple[Pause, ...], escalation: Escalation) -> None:
    if (pause := open_pause_over(pauses, _place(escalation))) is not None:
        raise Paused(f"Paused ({pause.scope}): nothing new is taken on until two people resume it.")


def _check_ruling(ruling: Ruling) -> None:
    if not ruling.asks:
        raise PolicyDenied(" ".join(ruling.reasons))


def _ruling(policy: Policy, escalation: Escalation, *, risk: Risk) -> Ruling:
    return rule_on(
        policy,
        agent=escalation.agent,
        environment=escalation.environment,
        action=escalation.action,
        on_behalf_of=escalation.on_behalf_of,
        risk=risk,
        timeout=escalation.timeout,
    )


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


def _bound(draft: Draft, policy: Policy, ruling: Ruling) -> Plan:
    action = draft.escalation.action
    account = policy.installation.executor(draft.escalation.agent, action.verb, action.target.namespace)
    return bind(
        draft.preview,
        escalation=draft.id,
        verb=action.verb,
        target=action.target,
        arguments=action.parameters,
        executor=account.username,
        valid_for=ruling.valid_for,
    )


def _pending(
    draft: Draft, policy: Policy, ruling: Ruling, plan: Plan, rendered: Rendered, *, fingerprint: str, now: datetime
) -> Request:
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
        ruling=ruling,
        fingerprint=fingerprint,
        effect_key=effect_key(plan.bound),
        render_hash=rendered.hash,
        shown_whole=rendered.whole,
        breaches=escalation.plea.breaches,
        confidence=escalation.plea.confidence,
        supersedes=draft.supersedes,
        chain=draft.chain,
    )


def _refused(
    request_id: str, escalation: Escalation, policy: Policy, *, token: str | None, asked_at: datetime, refusal: Refusal
) -> Request:
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
        channel="" if environment is None else environment.channel,
        state=State.REFUSED,
        revision=1,
        asked_at=asked_at,
        deadline=None,
        ruling=None,
        fingerprint=None,
        effect_key=None,
        render_hash=None,
        shown_whole=False,
        breaches=escalation.plea.breaches,
        confidence=escalation.plea.confidence,
        refusal=refusal,
        decided_at=asked_at,
        outcome_code=refusal.code,
    )


def _wish_of(request: Request) -> Escalation:
    """Return the escalation that would ask for the same again, without a key: nobody sent it."""
    return Escalation(
        agent=request.agent,
        environment=request.environment,
        action=request.action,
        plea=Plea(rationale="", breaches=request.breaches, confidence=request.confidence),
        on_behalf_of=request.on_behalf_of,
        timeout=None if request.ruling is None else request.ruling.timeout,
        idempotency_key=None,
        body_hash=request.body_hash,
    )
