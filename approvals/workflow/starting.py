"""From an approval to the first byte: an execution is queued, claimed, armed and sent."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from approvals.audit.events import EventKind, Transition
from approvals.errors import Clash
from approvals.identity.names import EscalationId, ExecutionId
from approvals.identity.place import Place
from approvals.workflow.execution import Attempt, Execution, Phase
from approvals.workflow.transition import expect, held, moved

START_TO_SEND: Final = timedelta(seconds=5)
"""How long may pass between the start record and the send, until its first byte leaves; the end is included."""


def queued(
    *,
    execution_id: ExecutionId,
    escalation: EscalationId,
    place: Place,
    cluster_uid: str,
    object_uid: str,
    fingerprint: str,
    valid_until: datetime,
    now: datetime,
) -> Transition[Execution]:
    """Return the transition that queues a freshly approved change."""
    execution = Execution(
        id=execution_id,
        escalation=escalation,
        step=0,
        state=Phase.QUEUED,
        revision=1,
        agent=place.agent,
        environment=place.environment,
        namespace=place.namespace,
        cluster_uid=cluster_uid,
        object_uid=object_uid,
        fingerprint=fingerprint,
        valid_until=valid_until,
        due_at=now,
    )
    return moved(EventKind.EXECUTION_QUEUED, execution, now=now)


def claim(execution: Execution, *, now: datetime, leader: int = 0) -> Transition[Execution]:
    """Return the transition by which a worker takes a queued execution, or one whose lease has lapsed.

    What an earlier leader has merely claimed is taken at once: of it nothing was sent, and whatever that leader still writes
    is fenced. What it has armed or begun to send may be on its way: there the execution's own lease has to lapse.

    What was armed and never sent is claimed to be armed again; what may have been sent keeps its state and only
    changes hands, to be read back.

    What has landed is followed without a claim: a lease on it would only keep the others from looking.

    Args:
        execution: As it is.
        now: The instant.
        leader: The generation of the lease that the worker leads under; 0 where it leads under none.

    Raises:
        Clash: Another worker holds it, or there is nothing left to carry out.
    """
    if execution.is_over or execution.state is Phase.APPLIED:
        raise Clash("There is nothing left to carry out.")
    is_held = execution.lease_until is not None and now < execution.lease_until
    if is_held and not is_left_behind(execution, leader=leader):
        raise Clash("Another worker holds it.")
    state = Phase.CLAIMED if execution.state in {Phase.QUEUED, Phase.ARMED} else execution.state
    claimed = replace(held(execution, now=now, state=state, generation=execution.generation + 1), leader=leader)
    return moved(EventKind.EXECUTION_CLAIMED, claimed, now=now)


def is_left_behind(execution: Execution, *, leader: int) -> bool:
    """Tell whether an earlier leader than *leader* has claimed an execution, and done no more."""
    return execution.state is Phase.CLAIMED and 0 < execution.leader < leader


def arm(
    execution: Execution,
    *,
    resource_version: str,
    object_generation: int,
    request_hash: str,
    image: str | None = None,
    epoch: int,
    now: datetime,
) -> Transition[Execution]:
    """Return the start record: from its commit on, the change may be sent.

    Raises:
        Clash: The execution is not claimed.
    """
    expect(execution, Phase.CLAIMED)
    number = execution.attempts + 1
    attempt = Attempt(
        execution=execution.id,
        number=number,
        resource_version=resource_version,
        object_generation=object_generation,
        request_hash=request_hash,
        image=image,
        epoch=epoch,
        armed_at=now,
    )
    armed = held(execution, now=now, state=Phase.ARMED, attempts=number)
    return moved(EventKind.EXECUTION_ARMED, armed, now=now, attempt=attempt)


def sending(
    execution: Execution, attempt: Attempt, *, token_id: str | None, token_expires_at: datetime, now: datetime
) -> Transition[Execution]:
    """Return the transition committed right before the bytes go out, the first time or again.

    It also writes down the token that was minted for the send: its id and its end, never the token. What is sent again is
    still not known to have landed: it keeps the sentence that says why, and looks no different.

    Raises:
        Clash: It is not armed (or, for a resend, being read back), or too much time has passed since it was.
    """
    expect(execution, Phase.ARMED, Phase.SENDING, Phase.UNKNOWN)
    if execution.state is Phase.ARMED and now - attempt.armed_at > START_TO_SEND:
        raise Clash("Too long between the start record and the send.", code="slow")
    sent = replace(
        attempt,
        sending_at=attempt.sending_at or now,
        sends=attempt.sends + 1,
        token_id=token_id,
        token_expires_at=token_expires_at,
    )
    is_resend = attempt.sends > 0
    going = replace(held(execution, now=now, state=Phase.SENDING), message=execution.message if is_resend else "")
    return moved(EventKind.EXECUTION_SENDING, going, now=now, attempt=sent)


def leaves_within(attempt: Attempt) -> timedelta:
    """Return how long after its *sending* was committed a send may begin to leave: what is left of :data:`START_TO_SEND`.

    Before a write the object is read once more, and an API server may be slow to answer; a pause that is engaged meanwhile
    is in force. A resend counts from the look at the gate that was committed with it: its start record may be hours old.
    """
    if attempt.sends > 1 or attempt.sending_at is None:
        return START_TO_SEND
    return START_TO_SEND - (attempt.sending_at - attempt.armed_at)
