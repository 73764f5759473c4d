"""Risk: how much is at stake, in four words that sort."""

from enum import StrEnum


class Risk(StrEnum):
    """From least to most; the strictest of several is the one that counts."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Its place in the order, from 0."""
        return list(Risk).index(self)

    @staticmethod
    def highest(*risks: "Risk") -> "Risk":
        """Return the highest of *risks*, of which there is at least one."""
        return max(risks, key=lambda risk: risk.rank)
