"""Comparing: whether the whole target is as it was planned. Every road to an outcome asks here, so that none is laxer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from approvals.change.image import is_image
from approvals.change.plan import Bound
from approvals.usecases.execution.ports import Ports
from approvals.verbs.registry import verb_called
from approvals.workflow.comparison import Comparison, compare
from approvals.workflow.execution import Attempt, Execution


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparing:
    """Compares the target with the image that was kept of it at the start."""

    ports: Ports

    def beside(
        self, execution: Execution, attempt: Attempt, bound: Bound, seen: Mapping[str, Any], *, is_answered: bool
    ) -> Comparison | None:
        """Return in what the target, as *seen*, is otherwise than planned beside the fields that the write was about."""
        whole = self.whole(execution, attempt, bound, seen, is_answered=is_answered)
        return None if whole is None else whole.beside(bound.steps[execution.step].changes)

    def whole(
        self, execution: Execution, attempt: Attempt, bound: Bound, seen: Mapping[str, Any], *, is_answered: bool
    ) -> Comparison | None:
        """Return in what the whole target, as *seen*, is otherwise than planned: the same check on every road.

        None where the image is not there or not what the start record names.
        """
        if attempt.image is None:
            return None
        with self.ports.store.reading() as reading:
            image = reading.image(attempt.image)
        if image is None or not is_image(image, attempt.image):
            return None
        return compare(
            image,
            seen,
            step=bound.steps[execution.step].changes,
            generation_before=attempt.object_generation,
            is_ours=is_answered or verb_called(bound.verb).marked(bound, seen),
            mac=self.ports.cluster.mac,
        )
