"""Upgrade: what was asked in another form than this release's is ended, since nobody can be shown any more what they would sign.

``countersign db upgrade`` calls it, once the tables are those of this release and while no service works on them. Each request
is judged again under its lock and has a transaction of its own, so a run that was cut off is finished by the next.
"""

from dataclasses import dataclass
from typing import Final

from approvals.errors import Clash, Garbled, Late, Settled
from approvals.ports.store import Store, UnitOfWork
from approvals.usecases.standing import save_stopping
from approvals.workflow.endings import end_for_upgrade, expire
from approvals.workflow.execution import Phase
from approvals.workflow.request import FORM

BATCH: Final = 100
"""How many are looked up at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What an upgrade did."""

    ended: int
    """How many requests have their outcome now."""
    left: tuple[str, ...]
    """The ids of those that cannot be read: they cannot be approved or carried out either."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndOtherwise:
    """The verb."""

    store: Store

    def __call__(self) -> Ended:
        """End every request that was asked in another form and of which nothing was sent; what is overdue expires.

        Raises:
            approvals.errors.Unavailable: The store cannot be used just now; what was ended stays so.
        """
        ended, left, looked_at = 0, list[str](), set[str]()
        while found := self._found(looked_at):
            for request_id in found:
                looked_at.add(request_id)
                try:
                    with self.store.writing() as uow:
                        _end(uow, request_id)
                    ended += 1
                except Garbled:
                    left.append(request_id)
                except (Settled, Clash):
                    continue  # Somebody has denied it between the look and the lock.
        return Ended(ended=ended, left=tuple(left))

    def _found(self, looked_at: set[str]) -> list[str]:
        with self.store.reading() as reading:
            return [one for one in reading.asked_otherwise(limit=BATCH + len(looked_at)) if one not in looked_at]


def _end(uow: UnitOfWork, request_id: str) -> None:
    request, execution = uow.lock_request(request_id), uow.execution_of(request_id)
    if execution is not None:
        execution = uow.lock_execution(execution.id)
    if request is None or request.form == FORM:
        raise Settled("It was not asked in another form.")
    is_armed = execution is not None and execution.state is Phase.ARMED
    attempt = uow.last_attempt(execution.id) if execution is not None and is_armed else None
    try:
        save_stopping(uow, end_for_upgrade(request, execution, attempt, now=uow.now))
    except Late:
        uow.save(expire(request, now=uow.now, seen=request_id in uow.perhaps_shown([request_id])))
