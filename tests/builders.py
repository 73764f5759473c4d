"""Builders: plausible nouns with every field filled, so that a test names only what its rule is about.

People and places are those of the embedded workspace: Ada and Boris approve production, Chen is the human whom the agent
``scaler`` acts for, Dina is a member who approves nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from approvals.audit.events import AuditEvent, Transition
from approvals.change.action import Argument, ProposedAction, Target, Wish
from approvals.change.diff import changes_between
from approvals.change.image import image_of
from approvals.change.plan import (
    SHORT,
    Change,
    Evidence,
    PatchType,
    Plan,
    Preview,
    Step,
    bind,
    bound_bytes,
    effect_key,
    fingerprint_of,
    json_text,
)
from approvals.change.risk import Risk
from approvals.identity.accounts import Installation, ServiceAccount
from approvals.identity.names import (
    Account,
    EscalationId,
    ExecutionId,
    Group,
    channel_of,
    escalation_id,
    group_of,
    slack_account,
)
from approvals.identity.people import ApproverSet, Authority, Membership, MemberStatus, People
from approvals.identity.tokens import Token, TokenKind, token_hash
from approvals.policy.charter import Charter, Owners, WhenTokenRevoked
from approvals.policy.policy import (
    Asking,
    DigestSchedule,
    Environment,
    Limit,
    Match,
    NamedCluster,
    Policy,
    Rule,
    Timeout,
)
from approvals.policy.ruling import Ruling, rule_on
from approvals.verbs.registry import verb_called
from approvals.verbs.verb import PlanSeed, Verb
from approvals.workflow.alert import Alert, AlertGroup, AlertReport, AlertState
from approvals.workflow.escalation import Attachment, Breach, Escalation, Justification
from approvals.workflow.execution import Attempt, Execution, Phase
from approvals.workflow.pause import Pause, Scope, ScopeKind
from approvals.workflow.request import FORM, Answer, Request, State, Via
from approvals.workflow.votes import DecisionContext, Vote, VoteSubmission

N = TypeVar("N")

TEAM = "T0COUNTERSIGN"
ADA, BORIS, CHEN, DINA, ELI = (slack_account(TEAM, user) for user in ("U0ADA", "U0BORIS", "U0CHEN", "U0DINA", "U0ELI"))
CHANNEL = channel_of(f"{TEAM}:C0PROD")
GROUP = group_of(f"{TEAM}:S0PROD")
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
TICK = timedelta(microseconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
ESCALATION = escalation_id("esc_01JD0000000000000000000000")
INSTALLATION = Installation(name="acme")
CLUSTER_UID = "8f3c2a52-7a35-4c7e-9a52-0a4a6e0f7b11"
OBJECT_UID = "1d0f8f3e-52f3-4b0e-8f43-5c1f2d5c7a10"


def a_mac(text: str) -> str:
    """Return a stand-in for the keyed hash: readable, and different for different values."""
    return f"mac-{sum(text.encode())}-{len(text)}"


def a_timeout(default: timedelta = 15 * MINUTE, least: timedelta = MINUTE, most: timedelta = HOUR) -> Timeout:
    """Return how long people have to answer."""
    return Timeout(default=default, least=least, most=most)


def an_asking(**changed: Any) -> Asking:
    """Return what a rule asks for: one of the platform people."""
    asking = Asking(
        risk=Risk.LOW,
        approvers=("platform",),
        quorum=1,
        timeout=a_timeout(),
        valid_for=15 * MINUTE,
        owners_may_approve=False,
    )
    return replace(asking, **changed)


def a_rule(name: str = "shop-changes", **changed: Any) -> Rule:
    """Return a rule that asks about everything in the namespace ``shop``."""
    rule = Rule(name=name, match=Match(namespaces=frozenset({"shop"})), asking=an_asking())
    return replace(rule, **changed)


def a_denial(name: str = "never", *, reason: str = "", **match: Any) -> Rule:
    """Return a rule that denies what it matches."""
    return Rule(name=name, match=Match(**match), asking=None, reason=reason)


def a_charter(**changed: Any) -> Charter:
    """Return the charter of the agent ``scaler``."""
    charter = Charter(
        agent="scaler",
        purpose="Keeps the shop within its latency objective.",
        owners=Owners(business=DINA, technical=DINA, risk=DINA),
        verbs=frozenset({"scale", "restart"}),
        namespaces={"prod-eu-1": frozenset({"shop"})},
        acts_for=frozenset({CHEN}),
        when_token_revoked=WhenTokenRevoked.CANCEL,
    )
    return replace(charter, **changed)


def an_environment(name: str = "prod-eu-1", **changed: Any) -> Environment:
    """Return the production environment."""
    environment = Environment(
        name=name,
        channel=CHANNEL,
        zone="Europe/Berlin",
        digest=DigestSchedule(weekday="mon", hour=9, minute=0),
        cluster="main",
    )
    return replace(environment, **changed)


def an_approver_set(
    name: str = "platform", accounts: Iterable[Account] = (ADA, BORIS), groups: Iterable[Group] = ()
) -> ApproverSet:
    """Return the people who approve production."""
    return ApproverSet(name=name, accounts=frozenset(accounts), groups=frozenset(groups))


def a_policy(**changed: Any) -> Policy:
    """Return a policy with one environment, one agent, one approver set and one rule."""
    policy = Policy(
        version="a" * 64,
        installation=INSTALLATION,
        clusters={"main": NamedCluster(name="main", context=None)},
        environments={"prod-eu-1": an_environment()},
        charters={"scaler": a_charter()},
        approver_sets={"platform": an_approver_set()},
        may_pause=("platform",),
        may_resume=("platform",),
        people=People(names={}),
        limits={
            "cluster-cpu": Limit(name="cluster-cpu", ceiling=Decimal("0.8"), unit="share", description="CPU in use")
        },
        rules=(a_rule(),),
        teams=frozenset({TEAM}),
    )
    return replace(policy, **changed)


def a_target(kind: str = "Deployment", namespace: str = "shop", name: str = "checkout") -> Target:
    """Return the Deployment ``shop/checkout``."""
    return Target(kind=kind, namespace=namespace, name=name)


def an_action(verb: str = "scale", *, target: Target | None = None, **parameters: Argument) -> ProposedAction:
    """Return the wish to scale ``shop/checkout`` to 6, or another verb's."""
    wanted: Mapping[str, Argument] = parameters or ({"replicas": 6} if verb == "scale" else {})
    return ProposedAction(verb=verb, target=target or a_target(), parameters=wanted)


