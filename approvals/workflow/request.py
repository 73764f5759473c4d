"""Requests: the question put to people about one escalation, and its one outcome.

::

    pending  -> approved | denied | expired | cancelled
    approved -> denied | cancelled | superseded            while nothing has been armed
    refused                                                at intake; never was a question

*Cancelled* is the agent's own wish, or what follows from the revocation of the token it asked with, or from an upgrade of
Countersign over a question that was asked in another form.

Every function here judges values that were read after the locks were taken, at the one instant ``now`` that was read
after them too. An eligible denial is final until the effect has started; silence denies at the deadline, which is an
instant in the row: an answer at or after it is late whether or not a sweep has run. *Expired* is nobody's denial.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final

from approvals.audit.events import ITSELF, AuditEvent, EventKind, Transition, changed, request_stream, unchanged
from approvals.canonical import Value, tagged_hash
from approvals.change.action import ProposedAction, Wish
from approvals.change.plan import is_short_of
from approvals.errors import Late, NotEligible, Paused, PolicyDenied, Refused, Settled, Stale
from approvals.facts import ADDED, facts_of
from approvals.identity.names import Account, Channel, EscalationId, id_of, is_operator, is_slack_account
from approvals.identity.people import FRESH, REMEMBERED, Authority
from approvals.identity.place import Place
from approvals.policy.eligibility import check_eligible
from approvals.policy.ruling import Ruling
from approvals.workflow.escalation import Breach
from approvals.workflow.execution import Attempt, Execution, Phase, Reason, void
from approvals.workflow.pause import Pause, open_pause_over, survives

CHAIN_LIMIT: Final = 3
"""How many requests may follow one another by drift."""

FORM: Final = 2
"""The form in which people are asked: what a plan holds (:class:`approvals.change.plan.Bound`) and how its review is drawn.

Raise it in the first change of either after a release, and bring a migration. What was asked in another form can be denied, and
is ended by ``countersign db upgrade`` with the code :data:`UPGRADED`: never approved or carried out, and never called drift."""

LATELY: Final = timedelta(days=1)
"""How far back people and agents are told that the same effect was asked or denied: a day, so that every shift hears of it."""

TOKEN_REVOKED: Final = "token_revoked"  # noqa: S105 - the name of an outcome
"""The outcome's code where a request was cancelled because its token was revoked."""

UPGRADED: Final = "upgraded"
"""The outcome's code where an upgrade ended a request, because it was asked in another form."""

EXPIRED_UNSEEN: Final = "expired_unseen"
"""The outcome's code where the deadline passed before any card of it stood in its channel: nobody could have answered."""


class State(StrEnum):
    """Where a request stands. Stored; never renamed."""

    REFUSED = "refused"
    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"


class Answer(StrEnum):
    """What one person says."""

    APPROVE = "approve"
    DENY = "deny"


