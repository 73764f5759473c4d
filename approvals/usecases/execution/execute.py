"""Execute: carry out approved changes, each at most once, and follow what they do.

One look at one execution goes: claim it; if it may not have been sent, plan again and start; if it may have, read back; if it
has landed, follow the effect. Every durable step is committed before the next one touches the cluster, so that a crash
anywhere leaves a state from which the next look goes on. What a start checks is in :mod:`approvals.usecases.execution.start`.

Whatever goes wrong with one execution costs that one alone: it is set back, by growing waits that a restart keeps, says why,
and ends as :func:`approvals.workflow.execution.set_back` tells. What waits is looked at unclaimed, so that a look which finds
nothing
new writes nothing but the instant of the next one.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, assert_never

from approvals.audit.events import Transition
from approvals.change.image import is_image
from approvals.change.plan import Bound, Change, Preview, bound_bytes, bound_of, bytes_hash, envelope, fingerprint_of
from approvals.errors import Clash, Forbidden, Refused, Unavailable, Unplannable, is_outage
from approvals.identity.accounts import ServiceAccount
from approvals.ports.clearance import Clearance, Obstacle
from approvals.ports.cluster import Came, Cluster, Credential, Reply
from approvals.ports.directory import Directory
from approvals.ports.journey import Journey, Milestone
from approvals.ports.policies import Policies
from approvals.ports.reading import Reading
from approvals.ports.rows import plea_among
from approvals.ports.store import Store, UnitOfWork
from approvals.usecases.execution.start import Start
from approvals.usecases.intake.escalate import Draft, Escalate
from approvals.verbs.registry import verb_called
from approvals.verbs.verb import Effect, Landed, Occasion, Progress
from approvals.workflow.comparison import Comparison, compare, drift_between
from approvals.workflow.execution import (
    LONGEST_OUTAGE_WAIT,
    LONGEST_WAIT,
    Attempt,
    Execution,
    Phase,
    Reason,
    applied,
    can_resend,
    cannot_land_any_more,
    claim,
    corrected,
    disarm,
    followed,
    found_different,
    is_told,
    leaves_within,
    not_landed,
    overtaken,
    put_back,
    rejected,
    sending,
    set_back,
    unknown,
    void,
    wait_after_loss,
    wait_after_unsent,
)
from approvals.workflow.pause import survives
from approvals.workflow.request import CHAIN_LIMIT, Request, State, supersede
from approvals.workflow.retries import growing_wait

LATER: Final = timedelta(seconds=5)
"""How long an execution waits that cannot go on just now; each time in a row twice as long."""

LOST_AGAIN: Final = timedelta(seconds=10)
"""How often an unknown outcome is read back of which nothing is sent again."""

LOOKED_AT_BY_A_PERSON: Final = timedelta(hours=1)
"""How often an outcome is read back that nothing can tell: nothing changes until a person closes it."""

WATCH: Final = timedelta(seconds=10)
"""How often it is looked whether somebody undoes what is done."""

LATE: Final = timedelta(minutes=1)
"""How often it is looked whether a rollout that was given up comes to its end after all."""

FOLLOW: Final = timedelta(seconds=1)
"""How often a rollout is looked at; where it cannot be, each time in a row twice as long."""

CLOCKS_APART: Final = timedelta(minutes=1)
"""How far a cluster's clock may be behind ours for its warnings to count as later than the write."""

_PLAIN_PATH: Final = re.compile(r"/[A-Za-z0-9./_~\[\]-]{1,120}")

REQUEST_TIMEOUT: Final = timedelta(seconds=30)
"""At least as long as the cluster door lets one write take."""

NOT_COMPARED: Final = "What was planned as a whole is not kept as it was; whether anything else changed cannot be told."

_NOTHING_SENT: Final = frozenset({Phase.QUEUED, Phase.CLAIMED, Phase.ARMED})


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


