"""The store: one unit of work, in which everything is read and written after the locks."""

from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from approvals.audit.events import AuditEvent, Transition
from approvals.identity.tokens import Token
from approvals.policy.policy import Policy
from approvals.ports.reading import Reading
from approvals.ports.rows import DecidingRows, StoredPlan
from approvals.workflow.execution import Execution
from approvals.workflow.pause import Pause, Scope
from approvals.workflow.request import Request


class Urgency(StrEnum):
    """How urgent a write or a question is: pause and deny go before everything else, and wait for nobody's look."""

    URGENT = "urgent"
    NORMAL = "normal"


class UnitOfWork(Reading, Protocol):
    """One transaction: it commits when the ``with`` block ends well, and changes nothing otherwise."""

    def lock_gate(self, *, exclusive: bool) -> None:
        """Take the start gate until the commit: shared by a start, exclusively by a pause and a resume."""
        ...

    def enter_gate(self) -> tuple[Pause, ...]:
        """Take the start gate, shared, and return the open pauses, read once it is held: where no other lock follows."""
        ...

    def lock_environment(self, environment: str) -> None:
        """Take one environment's lock, so that what is counted over it holds until the commit."""
        ...

    def lock_request(self, request_id: str) -> Request | None:
        """Take one request's row and return it as it is once the lock is held."""
        ...

    def lock_execution(self, execution_id: str) -> Execution | None:
        """Take one execution's row and return it as it is once the lock is held."""
        ...

    def lock_pause(self, pause_id: str) -> Pause | None:
        """Take one pause's row and return it as it is once the lock is held."""
        ...

    def lock_token(self, token_id: str) -> Token | None:
        """Return one token as it is once no revocation of it is under way; none can be until the commit."""
        ...

    def raise_epoch(self) -> int:
        """Raise the pause epoch by one and return it; the gate is held exclusively."""
        ...

    def advance_clock(self) -> timedelta:
        """Write the instant before which the clock may not fall back; return how far it has, zero as a rule.

        Only the sweep's tick calls this: as a row that everybody writes it would halve the throughput.
        """
        ...

    def grounds(self, request_id: str) -> DecidingRows:
        """Return what a judgement on one request rests on, read once every lock is held.

        The instant is read first, then the epoch, then votes and pauses: read in another order, an answer could be judged by a
        pause state older than its own epoch.
        """
        ...

    def stoppable_executions(self, scope: Scope) -> tuple[Execution, ...]:
        """Return, locked, every execution in *scope* that is queued or claimed.

        One whose row cannot be read is left out: nothing can start it either, and it must not keep a pause from the others.
        """
        ...

    def look_later(self, execution_id: str, at: datetime, *, setbacks: int = 0) -> None:
        """Have workers look at an execution no earlier than *at*, if it is not over; nothing told of it changes.

        Args:
            execution_id: Whose row is locked, or cannot be read.
            at: When.
            setbacks: How many looks in a row could not be finished. Whatever is saved of an execution sets it to zero.
        """
        ...

    def watch_later(self, execution_id: str, at: datetime | None) -> None:
        """Have workers look at an execution that has ended no earlier than *at*, or never again; nothing told of it changes."""
        ...

    def end_watches(self, execution: Execution) -> None:
        """Have nobody look any more at the others that have ended on the same target; nothing told of them changes."""
        ...

    def lock_in_progress(self, execution: Execution) -> tuple[Execution, ...]:
        """Return, locked, the other executions that have landed on the same target and whose effect is still followed.

        One that cannot be read is left out: it must not keep what has just landed from being written down.
        """
        ...

    def save(self, transition: Transition[object]) -> None:
        """Take down the new nouns and their events, to be written before anything else is asked or the block ends.

        Where a noun is not at the revision before the new one, because somebody was faster, the writing raises
        :class:`approvals.errors.Clash`: from whatever is asked next, or from the end of the block.
        """
        ...

    def record(self, event: AuditEvent) -> None:
        """Write an event that changes nothing, such as a refusal."""
        ...

    def save_plan(self, plan: StoredPlan) -> None:
        """Store a plan; the same plan twice is once."""
        ...

    def save_image(self, hashed: str, image: bytes) -> None:
        """Store an image under its hash; the same image twice is once."""
        ...

    def lock_target(self, execution: Execution) -> bool:
        """Take the target's lock for *execution*; False where another execution holds it."""
        ...

    def release_target(self, execution: Execution) -> None:
        """Give the target's lock back, if *execution* holds it."""
        ...

    def keep_policy(self, policy: Policy, text: str) -> bool:
        """Store a policy version's text; False where it was stored before."""
        ...


class Store(Protocol):
    """Remembers everything. What a block raises, its questions and its end raise, whatever the engine has met."""

    def reading(self, lane: Urgency = Urgency.NORMAL) -> AbstractContextManager[Reading]:
        """Return a look at the store.

        Raises:
            approvals.errors.Unavailable: The store cannot be reached, is too busy or broken, or a row cannot be read.
        """
        ...

    def glancing(self, lane: Urgency = Urgency.NORMAL) -> AbstractContextManager[Reading]:
        """Return a look that is quicker and no snapshot: each answer is of its own instant.

        For what only prepares a transaction, in which everything that matters is read again under its locks.

        Raises:
            approvals.errors.Unavailable: As :meth:`reading`.
        """
        ...

    def writing(self, lane: Urgency = Urgency.NORMAL) -> AbstractContextManager[UnitOfWork]:
        """Return a transaction.

        Raises:
            approvals.errors.Clash: Somebody was faster; nothing was changed.
            approvals.errors.Unavailable: As :meth:`reading`; after its end it may mean that the reply was lost.
        """
        ...
