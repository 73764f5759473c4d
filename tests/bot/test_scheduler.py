"""Ticks: they come, one at a time, and one that fails comes again."""

from datetime import UTC, datetime, timedelta
from threading import Event, Thread

import pytest
from apscheduler.schedulers import base
from structlog.testing import capture_logs

from approvals.errors import Unavailable
from bot.runtime.scheduler import Scheduler, Tick, Weekly
from tests.waiting import wait_until


class Reports:
    """Remembers how ticks went."""

    def __init__(self):
        self.good: list[str] = []
        self.failures: list[str] = []

    def went(self, name):
        """Note it."""
        self.good.append(name)

    def failed(self, name, error):
        """Note it."""
        assert isinstance(error, Exception)
        self.failures.append(name)


def test_a_tick_that_fails_is_told_of_and_comes_again():
    """A tick's exception ends that tick and nothing else: the next one comes, and others never notice."""
    runs: list[str] = []
    reports = Reports()

    def breaks():
        runs.append("breaks")
        raise RuntimeError("on purpose")

    ticks = [
        Tick(name="breaks", seconds=0.05, run=breaks),
        Tick(name="works", seconds=0.05, run=lambda: runs.append("works")),
    ]
    scheduler = Scheduler(ticks, [], reports=reports)
    scheduler.start()
    try:
        wait_until(lambda: runs.count("breaks") > 1 and runs.count("works") > 1, what="both ticks to come again")
    finally:
        scheduler.stop()

    assert (set(reports.failures), set(reports.good)) == ({"breaks"}, {"works"})


@pytest.mark.parametrize(
    "error", [RuntimeError("on purpose"), Unavailable("The store is away.")], ids=["defect", "outage"]
)
def test_what_fails_for_long_is_logged_ever_more_rarely(error):
    """An outage of an hour is no reason for 3,600 lines; each failure is still reported to the legs."""
    reports = Reports()

    def breaks():
        raise error

    scheduler = Scheduler([Tick(name="breaks", seconds=0.01, run=breaks)], [], reports=reports)
    with capture_logs() as logs:
        scheduler.start()
        try:
            wait_until(lambda: len(reports.failures) >= 20, what="twenty failures")
        finally:
            scheduler.stop()

    told = [line["times"] for line in logs if line["event"] == "tick.failed"]
    assert told == [2**power for power in range(len(reports.failures).bit_length())]


def test_a_slow_tick_is_not_doubled_and_holds_nobody_up():
    """While one tick runs it does not run again, and the others go on."""
    release, slow, quick = Event(), [], []

    def slowly():
        slow.append(1)
        release.wait(10)

    ticks = [Tick(name="slow", seconds=0.05, run=slowly), Tick(name="quick", seconds=0.05, run=lambda: quick.append(1))]
    scheduler = Scheduler(ticks, [], reports=Reports())
    scheduler.start()
    try:
        wait_until(lambda: len(quick) > 3, what="the quick tick to come")
        assert len(slow) == 1
    finally:
        release.set()
        scheduler.stop()


def test_a_weekly_is_planned_on_the_wall_of_its_zone():
    """Nine o'clock on a Monday in Berlin is planned as such, whatever zone the machine is in."""
    weekly = Weekly(name="digest", weekday="mon", hour=9, minute=0, zone="Europe/Berlin", run=lambda: None)
    scheduler = Scheduler([], [weekly], reports=Reports())
    scheduler.start()
    try:
        (planned,) = [job.next_run_time for job in scheduler.jobs()]
    finally:
        scheduler.stop()

    assert (planned.strftime("%a %H:%M"), str(planned.tzinfo)) == ("Mon 09:00", "Europe/Berlin")


def _due_at_once(scheduler, name):
    """Have the weekly job called *name* run now instead of on its day."""
    (job,) = [job for job in scheduler.jobs() if job.name == name]
    job.modify(next_run_time=datetime.now(UTC))


@pytest.fixture
def released():
    """An event that lets everything go at the end, whatever came of the test."""
    event = Event()
    yield event
    event.set()


