"""Clearances: where changes may start now."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """Why nothing may start in an environment now."""

    code: str
    """For programs, and for what an unauthenticated caller may see: a word of ours that names no environment."""
    sentence: str
    """For people: what it is and what to do, in words of ours, without the environment's name."""


class Clearance(Protocol):
    """Knows where changes may start now: in no environment whose checks have not passed, or whose fences do not stand (I18).

    It answers at once, from memory: it is asked under the locks of a start.
    """

    def obstacle(self, environment: str) -> Obstacle | None:
        """Return why nothing may start in *environment* now, or None where changes may.

        An environment that nobody has cleared has an obstacle.
        """
        ...
