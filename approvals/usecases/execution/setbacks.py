"""Setbacks: a look that cannot be finished costs its own execution a wait that grows, and no other one anything."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from approvals.errors import Refused, is_outage
from approvals.ports.store import Store, UnitOfWork
from approvals.usecases.execution.follow import FOLLOW, WATCH
from approvals.usecases.execution.rows import saved, settled
from approvals.workflow.execution import Execution, Phase
from approvals.workflow.retries import growing_wait
from approvals.workflow.setbacks import LONGEST_OUTAGE_WAIT, LONGEST_WAIT, set_back

LATER: Final = timedelta(seconds=5)
"""How long an execution waits that cannot go on just now; each time in a row twice as long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetBack:
    """What kept a look from being finished, and how long the execution waits for the next one."""

    error: Exception
    wait: timedelta
    count: int
    """How many in a row it is by now, from 1."""

    @property
    def is_fault(self) -> bool:
        """Whether nobody foresaw it: a fault of ours, where an outage is none."""
        return not is_outage(self.error)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setbacks:
    """Lets executions wait."""

    store: Store

    def __call__(self, execution_id: str, error: Exception) -> SetBack:
        """Let one execution wait because a look at it could not be finished, and tell why, once."""
        try:
            return self._waits_for(execution_id, error)
        except Exception as fault:
            if is_outage(fault):
                raise
            # It cannot even be told about, as where its start record is gone: unless it waits too, it stays first in line.
            return self._waits_untold(execution_id, fault)

    def _waits_for(self, execution_id: str, error: Exception) -> SetBack:
        with self.store.writing() as uow:
            held = uow.lock_execution(execution_id)
            attempt = uow.last_attempt(execution_id)
            back = _setback_of(error, held, count=uow.setbacks(execution_id) + 1)
            if held is not None:
                message = _why(error, held)
                transition = set_back(held, attempt, now=uow.now, wait=back.wait, message=message)
                if transition is not None:
                    settled(uow, held, saved(uow, transition))
            _wait(uow, execution_id, back)
        return back

    def _waits_untold(self, execution_id: str, error: Exception) -> SetBack:
        with self.store.writing() as uow:
            back = _setback_of(error, None, count=uow.setbacks(execution_id) + 1)
            _wait(uow, execution_id, back)
        return back


def _setback_of(error: Exception, execution: Execution | None, *, count: int) -> SetBack:
    """Return how long *execution* waits after *error*; None stands for one whose row cannot be read."""
    first = FOLLOW if execution is not None and execution.state is Phase.APPLIED else LATER
    back = SetBack(error=error, wait=first, count=count)
    longest = LONGEST_WAIT if back.is_fault else LONGEST_OUTAGE_WAIT
    return replace(back, wait=growing_wait(count, first=first, longest=longest))


def _wait(uow: UnitOfWork, execution_id: str, back: SetBack) -> None:
    uow.look_later(execution_id, uow.now + back.wait, setbacks=back.count)
    uow.watch_later(execution_id, uow.now + max(back.wait, WATCH))


def _why(error: Exception, execution: Execution) -> str:
    """Return why a look could not be finished, in a sentence that holds no text from outside."""
    told = error.sentence if isinstance(error, Refused) else f"Countersign failed on it ({type(error).__name__})."
    return f"How far it is cannot be told. {told}" if execution.state is Phase.APPLIED else told
