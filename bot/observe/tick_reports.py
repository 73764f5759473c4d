"""Tick reports: how each tick went, as legs and as figures."""

from typing import Final

from typing_extensions import override

from approvals.errors import Refused
from bot.health.legs import LegKind, Legs
from bot.observe.metrics import Metrics
from bot.runtime.scheduler import Reports

SEAL: Final = "seal"
"""The tick that is a leg by a name of its own: without it the trail's tail stays unsealed."""


class TickReports(Reports):
    """Implements :class:`bot.runtime.scheduler.Reports`."""

    def __init__(self, legs: Legs, metrics: Metrics) -> None:
        """Keep who is told."""
        self._legs = legs
        self._metrics = metrics

    @override
    def went(self, name: str) -> None:
        """Note that a tick ended well."""
        self._legs.good(*leg_of(name))

    @override
    def failed(self, name: str, error: Exception) -> None:
        """Note that a tick raised; what is no refusal of ours is told by its kind alone, because its text may quote anybody."""
        self._metrics.failed(name)
        if isinstance(error, Refused):
            code, why = error.cause_code, error.for_operators
        else:
            code, why = "raised", f"It raised {type(error).__name__}; see the log."
        self._legs.failing(*leg_of(name), code=code, why=why)


def leg_of(tick: str) -> tuple[LegKind, str]:
    """Return which leg a tick is."""
    return (LegKind.SEALER, "") if tick == SEAL else (LegKind.TICK, tick)