def an_escalation(**changed: Any) -> Escalation:
    """Return the agent ``scaler``'s request for more pods."""
    escalation = Escalation(
        agent="scaler",
        environment="prod-eu-1",
        action=an_action(),
        justification=Justification(
            rationale="p99 is 4.1 s against an objective of 1 s",
            breaches=(Breach(limit="cluster-cpu", observed=Decimal("0.87"), ceiling=Decimal("0.80")),),
            attachments=(Attachment(title="p99", text="4.1 s"),),
            confidence=Decimal("0.8"),
        ),
        on_behalf_of=CHEN,
        timeout=None,
        idempotency_key="key-1",
        body_hash="b" * 64,
    )
    return replace(escalation, **changed)


def a_workload(kind: str = "Deployment", name: str = "checkout", *, replicas: int = 3, **spec: Any) -> dict[str, Any]:
    """Return a raw Deployment or StatefulSet whose rollout is complete."""
    counts = {
        "replicas": replicas,
        "updatedReplicas": replicas,
        "availableReplicas": replicas,
        "readyReplicas": replicas,
    }
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": "shop",
            "uid": OBJECT_UID,
            "resourceVersion": "100",
            "generation": 4,
            "labels": {"app": name},
        },
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {
                    "containers": [
                        {"name": "web", "image": "shop/checkout:1", "env": [{"name": "MODE", "value": "live"}]}
                    ]
                },
            },
            **spec,
        },
        "status": {"observedGeneration": 4, **counts},
    }


