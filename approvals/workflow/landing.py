"""What became of a write: it took effect, was refused, is unknown, or provably did not land."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from approvals.audit.events import EventKind, Transition
from approvals.change.plan import Change
from approvals.errors import Clash
from approvals.verbs.verb import Effect
from approvals.workflow.comparison import Comparison
from approvals.workflow.execution import Attempt, Execution, Fate, Phase, Reason
from approvals.workflow.transition import ended, expect, held, moved, telling
from approvals.workflow.voiding import VOID_SENTENCES

EFFECT_DEADLINE: Final = timedelta(minutes=15)
"""How long an effect may stand still; a Deployment's own deadline is 10 minutes unless it says otherwise."""

ROUNDS: Final = 3
"""How often a change that provably did not land may be planned and sent anew."""

TOKEN_LEEWAY: Final = timedelta(seconds=61)
"""How long after its expiry an API server was measured to still accept a token."""


def applied(
    execution: Execution,
    attempt: Attempt,
    *,
    now: datetime,
    http_status: int | None,
    audit_id: str | None,
    comparison: Comparison | None,
    read_back: bool,
    approvers: tuple[str, ...] = (),
) -> Transition[Execution]:
    """Return the transition for a write that took effect; where it is as planned, its effect is followed from here on.

    Args:
        execution: It may have been sent.
        attempt: Its start record.
        now: The instant.
        http_status: Of the answer, if there was one.
        audit_id: The API server's own id of the call, likewise.
        comparison: How the whole target compares with what was planned; None where it could not be seen yet.
        read_back: Whether the answer was lost and a look has shown that it landed.
        approvers: Who is to be told if it is not as planned; they are told once.
    """
    expect(execution, Phase.SENDING, Phase.UNKNOWN)
    closed = replace(attempt, fate=Fate.APPLIED, http_status=http_status, audit_id=audit_id)
    found = comparison or Comparison()
    effect, reason, message = _landed_as(found, read_back=read_back)
    done = replace(
        execution,
        state=Phase.APPLIED,
        revision=execution.revision + 1,
        lease_until=None,
        due_at=now,
        effect=effect,
        effect_deadline=now + EFFECT_DEADLINE,
        landed_at=now,
        reason=reason,
        message=message,
        compared=comparison is not None,
        drift=found.told,
    )
    told = () if found.is_as_planned or execution.drift else approvers
    return moved(EventKind.EXECUTION_APPLIED, done, now=now, attempt=closed, approvers=told)


def _landed_as(found: Comparison, *, read_back: bool) -> tuple[Effect, Reason | None, str]:
    """Return what is made of a comparison: only what certainly came with our own write is a failure of it."""
    if found.is_as_planned:
        return (
            Effect.IN_PROGRESS,
            None,
            "Applied; the reply was lost and it was read back." if read_back else "Applied.",
        )
    if found.came_with_it:
        return Effect.FAILED, Reason.DRIFT, "The cluster changed something else with it than was approved."
    many = "1 field differs" if len(found.differences) == 1 else f"{len(found.differences)} fields differ"
    sentence = f"{many} from what was approved; whether that came with our write or since cannot be told."
    return Effect.DIFFERS, None, f"The reply was lost. {sentence}" if read_back else sentence


def found_different(
    execution: Execution, comparison: Comparison, *, now: datetime, approvers: tuple[str, ...]
) -> Transition[Execution]:
    """Return what the first look at the whole target makes of an effect that is followed, where it is not as planned.

    Raises:
        Clash: There is no effect to follow any more.
    """
    expect(execution, Phase.APPLIED)
    if execution.is_over and not execution.is_watched:
        raise Clash("The effect has ended.", code="execution_moved")
    effect, reason, message = _landed_as(comparison, read_back=False)
    over = replace(
        execution,
        revision=execution.revision + 1,
        lease_until=None,
        effect=effect,
        watched_until=None,
        reason=reason,
        message=message,
        compared=True,
        drift=comparison.told,
    )
    return moved(EventKind.EXECUTION_EFFECT, over, now=now, approvers=approvers)


