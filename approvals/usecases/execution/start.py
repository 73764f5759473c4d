"""Start: the last check before a change may be sent, and the start record.

Authority is asked for anew, before any lock. Then, under the start gate, the environment's lock and the rows' locks, the target's
and the token's among them, everything is read in fresh statements and judged once more: pause, validity, revocation, today's
policy, quorum, whether the environment is cleared and the target is free. Only then is the start record written. Checking the
pause in the claiming statement instead was measured to let a start through after a committed pause.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from approvals.audit.events import Transition, unchanged
from approvals.change.image import image_hash
from approvals.errors import Clash, NotEligible, PolicyDenied, Unavailable
from approvals.identity.people import Authority
from approvals.identity.tokens import Token
from approvals.policy.eligibility import groups_of
from approvals.ports.clearance import Clearance, Obstacle
from approvals.ports.directory import Directory
from approvals.ports.policies import Policies
from approvals.ports.store import Store, UnitOfWork
from approvals.usecases.standing import cancels_for_token, context_for, slack_accounts, voters_of
from approvals.workflow.deciding import ruling_today
from approvals.workflow.execution import Attempt, Execution, Phase, Reason
from approvals.workflow.pause import open_pause_over
from approvals.workflow.request import Request, State
from approvals.workflow.setbacks import is_told, put_back
from approvals.workflow.starting import arm, claim
from approvals.workflow.voiding import void
from approvals.workflow.votes import DecisionContext, check_quorum

WAIT: Final = timedelta(seconds=5)
"""How long a start waits whose target is taken, or whose approvers cannot be asked about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """An execution after its start was judged, and its start record; None where it may not be sent now."""

    execution: Execution
    attempt: Attempt | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StartWaits:
    """A verdict: it may start later, and why not now."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    """What a start is judged on, as it stands once every lock is held."""

    execution: Execution
    request: Request
    token: Token | None
    taken: str | None
    """Which other execution keeps the target's lock, in a sentence; None where it is this execution's now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """The check and the record."""

    store: Store
    policies: Policies
    directory: Directory
    clearance: Clearance

    def __call__(
        self,
        execution: Execution,
        request: Request,
        *,
        resource_version: str,
        object_generation: int,
        request_hash: str,
        image: bytes,
    ) -> Started:
        """Return the execution armed, put back or voided, committed.

        Args:
            execution: Claimed by this worker, or waiting and unclaimed, as it was looked at.
            request: What it carries out.
            resource_version: Of the object, as it was just planned on.
            object_generation: Likewise.
            request_hash: Of the exact bytes that would be sent.
            image: Of the whole target as the dry run just answered it.

        Raises:
            Clash: Another worker holds it by now.
        """
        authority = self._ask(request)
        with self.store.writing() as uow:
            rows = _locked(uow, execution, request)
            context, verdict = self._judged(uow, rows, authority)
            if isinstance(verdict, StartWaits):
                return _put_back(uow, rows.execution, verdict.message, now=context.now)
            if verdict is None:
                uow.save_image(image_hash(image), image)
                claimed = (
                    claim(rows.execution, now=context.now, leader=uow.leader)
                    if rows.execution.state is Phase.QUEUED
                    else unchanged(rows.execution)
                )
                verdict = claimed.then(
                    arm(
                        claimed.noun,
                        resource_version=resource_version,
                        object_generation=object_generation,
                        request_hash=request_hash,
                        image=image_hash(image),
                        epoch=context.epoch,
                        now=context.now,
                    )
                )
            return _saved(uow, verdict)

    def _judged(
        self, uow: UnitOfWork, rows: _Rows, authority: Authority
    ) -> tuple[DecisionContext, Transition[Execution] | StartWaits | None]:
        """Return the context, read with every lock held, and what stops the start or lets it wait; None where nothing does."""
        policy = self.policies.current()
        context = context_for(uow, rows.request, policy=policy, authority=authority, execution=rows.execution)
        is_revoked = _is_revoked(rows.token) and cancels_for_token(policy, rows.request.agent)
        obstacle = self.clearance.obstacle(rows.execution.environment)
        return context, _verdict(rows, context, is_revoked=is_revoked, obstacle=obstacle)

    def _ask(self, request: Request) -> Authority:
        with self.store.reading() as reading:
            voters, at = voters_of(reading, request.id), reading.now
        groups = groups_of(ruling_today(request, self.policies.current()))
        return self.directory.authority(accounts=slack_accounts(voters), groups=groups, at=at, anew=True)


