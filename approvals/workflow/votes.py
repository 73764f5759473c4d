"""Votes: what people answer to a request, and the judgement that counts them.

Every function here judges values that were read after the locks were taken, at the one instant ``now`` that was read
after them too. An eligible denial is final until the effect has started; an answer at or after the deadline is late
whether or not a sweep has run.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from approvals.audit.events import ITSELF, EventKind, Transition, changed, unchanged
from approvals.change.plan import is_short_of
from approvals.errors import Late, NotEligible, Paused, PolicyDenied, Refused, Settled, Stale
from approvals.facts import facts_of
from approvals.identity.names import Account, EscalationId, is_operator
from approvals.identity.people import FRESH, REMEMBERED, Authority
from approvals.policy.eligibility import check_eligible
from approvals.policy.ruling import Ruling
from approvals.workflow.execution import Execution, Phase, Reason
from approvals.workflow.pause import Pause, open_pause_over, survives
from approvals.workflow.request import FORM, UPGRADED, Answer, Request, State, Via, mention, request_event
from approvals.workflow.voiding import void


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
    end = request_event(EventKind.REQUEST_APPROVED, approved, actor=submission.account, at=context.now)
    return Judged(
        transition=cast.then(changed(approved, end)),
        request=approved,
        sentence="Approved. Countersign carries it out as soon as it may start.",
    )


def _deny(request: Request, submission: VoteSubmission, context: DecisionContext) -> Judged:
    check_deniable(request, context)
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
    end = request_event(EventKind.REQUEST_DENIED, denied, actor=submission.account, at=context.now)
    stop = stop_execution(context, Reason.DENIED, actor=submission.account)
    return Judged(
        transition=cast.then(changed(denied, end)).beside(stop),
        request=denied,
        sentence="Denied. Nothing will run.",
    )


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
        raise settled_already(request)
    if request.deadline is None or context.now >= request.deadline:
        raise Late("The deadline has passed; silence has denied it.")


def check_deniable(request: Request, context: DecisionContext) -> None:
    """Return while an eligible no still ends it: pending before its deadline, or approved with nothing started."""
    if request.state is not State.APPROVED:
        _check_open(request, context)
    elif context.execution is not None and not context.execution.can_still_be_stopped:
        if context.execution.state is Phase.VOIDED:
            raise Settled("It was stopped before it started, so nothing will run.", code="already_stopped")
        raise Settled("It has started, so it cannot be stopped here any more.", code="already_started")


def settled_already(request: Request) -> Refused:
    """Return the refusal of an answer to a request that has its outcome: it names the outcome and who decided."""
    if request.state is State.EXPIRED:
        return Late("The deadline has passed; silence has denied it.")
    by = " and ".join(mention(account) for account in request.decided_by)
    return Settled(f"It is already {request.state.value}{f' by {by}' if by else ''}.")


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
    said = request_event(
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
            request_event(
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


def stop_execution(context: DecisionContext, reason: Reason, *, actor: str) -> Transition[Execution] | Transition[None]:
    """Return the transition that voids what an approved request was to run; nothing where nothing was to run."""
    if context.execution is None:
        return unchanged(None)
    return void(context.execution, reason, now=context.now, actor=actor)
