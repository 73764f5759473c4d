"""Journeys: one that remembers, and one that stops the process's work at a named milestone, as a crash would."""

from approvals.ports.journey import Milestone


class Remembered:
    """Implements :class:`approvals.ports.journey.Journey` and keeps what it is told."""

    def __init__(self) -> None:
        self.reached_so_far: list[tuple[Milestone, str]] = []

    def reached(self, milestone: Milestone, subject: str) -> None:
        """Keep it."""
        self.reached_so_far.append((milestone, subject))


class Crash(BaseException):
    """The process is gone. Not an Exception, so that no handler of ours survives it."""


class CrashesAt:
    """Crashes the first time a milestone is reached, and never again."""

    def __init__(self, milestone: Milestone) -> None:
        self.milestone = milestone
        self.crashed = False

    def reached(self, milestone: Milestone, subject: str) -> None:
        """Crash, if this is the place."""
        if milestone is self.milestone and not self.crashed:
            self.crashed = True
            raise Crash(f"{milestone} of {subject}")
