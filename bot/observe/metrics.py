"""Metrics: what an operator's Prometheus reads at ``/metrics``. Counters only ever count what happened in this process.

Figures that must add up over restarts, such as the digest's, come from the audit trail and not from here. Label values are
our own words (routes, codes, milestones) and the policy's names of environments, never anything that came from outside, so
their number is bounded.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Final

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from typing_extensions import override

from approvals.ports.journey import Journey, Milestone
from bot.health.legs import Leg, LegState
from bot.runtime.pools import BoundedPool, Pools

MEDIA_TYPE: Final = CONTENT_TYPE_LATEST
"""What :meth:`Metrics.text` is."""

_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Up to the longest that a long poll may take."""


class Metrics(Journey):
    """The counters of one process; implements :class:`approvals.ports.journey.Journey`. Any thread may call it."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        """Begin at zero, in a registry of its own unless one is given."""
        self.registry = registry or CollectorRegistry(auto_describe=True)
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self._calls = Counter(
            "countersign_http_requests", "Calls answered.", ["method", "route", "status"], registry=self.registry
        )
        self._seconds = Histogram(
            "countersign_http_request_seconds",
            "From a call's headers to the end of its answer; long polls include their wait.",
            ["route"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._refusals = Counter(
            "countersign_intake_refusals", "Calls of agents and monitors refused.", ["code"], registry=self.registry
        )
        self._milestones = Counter(
            "countersign_milestones", "Durable steps of escalations reached.", ["milestone"], registry=self.registry
        )
        self._failures = Counter(
            "countersign_work_failures",
            "Background work that failed and comes again.",
            ["work"],
            registry=self.registry,
        )
        self._unseen = Gauge(
            "countersign_questions_unseen",
            "Questions whose deadline runs and that nobody can see: not shown within 15 seconds.",
            registry=self.registry,
        )
        self._in_hand = Gauge(
            "countersign_pool_in_hand", "Pieces of work that run or wait.", ["pool"], registry=self.registry
        )
        self._polls = Gauge("countersign_long_polls", "Long polls that wait.", registry=self.registry)
        self._leads = Gauge(
            "countersign_leads", "Whether this process leads: 1 on one replica.", registry=self.registry
        )
        self._short = Gauge(
            "countersign_rules_short_of_people",
            "Rules that too few people could answer, or of which that could not be found out, when last counted.",
            registry=self.registry,
        )

    def answered(self, *, method: str, route: str, status: int, seconds: float) -> None:
        """Count one call.

        Args:
            method: Its HTTP method.
            route: The template that it matched, never the path itself.
            status: How it was answered.
            seconds: How long that took.
        """
        self._calls.labels(method=method, route=route, status=str(status)).inc()
        self._seconds.labels(route=route).observe(seconds)

    def refused(self, code: str) -> None:
        """Count one refused call by its stable code."""
        self._refusals.labels(code=code).inc()

    @override
    def reached(self, milestone: Milestone, subject: str) -> None:
        """Count one milestone; whose it was is the audit trail's to tell."""
        del subject
        self._milestones.labels(milestone=milestone.value).inc()

    def failed(self, work: str) -> None:
        """Count one failure of a tick or of a piece of work, by its name."""
        self._failures.labels(work=work).inc()

    def short_of_people(self, rules: int) -> None:
        """Show how many rules too few people could answer."""
        self._short.set(rules)

    def unseen(self, questions: int) -> None:
        """Set how many questions nobody can see while their deadline runs."""
        self._unseen.set(questions)

    def watch_pools(self, pools: Pools) -> None:
        """Read the pools' fill whenever somebody asks for the figures."""
        for pool in (pools.urgent, pools.decide, pools.intake, pools.cluster):
            self._in_hand.labels(pool=pool.name).set_function(partial(_in_hand, pool))

    def watch_polls(self, waiting: Callable[[], int]) -> None:
        """Read how many long polls wait whenever somebody asks for the figures."""
        self._polls.set_function(lambda: float(waiting()))

    def watch_leading(self, leads: Callable[[], bool]) -> None:
        """Read whether this process leads whenever somebody asks for the figures."""
        self._leads.set_function(lambda: float(leads()))

    def watch_legs(self, legs: Callable[[], Iterable[Leg]]) -> None:
        """Read how every leg is whenever somebody asks for the figures."""
        self.registry.register(_LegFigures(legs))

    def text(self) -> bytes:
        """Return every figure in Prometheus' text format."""
        return generate_latest(self.registry)


def _in_hand(pool: BoundedPool) -> float:
    return float(pool.in_hand)


class _LegFigures(Collector):
    """How every leg is: made anew each time, so that no state outlives what it told of."""

    def __init__(self, legs: Callable[[], Iterable[Leg]]) -> None:
        self._legs = legs

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Return which figures there will be."""
        return _leg_families()

    @override
    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Give them."""
        stands, since = _leg_families()
        for leg in self._legs():
            labels = (leg.part.value, leg.of)
            stands.add_metric((*labels, leg.code), float(leg.state is LegState.GOOD))
            since.add_metric(labels, leg.since.timestamp())
        yield from (stands, since)


def _leg_families() -> tuple[GaugeMetricFamily, GaugeMetricFamily]:
    return (
        GaugeMetricFamily(
            "countersign_leg_up",
            "Whether something that the service stands on is as it should be; the code says why not.",
            labels=("leg", "of", "code"),
        ),
        GaugeMetricFamily(
            "countersign_leg_since_timestamp_seconds",
            "Since when it has been as it is now.",
            labels=("leg", "of"),
        ),
    )
