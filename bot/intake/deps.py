"""What the door needs: the verbs it calls, the threads it calls them in, and how much of everything it lets in."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from approvals.ports.store import Store
from approvals.usecases.intake.admit import Admit
from approvals.usecases.intake.escalate import Escalate
from approvals.usecases.intake.notice import TakeDelivery
from approvals.usecases.people.cancel import Cancel
from bot.health.legs import Readiness
from bot.intake.gate.rates import Buckets, Clock, Rate
from bot.intake.http.sources import Network
from bot.observe.metrics import Metrics
from bot.runtime.pools import Pools


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """How much all replicas together let in. Each is a pace and a burst; what is above is answered 429 with the time to wait."""

    calls: Rate = field(default_factory=lambda: Rate(per_second=10, burst=60))
    """All calls of one agent or monitor, whatever the token: a second token buys nothing. Sixty start a busy agent's
    polls at once; ten a second are more than a polite one needs."""
    escalations: Rate = field(default_factory=lambda: Rate(per_second=1, burst=20))
    """Escalations of one agent: each costs the API server a dry run and, in the end, a person's attention."""
    failures: Rate = field(default_factory=lambda: Rate(per_second=1 / 3, burst=20))
    """Failed credentials of one address: enough for a misconfigured agent's retries, too few to guess anything."""
    refusals: Rate = field(default_factory=lambda: Rate(per_second=1, burst=60))
    """Refusals of one agent that are written down one by one; those above it are counted."""


MOST_POLLS: Final = 200
"""Long polls that may wait at once; each costs a connection and a share of one look at the store."""

MOST_POLLS_OF_ONE: Final = 50
"""Of one agent: as many as it may have questions open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deps:
    """Everything the door is given. ``readiness`` is called in a thread."""

    store: Store
    admit: Admit
    escalate: Escalate
    cancel: Cancel
    notice: TakeDelivery
    pools: Pools
    metrics: Metrics
    readiness: Callable[[], Readiness]
    hears: Callable[[], bool] = lambda: False
    """Whether word comes of what other processes change."""
    proxies: tuple[Network, ...] = ()
    """The networks of proxies whose ``X-Forwarded-For`` counts."""
    rates: Rates = field(default_factory=Rates)
    replicas: Callable[[], int] = lambda: 1
    """How many replicas share the rates, this one included."""
    clock: Clock = time.monotonic

    def buckets(self, rate: Rate) -> Buckets:
        """Return what gives out this replica's part of *rate*."""
        return Buckets(rate, clock=self.clock, replicas=self.replicas)