Move = Callable[[Execution, UnitOfWork], Transition[Execution]]
"""Makes one transition of an execution whose row is locked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Execute:
    """The verb."""

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
            due = reading.due_executions(limit=limit)
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

    def _set_back(self, execution_id: str, error: Exception) -> SetBack:
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
                    _settled(uow, held, _saved(uow, transition))
            _wait(uow, execution_id, back)
        return back

    def _waits_untold(self, execution_id: str, error: Exception) -> SetBack:
        with self.store.writing() as uow:
            back = _setback_of(error, None, count=uow.setbacks(execution_id) + 1)
            _wait(uow, execution_id, back)
        return back

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
            claimed = _saved(uow, claim(execution, now=uow.now))
            waiting = _saved(uow, put_back(claimed, now=uow.now, wait=LATER, message=obstacle.sentence))
            uow.release_target(waiting)

    def _claim(self, execution_id: str) -> Execution:
        with self.store.writing() as uow:
            execution = _there(uow.lock_execution(execution_id))
            claimed = _saved(uow, claim(execution, now=uow.now))
        self.journey.reached(Milestone.CLAIMED, execution_id)
        return claimed

    def _carry_on(self, execution: Execution) -> None:
        if execution.is_waiting:
            execution = _ours(self._start(execution))
        while execution.state is Phase.CLAIMED:
            execution = _ours(self._start(execution))
        if execution.state in {Phase.SENDING, Phase.UNKNOWN}:
            self._read_back(execution)

    def _start(self, execution: Execution) -> Execution:
        """Plan again, arm, mint and send; return the execution as it then is."""
        with self.store.reading() as reading:
            request = reading.request(execution.escalation)
            bound = _stored_bound(reading, execution)
            lapsed = reading.now >= execution.valid_until
        if request is None or bound is None or request.fingerprint != execution.fingerprint:
            return self._void(execution, Reason.TAMPERED)
        if lapsed:
            return self._void(execution, Reason.LAPSED)
        try:
            again = self._plan_again(request, bound)
        except Unplannable as error:
            return self._void(execution, Reason.UNPLANNABLE, message=error.sentence)
        self.journey.reached(Milestone.REPLANNED, execution.id)
        if not self._is_the_same(again, bound, request):
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
        return self._mint_and_send(started.execution, started.attempt, bound, body)

    def _plan_again(self, request: Request, bound: Bound) -> Preview:
        """Return what the same wish, of the same occasion, would change now."""
        return self.cluster.preview(
            environment=request.environment,
            agent=request.agent,
            verb=verb_called(bound.verb),
            action=request.action,
            occasion=Occasion(escalation=request.id, at=request.asked_at),
        )

    def _is_the_same(self, again: Preview, bound: Bound, request: Request) -> bool:
        """Tell whether a new preview of the same wish is what was approved, to the last byte that was hashed."""
        action = request.action
        planned = replace(
            bound,
            cluster_uid=again.cluster_uid,
            target=action.target,
            arguments=dict(sorted(action.parameters.items())),
            executor=self._executor(request.agent, bound.verb, action.target.namespace).username,
            steps=again.steps,
        )
        return fingerprint_of(bound_bytes(planned)) == request.fingerprint

    def _mint_and_send(self, execution: Execution, attempt: Attempt, bound: Bound, body: bytes) -> Execution:
        try:
            credential = self._mint(execution, bound)
        except Forbidden as error:
            return self._void(execution, Reason.NOT_PERMITTED, attempt=attempt, message=error.sentence)
        except Unavailable as error:
            message, wait = error.sentence, wait_after_unsent(attempt)
            return self._move(execution, lambda one, uow: disarm(one, attempt, now=uow.now, wait=wait, message=message))
        self.journey.reached(Milestone.MINTED, execution.id)
        return self._send(execution, attempt, bound, body, credential)

    def _mint(self, execution: Execution, bound: Bound) -> Credential:
        account = self._executor(execution.agent, bound.verb, execution.namespace)
        return self.cluster.mint(environment=execution.environment, account=account)

    def _executor(self, agent: str, verb: str, namespace: str) -> ServiceAccount:
        return self.policies.current().installation.executor(agent, verb, namespace)

    def _send(
        self, execution: Execution, attempt: Attempt, bound: Bound, body: bytes, credential: Credential
    ) -> Execution:
        self.journey.reached(Milestone.BEFORE_SENDING, execution.id)
        execution, sent = self._commit_sending(execution, attempt, credential)
        if sent is None:
            return execution
        self.journey.reached(Milestone.SENDING, execution.id)
        reply = self.cluster.send(
            environment=execution.environment,
            bound=bound,
            step=execution.step,
            body=body,
            credential=credential,
            within=leaves_within(sent),
        )
        self.journey.reached(Milestone.REPLIED, execution.id)
        after = self._outcome(execution, sent, reply, self._compared_reply(execution, sent, bound, reply))
        self.journey.reached(Milestone.OUTCOME, execution.id)
        return after

    def _commit_sending(
        self, execution: Execution, attempt: Attempt, credential: Credential
    ) -> tuple[Execution, Attempt | None]:
        """Commit that the bytes go out now, having read the gate once more; no attempt where they must not."""
        with self.store.writing() as uow:
            uow.lock_gate(exclusive=False)
            held = _locked(uow, execution)
            if not _still_wanted(uow, held, attempt):
                return _stopped(uow, held, attempt), None
            obstacle = self.clearance.obstacle(held.environment)
            if obstacle is not None:
                return _held_up(uow, held, attempt, obstacle), None
            try:
                transition = sending(
                    held, attempt, token_id=credential.token_id, token_expires_at=credential.expires_at, now=uow.now
                )
            except Clash as error:
                if error.code != "slow":
                    raise
                return _ended(uow, void(held, Reason.SLOW, now=uow.now, attempt=attempt)), None
            return _saved(uow, transition), _attempt_of(transition)

    def _outcome(
        self, execution: Execution, attempt: Attempt, reply: Reply, comparison: Comparison | None
    ) -> Execution:
        with self.store.writing() as uow:
            held = _locked(uow, execution)
            transition = _after(held, attempt, reply, uow, comparison)
            return _settled(uow, held, _saved(uow, transition))

    def _compared_reply(self, execution: Execution, attempt: Attempt, bound: Bound, reply: Reply) -> Comparison | None:
        """Return how the target compares with what was planned once a write was answered; None where it cannot be seen yet.

        The answer tells what came with the write, for certain; but a scale's shows the number alone, so the whole target is
        looked at, too, as it is where the answer was lost.
        """
        if reply.came is not Came.APPLIED:
            return None
        if not reply.as_planned:
            return Comparison(differences=reply.departures, came_with_it=True, is_unlike=True)
        try:
            seen = self._observe(execution, bound)
            return None if seen is None else self._beside(execution, attempt, bound, seen, is_answered=True)
        except Exception:  # noqa: BLE001 - whoever follows the effect looks again, and tells what is wrong
            # The answer says that it landed: whatever keeps us from looking at it may not make that unknown.
            return None

    def _beside(
        self, execution: Execution, attempt: Attempt, bound: Bound, seen: Mapping[str, Any], *, is_answered: bool
    ) -> Comparison | None:
        """Return in what the target, as *seen*, is otherwise than planned beside the fields that the write was about."""
        whole = self._compared(execution, attempt, bound, seen, is_answered=is_answered)
        return None if whole is None else whole.beside(bound.steps[execution.step].changes)

    def _compared(
        self, execution: Execution, attempt: Attempt, bound: Bound, seen: Mapping[str, Any], *, is_answered: bool
    ) -> Comparison | None:
        """Return in what the whole target, as *seen*, is otherwise than planned: the same check on every road.

        None where the image is not there or not what the start record names.
        """
        if attempt.image is None:
            return None
        with self.store.reading() as reading:
            image = reading.image(attempt.image)
        if image is None or not is_image(image, attempt.image):
            return None
        return compare(
            image,
            seen,
            step=bound.steps[execution.step].changes,
            generation_before=attempt.object_generation,
            is_ours=is_answered or verb_called(bound.verb).marked(bound, seen),
            mac=self.cluster.mac,
        )

    def _read_back(self, execution: Execution) -> None:
        """Find out whether a write whose reply was lost has landed, by the resend rule."""
        with self.store.reading() as reading:
            bound = _stored_bound(reading, execution)
            attempt = reading.last_attempt(execution.id)
        if bound is None or attempt is None:
            raise Unavailable(
                "What was approved is not stored as it was approved, so nothing can be read back against it."
            )
        try:
            seen = self._observe(execution, bound)
        except Unavailable as error:
            self._still_unknown(execution, attempt, error.sentence)
            return
        if seen is None:
            message = f"The target is gone, so nothing can tell whether the write landed. {_closing(execution)}"
            self._still_unknown(execution, attempt, message, look_again=LOOKED_AT_BY_A_PERSON)
            return
        landed = verb_called(bound.verb).evidence_of(bound, attempt.object_generation, seen)
        match landed:
            case Landed.APPLIED:
                comparison = self._beside(execution, attempt, bound, seen, is_answered=False)
                self._move(
                    execution,
                    lambda one, uow: applied(
                        one,
                        attempt,
                        now=uow.now,
                        http_status=None,
                        audit_id=None,
                        comparison=comparison,
                        read_back=True,
                        approvers=_approvers(uow, one),
                    ),
                )
            case Landed.NOT_APPLIED if can_resend(
                attempt, resource_version_now=str(seen["metadata"]["resourceVersion"])
            ):
                self._resend(execution, attempt, bound)
            case Landed.NOT_APPLIED:
                message = "The write was lost on its way and provably did not land."
                again = self._move(execution, lambda one, uow: not_landed(one, attempt, now=uow.now, message=message))
                self._carry_on(again)
            case Landed.CANNOT_TELL:
                message = f"It may have landed and been overwritten. {_closing(execution)}"
                found = self._compared(execution, attempt, bound, seen, is_answered=False)
                drift = () if found is None else found.told
                self._still_unknown(execution, attempt, message, look_again=LOOKED_AT_BY_A_PERSON, drift=drift)
            case _:
                assert_never(landed)

    def _resend(self, execution: Execution, attempt: Attempt, bound: Bound) -> None:
        """Send the same bytes again, conditional on the same resource version: at most one of the two can land."""
        body = envelope(bound.steps[execution.step], attempt.resource_version)
        if bytes_hash(body) != attempt.request_hash:
            raise Unavailable("The bytes are not those that were sent, so they are not sent again.")
        with self.store.reading() as reading:
            wanted = _still_wanted(reading, execution, attempt)
            dead = cannot_land_any_more(attempt, now=reading.now, request_timeout=REQUEST_TIMEOUT)
        if not wanted and dead and execution.state is Phase.UNKNOWN:
            self._void(execution, Reason.NEVER_LANDED, attempt=attempt)
            return
        if not wanted:
            self._still_unknown(
                execution, attempt, "It may still land; the target stays locked until it no longer can."
            )
            return
        obstacle = self.clearance.obstacle(execution.environment)
        if obstacle is not None:
            self._still_unknown(execution, attempt, obstacle.sentence)
            return
        try:
            credential = self._mint(execution, bound)
        except Refused as error:
            self._still_unknown(execution, attempt, error.sentence)
            return
        self._send(execution, attempt, bound, body, credential)

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
            self._look_later(execution, look_again)
            return
        self._move(
            execution,
            lambda one, uow: unknown(
                one,
                attempt,
                now=uow.now,
                message=message,
                look_again=look_again,
                drift=drift,
                approvers=_approvers(uow, one),
            ),
        )

    def _observe(self, execution: Execution, bound: Bound) -> Mapping[str, Any] | None:
        return self.cluster.observe(
            environment=execution.environment, agent=execution.agent, bound=bound, step=execution.step
        )

    def _follow(self, execution: Execution) -> None:
        """Look at the effect once, and write down what is new about it."""
        self.journey.reached(Milestone.IN_PROGRESS, execution.id)
        with self.store.reading() as reading:
            bound = _stored_bound(reading, execution)
            attempt = reading.last_attempt(execution.id)
        if bound is None or attempt is None:
            raise Unavailable("Its plan is not stored as it was approved.")
        progress, comparison = self._looked(execution, attempt, bound)
        with self.store.writing() as uow:
            held = _there(uow.lock_execution(execution.id))
            transition = _seen(held, progress, comparison, uow)
            after = held if transition is None else _saved(uow, transition)
            # Due as before, it would stand first in line again: a few stuck rollouts would keep out everything else.
            uow.look_later(held.id, uow.now + FOLLOW)
            uow.watch_later(held.id, _next_watch(after, now=uow.now))
        if transition is not None:
            self.journey.reached(Milestone.EFFECT, execution.id)

    def _looked(self, execution: Execution, attempt: Attempt, bound: Bound) -> tuple[Progress, Comparison | None]:
        """Return how far the effect is and, where nobody has compared the whole target yet, how it compares."""
        seen = self._observe(execution, bound)
        if seen is None:
            return Progress(effect=Effect.FAILED, sentence="The target is gone."), None
        comparison = None
        if not execution.compared:
            is_answered = attempt.http_status is not None
            comparison = self._beside(execution, attempt, bound, seen, is_answered=is_answered)
        progress = verb_called(bound.verb).yardstick.progress(bound, seen)
        if progress.effect is Effect.VERIFIED:
            return self._kept(execution, attempt, bound, seen, progress), comparison
        why = self._why_it_stands(execution, bound, seen, progress)
        told = f"{progress.sentence} {why}" if why else progress.sentence
        return replace(progress, sentence=told), comparison

    def _why_it_stands(self, execution: Execution, bound: Bound, seen: Mapping[str, Any], progress: Progress) -> str:
        """Return the cluster's own reason, in our words; its pods and events are asked only about what does not move.

        They are read for people's sake alone: whatever goes wrong with that costs the reason and not the look.
        """
        yardstick = verb_called(bound.verb).yardstick
        is_still = progress.pace == execution.pace and not execution.is_watched
        is_asked = progress.effect is not Effect.UNDONE and (is_still or progress.effect is Effect.FAILED)
        if not yardstick.looks_around or not is_asked:
            return yardstick.standstill(seen, (), ())
        try:
            around = self.cluster.surroundings(
                environment=execution.environment,
                agent=execution.agent,
                bound=bound,
                step=execution.step,
                workload=seen,
                since=(execution.landed_at or execution.due_at) - CLOCKS_APART,
            )
            return yardstick.standstill(seen, around.pods, around.events)
        except Exception:  # noqa: BLE001 - the workload's own conditions have to do
            return yardstick.standstill(seen, (), ())

    def _kept(
        self, execution: Execution, attempt: Attempt, bound: Bound, seen: Mapping[str, Any], progress: Progress
    ) -> Progress:
        """Return *progress*, undone where something that was done is set back beside what its verb looks at.

        What the write changed is what counts, also what admission changed with it; but not the marks that we leave.
        """
        if not (execution.is_watched and execution.effect is Effect.VERIFIED):
            return progress
        whole = self._compared(execution, attempt, bound, seen, is_answered=attempt.http_status is not None)
        marks = {path for path, word in verb_called(bound.verb).effect_words.items() if word is None}
        ours = {change.path for change in bound.steps[execution.step].changes} - marks
        gone = () if whole is None else tuple(one.path for one in whole.differences if one.path in ours)
        if not gone:
            return progress
        what = gone[0] if _PLAIN_PATH.fullmatch(gone[0]) else "a field"
        more = f" and {len(gone) - 1} more" if len(gone) > 1 else ""
        return replace(
            progress, effect=Effect.UNDONE, sentence=f"Somebody else has changed what it set since: {what}{more}."
        )

    def _look_later(self, execution: Execution, wait: timedelta) -> None:
        """Look at an execution again after *wait*, unless it has moved on; nothing is written down."""
        with self.store.writing() as uow:
            _check_unmoved(uow.lock_execution(execution.id), execution)
            uow.look_later(execution.id, uow.now + wait)

    def _supersede(self, execution: Execution, request: Request, drift: tuple[Change, ...]) -> Execution:
        """Void what has drifted and, where it can still be asked, put the same wish before people as the target is now.

        Whoever approved is told in what it has drifted.
        """
        draft = self._successor(request)
        with self.store.writing() as uow:
            uow.lock_gate(exclusive=False)
            held_request = uow.lock_request(request.id)
            held = _locked(uow, execution)
            approvers = () if held_request is None else held_request.decided_by
            over = _saved(uow, void(held, Reason.DRIFT, now=uow.now, drift=drift, approvers=approvers))
            uow.release_target(over)
            if held_request is not None and held_request.state is State.APPROVED:
                successor = None if draft is None else self.escalate.open_in(uow, draft, pauses=uow.pauses()).request
                uow.save(supersede(held_request, successor=None if successor is None else successor.id, now=uow.now))
        return over

    def _successor(self, request: Request) -> Draft | None:
        if request.chain >= CHAIN_LIMIT:
            return None
        with self.store.reading() as reading:
            texts, asked_at = plea_among(reading.texts(request.id)), reading.now
        try:
            return self.escalate.draft_again(request, texts, asked_at=asked_at)
        except Refused:
            return None

    def _void(
        self, execution: Execution, reason: Reason, *, attempt: Attempt | None = None, message: str = ""
    ) -> Execution:
        return self._move(execution, lambda one, uow: void(one, reason, now=uow.now, attempt=attempt, message=message))

    def _move(self, execution: Execution, move: Move) -> Execution:
        with self.store.writing() as uow:
            held = _locked(uow, execution)
            return _settled(uow, held, _saved(uow, move(held, uow)))


def _locked(uow: UnitOfWork, execution: Execution) -> Execution:
    """Return the execution's row, locked, if its lease is still ours, or if nobody has touched it since it was looked at.

    What is unknown is claimed here, in the transaction that writes: whoever lost a reply before has no say in it any more.

    Raises:
        Clash: Its lease went to another worker: what this one knows is out of date, and it must not write.
    """
    held = uow.lock_execution(execution.id)
    if execution.lease_until is None:
        held = _check_unmoved(held, execution)
        return _saved(uow, claim(held, now=uow.now)) if held.state is Phase.UNKNOWN else held
    if held is None or held.generation != execution.generation:
        raise Clash("Another worker holds it.")
    return held


def _check_unmoved(held: Execution | None, seen: Execution) -> Execution:
    """Return the row of an execution that nobody holds, if it stands as it was seen.

    Raises:
        Clash: Somebody was faster.
    """
    if held is None or held.revision != seen.revision:
        raise Clash("It has moved on.")
    return held


def _ours(execution: Execution) -> Execution:
    """Return it as what this very look has made of it: nothing of it needs to be claimed again, even where it is at rest."""
    return replace(execution, lease_until=execution.lease_until or execution.due_at)


def _settled(uow: UnitOfWork, before: Execution, after: Execution) -> Execution:
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


def _saved(uow: UnitOfWork, transition: Transition[Execution]) -> Execution:
    uow.save(transition)
    return transition.noun


def _attempt_of(transition: Transition[Execution]) -> Attempt:
    return next(noun for noun in transition.nouns if isinstance(noun, Attempt))


def _ended(uow: UnitOfWork, transition: Transition[Execution]) -> Execution:
    over = _saved(uow, transition)
    uow.release_target(over)
    return over


def _stored_bound(reading: Reading, execution: Execution) -> Bound | None:
    """Return the plan that was approved, from its stored bytes, or None where they are not what was hashed."""
    stored = reading.plan(execution.fingerprint)
    if stored is None or fingerprint_of(stored.bound) != execution.fingerprint:
        return None
    return bound_of(stored.bound)


def _there(execution: Execution | None) -> Execution:
    if execution is None:
        raise Clash("It is gone.")
    return execution


def _still_wanted(reading: Reading, execution: Execution, attempt: Attempt) -> bool:
    """Tell whether it may go out now: read again immediately before every send.

    No pause may have covered it since its start record (I4). The first send follows its start within seconds; a resend may
    come hours later, after a long outage, and needs an approval that is still valid then (I1).
    """
    if execution.state is not Phase.ARMED and reading.now >= execution.valid_until:
        return False
    return survives(reading.pauses(ended_after=attempt.epoch), execution.place, epoch=attempt.epoch)


def _stopped(uow: UnitOfWork, execution: Execution, attempt: Attempt) -> Execution:
    """Return it stopped by a pause: voided if nothing was ever sent, else left unknown until it can land no more."""
    if execution.state is Phase.ARMED:
        return _ended(uow, void(execution, Reason.PAUSED, now=uow.now, attempt=attempt))
    message = "It may still land; the target stays locked until it no longer can."
    return _saved(uow, unknown(execution, attempt, now=uow.now, message=message, look_again=LOST_AGAIN))


def _held_up(uow: UnitOfWork, execution: Execution, attempt: Attempt, obstacle: Obstacle) -> Execution:
    """Return it put back because its environment lost its clearance since its start; left unknown if it was sent before."""
    if execution.state is Phase.ARMED:
        wait = wait_after_unsent(attempt)
        waiting = _saved(uow, disarm(execution, attempt, now=uow.now, wait=wait, message=obstacle.sentence))
        uow.release_target(waiting)
        return waiting
    return _saved(uow, unknown(execution, attempt, now=uow.now, message=obstacle.sentence, look_again=LOST_AGAIN))


def _seen(
    execution: Execution, progress: Progress, comparison: Comparison | None, uow: UnitOfWork
) -> Transition[Execution] | None:
    """Return what one look at the effect changes: a target that is not as planned, else how far the effect is."""
    if progress.effect is Effect.UNDONE and _is_ours_to_tell_apart(execution, uow):
        return None
    if comparison is not None and not comparison.is_as_planned:
        return found_different(execution, comparison, now=uow.now, approvers=_approvers(uow, execution))
    checked = replace(execution, compared=execution.compared or comparison is not None)
    if progress.effect is Effect.VERIFIED and not checked.compared:
        progress = replace(progress, effect=Effect.DIFFERS, sentence=NOT_COMPARED)
    if checked.is_watched:
        return corrected(checked, progress, now=uow.now, look_again=WATCH)
    return followed(checked, progress, now=uow.now, look_again=FOLLOW)


def _is_ours_to_tell_apart(execution: Execution, reading: Reading) -> bool:
    """Tell whether another change of the same target may have landed already, so that nobody else need have undone this one."""
    others = reading.under_way_on(execution.cluster_uid, execution.object_uid)
    return any(one.id != execution.id and one.state in {Phase.SENDING, Phase.UNKNOWN} for one in others)


def _next_watch(execution: Execution, *, now: datetime) -> datetime | None:
    """Return when an execution that has ended is looked at again; None where that is no use any more."""
    at = now + (WATCH if execution.effect is Effect.VERIFIED else LATE)
    return at if execution.watched_until is not None and at <= execution.watched_until else None


def _closing(execution: Execution) -> str:
    """Return, as sentences, what ends an outcome that no read will tell: until then nobody else may change its target."""
    return f"A person must look at it, and then close this: countersign abandon {execution.escalation} --reason ..."


def _approvers(reading: Reading, execution: Execution) -> tuple[str, ...]:
    """Return who approved what is carried out: the people to tell where it is not what they approved."""
    request = reading.request(execution.escalation)
    return () if request is None else request.decided_by


def _after(
    execution: Execution, attempt: Attempt, reply: Reply, uow: UnitOfWork, comparison: Comparison | None
) -> Transition[Execution]:
    """Return what a reply makes of an execution. Once bytes were sent twice, only a read can tell what a no means."""
    now = uow.now
    resent = attempt.sends > 1
    match reply.came:
        case Came.APPLIED:
            return applied(
                execution,
                attempt,
                now=now,
                http_status=reply.status,
                audit_id=reply.audit_id,
                comparison=comparison,
                read_back=False,
                approvers=_approvers(uow, execution),
            )
        case Came.LOST:
            return unknown(execution, attempt, now=now, message=reply.message, look_again=wait_after_loss(attempt))
        case _ if resent:
            return unknown(execution, attempt, now=now, message=reply.message, look_again=wait_after_loss(attempt))
        case Came.REJECTED:
            return rejected(
                execution, attempt, now=now, http_status=reply.status, audit_id=reply.audit_id, message=reply.message
            )
        case Came.NOT_SENT | Came.BUSY:
            return disarm(execution, attempt, now=now, wait=wait_after_unsent(attempt), message=reply.message)
        case Came.CONFLICT | Came.EXPIRED:
            return not_landed(execution, attempt, now=now, message=reply.message)
        case _:
            assert_never(reply.came)