def rejected(
    execution: Execution,
    attempt: Attempt,
    *,
    now: datetime,
    http_status: int | None,
    audit_id: str | None,
    message: str,
) -> Transition[Execution]:
    """Return the transition for a write that the API server refused."""
    expect(execution, Phase.SENDING, Phase.UNKNOWN)
    closed = replace(attempt, fate=Fate.REJECTED, http_status=http_status, audit_id=audit_id)
    over = ended(execution, Phase.REJECTED, Reason.REFUSED_BY_CLUSTER, message)
    return moved(EventKind.EXECUTION_REJECTED, over, now=now, attempt=closed)


def unknown(
    execution: Execution,
    attempt: Attempt,
    *,
    now: datetime,
    message: str,
    look_again: timedelta,
    drift: tuple[Change, ...] = (),
    approvers: tuple[str, ...] = (),
) -> Transition[Execution]:
    """Return the transition for a write of which it is not known whether it landed. Its target stays locked.

    It is news once for each reason: what became of the *attempt* tells, since the execution is *sending* again by the time
    that a resend is lost. A server that fails every write would otherwise fill the thread. What the target has otherwise than
    was planned is *drift*; the approvers are told of it once.
    """
    expect(execution, Phase.SENDING, Phase.UNKNOWN)
    closed = replace(attempt, fate=Fate.UNKNOWN)
    lost = replace(
        execution,
        state=Phase.UNKNOWN,
        revision=execution.revision + 1,
        lease_until=None,
        due_at=now + look_again,
        waits=execution.waits + 1,
        message=telling(execution, message),
        drift=drift or execution.drift,
    )
    told = approvers if drift and not execution.drift else ()
    again = attempt.fate is Fate.UNKNOWN and message == execution.message
    kind = EventKind.EXECUTION_STILL_UNKNOWN if again else EventKind.EXECUTION_UNKNOWN
    return moved(kind, lost, now=now, attempt=closed, approvers=told)


def not_landed(execution: Execution, attempt: Attempt, *, now: datetime, message: str) -> Transition[Execution]:
    """Return the transition for a write that provably did not land: it is planned anew, at most :data:`ROUNDS` times."""
    expect(execution, Phase.SENDING, Phase.UNKNOWN)
    closed = replace(attempt, fate=Fate.NOT_LANDED)
    if execution.rounds + 1 >= ROUNDS:
        over = ended(execution, Phase.VOIDED, Reason.CONTENDED, VOID_SENTENCES[Reason.CONTENDED])
        return moved(EventKind.EXECUTION_VOIDED, over, now=now, attempt=closed)
    again = replace(held(execution, now=now, state=Phase.CLAIMED), rounds=execution.rounds + 1, message=message)
    return moved(EventKind.EXECUTION_RETRIED, again, now=now, attempt=closed)


def abandon(
    execution: Execution, attempt: Attempt | None, *, now: datetime, actor: str, reason: str
) -> Transition[Execution]:
    """Return the transition by which a person gives up on an outcome that nothing can tell; the target is free again.

    The event tells of the start record *attempt* where that can be read.

    Raises:
        Clash: It is known, or a worker is finding it out.
    """
    expect(execution, Phase.SENDING, Phase.UNKNOWN)
    if execution.state is Phase.SENDING and execution.lease_until is not None and now < execution.lease_until:
        until = f"{execution.lease_until:%Y-%m-%d %H:%M:%S} UTC"
        raise Clash(
            f"It is sending, and whether it landed is still being found out. Try again after {until}.",
            code="not_unknown",
        )
    over = ended(execution, Phase.ABANDONED, None, "A person has looked at the target and closed this.")
    gone = moved(EventKind.EXECUTION_ABANDONED, over, now=now, actor=actor, attempt=attempt)
    event = replace(gone.events[0], private={"reason": reason})
    return replace(gone, events=(event,))


def can_resend(attempt: Attempt, *, resource_version_now: str) -> bool:
    """Tell whether the object is still at the attempt's resource version, so that the same bytes can land at most once."""
    return attempt.resource_version == resource_version_now


def cannot_land_any_more(attempt: Attempt, *, now: datetime, request_timeout: timedelta) -> bool:
    """Tell whether the attempt's token is certainly dead, so that a send still under way can no longer be let in."""
    return attempt.token_expires_at is not None and now > attempt.token_expires_at + TOKEN_LEEWAY + request_timeout
