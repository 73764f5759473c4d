"""Sending: a token minted for one write, the gate read once more, the bytes, and what their answer makes of the execution."""

from dataclasses import dataclass
from typing import assert_never

from approvals.audit.events import Transition
from approvals.change.plan import Bound
from approvals.errors import Clash, Forbidden, Unavailable
from approvals.ports.clearance import Obstacle
from approvals.ports.cluster import Came, Credential, Reply
from approvals.ports.journey import Milestone
from approvals.ports.store import UnitOfWork
from approvals.usecases.execution.comparing import Comparing
from approvals.usecases.execution.ports import Ports
from approvals.usecases.execution.rows import Rows, approvers_of, attempt_of, ended, locked, saved, settled
from approvals.usecases.execution.wanted import LOST_AGAIN, still_wanted
from approvals.workflow.comparison import Comparison
from approvals.workflow.execution import Attempt, Execution, Phase, Reason
from approvals.workflow.landing import applied, not_landed, rejected, unknown
from approvals.workflow.setbacks import disarm, wait_after_loss, wait_after_unsent
from approvals.workflow.starting import leaves_within, sending
from approvals.workflow.voiding import void


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """Sends the bytes of an armed execution, or of one whose reply was lost."""

    ports: Ports
    rows: Rows
    comparing: Comparing

    def first(self, execution: Execution, attempt: Attempt, bound: Bound, body: bytes) -> Execution:
        """Mint and send for the first time; return the execution as it then is."""
        try:
            credential = self.mint(execution, bound)
        except Forbidden as error:
            return self.rows.void(execution, Reason.NOT_PERMITTED, attempt=attempt, message=error.sentence)
        except Unavailable as error:
            message, wait = error.sentence, wait_after_unsent(attempt)
            return self.rows.move(
                execution, lambda one, uow: disarm(one, attempt, now=uow.now, wait=wait, message=message)
            )
        self.ports.journey.reached(Milestone.MINTED, execution.id)
        return self(execution, attempt, bound, body, credential)

    def __call__(
        self, execution: Execution, attempt: Attempt, bound: Bound, body: bytes, credential: Credential
    ) -> Execution:
        """Send with a minted token; return the execution as its answer leaves it."""
        self.ports.journey.reached(Milestone.BEFORE_SENDING, execution.id)
        execution, sent = self._commit_sending(execution, attempt, credential)
        if sent is None:
            return execution
        self.ports.journey.reached(Milestone.SENDING, execution.id)
        reply = self.ports.cluster.send(
            environment=execution.environment,
            bound=bound,
            step=execution.step,
            body=body,
            credential=credential,
            within=leaves_within(sent),
        )
        self.ports.journey.reached(Milestone.REPLIED, execution.id)
        after = self._outcome(execution, sent, reply, self._compared_reply(execution, sent, bound, reply))
        self.ports.journey.reached(Milestone.OUTCOME, execution.id)
        return after

    def mint(self, execution: Execution, bound: Bound) -> Credential:
        """Return a fresh token of the account that may make this one write (I11)."""
        account = self.ports.executor(execution.agent, bound.verb, execution.namespace)
        return self.ports.cluster.mint(environment=execution.environment, account=account)

    def _commit_sending(
        self, execution: Execution, attempt: Attempt, credential: Credential
    ) -> tuple[Execution, Attempt | None]:
        """Commit that the bytes go out now, having read the gate once more; no attempt where they must not."""
        with self.ports.store.writing() as uow:
            uow.lock_gate(exclusive=False)
            held = locked(uow, execution)
            if not still_wanted(uow, held, attempt):
                return _stopped(uow, held, attempt), None
            obstacle = self.ports.clearance.obstacle(held.environment)
            if obstacle is not None:
                return _held_up(uow, held, attempt, obstacle), None
            try:
                transition = sending(
                    held, attempt, token_id=credential.token_id, token_expires_at=credential.expires_at, now=uow.now
                )
            except Clash as error:
                if error.code != "slow":
                    raise
                return ended(uow, void(held, Reason.SLOW, now=uow.now, attempt=attempt)), None
            return saved(uow, transition), attempt_of(transition)

    def _outcome(
        self, execution: Execution, attempt: Attempt, reply: Reply, comparison: Comparison | None
    ) -> Execution:
        with self.ports.store.writing() as uow:
            held = locked(uow, execution)
            transition = _after(held, attempt, reply, uow, comparison)
            return settled(uow, held, saved(uow, transition))

    def _compared_reply(self, execution: Execution, attempt: Attempt, bound: Bound, reply: Reply) -> Comparison | None:
        """Return how the target compares with what was planned once a write was answered; None where it cannot be seen yet.

        The answer tells what came with the write, for certain; but a scale's shows the number alone, so the whole target is
        looked at, too, as it is where the answer was lost.
        """
        if reply.came is not Came.APPLIED:
            return None
        if not reply.as_planned:
            return Comparison(differences=reply.departures, came_with_it=True, is_unlike=True)
        try:
            seen = self.ports.observe(execution, bound)
            return None if seen is None else self.comparing.beside(execution, attempt, bound, seen, is_answered=True)
        except Exception:  # noqa: BLE001 - whoever follows the effect looks again, and tells what is wrong
            # The answer says that it landed: whatever keeps us from looking at it may not make that unknown.
            return None


