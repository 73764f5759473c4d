"""Standstills: people in the channel are told once that nothing starts, and once that changes start again."""

from dataclasses import replace
from datetime import timedelta

import pytest

from approvals.ports.clearance import Obstacle
from bot.health.clearances import CHANNEL_CHECKS, FENCES, FIRST_CHECKS, Clearances
from bot.outbox.delivery import Detail, Later, Pace, Rejected
from bot.outbox.standstills import FIRST_WAIT, LONGEST_WAIT, PATIENCE, Standstills
from bot.slack.messages.standstill_message import standstill_message
from tests.builders import a_policy
from tests.world import HandClock

UNFENCED = Obstacle(code="fence_missing", sentence="Its admission policies are missing.")
ENVIRONMENT = "prod-eu-1"


class Posts:
    """Takes messages, unless a test says otherwise."""

    def __init__(self):
        self.told = []
        self.tried = 0
        self.may = True
        self.refuses = None

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
        self.tried += 1
        if self.refuses is not None and (refused := self.refuses(message)) is not None:
            raise refused
        self.told.append((channel, message))
        return "1.0"


def drawn(name, why, detail):
    """Return what a message says."""
    return (name, why) if detail is Detail.FULL else (name, why, detail)


@pytest.fixture
def stage():
    """A policy's environment that is cleared, and how it is told."""
    clock = HandClock()
    clearances, posts, policy = Clearances(now=clock), Posts(), a_policy()
    for holder in (FIRST_CHECKS, CHANNEL_CHECKS, FENCES):
        clearances.release(ENVIRONMENT, holder=holder)
    say = Standstills(clearances, posts, policy=lambda: policy, draw=drawn, now=clock, failed=pytest.fail)
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


def test_what_is_refused_is_tried_again_with_growing_waits(stage):
    """Whatever Slack says of the channel, it comes again: soon at first, then seldom. A busy channel costs no wait."""
    clock, clearances, posts, say, channel = stage
    clearances.hold(ENVIRONMENT, holder="fences", obstacle=UNFENCED)
    clock.pass_by(PATIENCE)
    posts.may = False
    say()
    posts.may, posts.refuses = True, lambda _: Later("org_login_required")
    tried = []
    for wait in (*(FIRST_WAIT * 2**power for power in range(6)), LONGEST_WAIT, LONGEST_WAIT):
        say()
        clock.pass_by(wait - timedelta(seconds=1))
        say()
        tried.append(posts.tried)
        clock.pass_by(timedelta(seconds=1))
    posts.refuses = None
    clock.pass_by(LONGEST_WAIT)
    say()

    assert (tried, posts.told) == ([1, 2, 3, 4, 5, 6, 7, 8], [(channel, (ENVIRONMENT, UNFENCED.sentence))])


def test_a_shape_that_is_refused_goes_out_as_a_line(stage):
    """What is said of the message itself is final for that message: the line is there at the same moment."""
    clock, clearances, posts, say, channel = stage
    clearances.hold(ENVIRONMENT, holder="fences", obstacle=UNFENCED)
    clock.pass_by(PATIENCE)
    posts.refuses = lambda message: Rejected("invalid_blocks") if len(message) == len(("name", "why")) else None
    for _ in range(3):
        say()

    assert posts.told == [(channel, (ENVIRONMENT, UNFENCED.sentence, Detail.LINE))]


def test_one_environment_that_cannot_be_told_costs_no_other():
    """What nobody foresaw of the first one's notice is counted, waits, and leaves the second's to be said."""
    clock, posts = HandClock(), Posts()
    failed: list[str] = []
    clearances = Clearances(now=clock)
    one = a_policy().environments[ENVIRONMENT]
    policy = replace(a_policy(), environments={"broken": replace(one, name="broken"), ENVIRONMENT: one})
    for name in policy.environments:
        for holder in (FIRST_CHECKS, CHANNEL_CHECKS):
            clearances.release(name, holder=holder)
        clearances.hold(name, holder=FENCES, obstacle=UNFENCED)

    def draw(name, why, detail):
        if name == "broken":
            raise ZeroDivisionError
        return drawn(name, why, detail)

    say = Standstills(clearances, posts, policy=lambda: policy, draw=draw, now=clock, failed=failed.append)
    clock.pass_by(PATIENCE)
    for _ in range(3):
        say()

    assert ([message for _, message in posts.told], failed) == ([(ENVIRONMENT, UNFENCED.sentence)], ["standstills"])


@pytest.mark.parametrize("why", [UNFENCED.sentence, None])
def test_the_message_may_leave(why):
    """It passes the rules of what may be sent; an environment's name is not read as markup."""
    message = standstill_message("a<!channel>b", why)

    assert ("Nothing starts in" in message.text, "again" in message.text) == ((why is not None), (why is None))
    assert "<!channel>" not in message.text


@pytest.mark.parametrize("why", [UNFENCED.sentence, None])
def test_its_line_has_nothing_but_text(why):
    """Where Slack takes no blocks, none are sent."""
    message = standstill_message(ENVIRONMENT, why, Detail.LINE)

    assert (message.blocks, message.text) == ((), standstill_message(ENVIRONMENT, why).text)
