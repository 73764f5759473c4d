"""Checking: environments start nothing before their checks have passed; what one finds takes out those that it concerns."""

from threading import Event

import pytest

from approvals.errors import Unavailable
from approvals.ports.clearance import Obstacle
from bot.checks.checking import (
    AGAIN_SECONDS,
    AT_ONCE,
    FIRST_WAIT_SECONDS,
    LONGEST_WAIT_SECONDS,
    Check,
    Checking,
    Found,
)
from bot.health.clearances import FIRST_CHECKS, NOT_CHECKED, Clearances
from bot.health.legs import LegKind, Legs, LegState
from tests.waiting import wait_until
from tests.world import HandClock

TOO_MUCH = Found(code="right_too_many", sentence="An account may do too much. Take it away.", is_grave=True)
MISSING = Found(
    code="right_missing", sentence="An account may not do enough.", is_grave=True, environments=frozenset({"prod"})
)
NOTE = Found(code="slack", sentence="The channel is shared.", is_grave=False)


class Seconds:
    """Seconds that a test moves by hand."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        """Return them."""
        return self.now


class Stage:
    """Checking over what a test scripts: a list of what each run comes to, the last of them again and again."""

    def __init__(self):
        self.seconds, clock = Seconds(), HandClock()
        self.legs = Legs(now=clock)
        self.clearances = Clearances(now=clock, at_first={FIRST_CHECKS: NOT_CHECKED})
        self.checking = Checking(clearances=self.clearances, legs=self.legs, monotonic=self.seconds)
        self.runs = 0

    def check(self, *results, name="cluster", environments=("prod", "staging"), rests_on="grants"):
        """Return a check that comes to *results*, one after the other."""
        waiting = list(results)

        def run():
            self.runs += 1
            result = waiting.pop(0) if len(waiting) > 1 else waiting[0]
            if isinstance(result, Exception):
                raise result
            return result

        return Check(
            name=name,
            holder=FIRST_CHECKS,
            part=LegKind.CHECKS,
            environments=environments,
            rests_on=rests_on,
            run=run,
        )

    def tick(self):
        """Let everything run that is due, to its end."""
        self.checking.tick()
        wait_until(self._is_idle, what="the checks have ended")

    def _is_idle(self):
        with self.checking._lock:
            return not any(one.is_running for one in self.checking._planned.values())

    def obstacles(self):
        """Return the code of what is in the way in each environment."""
        found = {name: self.clearances.obstacle(name) for name in ("prod", "staging")}
        return {name: None if one is None else one.code for name, one in found.items()}

    def codes(self):
        """Return each environment's leg."""
        return {leg.of: leg.code for leg in self.legs.of(LegKind.CHECKS)}


@pytest.fixture
def stage():
    """Checking, with nothing to check."""
    made = Stage()
    yield made
    made.checking.close()


def test_nothing_starts_before_the_checks_have_passed(stage):
    """I18: held as long as nobody has looked, released when the look finds nothing grave."""
    stage.checking.cover([stage.check([NOTE])])
    before = stage.obstacles(), stage.codes()
    stage.tick()

    assert before == ({"prod": "not_checked", "staging": "not_checked"},) * 2
    assert (stage.obstacles(), stage.codes()) == ({"prod": None, "staging": None}, {"prod": "ok", "staging": "ok"})


def test_a_right_too_many_takes_out_every_environment_of_the_cluster(stage):
    """It is a way round every approval there. Who waits reads our sentence; the operator reads the cause."""
    stage.checking.cover([stage.check([TOO_MUCH])])
    stage.tick()

    assert stage.obstacles() == {"prod": "right_too_many", "staging": "right_too_many"}
    assert [leg.why for leg in stage.legs.of(LegKind.CHECKS)] == [TOO_MUCH.sentence] * 2
    obstacle = stage.clearances.obstacle("prod")
    assert obstacle is not None
    assert "account" not in obstacle.sentence


def test_what_concerns_one_environment_takes_out_that_one(stage):
    """A namespace that is gone stops its environment; the other one in the same cluster goes on."""
    stage.checking.cover([stage.check([MISSING, NOTE])])
    stage.tick()

    assert stage.obstacles() == {"prod": "right_missing", "staging": None}
    assert {leg.of: leg.state for leg in stage.legs.of(LegKind.CHECKS)} == {
        "prod": LegState.FAILING,
        "staging": LegState.GOOD,
    }


def test_what_somebody_puts_right_counts_without_a_restart(stage):
    """A check that found something is made again with growing waits, and releases what it held."""
    stage.checking.cover([stage.check([TOO_MUCH], [TOO_MUCH], [])])
    stage.tick()
    for wait in (FIRST_WAIT_SECONDS - 1, 1):
        stage.seconds.now += wait
        stage.tick()
    after_second = stage.runs
    stage.seconds.now += FIRST_WAIT_SECONDS
    stage.tick()
    between = stage.runs
    stage.seconds.now += FIRST_WAIT_SECONDS
    stage.tick()

    assert (after_second, between, stage.runs) == (2, 2, 3)
    assert stage.obstacles() == {"prod": None, "staging": None}


