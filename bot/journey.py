"""The journey, in production: every milestone is a debug line, so that a log tells how far something came."""

import structlog

from approvals.ports import Milestone

log = structlog.get_logger(__name__)


class LoggedJourney:
    """Implements :class:`approvals.ports.Journey`."""

    def reached(self, milestone: Milestone, subject: str) -> None:
        """Log it."""
        log.debug("milestone", milestone=milestone.value, subject=subject)
