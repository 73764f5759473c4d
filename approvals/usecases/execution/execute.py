"""Execute: carry out approved changes, each at most once, and follow what they do.

One look at one execution goes: claim it; if it may not have been sent, plan again and start; if it may have, read back; if it
has landed, follow the effect. Every durable step is committed before the next one touches the cluster, so that a crash
anywhere leaves a state from which the next look goes on. What a start checks is in :mod:`approvals.usecases.execution.start`.

Whatever goes wrong with one execution costs that one alone: it is set back, by growing waits that a restart keeps, says why,
and ends as :func:`approvals.workflow.setbacks.set_back` tells. What waits is looked at unclaimed, so that a look which finds
nothing
new writes nothing but the instant of the next one.
"""

from dataclasses import dataclass
from typing import Final

from approvals.change.plan import bytes_hash, envelope
from approvals.errors import Clash, Unplannable
from approvals.ports.clearance import Clearance, Obstacle
from approvals.ports.cluster import Cluster
from approvals.ports.directory import Directory
from approvals.ports.journey import Journey, Milestone
from approvals.ports.policies import Policies
from approvals.ports.store import Store
from approvals.usecases.execution.comparing import Comparing
from approvals.usecases.execution.follow import Follow
from approvals.usecases.execution.ports import Ports
from approvals.usecases.execution.read_back import ReadBack
from approvals.usecases.execution.replanning import Replanning
from approvals.usecases.execution.rows import Rows, ours, saved, stored_bound, there
from approvals.usecases.execution.send import Send
from approvals.usecases.execution.setbacks import LATER, SetBack, Setbacks
from approvals.usecases.execution.start import Start
from approvals.usecases.execution.supersede import Supersede
from approvals.usecases.intake.escalate import Escalate
from approvals.workflow.comparison import drift_between
from approvals.workflow.execution import Execution, Phase, Reason
from approvals.workflow.request import FORM
from approvals.workflow.setbacks import is_told, put_back
from approvals.workflow.starting import claim

