"""What can go wrong with Slack itself, on purpose: outages, slow replies, replies that are lost or cut.

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
        cut: How many more replies to break off in the middle after the call took effect; by method.
        errors: Errors to answer before the call takes effect, in order; by method.
        refusing: What every call is answered before it takes effect, until it is taken away; by method, or by method and
            channel with a space between.
        retry_after_seconds: What a planned ``ratelimited`` asks the caller to wait.
    """

    outage: bool = False
    delay_seconds: dict[str, float] = field(default_factory=dict)
    lost: Counter[str] = field(default_factory=Counter)
    cut: Counter[str] = field(default_factory=Counter)
    errors: dict[str, list[str]] = field(default_factory=dict)
    refusing: dict[str, str] = field(default_factory=dict)
    retry_after_seconds: int = 1

    def delay_of(self, method: str) -> float:
        """Return how long the reply to *method* waits, in seconds."""
        return self.delay_seconds.get(method, self.delay_seconds.get("*", 0.0))

    def takes_reply(self, method: str) -> bool:
        """Tell whether this reply is lost, and count it."""
        return _one_of(self.lost, method)

    def cuts_reply(self, method: str) -> bool:
        """Tell whether this reply breaks off in the middle, and count it."""
        return _one_of(self.cut, method)

    def next_error(self, method: str, channel: str = "") -> str | None:
        """Return the error planned for this call, and count it."""
        planned = self.errors.get(method)
        if planned:
            return planned.pop(0)
        return self.refusing.get(f"{method} {channel}", self.refusing.get(method))


def _one_of(planned: Counter[str], method: str) -> bool:
    if planned[method] <= 0:
        return False
    planned[method] -= 1
    return True
