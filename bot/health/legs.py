"""Legs: what the service stands on, each with how it is, since when and why. Kept in memory for one process.

The store, Slack's two ways, every cluster and its checks, every tick, the sealer, the worker lock, the policy file, the clock:
each reports itself here. A change is logged as it happens; metrics, ``/readyz`` and the heartbeat (and through it
``countersign status``) read what stands here. A leg that has to report again within some time and does not is *silent*: a tick
that hangs reports nothing, and must not look like one that works.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from threading import Lock
from typing import Final

from models.engine.logs import Logger

log = Logger(__name__)


class LegKind(StrEnum):
    """What a leg is. Part of metrics and of ``/readyz``; never renamed."""

    STORE = "store"
    SLACK_API = "slack_api"
    SLACK_DOOR = "slack_door"
    """How clicks reach us: the socket, or the HTTP route."""
    CLUSTER = "cluster"
    """One environment's API server: reached, and our token taken."""
    ENVIRONMENT = "environment"
    """Whether changes may start in one environment."""
    CHECKS = "checks"
    """What the checks of one environment's cluster found."""
    FENCES = "fences"
    """Whether the admission policies and rights of one environment's cluster stand, watched."""
    CHANNEL = "channel"
    """What the check of one environment's channel found."""
    TICK = "tick"
    SEALER = "sealer"
    WORKER_LOCK = "worker_lock"
    POLICY = "policy"
    """The policy file as it lies there now; the policy in force is always a good one."""
    CLOCK = "clock"
    PEOPLE = "people"
    """Whether enough people could answer what a rule asks of one agent; a single one where all rules have enough."""


class LegState(StrEnum):
    """How a leg is."""

    GOOD = "good"
    FAILING = "failing"
    UNKNOWN = "unknown"
    """Not looked at yet."""


GOOD: Final = "ok"
SILENT: Final = "silent"
NOT_YET: Final = "not_yet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One leg, as it is."""

    part: LegKind
    of: str
    """Which one: an environment, a tick; empty where there is only one. For operators only."""
    state: LegState
    code: str
    """Why, in a word of ours that names nobody."""
    why: str
    """Why and what to do, for operators; empty where it is good."""
    since: datetime
    """Since when it has had this state and code."""
    seen_at: datetime
    """When it last reported."""


