"""An effect is followed after its write: until it ends, and for a while longer."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from approvals.audit.events import EventKind, Transition
from approvals.errors import Clash
from approvals.verbs.verb import Effect, Progress
from approvals.workflow.execution import Execution, Phase
from approvals.workflow.landing import EFFECT_DEADLINE
from approvals.workflow.transition import MOST_WAITS, expect, moved

LONGEST_WATCH: Final = timedelta(days=1)
"""How long after the write its effect is looked at while it moves, and how long a truth may be late."""

UNDO_WATCH: Final = timedelta(minutes=1)
"""How long after *done* it is watched whether somebody sets it back; an autoscaler looks every 15 seconds."""

FEWER_LINES: Final = 4
"""A rollout's next line comes when a quarter more time has passed than at its last: 20 lines in 5 minutes, 45 in a day."""


def followed(
    execution: Execution, progress: Progress, *, now: datetime, look_again: timedelta, is_seen: bool = True
) -> Transition[Execution] | None:
    """Return what one look at the effect changes, or None where nothing worth writing down does.

    What moves is followed on, a day at most: it is timed out once it has stood still for :data:`EFFECT_DEADLINE`.

    A failure is believed when it is seen twice running: right after a write the API server was measured to show the new
    generation with the old rollout's failed condition for some 40 ms. How far a rollout is, is told ever more rarely
    (:data:`FEWER_LINES`): pods that come and go are no events.

    Args:
        execution: It has landed.
        progress: What the look showed.
        now: Its instant.
        look_again: How long until the next one.
        is_seen: Whether the target was seen; otherwise the sentence says why not.

    Raises:
        Clash: There is no effect to follow, or it has ended: a look taken before that has nothing to say any more.
    """
    expect(execution, Phase.APPLIED)
    if execution.is_over:
        raise Clash("The effect has ended.", code="execution_moved")
    effect, sentence = progress.effect, progress.sentence
    is_believed = sentence == execution.message or execution.waits >= MOST_WAITS
    is_doubted = not is_seen or (effect is Effect.FAILED and not is_believed)
    if is_doubted:
        effect = Effect.IN_PROGRESS
    has_moved = is_seen and execution.pace not in {"", progress.pace}
    at_deadline = execution.effect_deadline is not None and now >= execution.effect_deadline
    if effect is Effect.IN_PROGRESS and at_deadline and not (has_moved and now < _last_look(execution, now)):
        effect = Effect.TIMED_OUT
        sentence = f"{'Not finished when we stopped looking.' if is_seen else 'Not followed to its end.'} {sentence}"
    is_news = effect is not execution.effect or is_doubted is not execution.doubted
    is_due = _is_time_for_a_line(execution, now) or (is_doubted and execution.waits < MOST_WAITS)
    if not is_news and not at_deadline and (sentence == execution.message or not is_due):
        return None
    deadline = execution.effect_deadline
    if has_moved and deadline is not None:
        deadline = max(deadline, min(now + EFFECT_DEADLINE, _last_look(execution, now)))
    seen = replace(
        execution,
        revision=execution.revision + 1,
        lease_until=None,
        due_at=now + look_again,
        waits=execution.waits + is_doubted,
        effect=effect,
        effect_deadline=deadline,
        pace=progress.pace if is_seen else execution.pace,
        watched_until=_watched_until(effect, execution, now),
        doubted=is_doubted,
        message=sentence,
    )
    return moved(EventKind.EXECUTION_EFFECT, seen, now=now)


def _last_look(execution: Execution, now: datetime) -> datetime:
    """Return when an effect is looked at for the last time, however much it moves."""
    return (execution.landed_at or now) + LONGEST_WATCH


def _watched_until(effect: Effect, execution: Execution, now: datetime) -> datetime | None:
    """Return how long an effect is looked at after it has come to *effect*; None where nothing new can be learnt."""
    if effect is Effect.VERIFIED:
        return now + UNDO_WATCH
    return _last_look(execution, now) if effect in _LATER_TRUTHS else None


_LATER_TRUTHS: Final[Mapping[Effect, frozenset[Effect]]] = {
    Effect.TIMED_OUT: frozenset({Effect.VERIFIED, Effect.FAILED, Effect.DIFFERS, Effect.UNDONE}),
    Effect.FAILED: frozenset({Effect.VERIFIED, Effect.DIFFERS, Effect.UNDONE}),
    Effect.VERIFIED: frozenset({Effect.UNDONE}),
}
"""What a look after the end may still find. A rollout that had failed may go on once its quota is raised."""


def corrected(
    execution: Execution, progress: Progress, *, now: datetime, look_again: timedelta
) -> Transition[Execution] | None:
    """Return what a look at an effect that has ended corrects, or None where it stays as it was told.

    Args:
        execution: It is watched on.
        progress: What the look showed.
        now: Its instant.
        look_again: How long until the next look, where there is one.

    Raises:
        Clash: Nobody watches it any more.
    """
    expect(execution, Phase.APPLIED)
    if not execution.is_watched or execution.effect is None:
        raise Clash("The effect is watched no more.", code="execution_moved")
    if progress.effect not in _LATER_TRUTHS.get(execution.effect, frozenset()):
        return None
    later = replace(
        execution,
        revision=execution.revision + 1,
        lease_until=None,
        due_at=now + look_again,
        effect=progress.effect,
        pace=progress.pace,
        watched_until=_watched_until(progress.effect, execution, now),
        message=progress.sentence,
    )
    return moved(EventKind.EXECUTION_EFFECT, later, now=now)


def _is_time_for_a_line(execution: Execution, now: datetime) -> bool:
    """Tell whether a quarter more time has passed since the write than had at the last event."""
    if execution.landed_at is None:
        return True
    return now - execution.due_at >= (execution.due_at - execution.landed_at) / FEWER_LINES


def overtaken(execution: Execution, *, by: str, now: datetime) -> Transition[Execution]:
    """Return the transition that ends the watch over a rollout, because the escalation *by* has changed the same target since.

    Raises:
        Clash: There is no rollout to watch.
    """
    expect(execution, Phase.APPLIED)
    if execution.is_over:
        raise Clash("The effect has ended.", code="execution_moved")
    over = replace(
        execution,
        revision=execution.revision + 1,
        lease_until=None,
        effect=Effect.OVERTAKEN,
        message=f"{by}, a newer change of the same target, was applied before it had finished.",
    )
    return moved(EventKind.EXECUTION_EFFECT, over, now=now)
