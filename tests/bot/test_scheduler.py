"""Ticks: they come, one at a time, and one that fails comes again."""

from threading import Event

from bot.scheduler import Scheduler, Tick, Weekly
from tests.waiting import wait_until


def test_a_tick_that_fails_is_told_of_and_comes_again():
    """A tick's exception ends that tick and nothing else: the next one comes, and others never notice."""
    runs: list[str] = []
    failed: list[str] = []

    def breaks():
        runs.append("breaks")
        raise RuntimeError("on purpose")

    ticks = [
        Tick(name="breaks", seconds=0.05, run=breaks),
        Tick(name="works", seconds=0.05, run=lambda: runs.append("works")),
    ]
    scheduler = Scheduler(ticks, [], failed=failed.append)
    scheduler.start()
    try:
        wait_until(lambda: runs.count("breaks") > 1 and runs.count("works") > 1, what="both ticks to come again")
    finally:
        scheduler.stop()

    assert set(failed) == {"breaks"}


def test_a_slow_tick_is_not_doubled_and_holds_nobody_up():
    """While one tick runs it does not run again, and the others go on."""
    release, slow, quick = Event(), [], []

    def slowly():
        slow.append(1)
        release.wait(10)

    ticks = [Tick(name="slow", seconds=0.05, run=slowly), Tick(name="quick", seconds=0.05, run=lambda: quick.append(1))]
    scheduler = Scheduler(ticks, [], failed=lambda _: None)
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
    scheduler = Scheduler([], [weekly], failed=lambda _: None)
    scheduler.start()
    try:
        (planned,) = [job.next_run_time for job in scheduler.jobs()]
    finally:
        scheduler.stop()

    assert (planned.strftime("%a %H:%M"), str(planned.tzinfo)) == ("Mon 09:00", "Europe/Berlin")