class Via(StrEnum):
    """Through which door somebody answered."""

    SLACK = "slack"
    CLI = "cli"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a request never became a question."""

    code: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One escalation's question. Where it was refused, what depends on a plan is None."""

    id: EscalationId
    agent: str
    environment: str
    action: ProposedAction
    on_behalf_of: Account | None
    idempotency_key: str | None
    body_hash: str
    token: str | None
    """The agent token it came in with."""
    channel: Channel
    """Where its card is: ``TEAM:CHANNEL``."""
    state: State
    revision: int
    asked_at: datetime
    """When it came in; a restart's timestamp is made of it, so it never changes."""
    deadline: datetime | None
    ruling: Ruling | None
    """What the policy said, with the clauses that spoke; None where it was refused before the policy was asked."""
    fingerprint: str | None
    effect_key: str | None
    render_hash: str | None
    shown_whole: bool
    """Whether the whole change fits on the card; where it does not, nobody can approve."""
    breaches: tuple[Breach, ...] = ()
    """What the agent claims was passed."""
    confidence: Decimal | None = None
    """How sure the agent says it is, from 0 to 1."""
    refusal: Refusal | None = None
    valid_until: datetime | None = None
    """The last instant, excluded, at which an approval may start."""
    decided_at: datetime | None = None
    decided_by: tuple[Account, ...] = ()
    outcome_code: str | None = None
    """Why it ended as it did, for programs."""
    supersedes: EscalationId | None = None
    superseded_by: EscalationId | None = None
    chain: int = 1
    """Its place in a row of requests that followed one another by drift, from 1."""
    token_revoked_at: datetime | None = None
    """When its token was revoked, where the policy has it flagged and not cancelled; set once."""
    form: int = field(default=1, metadata=ADDED)
    """The :data:`FORM` in which it was asked."""

    @property
    def place(self) -> Place:
        """Where it would act, and for whom."""
        return self.wish.place

    @property
    def wish(self) -> Wish:
        """What was asked for."""
        return Wish(agent=self.agent, environment=self.environment, action=self.action, on_behalf_of=self.on_behalf_of)


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundKey:
    """An idempotency key that stands for a question which was asked under another: the same effect was asked again."""

    agent: str
    key: str
    escalation: EscalationId
    body_hash: str
    """Of the body that came with it: another one under the same key is a mistake."""
    bound_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """How often the effect of a request was asked before it, and who denied it last, within :data:`LATELY`."""

    asked: int
    denied: Request | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """One person's answer. A voided one stays on record and counts for nothing."""

    id: str
    escalation: EscalationId
    person: str
    account: Account
    answer: Answer
    via: Via
    at: datetime
    epoch: int
    fingerprint: str
    render_hash: str
    authority_at: datetime | None
    """When the person's standing was seen; None for an operator at the command line."""
    remembered: bool = False
    """Whether it counted by remembered authority, because Slack could not be asked."""
    voided_at: datetime | None = None
    voided_why: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VoteSubmission:
    """What somebody asks to be recorded."""

    id: str
    account: Account
    answer: Answer
    via: Via
    fingerprint: str | None
    """The short fingerprint that the button carried; None at the command line, where only denials come from."""
    reason: str = ""
    """In the person's words; may be empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionContext:
    """Everything a judgement rests on, read after the locks, at one instant."""

    now: datetime
    epoch: int
    pauses: tuple[Pause, ...]
    """Open ones, and those that ended after the oldest live vote was given."""
    ruling: Ruling
    """What satisfies both the request's own ruling and today's policy."""
    authority: Authority
    votes: tuple[Vote, ...] = ()
    """The live ones."""
    execution: Execution | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What an answer led to: the transition, and a sentence for the person who gave it."""

    transition: Transition[Request]
    request: Request
    sentence: str
    counted: bool = True
    """False where the same answer stood already."""
    missing: int = 0
    """How many more approvals are needed."""


def opened(request: Request, *, justification: Mapping[str, str], facts: Mapping[str, Value]) -> Transition[Request]:
    """Return the transition that puts a new question, or records that it was refused.

    Args:
        request: Pending or refused.
        justification: The agent's words, by name; they stand beside the chain.
        facts: What else explains it, such as the plan's bound bytes and the breaches.
    """
    kind = EventKind.REQUEST_REFUSED if request.state is State.REFUSED else EventKind.REQUEST_OPENED
    told = _event(kind, request, actor=f"agent:{request.agent}", at=request.asked_at, data=facts, private=justification)
    return changed(request, told)


def question_key(*, agent: str, on_behalf_of: str | None, effect_key: str) -> str:
    """Return what is the same for two escalations that are one question: the same agent, for the same person, the same effect.

    The person is told by all of their accounts, where the policy maps several
    (:meth:`approvals.identity.people.People.person_of`).
    """
    return tagged_hash("countersign/question/2", agent=agent, on_behalf_of=on_behalf_of, effect=effect_key)


def asked_again(request: Request, *, key: str, body_hash: str, token: str, now: datetime) -> Transition[BoundKey]:
    """Return the transition that lets another idempotency key stand for *request*; nothing else of it changes.

    Args:
        request: Pending.
        key: The new idempotency key.
        body_hash: Of the body that came with it.
        token: The id of the token that it came with.
        now: The unit's instant.
    """
    bound = BoundKey(agent=request.agent, key=key, escalation=request.id, body_hash=body_hash, bound_at=now)
    data = {"key": facts_of(bound), "token_id": token}
    told = _event(
        EventKind.REQUEST_ASKED_AGAIN, request, actor=f"agent:{request.agent}", at=now, data=data, with_request=False
    )
    return changed(bound, told)


def asked_before(request: Request, same: Iterable[Request]) -> tuple[Request, ...]:
    """Return those of *same*, requests of the same effect, that were asked up to :data:`LATELY` before *request*."""
    since = request.asked_at - LATELY
    return tuple(one for one in same if one.id != request.id and since < one.asked_at <= request.asked_at)