def test_however_many_ticks_there_are_none_waits_for_anothers_thread(released):
    """I3: there is a thread for each, so that the expiry comes while every other tick hangs."""
    begun: list[str] = []
    seen: list[str] = []

    def hang():
        begun.append("slow")
        released.wait(60)

    slow = [Tick(name=f"slow {number}", seconds=0.05, run=hang) for number in range(20)]
    expire = Tick(name="expire", seconds=0.05, run=lambda: seen.append("expire"))
    scheduler = Scheduler([*slow, expire], [], reports=Reports())
    scheduler.start()
    try:
        wait_until(lambda: len(begun) == len(slow), what="twenty ticks to hang")
        already = len(seen)
        wait_until(lambda: len(seen) > already + 1, what="the expiry to come while twenty ticks hang")
    finally:
        released.set()
        scheduler.stop()


def test_digests_never_hold_a_tick_up(released):
    """I3: however many environments have theirs at one time, and however long Slack hangs, the expiry comes."""
    begun: list[str] = []
    seen: list[str] = []

    def hang():
        begun.append("digest")
        released.wait(60)

    weeklies = [
        Weekly(name=f"digest {number}", weekday="mon", hour=9, minute=0, zone="UTC", run=hang) for number in range(12)
    ]
    tick = Tick(name="expire", seconds=0.05, run=lambda: seen.append("expire"))
    scheduler = Scheduler([tick], weeklies, reports=Reports())
    scheduler.start()
    try:
        for weekly in weeklies:
            _due_at_once(scheduler, weekly.name)
        wait_until(lambda: begun, what="a digest to hang")
        already = len(seen)
        wait_until(lambda: len(seen) > already + 1, what="the expiry to come while twelve digests hang or wait")
    finally:
        released.set()
        scheduler.stop()


def test_what_waits_when_it_is_stopped_does_not_begin(released):
    """A stop waits for the digest that runs and not for those that would come after it."""
    begun: list[str] = []

    def hang():
        begun.append("digest")
        released.wait(60)

    weeklies = [
        Weekly(name=f"digest {number}", weekday="mon", hour=9, minute=0, zone="UTC", run=hang) for number in range(3)
    ]
    scheduler = Scheduler([], weeklies, reports=Reports())
    scheduler.start()
    for weekly in weeklies:
        _due_at_once(scheduler, weekly.name)
    wait_until(lambda: begun, what="a digest to hang")
    stopping = Thread(target=scheduler.stop)
    stopping.start()
    wait_until(scheduler._stopping.is_set, what="the stop to begin")

    released.set()
    stopping.join(60)

    assert begun == ["digest"]


def test_a_clock_that_is_put_back_stops_no_tick(monkeypatch):
    """Silence must deny, cards be drawn and the clock itself be watched in the hour that the clock lives through again."""
    shift = [timedelta(0)]

    class Shifted(datetime):
        """The clock on the wall, put back by as much as the test says."""

        @classmethod
        def now(cls, tz=None):
            """Return the shifted instant."""
            return datetime.now(tz) - shift[0]

    monkeypatch.setattr(base, "datetime", Shifted)  # What the library plans by.
    runs: list[str] = []
    reports = Reports()
    tick = Tick(name="works", seconds=0.05, run=lambda: runs.append("works"))
    scheduler = Scheduler([tick], [], reports=reports, now=lambda: Shifted.now(UTC))
    scheduler.start()
    try:
        wait_until(lambda: runs, what="a tick before")
        shift[0] = timedelta(hours=1)
        seen = len(runs) + 2  # Two may have been on their way.
        wait_until(lambda: len(runs) > seen, what="ticks after the clock was put back", within_s=10)
    finally:
        scheduler.stop()

    assert reports.failures == []


def test_a_fault_of_the_watch_over_the_clock_ends_neither(monkeypatch):
    """A clock that cannot be read at one look is read at the next: what was put back by then is found all the same."""
    monkeypatch.setattr("bot.runtime.scheduler.PACE_SECONDS", 0.01)
    looks: list[str] = []

    def now():
        looks.append("look")
        if len(looks) == 1:
            raise RuntimeError("on purpose")
        return datetime.now(UTC)

    scheduler = Scheduler([], [], reports=Reports(), now=now)
    scheduler.start()
    try:
        wait_until(lambda: len(looks) > 1, what="another look at the clock")
    finally:
        scheduler.stop()