class Legs:
    """All of them. Any thread may call it."""

    def __init__(self, *, now: Callable[[], datetime], monotonic: Callable[[], float] = time.monotonic) -> None:
        """Begin with none; *now* is the aware instant, *monotonic* seconds that only count up."""
        self._now = now
        self._monotonic = monotonic
        self._lock = Lock()
        self._legs: dict[tuple[LegKind, str], Leg] = {}
        self._within: dict[tuple[LegKind, str], timedelta] = {}
        self._heard: dict[tuple[LegKind, str], float] = {}
        """When each last reported, in seconds that only count up: a clock that is put back hides no silence."""
        self._sources: list[Callable[[], Iterable[Leg]]] = []

    def add_source(self, source: Callable[[], Iterable[Leg]]) -> None:
        """Have legs that somebody else keeps among these; whoever keeps them logs their changes."""
        self._sources.append(source)

    def expect(self, part: LegKind, of: str = "", *, within: timedelta) -> None:
        """Have a leg that must report at least once *within* some time from now on, and again within it each time."""
        now = self._now()
        with self._lock:
            self._within[part, of] = within
            self._legs.setdefault((part, of), _unknown(part, of, now))
            self._heard.setdefault((part, of), self._monotonic())

    def good(self, part: LegKind, of: str = "") -> None:
        """Take down that a leg stands."""
        self._report(part, of, LegState.GOOD, GOOD, "")

    def failing(self, part: LegKind, of: str = "", *, code: str, why: str) -> None:
        """Take down that a leg does not stand.

        Args:
            part: What it is.
            of: Which one.
            code: Why, for programs.
            why: Why and what to do, in words of ours.
        """
        self._report(part, of, LegState.FAILING, code, why)

    def unknown(self, part: LegKind, of: str = "", *, code: str = NOT_YET, why: str = "") -> None:
        """Take down that it is not known how a leg is."""
        self._report(part, of, LegState.UNKNOWN, code, why)

    def forget(self, part: LegKind, of: str) -> None:
        """Drop a leg that there is no more."""
        with self._lock:
            self._legs.pop((part, of), None)
            self._within.pop((part, of), None)
            self._heard.pop((part, of), None)

    def all(self) -> tuple[Leg, ...]:
        """Return every leg as it is now, silent ones among them, in the order of parts and names."""
        now, order = self._now(), list(LegKind)
        with self._lock:
            legs = [self._as_of(leg, now) for leg in self._legs.values()]
        legs += [leg for source in self._sources for leg in source()]
        return tuple(sorted(legs, key=lambda leg: (order.index(leg.part), leg.of)))

    def of(self, part: LegKind) -> tuple[Leg, ...]:
        """Return the legs of one part."""
        return tuple(leg for leg in self.all() if leg.part is part)

    def review(self) -> None:
        """Take down, and log, which legs have fallen silent."""
        now, silent = self._now(), []
        with self._lock:
            for key, leg in self._legs.items():
                as_of = self._as_of(leg, now)
                if as_of is not leg:
                    silent.append((leg, as_of))
                    self._legs[key] = as_of
        for before, leg in silent:
            _log_change(before, leg)

    def _as_of(self, leg: Leg, now: datetime) -> Leg:
        within = self._within.get((leg.part, leg.of))
        if within is None or leg.code == SILENT:
            return leg
        unheard = timedelta(seconds=self._monotonic() - self._heard[leg.part, leg.of])
        if max(now - leg.seen_at, unheard) <= within:
            return leg
        why = f"Nothing was heard of it for more than {round(within.total_seconds())} seconds."
        return replace(leg, state=LegState.FAILING, code=SILENT, why=why, since=leg.seen_at)

    def _report(self, part: LegKind, of: str, state: LegState, code: str, why: str) -> None:
        now = self._now()
        with self._lock:
            known = self._legs.get((part, of))
            is_news = known is None or (known.state, known.code) != (state, code)
            since = now if known is None or is_news else known.since
            leg = Leg(part=part, of=of, state=state, code=code, why=why, since=since, seen_at=now)
            self._legs[part, of] = leg
            self._heard[part, of] = self._monotonic()
        if is_news:
            _log_change(known, leg)


def _unknown(part: LegKind, of: str, now: datetime) -> Leg:
    return Leg(part=part, of=of, state=LegState.UNKNOWN, code=NOT_YET, why="", since=now, seen_at=now)


def _log_change(before: Leg | None, leg: Leg) -> None:
    if leg.state is LegState.FAILING:
        log.warning("leg.fails", leg=leg.part.value, of=leg.of, code=leg.code, why=leg.why)
    elif leg.state is LegState.GOOD and before is not None and before.state is LegState.FAILING:
        seconds = round((leg.since - before.since).total_seconds())
        log.info("leg.stands_again", leg=leg.part.value, of=leg.of, was=before.code, after_seconds=seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """Some legs of one part that are alike, without their names."""

    part: LegKind
    state: LegState
    code: str
    number: int
    since: datetime
    """Of the oldest."""


def together(legs: Iterable[Leg]) -> tuple[Together, ...]:
    """Return *legs* without names: those of one part, state and code as one, in the order in which they come."""
    groups: dict[tuple[LegKind, LegState, str], list[Leg]] = {}
    for leg in legs:
        groups.setdefault((leg.part, leg.state, leg.code), []).append(leg)
    return tuple(
        Together(part=part, state=state, code=code, number=len(alike), since=min(leg.since for leg in alike))
        for (part, state, code), alike in groups.items()
    )


SHUTTING: Final = frozenset({LegKind.STORE})
"""The parts without which this process can do nothing for whoever calls it. Without any other it still takes questions on,
lets silence deny and pauses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """Whether this process should get traffic, and how everything that it stands on is."""

    legs: tuple[Leg, ...]
    is_stopping: bool = False

    @property
    def missing(self) -> tuple[str, ...]:
        """Why it should get none, in words that name nobody; empty where it should."""
        stopping = ("it is stopping",) if self.is_stopping else ()
        shut = [leg for leg in self.legs if leg.part in SHUTTING and leg.state is LegState.FAILING]
        return (*stopping, *(f"{leg.part.value} ({leg.code})" for leg in shut))