def an_autoscaler(name: str = "checkout", *, least: int = 1, most: int = 4, current: int = 3) -> dict[str, Any]:
    """Return a raw HorizontalPodAutoscaler of the Deployment of that name; like the server's, it has no generation."""
    status: dict[str, Any] = {"conditions": [{"type": "AbleToScale", "status": "True", "reason": "SucceededGetScale"}]}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name, "namespace": "shop", "uid": OBJECT_UID, "resourceVersion": "100"},
        "spec": {
            "minReplicas": least,
            "maxReplicas": most,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
        },
        "status": {**status, **({"currentReplicas": current} if current else {})},
    }


def scale_of(workload: Mapping[str, Any]) -> dict[str, Any]:
    """Return the raw Scale of a workload; like the server's, it leaves ``replicas`` out when it is 0."""
    replicas = workload["spec"]["replicas"]
    kept = ("name", "namespace", "uid", "resourceVersion")
    return {
        "apiVersion": "autoscaling/v1",
        "kind": "Scale",
        "metadata": {key: workload["metadata"][key] for key in kept},
        "spec": {"replicas": replicas} if replicas else {},
        "status": {"replicas": workload["status"]["replicas"]},
    }


def a_change(path: str = "/spec/replicas", before: Any = 3, after: Any = 6) -> Change:
    """Return the change of replicas from 3 to 6."""
    return Change(path=path, before=before, after=after)


def a_step(**changed: Any) -> Step:
    """Return the one write of scaling ``shop/checkout`` from 3 to 6."""
    verb = verb_called("scale")
    step = Step(
        resource=verb.kind("Deployment").resource,
        namespace="shop",
        name="checkout",
        uid=OBJECT_UID,
        subresource="scale",
        patch_type=PatchType.MERGE,
        body=json_text({"metadata": {"uid": OBJECT_UID}, "spec": {"replicas": 6}}),
        changes=(a_change(),),
    )
    return replace(step, **changed)


def evidence(**changed: Any) -> Evidence:
    """Return what was seen while planning."""
    seen = Evidence(
        seen_at=NOON,
        resource_version="100",
        generation=4,
        risk=Risk.LOW,
        warnings=(),
        blind_spots=verb_called("scale").blind_spots,
        findings=(),
        blast="3 pods more",
    )
    return replace(seen, **changed)


def a_preview(**changed: Any) -> Preview:
    """Return what the cluster door found out about scaling ``shop/checkout`` from 3 to 6."""
    return replace(Preview(cluster_uid=CLUSTER_UID, steps=(a_step(),), evidence=evidence()), **changed)


def preview_of(
    verb: Verb, action: ProposedAction, observed: Mapping[str, Any], after: Mapping[str, Any], occasion: PlanSeed
) -> Preview:
    """Return the preview that a verb makes of what was *observed*, given what its dry run would answer."""
    resource = verb.kind(action.target.kind).resource
    (draft,) = verb.build(observed, action.target, resource, action.parameters, occasion)
    changes = verb.reviewed(observed[draft.before], after, a_mac)
    stake = verb.stake(observed, action.parameters)
    seen = evidence(risk=stake.risk, findings=stake.findings, blast=stake.blast, blind_spots=verb.blind_spots)
    image = image_of(verb.becomes(observed, after), mac=a_mac)
    return Preview(cluster_uid=CLUSTER_UID, steps=(replace(draft.step, changes=changes),), evidence=seen, image=image)


def an_executor(verb: str = "scale", namespace: str = "shop") -> ServiceAccount:
    """Return the account that carries :func:`a_plan` out."""
    return ServiceAccount(namespace=namespace, name=f"exec-scaler-{verb}")


def a_plan(
    escalation: str = ESCALATION, *, preview: Preview | None = None, action: ProposedAction | None = None
) -> Plan:
    """Return the plan of scaling ``shop/checkout`` from 3 to 6."""
    wish = action or an_action()
    return bind(
        preview or a_preview(),
        escalation=EscalationId(escalation),
        action=wish,
        executor=an_executor(wish.verb, wish.target.namespace).username,
        valid_for=15 * MINUTE,
    )


