"""Ticks: what happens every so often. The scheduler holds no state and no rule: a tick asks the table what is due.

Jobs live in memory only; a restart or a late tick loses nothing, because deadlines are instants in rows. A tick that is
still running when the next one comes is not doubled. One that fails is logged and counted, and comes again. The library plans by
the clock on the wall: where that is put back, what was planned ahead of it is planned anew, or nothing would tick for as long as
it was put back by, and nobody would be told. No tick waits for
another's thread, least of all the expiry; what is weekly shares one of its own, because however many environments look back
at the same hour, and however long Slack takes over it, silence denies on time.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Event, Thread
from typing import Final, Protocol
from zoneinfo import ZoneInfo

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.job import Job
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from approvals.errors import Refused
from bot import clock

log = structlog.get_logger(__name__)

_TICKS: Final = "default"
_WEEKLIES: Final = "weeklies"


PACE_SECONDS: Final = 1.0
"""How often it is looked whether the clock was put back."""

AHEAD: Final = timedelta(seconds=2)
"""How much further ahead than its interval a tick may be planned: more than a clock is slewed by between two looks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """Something done every so many seconds."""

    name: str
    seconds: float
    run: Callable[[], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Weekly:
    """Something done once a week, at a time on the wall in a zone (a time that does not exist is taken an hour later)."""

    name: str
    weekday: str
    hour: int
    minute: int
    zone: str
    run: Callable[[], object]


class Reports(Protocol):
    """Is told how ticks and weeklies went, from their threads."""

    def went(self, name: str) -> None:
        """Note that one ended well."""
        ...

    def failed(self, name: str, error: Exception) -> None:
        """Note that one raised."""
        ...


class Scheduler:
    """Runs ticks in threads of their own, and weeklies one after the other in one more, until it is stopped."""

    def __init__(
        self,
        ticks: Iterable[Tick],
        weeklies: Iterable[Weekly],
        *,
        reports: Reports,
        now: Callable[[], datetime] = clock.utc_now,
    ) -> None:
        """Keep what to run, who is told how it went, and the clock that the library plans by."""
        ticks = tuple(ticks)
        self._reports = reports
        self._now = now
        self._furthest = {tick.name: timedelta(seconds=tick.seconds) + AHEAD for tick in ticks}
        self._pace = Thread(target=self._keep_pace, name="pace", daemon=True)
        self._stopping = Event()
        self._scheduler = BackgroundScheduler(
            timezone=ZoneInfo("UTC"),
            executors={_TICKS: ThreadPoolExecutor(max(1, len(ticks))), _WEEKLIES: ThreadPoolExecutor(1)},
            # Without these APScheduler drops a run that is late, and piles up those that it missed.
            job_defaults={"coalesce": True, "misfire_grace_time": None, "max_instances": 1},
        )
        for tick in ticks:
            self._add(tick.name, tick.run, IntervalTrigger(seconds=tick.seconds), _TICKS)
        for weekly in weeklies:
            trigger = CronTrigger(
                day_of_week=weekly.weekday, hour=weekly.hour, minute=weekly.minute, timezone=ZoneInfo(weekly.zone)
            )
            self._add(weekly.name, weekly.run, trigger, _WEEKLIES)

    def start(self) -> None:
        """Begin."""
        self._scheduler.start()
        self._pace.start()

    def stop(self) -> None:
        """Begin nothing more, and return when what runs has ended; nothing happens where it never began."""
        self._stopping.set()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=True)
            self._pace.join()

    def jobs(self) -> list[Job]:
        """Return what is planned; each has its name and its next instant."""
        return list(self._scheduler.get_jobs())

    def _add(self, name: str, run: Callable[[], object], trigger: IntervalTrigger | CronTrigger, where: str) -> None:
        self._scheduler.add_job(self._guarded(name, run), trigger, id=name, name=name, executor=where)

    def _keep_pace(self) -> None:
        while not self._stopping.wait(PACE_SECONDS):
            try:
                self._plan_anew()
            except Exception:
                # The outermost loop: without it nothing would tick for as long as the next clock is put back by.
                log.exception("pace.broken")

    def _plan_anew(self) -> None:
        now = self._now()
        late = [job for job in self._scheduler.get_jobs() if self._is_too_far(job, now)]
        for job in late:
            with suppress(JobLookupError):  # The stop takes them all away.
                self._scheduler.modify_job(job.id, next_run_time=now)
        if late:
            log.warning("clock.put_back", planned_anew=len(late))

    def _is_too_far(self, job: Job, now: datetime) -> bool:
        furthest = self._furthest.get(job.id)
        return furthest is not None and job.next_run_time is not None and job.next_run_time - now > furthest

    def _guarded(self, name: str, run: Callable[[], object]) -> Callable[[], None]:
        failures = 0

        def tick() -> None:
            nonlocal failures
            if self._stopping.is_set():
                return  # It waited for its thread, and the library runs what waits before it lets a stop return.
            try:
                run()
            except Exception as error:  # noqa: BLE001 - told of, by a function of its own
                # The outermost loop: whatever went wrong changed nothing that was not committed, and comes again.
                failures += 1
                if failures.bit_count() == 1:  # the 1st, 2nd, 4th ... in a row: one that always fails floods no log
                    _tell(name, error, times=failures)
                self._reports.failed(name, error)
            else:
                failures = 0
                self._reports.went(name)

        return tick


def _tell(tick: str, error: Exception, *, times: int) -> None:
    if isinstance(error, Refused):
        log.warning("tick.failed", tick=tick, times=times, code=error.code, why=error.sentence)
    else:
        log.error("tick.failed", tick=tick, times=times, exc_info=error)
