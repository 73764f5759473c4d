"""Following: what a change that has landed comes to, and whether somebody undoes it soon after."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from approvals.audit.events import Transition
from approvals.change.plan import Bound
from approvals.errors import Unavailable
from approvals.ports.journey import Milestone
from approvals.ports.reading import Reading
from approvals.ports.store import UnitOfWork
from approvals.usecases.execution.comparing import Comparing
from approvals.usecases.execution.ports import Ports
from approvals.usecases.execution.rows import approvers_of, saved, stored_bound, there
from approvals.verbs.registry import verb_called
from approvals.verbs.verb import Effect, Progress
from approvals.workflow.comparison import Comparison
from approvals.workflow.execution import Attempt, Execution, Phase
from approvals.workflow.following import corrected, followed
from approvals.workflow.landing import found_different

WATCH: Final = timedelta(seconds=10)
"""How often it is looked whether somebody undoes what is done."""

LATE: Final = timedelta(minutes=1)
"""How often it is looked whether a rollout that was given up comes to its end after all."""

FOLLOW: Final = timedelta(seconds=1)
"""How often a rollout is looked at; where it cannot be, each time in a row twice as long."""

CLOCKS_APART: Final = timedelta(minutes=1)
"""How far a cluster's clock may be behind ours for its warnings to count as later than the write."""

_PLAIN_PATH: Final = re.compile(r"/[A-Za-z0-9./_~\[\]-]{1,120}")

NOT_COMPARED: Final = "What was planned as a whole is not kept as it was; whether anything else changed cannot be told."


@dataclass(frozen=True, slots=True, kw_only=True)
class Follow:
    """Looks at the effect of one execution, once a call."""

    ports: Ports
    comparing: Comparing

    def __call__(self, execution: Execution) -> None:
        """Look at the effect once, and write down what is new about it."""
        self.ports.journey.reached(Milestone.IN_PROGRESS, execution.id)
        with self.ports.store.reading() as reading:
            bound = stored_bound(reading, execution)
            attempt = reading.last_attempt(execution.id)
        if bound is None or attempt is None:
            raise Unavailable("Its plan is not stored as it was approved.")
        progress, comparison = self._looked(execution, attempt, bound)
        with self.ports.store.writing() as uow:
            held = there(uow.lock_execution(execution.id))
            transition = _seen(held, progress, comparison, uow)
            after = held if transition is None else saved(uow, transition)
            # Due as before, it would stand first in line again: a few stuck rollouts would keep out everything else.
            uow.look_later(held.id, uow.now + FOLLOW)
            uow.watch_later(held.id, _next_watch(after, now=uow.now))
        if transition is not None:
            self.ports.journey.reached(Milestone.EFFECT, execution.id)

    def _looked(self, execution: Execution, attempt: Attempt, bound: Bound) -> tuple[Progress, Comparison | None]:
        """Return how far the effect is and, where nobody has compared the whole target yet, how it compares."""
        seen = self.ports.observe(execution, bound)
        if seen is None:
            return Progress(effect=Effect.FAILED, sentence="The target is gone."), None
        comparison = None
        if not execution.compared:
            is_answered = attempt.http_status is not None
            comparison = self.comparing.beside(execution, attempt, bound, seen, is_answered=is_answered)
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
            around = self.ports.cluster.surroundings(
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
        whole = self.comparing.whole(execution, attempt, bound, seen, is_answered=attempt.http_status is not None)
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


def _seen(
    execution: Execution, progress: Progress, comparison: Comparison | None, uow: UnitOfWork
) -> Transition[Execution] | None:
    """Return what one look at the effect changes: a target that is not as planned, else how far the effect is."""
    if progress.effect is Effect.UNDONE and _is_ours_to_tell_apart(execution, uow):
        return None
    if comparison is not None and not comparison.is_as_planned:
        return found_different(execution, comparison, now=uow.now, approvers=approvers_of(uow, execution))
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