def test_the_waits_are_bounded(stage):
    """A cluster that is away for a day is asked every five minutes, and is never forgotten."""
    stage.checking.cover([stage.check(Unavailable("It is away.", code="timeout"))])
    for _ in range(40):
        stage.tick()
        stage.seconds.now += LONGEST_WAIT_SECONDS
    assert stage.runs == 40


def test_a_cluster_that_cannot_be_asked_has_not_passed(stage):
    """At the start it holds what nobody has looked at; what had passed before stays as it was, because nothing is known anew."""
    stage.checking.cover([stage.check(Unavailable("It does not answer.", code="timeout"), [])])
    stage.tick()
    first = stage.obstacles(), stage.codes()
    stage.seconds.now += FIRST_WAIT_SECONDS
    stage.tick()

    assert first == ({"prod": "not_checked", "staging": "not_checked"}, {"prod": "timeout", "staging": "timeout"})
    assert stage.obstacles() == {"prod": None, "staging": None}


def test_what_had_passed_stays_when_the_next_look_cannot_ask(stage):
    """A cluster that is away for a moment cannot be written to anyhow; when it is back it is looked at again."""
    stage.checking.cover([stage.check([], Unavailable("It does not answer.", code="timeout"))])
    stage.tick()
    stage.seconds.now += AGAIN_SECONDS
    stage.tick()

    assert (stage.obstacles(), stage.codes()) == (
        {"prod": None, "staging": None},
        {"prod": "timeout", "staging": "timeout"},
    )


def test_a_check_that_breaks_has_not_passed(stage):
    """A fault of ours opens nothing, and its text, which may quote anybody, is not repeated."""
    stage.checking.cover([stage.check(RuntimeError("secret"))])
    stage.tick()

    assert stage.obstacles() == {"prod": "not_checked", "staging": "not_checked"}
    assert {leg.why for leg in stage.legs.of(LegKind.CHECKS)} == {"The check raised RuntimeError; see the log."}


def test_a_passed_check_is_made_again(stage):
    """Every hour, and at once where somebody asks for it: a right that was given meanwhile is found."""
    stage.checking.cover([stage.check([], [], [TOO_MUCH])])
    stage.tick()
    stage.seconds.now += AGAIN_SECONDS
    stage.tick()
    stage.checking.again("staging")
    stage.tick()

    assert (stage.runs, stage.obstacles()["prod"]) == (3, "right_too_many")


def test_what_a_reloaded_policy_brings_is_checked_first(stage):
    """A new environment, and one whose grants are others now, start nothing until they were looked at; others go on."""
    prod = stage.check([], name="cluster of prod", environments=("prod",))
    stage.checking.cover([prod])
    stage.tick()
    staging = stage.check([], name="cluster of staging", environments=("staging",))
    stage.checking.cover([prod, staging])
    with_new = stage.obstacles()
    stage.tick()
    changed = stage.check([], name="cluster of prod", environments=("prod",), rests_on="other grants")
    stage.checking.cover([changed, staging])

    assert with_new == {"prod": None, "staging": "not_checked"}
    assert stage.obstacles() == {"prod": "not_checked", "staging": None}


def test_an_answer_to_an_older_question_opens_nothing(stage):
    """A check that ends after the policy has changed says nothing of what is asked now (I18)."""
    release = Event()

    def slow():
        release.wait(10)
        return []

    first = stage.check([], rests_on="old")
    stage.checking.cover([Check(**{**{name: getattr(first, name) for name in Check.__slots__}, "run": slow})])
    stage.checking.tick()
    (old,) = stage.checking._planned.values()
    stage.checking.cover([stage.check([], rests_on="new")])
    release.set()
    wait_until(lambda: not old.is_running, what="the older check has ended")

    assert stage.obstacles() == {"prod": "not_checked", "staging": "not_checked"}


def test_an_environment_that_left_the_policy_has_no_leg(stage):
    """What is not asked about any more is not told of."""
    stage.checking.cover([stage.check([])])
    stage.tick()
    stage.checking.cover([stage.check([], environments=("prod",))])

    assert stage.codes() == {"prod": "ok"}


def test_checks_run_side_by_side_and_bounded(stage):
    """Eight at once, however many there are; the tick that begins them waits for none."""
    release, running, most = Event(), [], []

    def slow():
        running.append(1)
        most.append(len(running))
        release.wait(10)
        running.pop()
        return []

    first = stage.check([])
    fields = {name: getattr(first, name) for name in Check.__slots__}
    stage.checking.cover([Check(**{**fields, "name": str(number), "run": slow}) for number in range(3 * AT_ONCE)])
    stage.checking.tick()
    wait_until(lambda: len(running) == AT_ONCE, what="as many run as may")
    stage.checking.tick()
    release.set()
    stage.tick()

    assert (max(most), len(most)) == (AT_ONCE, 3 * AT_ONCE)


def test_obstacles_name_no_environment():
    """The sentences are shown to agents and in channels; the codes to whoever asks whether it is ready."""
    assert Obstacle(code="not_checked", sentence=NOT_CHECKED.sentence) == NOT_CHECKED
