"""Clearances: where changes may start now. Implements :class:`approvals.ports.clearance.Clearance` for one process.

Several holders may keep an environment shut at the same time, each for a reason of its own: its checks have not passed, its
admission policies are missing, another cluster answers in its place. Each holder holds and releases under its own name, and
changes start once nobody holds. An environment that was never spoken of is held by its first checks, so that one which a
reloaded policy brings starts nothing before it was checked (I18).
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Final

import structlog
from typing_extensions import override

from approvals.ports.clearance import Clearance, Obstacle
from bot.health.legs import GOOD, Leg, LegKind, LegState

log = structlog.get_logger(__name__)

FIRST_CHECKS: Final = "checks"
"""The holder of every environment until its cluster's checks have passed, and again whenever they find something grave."""

CHANNEL_CHECKS: Final = "channel"
"""Likewise, until its channel was seen to be one in which people can be asked."""

FENCES: Final = "fences"
"""The holder of every environment until the admission policies and rights of its cluster were seen to stand, and again whenever
they do not, or it cannot be seen whether they do."""

STATEMENT: Final = "statement"
"""The holder of every environment whose cluster is not the one that the policy, or an earlier look, says."""

NOT_CHECKED: Final = Obstacle(
    code="not_checked",
    sentence="The checks of this environment have not passed yet, so nothing starts in it.",
)

NOT_SEEN: Final = Obstacle(
    code="fences_not_seen",
    sentence="Whether the admission policies and rights of its cluster still stand cannot be seen now, so nothing starts in it.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """One reason why nothing starts in an environment."""

    holder: str
    obstacle: Obstacle
    since: datetime
    """Since when this holder holds, whatever its reasons were meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lapse:
    """When a release that counts for a while ends: by the clock or by seconds that only count up, whichever is first.

    A clock that is put back must not have a release count for longer; seconds that only count up stand still in a machine that
    is suspended.
    """

    at: datetime
    monotonic: float


class Clearances(Clearance):
    """Remembers who holds which environment. Any thread may call it."""

    def __init__(
        self,
        *,
        now: Callable[[], datetime],
        at_first: Mapping[str, Obstacle] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin with nothing cleared.

        Args:
            now: The aware instant.
            at_first: The holders that must each release an environment once before anything starts in it, with the reason
                until then; None for the checks of its cluster and its channel, and for the watch over its fences.
            monotonic: Seconds that only count up.
        """
        self._now = now
        self._monotonic = monotonic
        self._at_first = dict(at_first or dict.fromkeys((FIRST_CHECKS, CHANNEL_CHECKS, FENCES), NOT_CHECKED))
        self._lock = Lock()
        self._holds: dict[str, dict[str, Hold]] = {}
        self._lapses: dict[str, dict[str, _Lapse]] = {}
        self._cleared_at: dict[str, datetime] = {}

    @override
    def obstacle(self, environment: str) -> Obstacle | None:
        """Return the first of the reasons why nothing may start in *environment* now, or None where changes may."""
        holds = self.holds(environment)
        return holds[0].obstacle if holds else None

    def holds(self, environment: str) -> tuple[Hold, ...]:
        """Return every reason why nothing may start in *environment* now: known ones first, and of those the oldest."""
        with self._lock:
            return tuple(sorted(self._of(environment).values(), key=_weight))

    def leg(self, environment: str, *, now: datetime) -> Leg:
        """Return whether changes may start in *environment*, as a leg."""
        holds = self.holds(environment)
        obstacle = holds[0].obstacle if holds else None
        return Leg(
            part=LegKind.ENVIRONMENT,
            of=environment,
            state=LegState.GOOD if obstacle is None else LegState.FAILING,
            code=GOOD if obstacle is None else obstacle.code,
            why="" if obstacle is None else obstacle.sentence,
            since=holds[0].since if holds else self._cleared_at.get(environment, now),
            seen_at=now,
        )

    def hold(self, environment: str, *, holder: str, obstacle: Obstacle) -> None:
        """Let nothing start in *environment* until *holder* releases it; held again, it has the newer reason."""
        with self._lock:
            holds = self._of(environment)
            known = holds.get(holder)
            self._lapses[environment].pop(holder, None)
            since = self._now() if known is None else known.since
            holds[holder] = Hold(holder=holder, obstacle=obstacle, since=since)
        if known is None or known.obstacle != obstacle:
            log.warning(
                "clearance.held", environment=environment, holder=holder, code=obstacle.code, why=obstacle.sentence
            )

    def release(self, environment: str, *, holder: str, good_for: timedelta | None = None) -> None:
        """Take back what *holder* had against *environment*; changes start once nobody holds it any more.

        Args:
            environment: Which.
            holder: Who takes back what it had.
            good_for: How long that counts, where it does not count for ever: whoever watches and falls silent holds again.
        """
        with self._lock:
            holds, now = self._of(environment), self._now()
            known = holds.pop(holder, None)
            self._lapses[environment].pop(holder, None)
            if good_for is not None:
                ends = self._monotonic() + good_for.total_seconds()
                self._lapses[environment][holder] = _Lapse(at=now + good_for, monotonic=ends)
            if known is not None and not holds:
                self._cleared_at[environment] = now
        if known is not None:
            log.info("clearance.released", environment=environment, holder=holder, code=known.obstacle.code)

    def _of(self, environment: str) -> dict[str, Hold]:
        """Return one environment's holds as of now; the lock is held.

        Which of them stand is never told by when they began: after a step back of the clock that lies ahead.
        """
        if environment not in self._holds:
            since = self._now()
            self._holds[environment] = {
                holder: Hold(holder=holder, obstacle=obstacle, since=since)
                for holder, obstacle in self._at_first.items()
            }
        holds, lapses = self._holds[environment], self._lapses.setdefault(environment, {})
        now, monotonic = self._now(), self._monotonic()
        for holder, lapse in tuple(lapses.items()):
            if lapse.at <= now or lapse.monotonic <= monotonic:
                del lapses[holder]
                holds[holder] = Hold(holder=holder, obstacle=NOT_SEEN, since=min(lapse.at, now))
        return holds


def _weight(hold: Hold) -> tuple[bool, datetime, str]:
    return hold.obstacle == NOT_CHECKED, hold.since, hold.holder
