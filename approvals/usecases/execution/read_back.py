"""Reading back: whether a write whose reply was lost has landed.

Absence proves nothing, since it may have been overwritten. What cannot be told waits for a person.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, assert_never

from approvals.change.plan import Bound, Change, bytes_hash, envelope
from approvals.errors import Refused, Unavailable
from approvals.usecases.execution.comparing import Comparing
from approvals.usecases.execution.ports import Ports
from approvals.usecases.execution.rows import Rows, approvers_of, stored_bound
from approvals.usecases.execution.send import Send
from approvals.usecases.execution.wanted import LOST_AGAIN, still_wanted
from approvals.verbs.registry import verb_called
from approvals.verbs.verb import Baseline, Landed
from approvals.workflow.execution import Attempt, Execution, Phase, Reason
from approvals.workflow.landing import applied, can_resend, cannot_land_any_more, not_landed, unknown
from approvals.workflow.setbacks import is_told

LOOKED_AT_BY_A_PERSON: Final = timedelta(hours=1)
"""How often an outcome is read back that nothing can tell: nothing changes until a person closes it."""

REQUEST_TIMEOUT: Final = timedelta(seconds=30)
"""At least as long as the cluster door lets one write take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadBack:
    """Finds out about one write, by the resend rule."""

    ports: Ports
    rows: Rows
    comparing: Comparing
    send: Send

    def __call__(self, execution: Execution) -> Execution | None:
        """Find out whether a write whose reply was lost has landed.

        Returns:
            The execution, claimed, where the write provably did not land and is to be planned anew; else None.
        """
        with self.ports.store.reading() as reading:
            bound = stored_bound(reading, execution)
            attempt = reading.last_attempt(execution.id)
        if bound is None or attempt is None:
            raise Unavailable(
                "What was approved is not stored as it was approved, so nothing can be read back against it."
            )
        try:
            seen = self.ports.observe(execution, bound)
        except Unavailable as error:
            self._still_unknown(execution, attempt, error.sentence)
            return None
        if seen is None:
            message = f"The target is gone, so nothing can tell whether the write landed. {_closing(execution)}"
            self._still_unknown(execution, attempt, message, look_again=LOOKED_AT_BY_A_PERSON)
            return None
        before = Baseline(resource_version=attempt.resource_version, generation=attempt.object_generation)
        landed = verb_called(bound.verb).evidence_of(bound, before, seen)
        match landed:
            case Landed.APPLIED:
                comparison = self.comparing.beside(execution, attempt, bound, seen, is_answered=False)
                self.rows.move(
                    execution,
                    lambda one, uow: applied(
                        one,
                        attempt,
                        now=uow.now,
                        http_status=None,
                        audit_id=None,
                        comparison=comparison,
                        read_back=True,
                        approvers=approvers_of(uow, one),
                    ),
                )
            case Landed.NOT_APPLIED if can_resend(
                attempt, resource_version_now=str(seen["metadata"]["resourceVersion"])
            ):
                self._resend(execution, attempt, bound)
            case Landed.NOT_APPLIED:
                message = "The write was lost on its way and provably did not land."
                return self.rows.move(
                    execution, lambda one, uow: not_landed(one, attempt, now=uow.now, message=message)
                )
            case Landed.CANNOT_TELL:
                message = f"It may have landed and been overwritten. {_closing(execution)}"
                found = self.comparing.whole(execution, attempt, bound, seen, is_answered=False)
                drift = () if found is None else found.told
                self._still_unknown(execution, attempt, message, look_again=LOOKED_AT_BY_A_PERSON, drift=drift)
            case _:
                assert_never(landed)
        return None

    def _resend(self, execution: Execution, attempt: Attempt, bound: Bound) -> None:
        """Send the same bytes again, conditional on the same resource version: at most one of the two can land."""
        body = envelope(bound.steps[execution.step], attempt.resource_version)
        if bytes_hash(body) != attempt.request_hash:
            raise Unavailable("The bytes are not those that were sent, so they are not sent again.")
        with self.ports.store.reading() as reading:
            wanted = still_wanted(reading, execution, attempt)
            dead = cannot_land_any_more(attempt, now=reading.now, request_timeout=REQUEST_TIMEOUT)
        if not wanted and dead and execution.state is Phase.UNKNOWN:
            self.rows.void(execution, Reason.NEVER_LANDED, attempt=attempt)
            return
        if not wanted:
            self._still_unknown(
                execution, attempt, "It may still land; the target stays locked until it no longer can."
            )
            return
        obstacle = self.ports.clearance.obstacle(execution.environment)
        if obstacle is not None:
            self._still_unknown(execution, attempt, obstacle.sentence)
            return
        try:
            credential = self.send.mint(execution, bound)
        except Refused as error:
            self._still_unknown(execution, attempt, error.sentence)
            return
        self.send(execution, attempt, bound, body, credential)

    def _still_unknown(
        self,
        execution: Execution,
        attempt: Attempt,
        message: str,
        *,
        look_again: timedelta = LOST_AGAIN,
        drift: tuple[Change, ...] = (),
    ) -> None:
        if execution.lease_until is None and is_told(execution, message):
            self.rows.look_later(execution, look_again)
            return
        self.rows.move(
            execution,
            lambda one, uow: unknown(
                one,
                attempt,
                now=uow.now,
                message=message,
                look_again=look_again,
                drift=drift,
                approvers=approvers_of(uow, one),
            ),
        )


def _closing(execution: Execution) -> str:
    """Return, as sentences, what ends an outcome that no read will tell: until then nobody else may change its target."""
    return f"A person must look at it, and then close this: countersign abandon {execution.escalation} --reason ..."
