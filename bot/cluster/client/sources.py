"""Sources: where the bot's own account at a cluster comes from. Naming one loads no client library."""

from dataclasses import dataclass
from pathlib import Path

from typing_extensions import override


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where the bot's own account at a cluster comes from."""

    kubeconfig: Path | None
    """None for the service account of the pod that the bot runs in."""
    context: str | None = None
    """The kubeconfig's context; None for the one that it calls current."""
    cluster: str = "main"
    """What the policy calls it. Two names are two clusters, however they are reached."""

    @override
    def __str__(self) -> str:
        """Return it in words for the operator."""
        if self.kubeconfig is None:
            return "the pod's service account"
        return f"{self.kubeconfig} (context {self.context or 'as the file says'})"
