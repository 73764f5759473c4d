"""Mishaps: what a sweep could not do with one row, in the log and among the failures that are counted."""

from collections.abc import Callable
from dataclasses import dataclass

import structlog
from typing_extensions import override

from approvals.ports.journey import Mishaps

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedMishaps(Mishaps):
    """Implements :class:`approvals.ports.journey.Mishaps`."""

    failed: Callable[[str], None]
    """Is told the name of the sweep."""

    @override
    def happened(self, sweep: str, subject: str, error: Exception) -> None:
        """Note that *sweep* could not deal with the row *subject*, and why."""
        log.error(
            "row.left_aside", sweep=sweep, subject=subject, error=f"{type(error).__name__}: {error}", exc_info=error
        )
        self.failed(sweep)