def earlier_of(request: Request, same: Iterable[Request]) -> Earlier:
    """Return what people are told of the past of an effect.

    Args:
        request: The one whose card it is.
        same: Requests of the same effect, whoever asked. A denial counts from :data:`LATELY` before *request* on, even one
            that came after it.
    """
    found = tuple(same)
    since = request.asked_at - LATELY
    denied = [
        one
        for one in found
        if one.id != request.id and one.state is State.DENIED and one.decided_at is not None and one.decided_at > since
    ]
    last = max(denied, key=lambda one: (one.decided_at or since, one.id), default=None)
    return Earlier(asked=len(asked_before(request, found)), denied=last)


def judge(request: Request, submission: VoteSubmission, context: DecisionContext) -> Judged:
    """Return what *submission* leads to.

    Raises:
        Settled, Late, Stale, Paused, NotEligible, PolicyDenied, Unavailable: It does not count, and why.
    """
    return (
        _approve(request, submission, context)
        if submission.answer is Answer.APPROVE
        else _deny(request, submission, context)
    )


def _approve(request: Request, submission: VoteSubmission, context: DecisionContext) -> Judged:
    _check_open(request, context)
    if request.form != FORM:
        raise Settled(
            "It was asked by another release of Countersign, so it cannot be approved any more.", code=UPGRADED
        )
    _check_fingerprint(request, submission)
    if is_operator(submission.account):
        raise NotEligible("An operator at the command line may deny and pause, never approve.", code="operator")
    if not request.shown_whole:
        raise NotEligible("The change does not fit on the card, so it cannot be approved here.", code="not_shown_whole")
    if (pause := open_pause_over(context.pauses, request.place)) is not None:
        raise Paused(f"Paused ({pause.scope}): nothing can be approved until two people resume it.")
    _check_asks(context.ruling)
    check_eligible(context.ruling, submission.account, context.authority, now=context.now, within=FRESH)
    kept, voided = _sift(request, context)
    if any(_is_by(submission.account, vote, context) and vote.answer is Answer.APPROVE for vote in kept):
        return _approve_again(request, submission, context, kept, voided)
    vote = _vote(request, submission, context)
    in_its_place = _giving_way(vote, kept, context)
    kept = tuple(old for old in kept if old.id not in {one.id for one in in_its_place})
    voided += in_its_place
    missing = missing_approvals(context.ruling, (*kept, vote))
    if not missing:
        return _approved(request, submission, context, (*kept, vote), _cast(request, vote, voided, context, submission))
    waiting = replace(request, revision=request.revision + 1)
    return Judged(
        transition=_cast(waiting, vote, voided, context, submission, with_request=True),
        request=waiting,
        sentence=f"Your approval counts. {missing} more needed before anything runs.",
        missing=missing,
    )


def _approve_again(
    request: Request,
    submission: VoteSubmission,
    context: DecisionContext,
    kept: tuple[Vote, ...],
    voided: tuple[Vote, ...],
) -> Judged:
    """Return what an approval changes that stands already: nothing, unless the policy asked for more then than it does now."""
    missing = missing_approvals(context.ruling, kept)
    if not missing:
        return _approved(request, submission, context, kept, _fallen(request, voided, context))
    return Judged(
        transition=unchanged(request),
        request=request,
        sentence=f"Your approval counted already. {missing} more needed.",
        counted=False,
        missing=missing,
    )


def _approved(
    request: Request,
    submission: VoteSubmission,
    context: DecisionContext,
    votes: tuple[Vote, ...],
    cast: Transition[Request],
) -> Judged:
    approved = replace(
        request,
        state=State.APPROVED,
        revision=request.revision + 1,
        valid_until=context.now + context.ruling.valid_for,
        decided_at=context.now,
        decided_by=tuple(vote.account for vote in votes),
        outcome_code="approved",
    )
    end = _event(EventKind.REQUEST_APPROVED, approved, actor=submission.account, at=context.now)
    return Judged(
        transition=cast.then(changed(approved, end)),
        request=approved,
        sentence="Approved. Countersign carries it out as soon as it may start.",
    )


def _deny(request: Request, submission: VoteSubmission, context: DecisionContext) -> Judged:
    _check_deniable(request, context)
    _check_fingerprint(request, submission)
    if not is_operator(submission.account):
        check_eligible(context.ruling, submission.account, context.authority, now=context.now, within=REMEMBERED)
    vote = _vote(request, submission, context)
    cast = _cast(request, vote, _giving_way(vote, context.votes, context), context, submission)
    denied = replace(
        request,
        state=State.DENIED,
        revision=request.revision + 1,
        decided_at=context.now,
        decided_by=(submission.account,),
        outcome_code="denied",
    )
    end = _event(EventKind.REQUEST_DENIED, denied, actor=submission.account, at=context.now)
    stop = _stop(context, Reason.DENIED, actor=submission.account)
    return Judged(
        transition=cast.then(changed(denied, end)).beside(stop),
        request=denied,
        sentence="Denied. Nothing will run.",
    )


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
    return changed(expired, _event(EventKind.REQUEST_EXPIRED, expired, actor=ITSELF, at=now))


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
        raise _settled(request)
    ended = replace(
        request, state=State.CANCELLED, revision=request.revision + 1, decided_at=now, outcome_code=UPGRADED
    )
    end = changed(ended, _event(EventKind.REQUEST_CANCELLED, ended, actor=ITSELF, at=now))
    return end if execution is None else end.beside(void(execution, Reason.UPGRADED, now=now, attempt=attempt))