def a_wish(**changed: Any) -> Wish:
    """Return what :func:`an_escalation` asks for: to scale ``shop/checkout``, for Chen."""
    wish = Wish(agent="scaler", environment="prod-eu-1", action=an_action(), on_behalf_of=CHEN)
    return replace(wish, **changed)


def a_ruling(policy: Policy | None = None, *, on_behalf_of: Account | None = CHEN, risk: Risk = Risk.LOW) -> Ruling:
    """Return a policy's ruling on scaling ``shop/checkout``."""
    return rule_on(policy or a_policy(), a_wish(on_behalf_of=on_behalf_of), risk=risk, timeout=None)


def a_request(policy: Policy | None = None, **changed: Any) -> Request:
    """Return a pending request to scale ``shop/checkout``, asked at noon, due a quarter of an hour later."""
    plan = a_plan()
    data = bound_bytes(plan.bound)
    request = Request(
        id=ESCALATION,
        agent="scaler",
        environment="prod-eu-1",
        action=an_action(),
        on_behalf_of=CHEN,
        idempotency_key="key-1",
        body_hash="b" * 64,
        token="tok_01JD0000000000000000000000",
        channel=CHANNEL,
        state=State.PENDING,
        revision=1,
        asked_at=NOON,
        deadline=NOON + 15 * MINUTE,
        ruling=a_ruling(policy),
        fingerprint=fingerprint_of(data),
        effect_key=effect_key(plan.bound, verb_called("scale").effect_words),
        render_hash="c" * 64,
        shown_whole=True,
        form=FORM,
        breaches=an_escalation().justification.breaches,
        confidence=Decimal("0.8"),
    )
    return replace(request, **changed)


def about(kind: type[N], *, nouns: tuple[object, ...], events: tuple[AuditEvent, ...]) -> Transition[N]:
    """Return the transition whose main noun is the last one of that *kind*."""
    noun = next(one for one in reversed(nouns) if isinstance(one, kind))
    return Transition(noun=noun, nouns=nouns, events=events)


def a_vote(account: Account = ADA, answer: Answer = Answer.APPROVE, **changed: Any) -> Vote:
    """Return one live vote on :func:`a_request`, given at noon in epoch 0."""
    request = a_request()
    vote = Vote(
        id=f"vote_{account[-5:]}",
        escalation=request.id,
        person=account,
        account=account,
        answer=answer,
        via=Via.SLACK,
        at=NOON,
        epoch=0,
        fingerprint=request.fingerprint or "",
        render_hash=request.render_hash or "",
        authority_at=NOON,
    )
    return replace(vote, **changed)


def a_submission(account: Account = ADA, answer: Answer = Answer.APPROVE, **changed: Any) -> VoteSubmission:
    """Return what somebody asks to be recorded about :func:`a_request`, by the button on its card."""
    short = (a_request().fingerprint or "")[:SHORT]
    submission = VoteSubmission(id="vote_new", account=account, answer=answer, via=Via.SLACK, fingerprint=short)
    return replace(submission, **changed)


def a_standing(account: Account, *, seen_at: datetime = NOON, **changed: Any) -> MemberStatus:
    """Return the standing of an active, human, full member."""
    return replace(MemberStatus(account=account, seen_at=seen_at), **changed)


def an_authority(*accounts: Account, seen_at: datetime = NOON, members: Iterable[Account] | None = None) -> Authority:
    """Return good standings of *accounts* (Ada, Boris, Chen and Dina if none are named), and the group's members."""
    standings = {one: a_standing(one, seen_at=seen_at) for one in accounts or (ADA, BORIS, CHEN, DINA)}
    groups = {} if members is None else {GROUP: Membership(accounts=frozenset(members), seen_at=seen_at)}
    return Authority(standings=standings, groups=groups)


