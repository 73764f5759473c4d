"""What waits, and how long: a start of which nothing left, a lost reply, a look that could not be finished."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from approvals.audit.events import EventKind, Transition
from approvals.verbs.verb import Effect, Progress
from approvals.workflow.execution import Attempt, Execution, Fate, Phase, Reason
from approvals.workflow.following import followed
from approvals.workflow.landing import unknown
from approvals.workflow.transition import MOST_WAITS, expect, moved, waiting
from approvals.workflow.voiding import void

UNSENT_WAIT: Final = timedelta(seconds=5)
"""How long it is waited after a start of which nothing left; after each further one twice as long, eight times at most."""

UNSENT_DOUBLINGS: Final = 3
"""A cluster that comes back is used within the minute, and one that stays away does not fill the thread with starts."""

RESEND_WAIT: Final = timedelta(seconds=10)
"""How long it is waited after the second send of the same bytes was lost, too; after each further one twice as long."""

DOUBLINGS: Final = 5
"""How often that wait doubles. The approval's end is what ends the sends: at most eight in the longest validity there is."""

LONGEST_WAIT: Final = timedelta(minutes=5)
"""The longest wait between two looks at an execution that keeps failing on a fault of ours."""

LONGEST_OUTAGE_WAIT: Final = timedelta(seconds=40)
"""The same where only the cluster or Slack does not answer: once it is back it is used within the minute."""


def disarm(
    execution: Execution, attempt: Attempt, *, now: datetime, wait: timedelta, message: str
) -> Transition[Execution]:
    """Return the transition for a start of which no byte left: the execution waits and starts over while the approval lasts."""
    expect(execution, Phase.ARMED, Phase.SENDING)
    closed = replace(attempt, fate=Fate.NOT_SENT)
    later = waiting(execution, now=now, wait=wait, message=message)
    return moved(EventKind.EXECUTION_RETRIED, later, now=now, attempt=closed)


def put_back(execution: Execution, *, now: datetime, wait: timedelta, message: str) -> Transition[Execution]:
    """Return the transition by which an execution that cannot start just now waits for its turn."""
    expect(execution, Phase.QUEUED, Phase.CLAIMED)
    return moved(EventKind.EXECUTION_RETRIED, waiting(execution, now=now, wait=wait, message=message), now=now)


def is_told(execution: Execution, message: str) -> bool:
    """Tell whether it is on record already that *execution* waits for this reason, or for too many reasons to tell more."""
    return execution.waits > 0 and (message == execution.message or execution.waits >= MOST_WAITS)


def set_back(
    execution: Execution, attempt: Attempt | None, *, now: datetime, wait: timedelta, message: str
) -> Transition[Execution] | None:
    """Return what a look that could not be finished makes of an execution; None where nothing new is to be told.

    What was not sent waits and lapses with its approval. What may have been sent is unknown, and its target stays locked. What
    has landed is followed on until its deadline.

    Args:
        execution: As its locked row is.
        attempt: Its newest start record.
        now: The instant of the look.
        wait: Until the next one.
        message: Why it could not be finished.
    """
    if execution.is_over:
        return None
    unsent = attempt if execution.state is Phase.ARMED else None
    if execution.state in {Phase.QUEUED, Phase.CLAIMED, Phase.ARMED} and now >= execution.valid_until:
        return void(execution, Reason.LAPSED, now=now, attempt=unsent)
    if execution.state is Phase.APPLIED:
        blind = Progress(effect=Effect.IN_PROGRESS, sentence=message)
        return followed(execution, blind, now=now, look_again=wait, is_seen=False)
    if execution.state in {Phase.QUEUED, Phase.UNKNOWN} and is_told(execution, message):
        return None
    if unsent is not None:
        return disarm(execution, unsent, now=now, wait=wait, message=message)
    if attempt is not None and execution.state in {Phase.SENDING, Phase.UNKNOWN}:
        return unknown(execution, attempt, now=now, message=message, look_again=wait)
    return put_back(execution, now=now, wait=wait, message=message)


def wait_after_unsent(attempt: Attempt) -> timedelta:
    """Return how long after a start of which nothing left the next one is made: each is told in the thread (I13)."""
    return UNSENT_WAIT * (1 << min(attempt.number - 1, UNSENT_DOUBLINGS))


def wait_after_loss(attempt: Attempt) -> timedelta:
    """Return how long after a send that told nothing the target is read back, and the same bytes sent again if they may be.

    After the first at once: a read mostly tells. A server that fails the second as well may go on failing, and each send costs
    it a token, a look and a write (I13), so from then on each wait is twice the last.
    """
    resends = attempt.sends - 1
    return RESEND_WAIT * 2 ** min(resends - 1, DOUBLINGS) if resends > 0 else timedelta(0)
