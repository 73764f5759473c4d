"""Checking: runs the checks of channels and clusters beside everything else, and says where changes may start.

The doors that stop things do not wait for it, however many agents and namespaces there are. A check that has found something
grave, or that could not ask, is made again with growing waits: what somebody puts right counts without a restart. One that has
passed is made again every hour, and at once where a cluster was away or our credential there changed. What a check finds takes
out the environments that it concerns and no others (I18).
"""

from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from threading import RLock
from typing import Final

import structlog

from approvals.errors import Unavailable
from approvals.ports.clearance import Obstacle
from approvals.workflow.retries import growing_wait
from bot.health.clearances import NOT_CHECKED, NOT_SEEN, Clearances
from bot.health.legs import LegKind, Legs

log = structlog.get_logger(__name__)

AT_ONCE: Final = 8
"""Checks that run side by side. Each looks at one channel, one group or one cluster, which bounds its own calls."""

AGAIN_SECONDS: Final = 3600.0
"""After a check that passed."""

FIRST_WAIT_SECONDS: Final = 5.0
LONGEST_WAIT_SECONDS: Final = 300.0
"""After a check that did not pass: twice as long each time, up to this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cadence:
    """How often checks are made again, and how long what one has seen counts."""

    again_seconds: float = AGAIN_SECONDS
    """After a check that passed."""
    longest_wait_seconds: float = LONGEST_WAIT_SECONDS
    """After a check that did not pass, at most."""
    good_for: timedelta | None = None
    """How long a pass counts: after that, and where a check could not ask, its environments are held, as nothing is known of
    them. None where a pass counts until something else is found."""
    at_once: int = AT_ONCE
    """Checks that run side by side."""

    def wait_after(self, failures: int) -> float:
        """Return how many seconds it is waited after so many looks in a row that did not pass."""
        first, longest = timedelta(seconds=FIRST_WAIT_SECONDS), timedelta(seconds=self.longest_wait_seconds)
        return growing_wait(failures, first=first, longest=longest).total_seconds()


HOURLY: Final = Cadence()

_SAID: Final = (
    "The checks of this environment have found something that has to be put right first, so nothing starts in it."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Something that a check has found."""

    code: str
    sentence: str
    """What it is and what to do, for operators."""
    is_grave: bool
    environments: frozenset[str] | None = None
    """Those that alone it concerns; None for all of the check's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Something to look at before changes may start in some environments."""

    name: str
    """Tells it from others."""
    holder: str
    """Under which name it holds environments."""
    part: LegKind
    """Which of their legs it is."""
    environments: tuple[str, ...]
    rests_on: Hashable
    """What of the policy and the settings it rests on: where that changes, what was found says nothing any more."""
    run: Callable[[], Iterable[Found]] = field(compare=False)
    """Finds. It raises :class:`approvals.errors.Unavailable` where it cannot ask."""


@dataclass
class _Planned:
    """One check and when it is due."""

    check: Check
    due: float
    failures: int = 0
    is_running: bool = False
    told: tuple[Found, ...] = ()
    """What it found last, so that the log tells each thing once."""