def a_context(request: Request | None = None, **changed: Any) -> DecisionContext:
    """Return everything a judgement at noon rests on: epoch 0, no pauses, everybody in good standing."""
    ruling = (request or a_request()).ruling
    if ruling is None:
        raise ValueError("a refused request has no context")
    return replace(DecisionContext(now=NOON, epoch=0, pauses=(), ruling=ruling, authority=an_authority()), **changed)


def a_pause(scope: Scope | None = None, **changed: Any) -> Pause:
    """Return an open pause of everything, engaged at noon in epoch 1."""
    pause = Pause(
        id="pause_01JD00000000000000000000",
        scope=scope or Scope(kind=ScopeKind.ALL),
        by=ADA,
        engaged_at=NOON,
        engaged_epoch=1,
        ask_at=None,
        channels=(CHANNEL,),
    )
    return replace(pause, **changed)


def an_execution(state: Phase = Phase.QUEUED, **changed: Any) -> Execution:
    """Return the execution of :func:`a_request`, approved at noon."""
    execution = Execution(
        id=ExecutionId("exe_01JD0000000000000000000000"),
        escalation=ESCALATION,
        step=0,
        state=state,
        revision=1,
        agent="scaler",
        environment="prod-eu-1",
        namespace="shop",
        cluster_uid=CLUSTER_UID,
        object_uid=OBJECT_UID,
        fingerprint=a_request().fingerprint or "",
        valid_until=NOON + 15 * MINUTE,
        due_at=NOON,
    )
    return replace(execution, **changed)


def an_attempt(**changed: Any) -> Attempt:
    """Return the first start record of :func:`an_execution`."""
    attempt = Attempt(
        execution=an_execution().id,
        number=1,
        resource_version="100",
        object_generation=4,
        request_hash="d" * 64,
        epoch=0,
        armed_at=NOON,
    )
    return replace(attempt, **changed)


def a_token(secret: str = "cst_secret", **changed: Any) -> Token:
    """Return the agent ``scaler``'s token, good for a day from noon."""
    token = Token(
        id="tok_01JD0000000000000000000000",
        hash=token_hash(secret),
        kind=TokenKind.AGENT,
        holder="scaler",
        environments=frozenset(),
        namespaces=frozenset(),
        created_at=NOON,
        created_by="os:olga",
        expires_at=NOON + 24 * HOUR,
    )
    return replace(token, **changed)


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Change, ...]:
    """Return the changes between two raw objects."""
    return changes_between(before, after, mac=a_mac)


def an_alert(state: AlertState = AlertState.FIRING, **changed: Any) -> Alert:
    """Return an alert that began an hour before noon and was first heard of at noon."""
    alert = Alert(
        id="alert_2",
        token="tok_am",
        environment="prod-eu-1",
        channel=CHANNEL,
        alert_group="alert_1",
        fingerprint="f1",
        starts_at=NOON - HOUR,
        ended_at=None,
        state=state,
        revision=1,
        seen_at=NOON,
        resolved_at=None if state is AlertState.FIRING else NOON,
    )
    return replace(alert, **changed)


def an_alert_group(state: AlertState = AlertState.FIRING, **changed: Any) -> AlertGroup:
    """Return the group of :func:`an_alert` alone."""
    group = AlertGroup(
        id="alert_1",
        environment="prod-eu-1",
        channel=CHANNEL,
        key="g1",
        state=state,
        revision=1,
        firing=int(state is AlertState.FIRING),
        total=1,
        cut={},
        opened_at=NOON,
        resolved_at=None if state is AlertState.FIRING else NOON,
    )
    return replace(group, **changed)


def a_report(state: AlertState | None = AlertState.FIRING, **changed: Any) -> AlertReport:
    """Return what a monitor says of :func:`an_alert`, in its words."""
    report = AlertReport(
        group="g1",
        fingerprint="f1",
        starts_at=NOON - HOUR,
        ends_at=None,
        state=state,
        labels={"alertname": "HighLatency"},
        annotations={"summary": "<!channel> slow"},
    )
    return replace(report, **changed)
