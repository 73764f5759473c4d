"""The rows of an execution: read under their lock, written if they are still as this look has seen them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from approvals.audit.events import Transition
from approvals.change.plan import Bound, bound_of, fingerprint_of
from approvals.errors import Clash
from approvals.ports.reading import Reading
from approvals.ports.store import Store, UnitOfWork
from approvals.workflow.execution import Attempt, Execution, Phase, Reason
from approvals.workflow.following import overtaken
from approvals.workflow.starting import claim
from approvals.workflow.voiding import void

Move = Callable[[Execution, UnitOfWork], Transition[Execution]]
"""Makes one transition of an execution whose row is locked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Writes to one execution's row: each call is one transaction."""

    store: Store

    def move(self, execution: Execution, move: Move) -> Execution:
        """Make one transition of an execution that is still ours, and return it as it then is."""
        with self.store.writing() as uow:
            held = locked(uow, execution)
            return settled(uow, held, saved(uow, move(held, uow)))

    def void(
        self, execution: Execution, reason: Reason, *, attempt: Attempt | None = None, message: str = ""
    ) -> Execution:
        """End an execution of which nothing can land any more."""
        return self.move(execution, lambda one, uow: void(one, reason, now=uow.now, attempt=attempt, message=message))

    def look_later(self, execution: Execution, wait: timedelta) -> None:
        """Look at an execution again after *wait*, unless it has moved on; nothing is written down."""
        with self.store.writing() as uow:
            check_unmoved(uow.lock_execution(execution.id), execution)
            uow.look_later(execution.id, uow.now + wait)


def locked(uow: UnitOfWork, execution: Execution) -> Execution:
    """Return the execution's row, locked, if its lease is still ours, or if nobody has touched it since it was looked at.

    What is unknown is claimed here, in the transaction that writes: whoever lost a reply before has no say in it any more.

    Raises:
        Clash: Its lease went to another worker: what this one knows is out of date, and it must not write.
    """
    held = uow.lock_execution(execution.id)
    if execution.lease_until is None:
        held = check_unmoved(held, execution)
        return saved(uow, claim(held, now=uow.now, leader=uow.leader)) if held.state is Phase.UNKNOWN else held
    if held is None or held.generation != execution.generation:
        raise Clash("Another worker holds it.")
    return held


def check_unmoved(held: Execution | None, seen: Execution) -> Execution:
    """Return the row of an execution that nobody holds, if it stands as it was seen.

    Raises:
        Clash: Somebody was faster.
    """
    if held is None or held.revision != seen.revision:
        raise Clash("It has moved on.")
    return held


def ours(execution: Execution) -> Execution:
    """Return it as what this very look has made of it: nothing of it needs to be claimed again, even where it is at rest."""
    return replace(execution, lease_until=execution.lease_until or execution.due_at)


def settled(uow: UnitOfWork, before: Execution, after: Execution) -> Execution:
    """Return an execution just saved, having given its target back where nothing of it can land any more.

    A lock for writing is none for watching: what has landed is watched on without it. It ends the watch over an older change of
    the same target, whose effect nobody can tell apart any more.
    """
    if after.state is Phase.APPLIED and before.state is not Phase.APPLIED:
        for older in uow.lock_in_progress(after):
            uow.save(overtaken(older, by=after.escalation, now=uow.now))
        # What it has changed would look like somebody's undoing of what was done before.
        uow.end_watches(after)
    if after.is_over or after.state in {Phase.QUEUED, Phase.APPLIED}:
        uow.release_target(after)
    return after


def saved(uow: UnitOfWork, transition: Transition[Execution]) -> Execution:
    """Save a transition, and return the execution as it leaves it."""
    uow.save(transition)
    return transition.noun


def attempt_of(transition: Transition[Execution]) -> Attempt:
    """Return the attempt that a transition leaves; there is one."""
    return next(noun for noun in transition.nouns if isinstance(noun, Attempt))


def ended(uow: UnitOfWork, transition: Transition[Execution]) -> Execution:
    """Save the end of an execution of which nothing can land, and give its target back."""
    over = saved(uow, transition)
    uow.release_target(over)
    return over


def stored_bound(reading: Reading, execution: Execution) -> Bound | None:
    """Return the plan that was approved, from its stored bytes, or None where they are not what was hashed."""
    stored = reading.plan(execution.fingerprint)
    if stored is None or fingerprint_of(stored.bound) != execution.fingerprint:
        return None
    return bound_of(stored.bound)


def there(execution: Execution | None) -> Execution:
    """Return the execution.

    Raises:
        Clash: Its row is gone.
    """
    if execution is None:
        raise Clash("It is gone.")
    return execution


def approvers_of(reading: Reading, execution: Execution) -> tuple[str, ...]:
    """Return who approved what is carried out: the people to tell where it is not what they approved."""
    request = reading.request(execution.escalation)
    return () if request is None else request.decided_by
