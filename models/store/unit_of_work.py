"""The unit of work: one transaction that changes state only together with the events that explain it.

Locks are statements of their own, in the order gate, environment, request, execution, target, token, stream; what is judged is
read in statements after them, :attr:`~models.store.reading.SqlReading.now` first. On PostgreSQL gate and environments are
advisory
locks of the transaction: a shared row lock was measured to make a pause wait 0.76 s behind eight overlapping starts, an
advisory lock 0.01 s. On SQLite the write lock that the transaction began with is all of them at once.

Nothing of a unit in which a write has failed can be committed, even where a caller swallowed the refusal.
"""

from datetime import datetime, timedelta
from typing import Final, assert_never

from sqlalchemy import Connection, bindparam, exc, func, literal_column, null, or_, select, text, update
from typing_extensions import override

from approvals.audit.events import AuditEvent, Transition
from approvals.errors import Clash
from approvals.identity.tokens import Token
from approvals.policy.policy import Policy
from approvals.ports.rows import DecidingRows, StoredPlan
from approvals.ports.store import UnitOfWork
from approvals.workflow.execution import Execution
from approvals.workflow.pause import Pause, Scope, ScopeKind
from approvals.workflow.request import Request
from models.engine.advisory import advisory_key
from models.engine.columns import INSTANT, NUMBER, TEXT
from models.engine.faults import is_taken
from models.engine.prepared import Asked, Prepared, QueryResult, together
from models.engine.statements import insert_unless_taken
from models.store.clock import StoreClock
from models.store.fence import Lease, LeaseLost, questions
from models.store.journal import Journal, NewSalt
from models.store.mapping import EXECUTION, PAUSE, REQUEST, TOKEN, VOTE, evidence_text
from models.store.marks import Marks
from models.store.queries.executions import ON_OBJECT, STOPPABLE
from models.store.queries.operation import EPOCH, OPEN_PAUSES, PAUSES_ABOUT
from models.store.queries.requests import VOTES
from models.store.reading import SqlReading
from models.store.tables import (
    agent_tokens,
    escalations,
    executions,
    gate,
    images,
    pauses,
    plans,
    policy_versions,
    target_locks,
)
from models.store.writes import Write, in_writing_order, writes_of

GATE: Final = "countersign/gate"
ENVIRONMENT: Final = "countersign/environment/"

_KEY: Final = bindparam("key", type_=NUMBER)
_EXCLUSIVE: Final = Prepared(select(func.pg_advisory_xact_lock(_KEY)))
_SHARED: Final = Prepared(select(func.pg_advisory_xact_lock_shared(_KEY)))

