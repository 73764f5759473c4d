"""Mishaps that are remembered."""


class Unlucky:
    """Implements :class:`approvals.ports.journey.Mishaps` and keeps what it is told."""

    def __init__(self) -> None:
        """Begin with none."""
        self.told: list[tuple[str, str, str]] = []

    def happened(self, sweep: str, subject: str, error: Exception) -> None:
        """Keep the sweep, the row and the kind of fault."""
        self.told.append((sweep, subject, type(error).__name__))