def _locked(uow: UnitOfWork, execution: Execution, request: Request) -> _Rows:
    """Return the rows of a start, having taken every lock of it in the one order there is.

    Raises:
        Clash: Another worker holds it by now.
    """
    uow.lock_gate(exclusive=False)
    uow.lock_environment(execution.environment)
    held_request = uow.lock_request(request.id)
    held = uow.lock_execution(execution.id)
    if held is None or held_request is None or not _is_as_seen(held, execution):
        raise Clash("Another worker holds it.")
    # Either of these may have to wait for seconds, on a neighbour that gives the target back or on a revocation. The
    # instant and all that is judged at it come after: else it could start past its validity, or on a dead token.
    taken = None if uow.lock_target(held) else _who_has_the_target(uow, held)
    token = None if held_request.token is None else uow.lock_token(held_request.token)
    return _Rows(execution=held, request=held_request, token=token, taken=taken)


def _is_as_seen(held: Execution, execution: Execution) -> bool:
    """Tell whether the row is still this worker's, or, where nobody has claimed it, as it was looked at."""
    if execution.lease_until is None:
        return held.revision == execution.revision
    return held.generation == execution.generation


def _put_back(uow: UnitOfWork, execution: Execution, message: str, *, now: datetime) -> Started:
    """Return an execution that waits on, its target given back: told once for each reason, then only looked at later."""
    uow.release_target(execution)
    if execution.state is Phase.QUEUED and is_told(execution, message):
        waits = execution
    else:
        transition = put_back(execution, now=now, wait=WAIT, message=message)
        uow.save(transition)
        waits = transition.noun
    uow.look_later(execution.id, now + WAIT, setbacks=1)
    return Started(execution=waits, attempt=None)


def _verdict(
    rows: _Rows, context: DecisionContext, *, is_revoked: bool, obstacle: Obstacle | None
) -> Transition[Execution] | StartWaits | None:
    """Return what stops the start, or lets it wait, or None."""
    execution, request = rows.execution, rows.request
    if request.state is not State.APPROVED:
        return void(execution, Reason.CANCELLED, now=context.now)
    if context.now >= execution.valid_until:
        return void(execution, Reason.LAPSED, now=context.now)
    if open_pause_over(context.pauses, request.place) is not None:
        return void(execution, Reason.PAUSED, now=context.now)
    if is_revoked:
        return void(execution, Reason.TOKEN_REVOKED, now=context.now)
    try:
        check_quorum(request, context)
    except PolicyDenied:
        return void(execution, Reason.POLICY, now=context.now)
    except NotEligible as error:
        return void(execution, Reason.PAUSED if error.code == "paused" else Reason.AUTHORITY, now=context.now)
    except Unavailable as error:
        return StartWaits(message=error.sentence)
    if obstacle is not None:
        return StartWaits(message=obstacle.sentence)
    if rows.taken is not None:
        return StartWaits(message=rows.taken)
    return None


def _who_has_the_target(uow: UnitOfWork, execution: Execution) -> str:
    """Return, as a sentence, which other execution keeps the target from *execution*: only its end lets this one start."""
    others = [one for one in uow.under_way_on(execution.cluster_uid, execution.object_uid) if one.id != execution.id]
    for one in others:
        if one.state in {Phase.SENDING, Phase.UNKNOWN}:
            return f"It is not known yet whether {one.escalation}, another change of the same target, has landed."
    for state in (Phase.ARMED, Phase.CLAIMED):
        for one in others:
            if one.state is state:
                return f"{one.escalation}, another change of the same target, is starting."
    # Its holder has given it back between the two statements.
    return "Another change of the same target was under way."


def _is_revoked(token: Token | None) -> bool:
    return token is not None and token.revoked_at is not None


def _saved(uow: UnitOfWork, transition: Transition[Execution]) -> Started:
    """Return an execution that was armed or voided, saved; one that may not start gives its target back."""
    uow.save(transition)
    attempt = next((noun for noun in transition.nouns if isinstance(noun, Attempt)), None)
    started = Started(execution=transition.noun, attempt=attempt)
    if attempt is None:
        uow.release_target(started.execution)
    return started
