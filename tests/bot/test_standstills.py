"""Standstills: people in the channel are told once that nothing starts, and once that changes start again."""

from datetime import timedelta

import pytest

from approvals.ports import Obstacle
from bot.clearances import CHANNEL_CHECKS, FENCES, FIRST_CHECKS, Clearances
from bot.delivery import Pace, Rejected
from bot.slack.standstill_message import standstill_message
from bot.standstills import AGAIN, PATIENCE, Standstills
from tests.builders import a_policy
from tests.world import HandClock

UNFENCED = Obstacle(code="fence_missing", sentence="Its admission policies are missing.")
ENVIRONMENT = "prod-eu-1"


class Posts:
    """Takes messages, unless a test says otherwise."""

    def __init__(self):
        self.told = []
        self.may = True
        self.refuses = False

    def may_post(self, channel, pace=Pace.DECISION):
        """Tell whether it may."""
        return self.may

    def may_update(self, pace=Pace.DECISION):
        """Tell whether it may."""
        return self.may

    def update(self, channel, ts, message, *, pace=Pace.DECISION):
        """Nothing that stands is changed."""
        raise AssertionError

    def post(self, channel, message, *, thread=None, pace=Pace.DECISION):
        """Take it."""
        if self.refuses:
            raise Rejected("is_archived")
        self.told.append((channel, message))
        return "1.0"


@pytest.fixture
def stage():
    """A policy's environment that is cleared, and how it is told."""
    clock = HandClock()
    clearances, posts, policy = Clearances(now=clock), Posts(), a_policy()
    for holder in (FIRST_CHECKS, CHANNEL_CHECKS, FENCES):
        clearances.release(ENVIRONMENT, holder=holder)
    say = Standstills(clearances, posts, policy=lambda: policy, draw=lambda name, why: (name, why), now=clock)
    return clock, clearances, posts, say, policy.environments[ENVIRONMENT].channel


def test_it_is_said_once_and_so_is_its_end(stage):
    """After a moment, not at once: a start's checks are no news. Another reason is said again."""
    clock, clearances, posts, say, channel = stage
    say()
    clearances.hold(ENVIRONMENT, holder="fences", obstacle=UNFENCED)
    say()
    clock.pass_by(PATIENCE)
    for _ in range(3):
        say()
    clearances.release(ENVIRONMENT, holder="fences")
    for _ in range(3):
        say()

    assert posts.told == [(channel, (ENVIRONMENT, UNFENCED.sentence)), (channel, (ENVIRONMENT, None))]


def test_what_passes_soon_is_not_said(stage):
    """Nothing was said, so its end is no news either."""
    clock, clearances, posts, say, _ = stage
    clearances.hold(ENVIRONMENT, holder="fences", obstacle=UNFENCED)
    clock.pass_by(PATIENCE - timedelta(seconds=1))
    say()
    clearances.release(ENVIRONMENT, holder="fences")
    say()

    assert posts.told == []


def test_a_channel_that_takes_nothing_is_tried_again_later(stage):
    """An archived channel is not tried at every tick; a busy one is as soon as its pace lets it."""
    clock, clearances, posts, say, channel = stage
    clearances.hold(ENVIRONMENT, holder="fences", obstacle=UNFENCED)
    clock.pass_by(PATIENCE)
    posts.may = False
    say()
    posts.may, posts.refuses = True, True
    say()
    posts.refuses = False
    clock.pass_by(AGAIN - timedelta(seconds=1))
    say()
    before = list(posts.told)
    clock.pass_by(timedelta(seconds=1))
    say()

    assert (before, posts.told) == ([], [(channel, (ENVIRONMENT, UNFENCED.sentence))])


@pytest.mark.parametrize("why", [UNFENCED.sentence, None])
def test_the_message_may_leave(why):
    """It passes the rules of what may be sent; an environment's name is not read as markup."""
    message = standstill_message("a<!channel>b", why)

    assert ("Nothing starts in" in message.text, "again" in message.text) == ((why is not None), (why is None))
    assert "<!channel>" not in message.text
