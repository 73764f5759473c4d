"""Revocations: what was asked with a token that has been revoked since is cancelled, or flagged, as the agent's charter says.

A sweep asks the table, and each question is judged again under its lock: so one that was on its way in while its token was
being revoked is met by the next sweep, and one that somebody decided meanwhile keeps its outcome. What has been armed goes on:
from there on a revocation stops it no more than a denial would.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from approvals.errors import Late, Settled
from approvals.policy.policy import Policy
from approvals.ports.policies import Policies
from approvals.ports.store import Store, UnitOfWork
from approvals.usecases.aside import Aside
from approvals.usecases.standing import NOBODY, cancels_for_token, context_for, save_stopping
from approvals.workflow.endings import cancel_for_token, flag_for_token
from approvals.workflow.request import Request, State

BATCH: Final = 100
"""How many are looked up at once; each has a transaction of its own, so that nobody waits for more than one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """What a sweep did."""

    cancelled: int = 0
    flagged: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowRevocations:
    """The verb."""

    store: Store
    policies: Policies
    aside: Aside

    def __call__(self) -> int:
        """Return how many open questions were cancelled or flagged."""
        followed = self.sweep()
        return followed.cancelled + followed.flagged

    def sweep(self) -> Followed:
        """Return how many open questions were cancelled, and how many flagged: all that were open when this was called.

        One that cannot be dealt with is left aside for a while.
        """
        states: list[State] = []
        while self._batch(states):
            pass
        cancelled = states.count(State.CANCELLED)
        return Followed(cancelled=cancelled, flagged=len(states) - cancelled)

    def _batch(self, states: list[State]) -> bool:
        """Add the states that some questions are left in to *states*; return whether there may be more to do."""
        with self.store.reading() as reading:
            now = reading.now
            aside = self.aside.waiting(now)
            found = [one for one in reading.asked_with_revoked_tokens(limit=BATCH + len(aside)) if one not in aside]
        policy, before, failed = self.policies.current(), len(states), False
        for request_id in found:

            def follow(request_id: str = request_id) -> None:
                state = self._follow(request_id, policy)
                states.extend(() if state is None else (state,))

            failed |= not self.aside.deal_with(request_id, follow, now=now)
        return failed or len(states) > before

    def _follow(self, request_id: str, policy: Policy) -> State | None:
        """Return the state that one question is left in, or None where nothing was to be done any more."""
        with self.store.writing() as uow:
            request = uow.lock_request(request_id)
            token = None if request is None else uow.token(request.token or "")
            if request is None or token is None or token.revoked_at is None:
                return None
            try:
                return _judge(uow, request, policy, revoked_at=token.revoked_at)
            except (Settled, Late):
                return None  # Decided, armed or told of between the look and the lock, or silence has denied it.


def _judge(uow: UnitOfWork, request: Request, policy: Policy, *, revoked_at: datetime) -> State:
    execution = uow.execution_of(request.id)
    if execution is not None:
        execution = uow.lock_execution(execution.id)
    context = context_for(uow, request, policy=policy, authority=NOBODY, execution=execution)
    if cancels_for_token(policy, request.agent):
        save_stopping(uow, cancel_for_token(request, context))
        return State.CANCELLED
    uow.save(flag_for_token(request, context, revoked_at=revoked_at))
    return request.state
