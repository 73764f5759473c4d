"""Cancel: an agent takes its own question back, while nothing has started."""

from dataclasses import dataclass

from approvals.errors import Missing
from approvals.identity.tokens import Token
from approvals.ports.policies import Policies
from approvals.ports.store import Store
from approvals.usecases.standing import NOBODY, context_for, save_stopping
from approvals.workflow.endings import cancel
from approvals.workflow.request import Request, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """The verb."""

    store: Store
    policies: Policies

    def __call__(self, request_id: str, *, token: Token) -> Request:
        """Return the request, cancelled.

        Raises:
            Missing: There is none of that id, or it is another agent's, or outside of the scope of *token*; which of it is
                not told (I16).
            Settled, Late: It has ended already, or its effect has started.
        """
        with self.store.writing() as uow:
            request = uow.lock_request(request_id)
            if request is None or not token.covers(request.place) or request.state is State.REFUSED:
                raise Missing("You have no such escalation.")
            execution = uow.execution_of(request.id)
            if execution is not None:
                execution = uow.lock_execution(execution.id)
            context = context_for(uow, request, policy=self.policies.current(), authority=NOBODY, execution=execution)
            transition = cancel(request, context, actor=f"agent:{request.agent}")
            save_stopping(uow, transition)
        return transition.noun