class Checking:
    """Checks that are made at one cadence. Its threads are its own."""

    def __init__(
        self, *, clearances: Clearances, legs: Legs, monotonic: Callable[[], float], cadence: Cadence = HOURLY
    ) -> None:
        """Begin with none.

        Args:
            clearances: Where environments are held and released.
            legs: Where it is told how each environment's checks are.
            monotonic: Seconds that only count up.
            cadence: How often.
        """
        self._clearances = clearances
        self._legs = legs
        self._monotonic = monotonic
        self._cadence = cadence
        self._lock = RLock()
        self._planned: dict[str, _Planned] = {}
        self._threads = ThreadPoolExecutor(cadence.at_once, thread_name_prefix="checks")

    def cover(self, checks: Iterable[Check]) -> None:
        """Have exactly *checks*. One that is new, or rests on something else by now, holds its environments until it passes."""
        wanted = {check.name: check for check in checks}
        with self._lock:
            known, self._planned = self._planned, {}
            for name, check in wanted.items():
                before = known.get(name)
                if before is not None and before.check == check:
                    self._planned[name] = before
                    continue
                self._planned[name] = _Planned(check=check, due=self._monotonic())
                self._begin_anew(check, None if before is None else before.check)
                self._expect(check)
            gone = {leg for one in known.values() for leg in _legs_of(one.check)}
            left = {leg for one in self._planned.values() for leg in _legs_of(one.check)}
        for part, environment in gone - left:
            self._legs.forget(part, environment)

    def _begin_anew(self, check: Check, before: Check | None) -> None:
        """Hold what a check concerns that it did not pass before on the same grounds."""
        same_grounds = before is not None and before.rests_on == check.rests_on
        for environment in check.environments:
            if same_grounds and before is not None and environment in before.environments:
                continue
            self._clearances.hold(environment, holder=check.holder, obstacle=NOT_CHECKED)
            self._legs.unknown(check.part, environment, code=NOT_CHECKED.code, why="Its checks have not ended yet.")

    def _expect(self, check: Check) -> None:
        """Have its legs fall silent where nothing is heard of it for longer than a pass counts."""
        if self._cadence.good_for is not None:
            for environment in check.environments:
                self._legs.expect(check.part, environment, within=self._cadence.good_for)

    def again(self, environment: str) -> None:
        """Have everything about *environment* looked at again soon: what was found may not hold any more."""
        now = self._monotonic()
        with self._lock:
            for one in self._planned.values():
                if environment in one.check.environments:
                    one.due = min(one.due, now)

    def tick(self) -> None:
        """Begin what is due; nothing is waited for."""
        now = self._monotonic()
        with self._lock:
            due = [one for one in self._planned.values() if one.due <= now and not one.is_running]
            for one in due:
                one.is_running = True
        for one in due:
            self._threads.submit(self._look, one)

    def close(self) -> None:
        """Begin nothing more; what runs ends by itself, since each of its calls has its time."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _look(self, one: _Planned) -> None:
        try:
            found = tuple(one.check.run())
        except Unavailable as error:
            self._not_asked(one, code=error.cause_code, why=error.for_operators)
        except Exception as error:
            # The outermost loop of a thread: a check that breaks has not passed.
            log.exception("check.broken", check=one.check.name)
            self._not_asked(one, code="raised", why=f"The check raised {type(error).__name__}; see the log.")
        else:
            self._take(one, found)

    def _not_asked(self, one: _Planned, *, code: str, why: str) -> None:
        """Take down that nothing could be learnt: what was held stays held, and what had passed stays as long as it counts."""
        with self._lock:
            if not self._settle(one, passed=False):
                return
            one.told = ()
            for environment in one.check.environments:
                self._legs.failing(one.check.part, environment, code=code, why=why)
                if self._cadence.good_for is not None:
                    self._clearances.hold(environment, holder=one.check.holder, obstacle=NOT_SEEN)

    def _take(self, one: _Planned, found: tuple[Found, ...]) -> None:
        grave = [each for each in found if each.is_grave]
        # Under the lock to the end: a policy that is reloaded meanwhile holds what this would release.
        with self._lock:
            if not self._settle(one, passed=not grave):
                return
            for environment in one.check.environments:
                self._judge(one.check, environment, grave)
            news, one.told = tuple(each for each in found if each not in one.told), found
        for each in news:
            level = log.error if each.is_grave else log.warning
            level("check.found", check=one.check.name, code=each.code, why=each.sentence, grave=each.is_grave)

    def _judge(self, check: Check, environment: str, grave: list[Found]) -> None:
        """Hold or release one environment by what was found."""
        mine = [each for each in grave if each.environments is None or environment in each.environments]
        if not mine:
            self._clearances.release(environment, holder=check.holder, good_for=self._cadence.good_for)
            self._legs.good(check.part, environment)
            return
        obstacle = Obstacle(code=mine[0].code, sentence=_SAID)
        self._clearances.hold(environment, holder=check.holder, obstacle=obstacle)
        self._legs.failing(check.part, environment, code=obstacle.code, why=" ".join(each.sentence for each in mine))

    def _settle(self, one: _Planned, *, passed: bool) -> bool:
        """Plan the next look and return whether this one still says something: the check may be another one by now."""
        one.is_running = False
        one.failures = 0 if passed else one.failures + 1
        wait = self._cadence.again_seconds if passed else self._cadence.wait_after(one.failures)
        one.due = self._monotonic() + wait
        return self._planned.get(one.check.name) is one


def _legs_of(check: Check) -> Iterable[tuple[LegKind, str]]:
    return ((check.part, environment) for environment in check.environments)
