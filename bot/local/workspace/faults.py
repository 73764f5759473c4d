"""What can go wrong with Slack itself, on purpose: outages, slow replies, replies that are lost.

The web API asks here before and after each call. Tests set these; the page cannot.
"""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Faults:
    """Faults in force now.

    Attributes:
        outage: Every call answers 503 and nothing is delivered.
        delay_seconds: Replies wait this long, after the call took effect; by method, "*" for all.
        lost: How many more replies to lose after the call took effect; by method.
        errors: Errors to answer before the call takes effect, in order; by method.
    """

    outage: bool = False
    delay_seconds: dict[str, float] = field(default_factory=dict)
    lost: Counter[str] = field(default_factory=Counter)
    errors: dict[str, list[str]] = field(default_factory=dict)

    def delay_of(self, method: str) -> float:
        """Return how long the reply to *method* waits, in seconds."""
        return self.delay_seconds.get(method, self.delay_seconds.get("*", 0.0))

    def takes_reply(self, method: str) -> bool:
        """Tell whether this reply is lost, and count it."""
        if self.lost[method] <= 0:
            return False
        self.lost[method] -= 1
        return True

    def next_error(self, method: str) -> str | None:
        """Return the error planned for this call, and count it."""
        planned = self.errors.get(method)
        return planned.pop(0) if planned else None
