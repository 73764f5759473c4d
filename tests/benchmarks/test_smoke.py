"""Each part of the benchmarks runs and says what it measured, with sizes that take no time. How fast it is, is not asked."""

from dataclasses import replace

import pytest
from rich.console import Console

from benchmarks import auditing, checking, decision, idle, intake, pausing, refusals, spending, start, sweep
from benchmarks.bars import Figure, measured_text, show
from benchmarks.places import POSTGRESQL, SQLITE, Place, postgresql_place, sqlite_place
from benchmarks.timing import Spread, compared, percentile, spread_of


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def place(request, tmp_path_factory):
    """Each engine in turn."""
    made = sqlite_place(tmp_path_factory.mktemp("place")) if request.param == "sqlite" else postgresql_place()
    with made as given:
        yield given


def quiet(text):
    """Say nothing."""
    del text


PARTS = {
    "decision": lambda place: decision.measure(place, decision.Sizes(repetitions=2, alone=2, at_once=6), quiet),
    "spending": lambda place: spending.measure(place, spending.Sizes(clicks=3), quiet),
    "intake": lambda place: intake.measure(place, intake.Sizes(repetitions=2, calls=3), quiet),
    "refusals": lambda place: refusals.measure(place, refusals.Sizes(repetitions=1, calls=1), quiet),
    "sweep": lambda place: sweep.measure(place, sweep.Sizes(repetitions=1, sweeps=2, few=5, many=50), quiet),
    "audit": lambda place: auditing.measure(place, auditing.Sizes(events=20), quiet),
    "pausing": lambda place: pausing.measure(place, pausing.Sizes(repetitions=2, pending=50), quiet),
}
NAMES = {
    "decision": {"alone", "16 at once"},
    "spending": {
        "turns at the database",
        "reading, before any lock",
        "the deciding transaction",
        "the rest: signature, Bolt, payload, threads",
        "of the base: signature and Bolt",
        "of the base: the insert",
    },
    "intake": {"POST /v1/escalations"},
    "refusals": {"p99 over 12 kinds of bad bodies", "p99 of the slowest kind"},
    "sweep": {"50 pending against 5"},
    "audit": {"20 events", "memory for 20 events"},
    "pausing": {"holds the gate, 50 pending"},
}


@pytest.mark.slow
@pytest.mark.parametrize("part", PARTS)
def test_each_part_measures_something_on_each_store(place: Place, part):
    """Every part comes to its figures, by work that did what it should: the parts themselves fail where it did not."""
    figures = list(PARTS[part](place))

    assert {one.what for one in figures} == NAMES[part]
    assert {one.store for one in figures} == {place.name} <= {SQLITE, POSTGRESQL}
    assert all(0 < one.measured.least <= one.measured.middle <= one.measured.most for one in figures)


@pytest.mark.slow
def test_the_idle_service_is_weighed_in_a_process_of_its_own(tmp_path):
    """`serve` runs against stand-ins in another process, and what it must not load it has not loaded."""
    with sqlite_place(tmp_path) as place:
        memory, doors, never = idle.measure([place], idle.Sizes(seconds=0.1), tmp_path / "idle", quiet)

    assert (memory.unit, memory.at_most) == ("MB", 180.0)
    assert memory.measured.middle > 20
    assert (doors.unit, doors.at_most) == ("s", 3.0)
    assert 0 < doors.measured.middle < 60
    assert never.measured == Spread(least=0.0, middle=0.0, most=0.0)


@pytest.mark.slow
def test_the_start_of_a_command_is_weighed_by_its_processor_time(place: Place, tmp_path):
    """Each command runs to its end in a process of its own, and a bar stands beside it."""
    found = list(start.measure(place, start.Sizes(starts=1), tmp_path, quiet))

    assert [(one.what, one.at_most) for one in found] == [("countersign --help", 0.25), ("countersign status", 0.6)]
    assert all(0 < one.measured.middle < 60 for one in found)


def test_the_checks_of_a_cluster_are_counted_and_timed(tmp_path):
    """They find nothing in a cluster that is as our manifests make it; calls and seconds have a bar each."""
    calls, seconds = checking.measure(checking.Sizes(agents=1, namespaces=2, delay_s=0.0), tmp_path, quiet)

    accounts, lists, tried, bot, inspector = 2 * 4, 7, 4, 2 + 4, 2
    asked = 3 * accounts + lists + tried + bot + inspector
    assert (calls.measured.middle, calls.unit, calls.at_most) == (asked, "calls", 2500)
    assert (seconds.unit, seconds.at_most) == ("s", 20.0)
    assert 0 < seconds.measured.middle < 60


def test_a_spread_is_least_median_and_most():
    """Whatever the order."""
    assert spread_of([3.0, 1.0, 2.0]) == Spread(least=1.0, middle=2.0, most=3.0)


@pytest.mark.parametrize(
    ("percent", "expected"), [(99, 99), (100, 100), (1, 1)], ids=["the 99th", "the largest", "the least"]
)
def test_a_percentile_is_a_figure_that_was_measured(percent, expected):
    """Of a hundred figures the 99th percentile is the 99th: nothing is invented between two."""
    assert percentile([float(number) for number in range(100, 0, -1)], percent) == expected


def test_a_ratio_is_taken_within_a_repetition():
    """What slowed one repetition slowed both sides of it, so ratios are taken first and their median afterwards."""
    found = compared([(4.0, 2.0), (30.0, 10.0), (8.0, 2.0)])

    assert (found.ratio, found.ours_s, found.base_s) == (Spread(least=2.0, middle=3.0, most=4.0), 8.0, 2.0)


def a_figure(middle: float, at_most: float | None) -> Figure:
    """Return a ratio with its bar."""
    measured = Spread(least=middle, middle=middle, most=middle)
    return Figure(part="part", store=SQLITE, what="what", measured=measured, unit="x", at_most=at_most)


@pytest.mark.parametrize(
    ("middle", "at_most", "kept"), [(4.0, 4.0, True), (4.01, 4.0, False), (9.0, None, None)], ids=["at", "over", "none"]
)
def test_a_bar_may_be_reached_and_not_passed(middle, at_most, kept):
    """At most means the bar itself, too; a figure without a bar can neither keep nor miss it."""
    assert a_figure(middle, at_most).kept is kept


def test_one_missed_bar_fails_the_run(capsys):
    """The exit code comes from this: all kept, or not."""
    console = Console(width=120)

    assert show(console, [a_figure(1.0, 4.0), a_figure(9.0, None)]) is True
    assert show(console, [a_figure(1.0, 4.0), a_figure(4.2, 4.0)]) is False
    assert "1 of 2 bars missed" in capsys.readouterr().out


def test_a_figure_is_shown_with_its_spread():
    """A lone figure has none."""
    one = a_figure(2.0, None)

    assert measured_text(one) == "2 x"
    assert measured_text(replace(one, measured=Spread(least=1.0, middle=2.0, most=3.456))) == "2 x (1 to 3.46)"