_NOTHING_SENT: Final = frozenset({Phase.QUEUED, Phase.CLAIMED, Phase.ARMED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Execute:
    """The verb: it decides which story an execution is in, and has that told on."""

    store: Store
    policies: Policies
    cluster: Cluster
    directory: Directory
    escalate: Escalate
    journey: Journey
    clearance: Clearance

    def __call__(self, *, limit: int = 20) -> int:
        """Look at every execution that is due, at most *limit* of them, and return how many there were."""
        with self.store.reading() as reading:
            due = (*reading.left_behind(limit=limit), *reading.due_executions(limit=limit))[:limit]
        for execution_id in due:
            self.look_at(execution_id)
        return len(due)

    def look_at(self, execution_id: str) -> SetBack | None:
        """Carry one execution on as far as it goes just now; nothing happens where another worker holds it.

        Returns:
            What kept the look from being finished, if something did; the execution waits by itself.

        Raises:
            approvals.errors.Unavailable: The store cannot be reached, so that nothing could be written down.
        """
        execution = None
        try:
            with self.store.reading() as reading:
                execution = reading.execution(execution_id)
                lapsed = execution is not None and reading.now >= execution.valid_until
            if execution is not None and (execution.is_watched or not execution.is_over):
                self._look(execution, lapsed=lapsed)
        except Clash as clash:
            # Another worker, a denial or a pause was faster; the next look sees what is true then. Where nobody was, it would
            # be due as before, and stand first in line for ever.
            return None if self._has_moved(execution_id, execution) else self._set_back(execution_id, clash)
        except Exception as error:  # noqa: BLE001 - the worker logs it
            # The outermost place that knows the execution: whatever went wrong with it must not cost another its turn.
            return self._set_back(execution_id, error)
        return None

    def _look(self, execution: Execution, *, lapsed: bool) -> None:
        obstacle = self.clearance.obstacle(execution.environment)
        if execution.state is Phase.APPLIED:
            self._follow(execution)
        elif obstacle is not None and execution.state in _NOTHING_SENT and not lapsed:
            self._wait_for_clearance(execution.id, obstacle)
        elif execution.is_waiting or execution.state is Phase.UNKNOWN:
            self._carry_on(execution)
        else:
            self._carry_on(self._claim(execution.id))

    def _has_moved(self, execution_id: str, seen: Execution | None) -> bool:
        """Tell whether somebody else has written to an execution since it was *seen*, or holds it."""
        with self.store.reading() as reading:
            now_stands = reading.execution(execution_id)
            if seen is None or now_stands is None or now_stands.revision != seen.revision:
                return True
            return now_stands.lease_until is not None and reading.now < now_stands.lease_until

    def _wait_for_clearance(self, execution_id: str, obstacle: Obstacle) -> None:
        """Let an execution wait in an environment where nothing may start now: one event an obstacle, and none a look.

        It is claimed to be put back, so that whoever holds its lease keeps it. Its approval goes on running out: at the end
        of it the next look voids it.
        """
        with self.store.writing() as uow:
            execution = uow.lock_execution(execution_id)
            if execution is None or execution.state not in _NOTHING_SENT:
                raise Clash("It has moved on.")
            if execution.state is Phase.QUEUED and is_told(execution, obstacle.sentence):
                uow.look_later(execution.id, min(uow.now + LATER, execution.valid_until))
                return
            claimed = saved(uow, claim(execution, now=uow.now, leader=uow.leader))
            waiting = saved(uow, put_back(claimed, now=uow.now, wait=LATER, message=obstacle.sentence))
            uow.release_target(waiting)

    def _claim(self, execution_id: str) -> Execution:
        with self.store.writing() as uow:
            execution = there(uow.lock_execution(execution_id))
            claimed = saved(uow, claim(execution, now=uow.now, leader=uow.leader))
        self.journey.reached(Milestone.CLAIMED, execution_id)
        return claimed

    def _carry_on(self, execution: Execution) -> None:
        if execution.is_waiting:
            execution = ours(self._start(execution))
        while execution.state is Phase.CLAIMED:
            execution = ours(self._start(execution))
        if execution.state in {Phase.SENDING, Phase.UNKNOWN}:
            again = self._read_back(execution)
            if again is not None:
                self._carry_on(again)

    def _start(self, execution: Execution) -> Execution:
        """Plan again, arm, mint and send; return the execution as it then is."""
        with self.store.reading() as reading:
            request = reading.request(execution.escalation)
            bound = stored_bound(reading, execution)
            lapsed = reading.now >= execution.valid_until
        if request is None or bound is None or request.fingerprint != execution.fingerprint:
            return self._rows.void(execution, Reason.TAMPERED)
        if lapsed:
            return self._rows.void(execution, Reason.LAPSED)
        if request.form != FORM:
            # Planned by another release's rules it would differ in form alone, and that is no drift of the target.
            return self._rows.void(execution, Reason.UPGRADED)
        try:
            again = self._replanning.again(request, bound)
        except Unplannable as error:
            return self._rows.void(execution, Reason.UNPLANNABLE, message=error.sentence)
        self.journey.reached(Milestone.REPLANNED, execution.id)
        if not self._replanning.is_the_same(again, bound, request):
            return self._supersede(execution, request, drift_between(bound, again))
        seen = again.evidence
        body = envelope(bound.steps[execution.step], seen.resource_version)
        start = Start(store=self.store, policies=self.policies, directory=self.directory, clearance=self.clearance)
        started = start(
            execution,
            request,
            resource_version=seen.resource_version,
            object_generation=seen.generation,
            request_hash=bytes_hash(body),
            image=again.image,
        )
        if started.attempt is None:
            return started.execution
        self.journey.reached(Milestone.ARMED, execution.id)
        return self._send.first(started.execution, started.attempt, bound, body)

    @property
    def _ports(self) -> Ports:
        return Ports(
            store=self.store,
            policies=self.policies,
            cluster=self.cluster,
            directory=self.directory,
            journey=self.journey,
            clearance=self.clearance,
        )

    @property
    def _rows(self) -> Rows:
        return Rows(store=self.store)

    @property
    def _comparing(self) -> Comparing:
        return Comparing(ports=self._ports)

    @property
    def _replanning(self) -> Replanning:
        return Replanning(ports=self._ports)

    @property
    def _send(self) -> Send:
        return Send(ports=self._ports, rows=self._rows, comparing=self._comparing)

    @property
    def _read_back(self) -> ReadBack:
        return ReadBack(ports=self._ports, rows=self._rows, comparing=self._comparing, send=self._send)

    @property
    def _follow(self) -> Follow:
        return Follow(ports=self._ports, comparing=self._comparing)

    @property
    def _supersede(self) -> Supersede:
        return Supersede(store=self.store, escalate=self.escalate)

    @property
    def _set_back(self) -> Setbacks:
        return Setbacks(store=self.store)
