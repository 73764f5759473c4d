"""Abandon: a person closes an execution of which nothing can tell whether it landed. Its target is free again."""

from dataclasses import dataclass
from typing import Final

from approvals.errors import Clash, Garbled, Missing
from approvals.identity.names import Account
from approvals.ports.store import Store, UnitOfWork
from approvals.presentation.wording import storable
from approvals.workflow.execution import Attempt, Execution, Phase
from approvals.workflow.landing import abandon

_NOT_STARTED: Final = frozenset({Phase.QUEUED, Phase.CLAIMED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Abandon:
    """The verb. Only an operator at the command line has it, who has looked at the cluster."""

    store: Store

    def __call__(self, request_id: str, *, account: Account, reason: str) -> Execution:
        """Return the execution, abandoned.

        Raises:
            Missing: There is no such request, or it never came to an execution.
            Clash: Its outcome is known, or still being found out by a worker.
        """
        with self.store.writing() as uow:
            execution = uow.execution_of(request_id)
            held = None if execution is None else uow.lock_execution(execution.id)
            if held is None or held.state in _NOT_STARTED:
                raise Missing("There is no execution of that id that has started.")
            if held.state not in {Phase.SENDING, Phase.UNKNOWN}:
                raise Clash(f"Its outcome is not unknown: it is {held.state.value}.", code="not_unknown")
            transition = abandon(held, _attempt_of(uow, held), now=uow.now, actor=account, reason=storable(reason))
            uow.save(transition)
            over = transition.noun
            uow.release_target(over)
        return over


def _attempt_of(uow: UnitOfWork, execution: Execution) -> Attempt | None:
    """Return the start record, which the event tells of; None where it cannot be read: a person's way out needs none."""
    try:
        return uow.last_attempt(execution.id)
    except Garbled:
        return None
