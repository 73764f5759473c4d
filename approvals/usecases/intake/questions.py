"""Questions that stand already: the same key, or the same effect asked again while its question waits.

Whoever asks for an effect again, for the same person, is given that question: one effect rings people's phones once. Another
agent's question is never handed out (I16).
"""

from dataclasses import dataclass

from approvals.change.plan import (
    Bound,
)
from approvals.errors import (
    KeyReused,
    OutOfScope,
)
from approvals.identity.place import Place
from approvals.identity.tokens import Token
from approvals.policy.ruling import Ruling
from approvals.ports.reading import Reading
from approvals.ports.rows import AskerState
from approvals.ports.store import UnitOfWork
from approvals.workflow.endings import expire
from approvals.workflow.escalation import Escalation
from approvals.workflow.request import (
    LATELY,
    Request,
    State,
    asked_again,
    asked_before,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The request that an escalation became, made just now or found: under its key, or as the same question."""

    request: Request
    created: bool
    bound: Bound | None = None
    """The plan, where it was made just now."""
    earlier: tuple[Request, ...] = ()
    """Where it was made just now: what the same agent asked for the same effect lately, newest first."""


def earlier_asked(reading: Reading, request: Request) -> tuple[Request, ...]:
    """Return what the same agent asked for the same effect lately, newest first: what it is told of the past (I16).

    Only of the same environment, so that whoever may see *request* may see them: they are of the same namespace by their effect.
    """
    if request.effect_key is None:
        return ()
    return _own(request, reading.same_effect(request.effect_key, since=request.asked_at - LATELY))


def _own(request: Request, same: tuple[Request, ...]) -> tuple[Request, ...]:
    return tuple(
        one
        for one in asked_before(request, same)
        if (one.agent, one.environment) == (request.agent, request.environment)
    )


def same_body(standing: AskerState, escalation: Escalation) -> Request | None:
    """Return what stands under the key of *escalation*, if it came with the same body."""
    if standing.asked is not None and standing.body_hash != escalation.body_hash:
        raise KeyReused("That Idempotency-Key was used for another body.")
    return standing.asked


def acted_for(ruling: Ruling, escalation: Escalation) -> str | None:
    """Return the person the agent acts for: by whichever of their accounts, it is the same question."""
    return None if escalation.on_behalf_of is None else ruling.people.person_of(escalation.on_behalf_of)


def still_asked(uow: UnitOfWork, found: Request | None, *, lock: bool) -> Request | None:
    """Return the question of the same agent, for the same person, about the same effect, while it can be answered.

    Args:
        uow: The transaction. A question that silence has denied, before the sweep came by, is expired in it.
        found: The question as it was seen.
        lock: Whether the row is taken, so that it cannot be decided before the new key stands for it. Not where an execution
            is locked already: requests come before executions.
    """
    if found is not None and lock:
        found = uow.lock_request(found.id)
    if found is None or found.state is not State.PENDING or found.deadline is None:
        return None
    if found.deadline <= uow.now:
        uow.save(expire(found, now=uow.now, seen=found.id in uow.perhaps_shown([found.id])))
        return None
    return found


def joined(uow: UnitOfWork, found: Request, escalation: Escalation, token: Token | None) -> Opened:
    """Return *found* as what *escalation* became, its key bound to it: deadline, texts and mentions stay as they are."""
    if token is None or escalation.idempotency_key is None:
        return Opened(request=found, created=False)
    told = told_again(found, token)
    uow.save(
        asked_again(found, key=escalation.idempotency_key, body_hash=escalation.body_hash, token=token.id, now=uow.now)
    )
    return told


def told_again(found: Request, token: Token) -> Opened:
    """Return what was found, for whoever shows *token*: what another token asked only within its own scope (I16).

    What this very token asked it is told as it was, a refusal because of its scope included.
    """
    if found.token != token.id:
        check_token(token, found.place)
    return Opened(request=found, created=False)


def check_token(token: Token, place: Place) -> None:
    """Return if *token* may be used in *place*.

    Raises:
        OutOfScope: It is for other environments or namespaces.
    """
    if not token.is_for_environment(place.environment):
        raise OutOfScope("This token may not be used for that environment.", field="/environment")
    if not token.is_for_namespace(place.namespace):
        raise OutOfScope("This token may not be used for that namespace.", field="/action/target/namespace")
