"""Clearances: every holder holds and releases under its own name, and nothing starts while anybody holds."""

from datetime import timedelta

from approvals.ports.clearance import Obstacle
from bot.health.clearances import CHANNEL_CHECKS, FENCES, FIRST_CHECKS, NOT_CHECKED, NOT_SEEN, Clearances, Hold
from bot.health.legs import Leg, LegKind, LegState
from tests.builders import NOON
from tests.world import HandClock

UNFENCED = Obstacle(code="fence_missing", sentence="Its admission policies are missing.")
TOO_MUCH = Obstacle(code="right_too_many", sentence="An account may do too much.")


def cleared(clock=None):
    """Return clearances in which the checks of prod have passed."""
    clearances = Clearances(now=clock or HandClock())
    for holder in (FIRST_CHECKS, CHANNEL_CHECKS, FENCES):
        clearances.release("prod", holder=holder)
    return clearances


def test_an_environment_starts_nothing_before_its_checks_have_passed():
    """I18: what nobody has spoken of is not cleared."""
    clearances = Clearances(now=HandClock())

    for holder in (FIRST_CHECKS, CHANNEL_CHECKS, FENCES):
        assert clearances.obstacle("prod") == NOT_CHECKED
        clearances.release("prod", holder=holder)
    assert (clearances.obstacle("prod"), clearances.obstacle("other")) == (None, NOT_CHECKED)


def test_changes_start_once_nobody_holds():
    """One holder's release opens nothing that another keeps shut; the oldest reason is told first."""
    clock = HandClock()
    clearances = cleared(clock)
    clearances.hold("prod", holder="fences", obstacle=UNFENCED)
    clock.pass_by(timedelta(seconds=1))
    clearances.hold("prod", holder=FIRST_CHECKS, obstacle=TOO_MUCH)

    assert clearances.obstacle("prod") == UNFENCED
    clearances.release("prod", holder="fences")
    assert clearances.obstacle("prod") == TOO_MUCH
    clearances.release("prod", holder=FIRST_CHECKS)
    assert clearances.obstacle("prod") is None


def test_a_holder_that_finds_another_reason_holds_since_it_began():
    """Since when nothing starts is what an operator asks; the newest reason is what to mend."""
    clock = HandClock()
    clearances = cleared(clock)
    clearances.hold("prod", holder="fences", obstacle=UNFENCED)
    clock.pass_by(timedelta(seconds=9))
    clearances.hold("prod", holder="fences", obstacle=TOO_MUCH)

    assert clearances.holds("prod") == (Hold(holder="fences", obstacle=TOO_MUCH, since=NOON),)


def test_more_holders_may_have_to_release_first():
    """Who watches something else from the start holds from the start."""
    clearances = Clearances(now=HandClock(), at_first={FIRST_CHECKS: NOT_CHECKED, "fences": UNFENCED})

    clearances.release("prod", holder=FIRST_CHECKS)

    assert clearances.obstacle("prod") == UNFENCED


def test_a_known_reason_is_told_before_what_is_not_known_yet():
    """That a channel was not looked at yet must not hide what an account may do too much."""
    clock = HandClock()
    clearances = Clearances(now=clock)
    clock.pass_by(timedelta(seconds=1))
    clearances.hold("prod", holder="fences", obstacle=TOO_MUCH)

    assert clearances.obstacle("prod") == TOO_MUCH


def test_an_environment_is_a_leg():
    """Since when changes may start there, or may not and why."""
    clock = HandClock()
    clearances = cleared(clock)
    clock.pass_by(timedelta(seconds=1))
    clearances.hold("prod", holder="fences", obstacle=UNFENCED)

    def leg(of, state, code, why, since):
        return Leg(part=LegKind.ENVIRONMENT, of=of, state=state, code=code, why=why, since=since, seen_at=clock())

    later = NOON + timedelta(seconds=1)
    assert clearances.leg("prod", now=clock()) == leg(
        "prod", LegState.FAILING, "fence_missing", UNFENCED.sentence, later
    )
    clearances.release("prod", holder="fences")
    assert clearances.leg("prod", now=clock()) == leg("prod", LegState.GOOD, "ok", "", later)


def test_a_release_that_counts_for_a_while_lapses():
    """Whoever watches and falls silent holds again by itself: nothing known is no clearance (I18)."""
    clock = HandClock()
    clearances = cleared(clock)
    clearances.release("prod", holder=FENCES, good_for=timedelta(seconds=120))
    clock.pass_by(timedelta(seconds=119))
    before = clearances.obstacle("prod")
    clock.pass_by(timedelta(seconds=1))

    assert (before, clearances.obstacle("prod")) == (None, NOT_SEEN)
    assert clearances.leg("prod", now=clock()).since == clock()
    clearances.release("prod", holder=FENCES, good_for=timedelta(seconds=120))
    assert clearances.obstacle("prod") is None


def test_what_is_found_while_a_release_still_counts_holds_at_once():
    """And since now, not since the instant at which the release would have lapsed."""
    clock = HandClock()
    clearances = cleared(clock)
    clearances.release("prod", holder=FENCES, good_for=timedelta(seconds=120))
    clock.pass_by(timedelta(seconds=1))
    clearances.hold("prod", holder=FENCES, obstacle=UNFENCED)

    assert clearances.holds("prod") == (Hold(holder=FENCES, obstacle=UNFENCED, since=clock()),)


def test_a_clock_that_is_put_back_clears_nothing():
    """I18: what holds an environment has begun, whatever the clock says by now."""
    clock = HandClock()
    clearances = cleared(clock)
    clearances.hold("prod", holder=FENCES, obstacle=UNFENCED)

    clock.pass_by(timedelta(hours=-1))

    assert clearances.obstacle("prod") == UNFENCED
    assert Clearances(now=clock).obstacle("other") == NOT_CHECKED


def test_a_clock_that_is_put_back_lets_a_release_count_no_longer():
    """By seconds that only count up it lapses all the same: whoever watches has fallen silent (I18)."""
    clock, monotonic = HandClock(), [0.0]
    clearances = Clearances(now=clock, at_first={FENCES: NOT_CHECKED}, monotonic=lambda: monotonic[0])
    clearances.release("prod", holder=FENCES, good_for=timedelta(seconds=120))

    clock.pass_by(timedelta(hours=-1))
    monotonic[0] = 119.0
    before = clearances.obstacle("prod")
    monotonic[0] = 120.0

    assert (before, clearances.obstacle("prod")) == (None, NOT_SEEN)