def flag_for_token(request: Request, context: DecisionContext, *, revoked_at: datetime) -> Transition[Request]:
    """Return the transition that marks an open question as asked with a token that was revoked since.

    Raises:
        Settled: It is marked already, has ended, or its effect has started.
        Late: Its deadline has passed.
    """
    _check_deniable(request, context)
    if request.token_revoked_at is not None:
        raise Settled("It says already that its token was revoked.", code="already_flagged")
    flagged = replace(request, revision=request.revision + 1, token_revoked_at=revoked_at)
    data = {"token_id": request.token}
    told = _event(EventKind.REQUEST_TOKEN_REVOKED, flagged, actor=ITSELF, at=context.now, data=data)
    return changed(flagged, told)


def _cancelled(
    request: Request, context: DecisionContext, code: str, reason: Reason, *, actor: str, data: Mapping[str, Value]
) -> Transition[Request]:
    _check_deniable(request, context)
    cancelled = replace(
        request, state=State.CANCELLED, revision=request.revision + 1, decided_at=context.now, outcome_code=code
    )
    end = _event(EventKind.REQUEST_CANCELLED, cancelled, actor=actor, at=context.now, data=data)
    return changed(cancelled, end).beside(_stop(context, reason, actor=actor))


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
    return changed(superseded, _event(EventKind.REQUEST_SUPERSEDED, superseded, actor=ITSELF, at=now))


def missing_approvals(ruling: Ruling, votes: Iterable[Vote]) -> int:
    """Return how many more people must approve, going by *votes*, all of which count. People are told apart by person."""
    persons = {ruling.people.person_of(vote.account) for vote in votes if vote.answer is Answer.APPROVE}
    return max(0, ruling.quorum - len(persons))


def check_quorum(request: Request, context: DecisionContext) -> None:
    """Return if the votes that still count make the quorum: asked again before anything starts (I7).

    Raises:
        PolicyDenied: Today's policy denies it.
        NotEligible: Too few of the votes still count, by authority or because a pause came between.
        Unavailable: A voter's authority could not be asked just now.
    """
    _check_asks(context.ruling)
    kept, voided = _sift(request, context)
    if missing_approvals(context.ruling, kept):
        paused = voided and voided[0].voided_why == "paused"
        raise NotEligible("Too few of the approvals still count.", code="paused" if paused else "authority")


def _sift(request: Request, context: DecisionContext) -> tuple[tuple[Vote, ...], tuple[Vote, ...]]:
    kept: list[Vote] = []
    voided: list[Vote] = []
    for vote in context.votes:
        why = _why_void(request, vote, context)
        if why is None:
            kept.append(vote)
        else:
            voided.append(replace(vote, voided_at=context.now, voided_why=why))
    return tuple(kept), tuple(voided)


def _giving_way(vote: Vote, votes: tuple[Vote, ...], context: DecisionContext) -> tuple[Vote, ...]:
    """Return those of *votes* beside which *vote* cannot stand, fallen: its own person's, and any that is kept under the same.

    A person has one live vote, by key. Where a policy said once that two accounts are one person and says so no more, the
    other's vote would stand in the way for good: no denial of an eligible person's may bounce off it.
    """
    own = {old.id for old in votes if _is_by(vote.account, old, context)}
    return tuple(
        replace(old, voided_at=context.now, voided_why="changed" if old.id in own else "person")
        for old in votes
        if old.id in own or old.person == vote.person
    )


def _why_void(request: Request, vote: Vote, context: DecisionContext) -> str | None:
    if not survives(context.pauses, request.place, epoch=vote.epoch):
        return "paused"
    if vote.fingerprint != request.fingerprint or vote.render_hash != request.render_hash:
        return "changed"
    try:
        check_eligible(context.ruling, vote.account, context.authority, now=context.now, within=FRESH)
    except NotEligible:
        return "ineligible"
    return None


