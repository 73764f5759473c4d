"""Keeping: a door raises what its port names, and nothing else. Whoever calls a port has a branch for each refusal it lists.

A library, a broken answer or a defect of ours can raise anything; a loop that meets what it has no branch for stops, or keeps its
place in line for ever. So the door says what it is: not known now, and asking again later is fine.
"""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import structlog

from approvals.errors import Refused, Unavailable

log = structlog.get_logger(__name__)

P = ParamSpec("P")
R = TypeVar("R")


def raises_only(*listed: type[Refused]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return what makes a door's method raise the refusals *listed*, and :class:`Unavailable` for whatever else it meets."""
    through: tuple[type[Refused], ...] = (*listed, Unavailable)

    def keeping(method: Callable[P, R]) -> Callable[P, R]:
        @wraps(method)
        def kept(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return method(*args, **kwargs)
            except through:
                raise
            except Refused as refusal:
                raise Unavailable(refusal.sentence, code=refusal.code) from refusal
            except Exception as error:
                log.exception("door.failed", doing=method.__name__)
                told = f"Countersign failed while it asked ({type(error).__name__}); the log has it."
                raise Unavailable(told, code="door_failed") from error

        return kept

    return keeping
