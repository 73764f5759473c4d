"""Implements :class:`approvals.ports.clearance.Clearance`: every environment is cleared, unless a test says otherwise."""

from dataclasses import dataclass, field

from approvals.ports.clearance import Obstacle


@dataclass
class FakeClearance:
    """Knows the obstacles that a test puts there, by environment."""

    obstacles: dict[str, Obstacle] = field(default_factory=dict)

    def obstacle(self, environment: str) -> Obstacle | None:
        """Return what a test put in the way."""
        return self.obstacles.get(environment)