def _check_open(request: Request, context: DecisionContext) -> None:
    if request.state is not State.PENDING:
        raise _settled(request)
    if request.deadline is None or context.now >= request.deadline:
        raise Late("The deadline has passed; silence has denied it.")


def _check_deniable(request: Request, context: DecisionContext) -> None:
    """Return while an eligible no still ends it: pending before its deadline, or approved with nothing started."""
    if request.state is not State.APPROVED:
        _check_open(request, context)
    elif context.execution is not None and not context.execution.can_still_be_stopped:
        if context.execution.state is Phase.VOIDED:
            raise Settled("It was stopped before it started, so nothing will run.", code="already_stopped")
        raise Settled("It has started, so it cannot be stopped here any more.", code="already_started")


def _settled(request: Request) -> Refused:
    if request.state is State.EXPIRED:
        return Late("The deadline has passed; silence has denied it.")
    by = " and ".join(mention(account) for account in request.decided_by)
    return Settled(f"It is already {request.state.value}{f' by {by}' if by else ''}.")


def mention(account: Account) -> str:
    """Return *account* as a Slack mention where it is a Slack account, else as it is."""
    return f"<@{id_of(account)}>" if is_slack_account(account) else account


def _check_fingerprint(request: Request, submission: VoteSubmission) -> None:
    if submission.fingerprint is None and submission.answer is Answer.DENY:
        return
    if (
        submission.fingerprint is None
        or request.fingerprint is None
        or not is_short_of(submission.fingerprint, request.fingerprint)
    ):
        raise Stale("That button belongs to another version of this change.")


def _check_asks(ruling: Ruling) -> None:
    if not ruling.asks:
        raise PolicyDenied("The policy in force now denies this.")


def _is_by(account: Account, vote: Vote, context: DecisionContext) -> bool:
    """Tell whether the person behind *account* gave *vote*, by what is known of people now."""
    people = context.ruling.people
    return people.person_of(vote.account) == people.person_of(account)


def _vote(request: Request, submission: VoteSubmission, context: DecisionContext) -> Vote:
    standing = context.authority.standings.get(submission.account)
    seen = None if standing is None else standing.seen_at
    return Vote(
        id=submission.id,
        escalation=request.id,
        person=context.ruling.people.person_of(submission.account),
        account=submission.account,
        answer=submission.answer,
        via=submission.via,
        at=context.now,
        epoch=context.epoch,
        fingerprint=request.fingerprint or "",
        render_hash=request.render_hash or "",
        authority_at=seen,
        remembered=seen is not None and context.now - seen > FRESH,
    )


def _cast(
    request: Request,
    vote: Vote,
    voided: tuple[Vote, ...],
    context: DecisionContext,
    submission: VoteSubmission,
    *,
    with_request: bool = False,
) -> Transition[Request]:
    """Return the votes' part of a transition: those that fell, then the new one.

    It carries the request where no other event of the transition tells its new revision.
    """
    said = _event(
        EventKind.REQUEST_VOTED,
        request,
        actor=vote.account,
        at=context.now,
        data={"vote": facts_of(vote)},
        private={"reason": submission.reason} if submission.reason else {},
        with_request=with_request,
    )
    own = changed(request) if with_request else unchanged(request)
    return own.beside(_fallen(request, voided, context)).beside(changed(vote, said))


def _fallen(request: Request, voided: tuple[Vote, ...], context: DecisionContext) -> Transition[Request]:
    """Return the transition that writes down which votes do not count any more."""
    return Transition(
        noun=request,
        nouns=voided,
        events=tuple(
            _event(
                EventKind.REQUEST_VOTE_VOIDED,
                request,
                actor=ITSELF,
                at=context.now,
                data={"vote": facts_of(vote)},
                with_request=False,
            )
            for vote in voided
        ),
    )


def _stop(context: DecisionContext, reason: Reason, *, actor: str) -> Transition[Execution] | Transition[None]:
    if context.execution is None:
        return unchanged(None)
    return void(context.execution, reason, now=context.now, actor=actor)


def _event(
    kind: EventKind,
    request: Request,
    *,
    actor: str,
    at: datetime,
    data: Mapping[str, Value] | None = None,
    private: Mapping[str, str] | None = None,
    with_request: bool = True,
) -> AuditEvent:
    facts: dict[str, Value] = dict(data or {})
    if with_request:
        facts["request"] = facts_of(request)
    return AuditEvent(
        kind=kind, stream=request_stream(request.id), actor=actor, at=at, data=facts, private=dict(private or {})
    )
