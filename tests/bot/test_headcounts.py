"""Headcounts: people are counted at the start, under each new policy and once a day, and what is found is told."""

from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from approvals.usecases.headcount import Shortage
from bot.headcounts import AGAIN_AFTER_SECONDS, Headcounts
from tests.world import FixedPolicies

SHORT = Shortage(rule="shop-changes", agent="scaler", quorum=2, could=1, is_sure=True)


class Room:
    """What a headcount works with, and what came of it."""

    def __init__(self):
        self.policies, self.now, self.found = FixedPolicies(), 0.0, (SHORT,)
        self.counted = 0
        self.shown: list[int] = []
        self.tick = Headcounts(self.count, policies=self.policies, monotonic=lambda: self.now, show=self.shown.append)

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

    assert logs == [
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
