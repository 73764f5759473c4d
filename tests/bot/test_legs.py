"""Legs: each change is taken down and logged once, with since when; one that says nothing is not taken for good."""

from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from bot.health.legs import Leg, LegKind, Legs, LegState, Readiness, Together, together
from bot.observe.metrics import Metrics
from tests.builders import NOON
from tests.world import HandClock

SECOND = timedelta(seconds=1)


@pytest.fixture
def clock():
    """The host's clock, moved by hand."""
    return HandClock()


@pytest.fixture
def legs(clock):
    """Legs at that clock."""
    return Legs(now=clock)


def test_since_when_is_since_the_last_change(legs, clock):
    """Reported again and again, a leg has been as it is since it came to be so; another code is a change."""
    seen = []
    for code in ("timeout", "timeout", "refused"):
        legs.failing(LegKind.CLUSTER, "prod", code=code, why=f"It is {code}.")
        seen.append(legs.all())
        clock.pass_by(SECOND)

    def leg(code, since, at):
        return Leg(
            part=LegKind.CLUSTER, of="prod", state=LegState.FAILING, code=code, why=f"It is {code}.",
            since=NOON + since * SECOND, seen_at=NOON + at * SECOND,
        )  # fmt: skip

    assert seen == [(leg("timeout", 0, 0),), (leg("timeout", 0, 1),), (leg("refused", 2, 2),)]


def test_each_change_is_one_line_in_the_log(legs, clock):
    """What fails is logged as it begins and as it ends, with its cause and how long it was; not at every look."""
    with capture_logs() as lines:
        legs.good(LegKind.CLUSTER, "prod")
        for _ in range(3):
            legs.failing(LegKind.CLUSTER, "prod", code="refused", why="Nothing listens there.")
            clock.pass_by(SECOND)
        for _ in range(3):
            legs.good(LegKind.CLUSTER, "prod")

    assert lines == [
        {
            "event": "leg.fails", "log_level": "warning",
            "leg": "cluster", "of": "prod", "code": "refused", "why": "Nothing listens there.",
        },
        {
            "event": "leg.stands_again", "log_level": "info",
            "leg": "cluster", "of": "prod", "was": "refused", "after_seconds": 3,
        },
    ]  # fmt: skip


def test_a_leg_that_says_nothing_is_silent(legs, clock):
    """A tick that hangs reports nothing: after its time it fails, since it was last heard, and is logged once."""
    legs.expect(LegKind.TICK, "expire", within=10 * SECOND)
    legs.good(LegKind.TICK, "expire")
    clock.pass_by(10 * SECOND)
    states = [legs.all()[0].state]
    clock.pass_by(SECOND)
    with capture_logs() as lines:
        (silent,) = legs.all()
        legs.review()
        legs.review()

    assert (states, silent.state, silent.code, silent.since) == ([LegState.GOOD], LegState.FAILING, "silent", NOON)
    assert silent.why == "Nothing was heard of it for more than 10 seconds."
    assert [(line["event"], line["code"]) for line in lines] == [("leg.fails", "silent")]
    legs.good(LegKind.TICK, "expire")
    assert legs.all()[0].state is LegState.GOOD


def test_a_leg_that_never_reports_is_silent_too(legs, clock):
    """It is expected from the moment that somebody expects it."""
    legs.expect(LegKind.SEALER, within=10 * SECOND)
    before = legs.all()[0]
    clock.pass_by(11 * SECOND)

    assert (before.state, before.code, legs.all()[0].code) == (LegState.UNKNOWN, "not_yet", "silent")


def test_a_clock_that_is_put_back_hides_no_silence(clock):
    """A tick that hangs reports nothing, whatever the clock says since."""
    seconds = [0.0]
    legs = Legs(now=clock, monotonic=lambda: seconds[0])
    legs.expect(LegKind.TICK, "expire", within=10 * SECOND)
    legs.good(LegKind.TICK, "expire")
    clock.pass_by(-3600 * SECOND)
    before, seconds[0] = legs.all()[0].code, 11.0

    assert (before, legs.all()[0].code) == ("ok", "silent")


def test_a_leg_that_is_no_more_is_forgotten(legs):
    """An environment that left the policy has no legs."""
    legs.good(LegKind.CLUSTER, "prod")
    legs.unknown(LegKind.CHECKS, "prod")
    legs.forget(LegKind.CLUSTER, "prod")

    assert [leg.part for leg in legs.all()] == [LegKind.CHECKS]
    assert legs.of(LegKind.CLUSTER) == ()


def test_legs_alike_are_counted_together_without_names(legs, clock):
    """What an unauthenticated caller may see: part, state, code, how many, and since when the oldest."""
    legs.failing(LegKind.CLUSTER, "prod", code="timeout", why="It does not answer.")
    clock.pass_by(SECOND)
    legs.failing(LegKind.CLUSTER, "staging", code="timeout", why="It does not answer.")

    assert together(legs.all()) == (
        Together(part=LegKind.CLUSTER, state=LegState.FAILING, code="timeout", number=2, since=NOON),
    )


@pytest.mark.parametrize("part", LegKind)
def test_only_the_store_takes_traffic_away(legs, part):
    """Whatever else is gone, questions are taken on, silence denies and pauses are taken; without the store nothing is."""
    legs.failing(part, code="gone", why="It is gone.")

    missing = Readiness(legs=legs.all()).missing

    assert missing == (("store (gone)",) if part is LegKind.STORE else ())


def test_figures_name_each_leg_with_its_cause(legs):
    """One figure says whether it stands, with the code; the other since when. A cause that has gone leaves no figure."""
    metrics = Metrics()
    metrics.watch_legs(legs.all)
    legs.failing(LegKind.CLUSTER, "prod", code="timeout", why="It does not answer.")
    legs.failing(LegKind.CLUSTER, "prod", code="refused", why="Nothing listens there.")
    legs.good(LegKind.SLACK_API)

    value = metrics.registry.get_sample_value
    assert value("countersign_leg_up", {"leg": "cluster", "of": "prod", "code": "refused"}) == 0
    assert value("countersign_leg_up", {"leg": "cluster", "of": "prod", "code": "timeout"}) is None
    assert value("countersign_leg_up", {"leg": "slack_api", "of": "", "code": "ok"}) == 1
    assert value("countersign_leg_since_timestamp_seconds", {"leg": "cluster", "of": "prod"}) == NOON.timestamp()
