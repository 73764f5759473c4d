"""Requests: the question put to people about one escalation, and its one outcome.

What people answer is in :mod:`approvals.workflow.votes`, every other ending in :mod:`approvals.workflow.endings`.

::

    pending  -> approved | denied | expired | cancelled
    approved -> denied | cancelled | superseded            while nothing has been armed
    refused                                                at intake; never was a question

*Cancelled* is the agent's own wish, or what follows from the revocation of the token it asked with, or from an upgrade of
Countersign over a question that was asked in another form.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final

from approvals.audit.events import AuditEvent, EventKind, Transition, changed, request_stream
from approvals.canonical import Value, tagged_hash
from approvals.change.action import ProposedAction, Wish
from approvals.facts import ADDED, facts_of
from approvals.identity.names import Account, Channel, EscalationId, id_of, is_slack_account
from approvals.identity.place import Place
from approvals.policy.ruling import Ruling
from approvals.workflow.escalation import Breach

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


def opened(request: Request, *, justification: Mapping[str, str], facts: Mapping[str, Value]) -> Transition[Request]:
    """Return the transition that puts a new question, or records that it was refused.

    Args:
        request: Pending or refused.
        justification: The agent's words, by name; they stand beside the chain.
        facts: What else explains it, such as the plan's bound bytes and the breaches.
    """
    kind = EventKind.REQUEST_REFUSED if request.state is State.REFUSED else EventKind.REQUEST_OPENED
    told = request_event(
        kind, request, actor=f"agent:{request.agent}", at=request.asked_at, data=facts, private=justification
    )
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
    told = request_event(
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


def mention(account: Account) -> str:
    """Return *account* as a Slack mention where it is a Slack account, else as it is."""
    return f"<@{id_of(account)}>" if is_slack_account(account) else account


def request_event(
    kind: EventKind,
    request: Request,
    *,
    actor: str,
    at: datetime,
    data: Mapping[str, Value] | None = None,
    private: Mapping[str, str] | None = None,
    with_request: bool = True,
) -> AuditEvent:
    """Return an event of *request*'s stream, with its facts where no other event of the transition tells them."""
    facts: dict[str, Value] = dict(data or {})
    if with_request:
        facts["request"] = facts_of(request)
    return AuditEvent(
        kind=kind, stream=request_stream(request.id), actor=actor, at=at, data=facts, private=dict(private or {})
    )