_ID: Final = bindparam("key", type_=TEXT)
_LOCK_REQUEST: Final = REQUEST.prepared(REQUEST.select().where(escalations.c.id == _ID).with_for_update())
_LOCK_EXECUTION: Final = EXECUTION.prepared(EXECUTION.select().where(executions.c.id == _ID).with_for_update())
_LOCK_PAUSE: Final = PAUSE.prepared(PAUSE.select().where(pauses.c.id == _ID).with_for_update())
_LOCK_TOKEN: Final = TOKEN.prepared(TOKEN.select().where(agent_tokens.c.id == _ID).with_for_update(read=True))
STOPPABLE_EXECUTIONS: Final = EXECUTION.select().where(STOPPABLE).order_by(executions.c.id).with_for_update()
_STOPPABLE: Final = EXECUTION.prepared(STOPPABLE_EXECUTIONS)
_STOPPABLE_OF: Final = EXECUTION.prepared(
    STOPPABLE_EXECUTIONS.where(executions.c.agent == bindparam("agent", type_=TEXT))
)
_STOPPABLE_IN: Final = EXECUTION.prepared(
    STOPPABLE_EXECUTIONS.where(
        executions.c.environment == bindparam("environment", type_=TEXT),
        executions.c.namespace == bindparam("namespace", type_=TEXT),
    )
)
_RAISE_EPOCH: Final = Prepared(
    update(gate).values(epoch=gate.c.epoch + 1).returning(gate.c.epoch), columns=[gate.c.epoch]
)
_LOOK_LATER: Final = Prepared(
    update(executions)
    .where(executions.c.id == bindparam("the_execution", type_=TEXT), executions.c.look_at.is_not(None))
    .values(look_at=bindparam("the_instant", type_=INSTANT), setbacks=bindparam("the_setbacks", type_=NUMBER))
)
_WATCH_LATER: Final = Prepared(
    update(executions)
    .where(executions.c.id == bindparam("the_execution", type_=TEXT), executions.c.watch_at.is_not(None))
    .values(watch_at=bindparam("the_instant", type_=INSTANT))
)
_END_WATCHES: Final = Prepared(
    update(executions)
    .where(
        executions.c.cluster_uid == bindparam("cluster_uid", type_=TEXT),
        executions.c.object_uid == bindparam("object_uid", type_=TEXT),
        executions.c.watch_at.is_not(None),
        executions.c.id != bindparam("the_execution", type_=TEXT),
    )
    .values(watch_at=null())
)
_LOCK_IN_PROGRESS: Final = EXECUTION.prepared(
    ON_OBJECT.where(
        executions.c.state == literal_column("'applied'"), executions.c.id != bindparam("the_execution", type_=TEXT)
    ).with_for_update()
)
_COMMIT: Final = Prepared(text("COMMIT"))
_SAVE_PLAN: Final = Prepared(insert_unless_taken(plans), keys=plans.c.keys())
_SAVE_IMAGE: Final = Prepared(insert_unless_taken(images), keys=images.c.keys())
_KEEP_POLICY: Final = Prepared(insert_unless_taken(policy_versions), keys=policy_versions.c.keys())
_TARGET: Final = (
    target_locks.c.cluster_uid == bindparam("the_cluster", type_=TEXT),
    target_locks.c.object_uid == bindparam("the_object", type_=TEXT),
)
_HOLDER: Final = bindparam("the_execution", type_=TEXT)
_TAKE_TARGET: Final = Prepared(
    update(target_locks)
    .where(*_TARGET, or_(target_locks.c.execution.is_(None), target_locks.c.execution == _HOLDER))
    .values(execution=_HOLDER)
)
_NEW_TARGET: Final = Prepared(insert_unless_taken(target_locks), keys=target_locks.c.keys())
_RELEASE_TARGET: Final = Prepared(
    update(target_locks).where(*_TARGET, target_locks.c.execution == _HOLDER).values(execution=None)
)


