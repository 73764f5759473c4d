"""Headcounts: people are counted at the start, under each new policy and once a day, and what is found is told."""

from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from approvals.usecases.people.headcount import Shortage
from bot.checks.headcounts import AGAIN_AFTER_SECONDS, DOUBTFUL_AFTER_SECONDS, Headcounts
from bot.health.legs import LegKind, Legs, LegState
from tests.world import FixedPolicies, HandClock

SHORT = Shortage(rules=("shop-changes",), agent="scaler", quorum=2, could=1, is_sure=True)


class Room:
    """What a headcount works with, and what came of it."""

    def __init__(self):
        self.policies, self.now, self.found = FixedPolicies(), 0.0, (SHORT,)
        self.counted = 0
        self.shown: list[int] = []
        self.legs = Legs(now=HandClock())
        self.tick = Headcounts(
            self.count, policies=self.policies, monotonic=lambda: self.now, show=self.shown.append, legs=self.legs
        )

    def count(self):
        """Count once more."""
        self.counted += 1
        return self.found


@pytest.fixture
def room():
    """A policy that is short of people."""
    return Room()


def test_it_counts_at_the_first_tick_and_once_a_day(room):
    """A tick comes each minute; Slack is asked about everybody once a day."""
    for now in (0.0, 60.0, AGAIN_AFTER_SECONDS - 1.0, AGAIN_AFTER_SECONDS):
        room.now = now
        room.tick()

    assert (room.counted, room.shown) == (2, [1, 1])


def test_another_policy_is_counted_at_once(room):
    """A reload may name others: it does not wait for tomorrow."""
    room.tick()
    room.policies.policy = replace(room.policies.policy, version="b" * 64)
    room.found = ()

    room.tick()

    assert room.shown == [1, 0]


def test_what_is_short_is_logged_with_what_to_do(room):
    """The operator reads which rule, which agent, and why."""
    with capture_logs() as logs:
        room.tick()

    assert [one for one in logs if one["event"] == "policy.short_of_people"] == [
        {
            "event": "policy.short_of_people",
            "log_level": "warning",
            "rule": "shop-changes",
            "agent": "scaler",
            "sure": True,
            "why": SHORT.sentence,
        }
    ]


def test_a_count_that_failed_is_made_again(room):
    """Nothing was found out, so the next tick asks again."""
    room.found = None

    with pytest.raises(TypeError):
        room.tick()
    room.found = ()
    room.tick()

    assert room.counted == 2


def _people(legs):
    return [(leg.of, leg.state, leg.code, leg.why) for leg in legs.of(LegKind.PEOPLE)]


def test_each_rule_that_is_short_is_a_leg(room):
    """The state of the service lists them with what to do, not the log alone; mended, a single good leg is left."""
    doubt = replace(SHORT, rules=("night-changes",), is_sure=False)
    before = _people(room.legs)
    room.found = (SHORT, doubt)
    room.tick()
    short = _people(room.legs)
    room.found, room.now = (), DOUBTFUL_AFTER_SECONDS
    room.tick()

    assert before == [("", LegState.UNKNOWN, "not_yet", "")]
    assert short == [
        ("night-changes for scaler", LegState.UNKNOWN, "not_known", doubt.sentence),
        ("shop-changes for scaler", LegState.FAILING, "too_few", SHORT.sentence),
    ]
    assert _people(room.legs) == [("", LegState.GOOD, "ok", "")]


def test_what_slack_did_not_say_is_asked_again_soon(room):
    """With Slack away at the start nothing is known of anybody: a day would be too long to wait for it."""
    room.found = (replace(SHORT, is_sure=False),)
    for now in (0.0, DOUBTFUL_AFTER_SECONDS - 1.0, DOUBTFUL_AFTER_SECONDS):
        room.now = now
        room.tick()

    assert room.counted == 2
