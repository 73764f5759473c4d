"""An execution that ends without having touched the cluster, and the sentence that says why."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from approvals.audit.events import ITSELF, EventKind, Transition
from approvals.change.plan import Change
from approvals.workflow.execution import Attempt, Execution, Fate, Phase, Reason
from approvals.workflow.transition import ended, expect, moved


def void(
    execution: Execution,
    reason: Reason,
    *,
    now: datetime,
    actor: str = ITSELF,
    attempt: Attempt | None = None,
    message: str = "",
    drift: tuple[Change, ...] = (),
    approvers: tuple[str, ...] = (),
) -> Transition[Execution]:
    """Return the transition by which an execution ends without having touched the cluster.

    Where the target is no longer what was approved, *drift* says in what, and the *approvers* are told.

    Raises:
        Clash: It may have been sent, so that this could be untrue.
    """
    allowed = {Phase.QUEUED, Phase.CLAIMED, Phase.ARMED}
    if reason is Reason.NEVER_LANDED:
        allowed = {Phase.UNKNOWN}
    expect(execution, *allowed)
    closed = None
    if attempt is not None:
        closed = replace(attempt, fate=Fate.NEVER_LANDED if reason is Reason.NEVER_LANDED else Fate.NOT_SENT)
    over = replace(ended(execution, Phase.VOIDED, reason, message or _why_void(execution, reason)), drift=drift)
    told = approvers if drift else ()
    return moved(EventKind.EXECUTION_VOIDED, over, now=now, actor=actor, attempt=closed, approvers=told)


def _why_void(execution: Execution, reason: Reason) -> str:
    """Return the sentence; where the approval ran out, also what it waited for last: else the end would hide the cause."""
    if reason is Reason.LAPSED and execution.waits > 0 and execution.message:
        return f"{VOID_SENTENCES[reason]} It waited: {execution.message}"
    return VOID_SENTENCES[reason]


VOID_SENTENCES: Final[Mapping[Reason, str]] = {
    Reason.DENIED: "Denied before it started.",
    Reason.CANCELLED: "Taken back by the agent before it started.",
    Reason.TOKEN_REVOKED: "The token it was asked with was revoked before it started.",
    Reason.PAUSED: "A pause stopped it before it started.",
    Reason.LAPSED: "The approval lapsed before it could start.",
    Reason.DRIFT: "The target is not as it was approved any more.",
    Reason.AUTHORITY: "Too few of the approvals still count.",
    Reason.POLICY: "The policy in force now denies it.",
    Reason.TAMPERED: "The stored plan is not the one that was approved.",
    Reason.SLOW: "It took too long between the start and the send.",
    Reason.CONTENDED: "Others kept changing the target; it was not applied.",
    Reason.UNPLANNABLE: "It cannot be previewed any more.",
    Reason.NOT_PERMITTED: "The executor's account could not be used.",
    Reason.REFUSED_BY_CLUSTER: "The cluster refused it.",
    Reason.NEVER_LANDED: "The lost write can no longer land.",
    Reason.UPGRADED: "An upgrade of Countersign ended it before it started.",
}