class SqlUnitOfWork(SqlReading, UnitOfWork):
    """One transaction; implements :class:`approvals.ports.store.UnitOfWork`."""

    def __init__(
        self,
        connection: Connection,
        clock: StoreClock,
        new_salt: NewSalt,
        *,
        lease: Lease | None = None,
        leader: int = 0,
    ) -> None:
        """Work over *connection*, whose transaction somebody else commits after :meth:`finish`.

        Args:
            connection: In a transaction of its own.
            clock: Of the store.
            new_salt: Returns a fresh salt for each free text.
            lease: Without which nothing may be committed; None where no lease is needed.
            leader: The generation of the leader's lease that it works under; 0 for none.
        """
        super().__init__(connection, clock, leader=leader)
        self._lease = lease
        self._journal = Journal(new_salt)
        self._marks = Marks()
        self._saved: list[Write] = []
        self._failed: Exception | None = None
        self.has_changes = False
        """Whether a noun was saved."""

    @property
    @override
    def connection(self) -> Connection:
        """Where it is asked: whatever is asked next sees everything that was saved so far.

        Raises:
            approvals.errors.Clash: Something that was saved cannot be written: somebody was faster.
        """
        if self._saved:
            self._send()
        return self._connection

    @override
    def lock_gate(self, *, exclusive: bool) -> None:
        """Take the start gate until the commit: shared by a start, exclusively by a pause and a resume."""
        self._advisory(GATE, exclusive=exclusive)

    @override
    def enter_gate(self) -> tuple[Pause, ...]:
        """Take the start gate, shared, and return the open pauses, read once it is held: where no other lock follows."""
        (paused,) = self._along((OPEN_PAUSES, {}), after=self._advisory_lock(GATE, exclusive=False))
        return tuple(PAUSE.noun_of(row) for row in paused.rows)

    @override
    def lock_environment(self, environment: str) -> None:
        """Take one environment's lock, so that what is counted over it holds until the commit."""
        self._advisory(ENVIRONMENT + environment, exclusive=True)

    @override
    def lock_request(self, request_id: str) -> Request | None:
        """Take one request's row and return it as it is once the lock is held."""
        return self._one(REQUEST, _LOCK_REQUEST, key=request_id)

    @override
    def lock_execution(self, execution_id: str) -> Execution | None:
        """Take one execution's row and return it as it is once the lock is held."""
        found = self._one(EXECUTION, _LOCK_EXECUTION, key=execution_id)
        if found is not None:
            self._marks.stood(found)
        return found

    @override
    def lock_pause(self, pause_id: str) -> Pause | None:
        """Take one pause's row and return it as it is once the lock is held."""
        return self._one(PAUSE, _LOCK_PAUSE, key=pause_id)

    @override
    def lock_token(self, token_id: str) -> Token | None:
        """Return one token as it is once no revocation of it is under way; none can be until the commit.

        Shared: starts of one agent do not wait for each other, only a revocation waits for them, and they for it.
        """
        return self._one(TOKEN, _LOCK_TOKEN, key=token_id)

    @override
    def raise_epoch(self) -> int:
        """Raise the pause epoch by one and return it; the gate is held exclusively."""
        ((epoch,),) = _RAISE_EPOCH.rows(self.connection)
        return int(epoch)

    @override
    def advance_clock(self) -> timedelta:
        """Write the instant before which the clock may not fall back; return how far it has, zero as a rule."""
        return self.clock.advance(self.connection)

    @override
    def grounds(self, request_id: str) -> DecidingRows:
        """Return what a judgement on one request rests on, read once every lock is held: in one trip, the instant first."""
        key = {"key": request_id}
        epoch, live, paused = self._along((EPOCH, {}), (VOTES, key), (PAUSES_ABOUT, key))
        ((number,),) = epoch.rows
        return DecidingRows(
            now=self.now,
            epoch=number,
            votes=tuple(VOTE.noun_of(row) for row in live.rows),
            pauses=tuple(PAUSE.noun_of(row) for row in paused.rows),
        )

    @override
    def stoppable_executions(self, scope: Scope) -> tuple[Execution, ...]:
        """Return, locked, every execution in *scope* that is queued or claimed and can be read."""
        environment, _, namespace = scope.name.partition("/")
        match scope.kind:
            case ScopeKind.ALL:
                found = self._readable(EXECUTION, _STOPPABLE)
            case ScopeKind.AGENT:
                found = self._readable(EXECUTION, _STOPPABLE_OF, agent=scope.name)
            case ScopeKind.NAMESPACE:
                found = self._readable(EXECUTION, _STOPPABLE_IN, environment=environment, namespace=namespace)
            case _:
                assert_never(scope.kind)
        for execution in found:
            self._marks.stood(execution)
        return found

    @override
    def look_later(self, execution_id: str, at: datetime, *, setbacks: int = 0) -> None:
        """Have workers look at an execution no earlier than *at*, if it is not over; nothing told of it changes."""
        row = {"the_execution": execution_id, "the_instant": at, "the_setbacks": setbacks}
        _LOOK_LATER.run(self.connection, row)

    @override
    def watch_later(self, execution_id: str, at: datetime | None) -> None:
        """Have workers look at an execution that has ended no earlier than *at*, or never again; nothing told of it changes."""
        _WATCH_LATER.run(self.connection, {"the_execution": execution_id, "the_instant": at})

    @override
    def end_watches(self, execution: Execution) -> None:
        """Have nobody look any more at the others that have ended on the same target; nothing told of them changes."""
        row = {
            "cluster_uid": execution.cluster_uid,
            "object_uid": execution.object_uid,
            "the_execution": execution.id,
        }
        _END_WATCHES.run(self.connection, row)

    @override
    def lock_in_progress(self, execution: Execution) -> tuple[Execution, ...]:
        """Return, locked, the other executions that have landed on the same target and whose effect is still followed.

        Those that cannot be read are left out.
        """
        found = self._readable(
            EXECUTION,
            _LOCK_IN_PROGRESS,
            cluster_uid=execution.cluster_uid,
            object_uid=execution.object_uid,
            the_execution=execution.id,
        )
        for one in found:
            self._marks.stood(one)
        return found

    @override
    def save(self, transition: Transition[object]) -> None:
        """Take down the new nouns and their events: written, all in one go, before anything else is asked or it ends.

        Where a noun is not at the revision before the new one, the writing raises :class:`approvals.errors.Clash`.
        """
        now = self.now  # First, since asking for it writes what was saved before.
        self.has_changes = True
        for noun in in_writing_order(transition.nouns):
            self._saved += writes_of(noun, now=now)
            self._marks.note(noun)
        self._journal.add(transition.events)

    @override
    def record(self, event: AuditEvent) -> None:
        """Write an event that changes nothing, such as a refusal."""
        self._journal.add((event,))

    @override
    def save_plan(self, plan: StoredPlan) -> None:
        """Store a plan; the same plan twice is once."""
        row = {"fingerprint": plan.fingerprint, "bound": plan.bound, "evidence": evidence_text(plan.evidence)}
        self._saved.append(Write(statement=_SAVE_PLAN, values=row, is_sole=False))

    @override
    def save_image(self, hashed: str, image: bytes) -> None:
        """Store an image under its hash; the same image twice is once."""
        self._saved.append(Write(statement=_SAVE_IMAGE, values={"hash": hashed, "image": image}, is_sole=False))

    @override
    def lock_target(self, execution: Execution) -> bool:
        """Take the target's lock for *execution*; False where another execution holds it."""
        if _TAKE_TARGET.run(self.connection, _target_of(execution)) == 1:
            return True
        row = {
            "cluster_uid": execution.cluster_uid,
            "object_uid": execution.object_uid,
            "execution": execution.id,
        }
        return _NEW_TARGET.run(self.connection, row) == 1

    @override
    def release_target(self, execution: Execution) -> None:
        """Give the target's lock back, if *execution* holds it."""
        _RELEASE_TARGET.run(self.connection, _target_of(execution))

    @override
    def keep_policy(self, policy: Policy, text: str) -> bool:
        """Store a policy version's text; False where it was stored before."""
        row = {"version": policy.version, "text": text, "first_loaded_at": self.now}
        return _KEEP_POLICY.run(self.connection, row) == 1

    def finish(self, *, commit: bool = False) -> None:
        """Write what was saved, and then what is written last: marks of cards and the events. Only the commit comes after it.

        Args:
            commit: Whether it goes along where that spares a trip; then the one that follows has nothing to do.

        Raises:
            approvals.errors.Clash: Something that was saved cannot be written: somebody was faster.
            LeaseLost: The lease that it works under has gone to another holder.
            RuntimeError: A write has failed before, so that a commit would keep half of a transition.
        """
        if self._failed is not None:
            raise RuntimeError("a unit of work in which a write has failed cannot be committed") from self._failed
        marks, places = self._marks.taken(), self._journal.places()
        # Last, so that nothing of ours comes between it and the commit: whoever takes the lease over waits for that.
        fence = () if self._lease is None else questions(self._lease)
        answers = self._send(*marks, *places, *fence)
        if fence and not answers[-1].rows:
            self._failed = LeaseLost()
            raise self._failed
        told = self._journal.taken(self._connection.dialect, answers[len(marks) : len(marks) + len(places)])
        if told and commit and self._connection.dialect.name == "postgresql":
            told.append((_COMMIT, {}))
        together(self._connection, told)

    def _send(self, *more: Asked) -> list[QueryResult]:
        """Write what was saved, together with *more*, and return what that gave."""
        saved, self._saved = self._saved, []
        try:
            answers = together(self._connection, [*((one.statement, one.values) for one in saved), *more])
            for one, answer in zip(saved, answers, strict=False):
                one.check(answer.count)
        except exc.IntegrityError as error:
            self._failed = error
            if not is_taken(error):
                raise
            raise Clash("Somebody was faster.") from error
        except Exception as error:
            self._failed = error
            raise
        return answers[len(saved) :]

    def _advisory(self, name: str, *, exclusive: bool) -> None:
        together(self.connection, self._advisory_lock(name, exclusive=exclusive))

    def _advisory_lock(self, name: str, *, exclusive: bool) -> list[Asked]:
        if self._connection.dialect.name == "sqlite":
            return []
        return [(_EXCLUSIVE if exclusive else _SHARED, {"key": advisory_key(name)})]


def _target_of(execution: Execution) -> dict[str, str]:
    return {
        "the_cluster": execution.cluster_uid,
        "the_object": execution.object_uid,
        "the_execution": execution.id,
    }
