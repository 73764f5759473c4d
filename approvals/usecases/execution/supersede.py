"""Superseding: what has drifted is voided and, where it can still be asked, the same wish is put before people anew."""

from dataclasses import dataclass

from approvals.change.plan import Change
from approvals.errors import Refused
from approvals.ports.rows import justification_among
from approvals.ports.store import Store
from approvals.usecases.execution.rows import locked, saved
from approvals.usecases.intake.drafts import EscalationDraft
from approvals.usecases.intake.escalate import Escalate
from approvals.workflow.endings import supersede
from approvals.workflow.execution import Execution, Reason
from approvals.workflow.request import CHAIN_LIMIT, Request, State
from approvals.workflow.voiding import void


@dataclass(frozen=True, slots=True, kw_only=True)
class Supersede:
    """Ends one execution that has drifted."""

    store: Store
    escalate: Escalate

    def __call__(self, execution: Execution, request: Request, drift: tuple[Change, ...]) -> Execution:
        """Void what has drifted and, where it can still be asked, put the same wish before people as the target is now.

        Whoever approved is told in what it has drifted.
        """
        draft = self._successor(request)
        with self.store.writing() as uow:
            uow.lock_gate(exclusive=False)
            held_request = uow.lock_request(request.id)
            held = locked(uow, execution)
            approvers = () if held_request is None else held_request.decided_by
            over = saved(uow, void(held, Reason.DRIFT, now=uow.now, drift=drift, approvers=approvers))
            uow.release_target(over)
            if held_request is not None and held_request.state is State.APPROVED:
                successor = None if draft is None else self.escalate.open_in(uow, draft, pauses=uow.pauses()).request
                uow.save(supersede(held_request, successor=None if successor is None else successor.id, now=uow.now))
        return over

    def _successor(self, request: Request) -> EscalationDraft | None:
        if request.chain >= CHAIN_LIMIT:
            return None
        with self.store.reading() as reading:
            texts, asked_at = justification_among(reading.texts(request.id)), reading.now
        try:
            return self.escalate.draft_again(request, texts, asked_at=asked_at)
        except Refused:
            return None