def _stopped(uow: UnitOfWork, execution: Execution, attempt: Attempt) -> Execution:
    """Return it stopped by a pause: voided if nothing was ever sent, else left unknown until it can land no more."""
    if execution.state is Phase.ARMED:
        return ended(uow, void(execution, Reason.PAUSED, now=uow.now, attempt=attempt))
    message = "It may still land; the target stays locked until it no longer can."
    return saved(uow, unknown(execution, attempt, now=uow.now, message=message, look_again=LOST_AGAIN))


def _held_up(uow: UnitOfWork, execution: Execution, attempt: Attempt, obstacle: Obstacle) -> Execution:
    """Return it put back because its environment lost its clearance since its start; left unknown if it was sent before."""
    if execution.state is Phase.ARMED:
        wait = wait_after_unsent(attempt)
        waiting = saved(uow, disarm(execution, attempt, now=uow.now, wait=wait, message=obstacle.sentence))
        uow.release_target(waiting)
        return waiting
    return saved(uow, unknown(execution, attempt, now=uow.now, message=obstacle.sentence, look_again=LOST_AGAIN))


def _after(
    execution: Execution, attempt: Attempt, reply: Reply, uow: UnitOfWork, comparison: Comparison | None
) -> Transition[Execution]:
    """Return what a reply makes of an execution. Once bytes were sent twice, only a read can tell what a no means."""
    now = uow.now
    resent = attempt.sends > 1
    match reply.came:
        case Came.APPLIED:
            return applied(
                execution,
                attempt,
                now=now,
                http_status=reply.status,
                audit_id=reply.audit_id,
                comparison=comparison,
                read_back=False,
                approvers=approvers_of(uow, execution),
            )
        case Came.LOST:
            return unknown(execution, attempt, now=now, message=reply.message, look_again=wait_after_loss(attempt))
        case _ if resent:
            return unknown(execution, attempt, now=now, message=reply.message, look_again=wait_after_loss(attempt))
        case Came.REJECTED:
            return rejected(
                execution, attempt, now=now, http_status=reply.status, audit_id=reply.audit_id, message=reply.message
            )
        case Came.NOT_SENT | Came.BUSY:
            return disarm(execution, attempt, now=now, wait=wait_after_unsent(attempt), message=reply.message)
        case Came.CONFLICT | Came.EXPIRED:
            return not_landed(execution, attempt, now=now, message=reply.message)
        case _:
            assert_never(reply.came)
