"""Who leads: what one process alone may do is done under the lease, and by nobody who has lost it."""

from dataclasses import dataclass, field

import pytest
from structlog.testing import capture_logs

from approvals.errors import Clash, Unavailable
from bot.clock import utc_now
from bot.health.legs import LegKind, Legs
from bot.runtime.leader import AWAY_SECONDS, TRUSTED_SECONDS, Leadership
from models.store.fence import Lease, LeaseLost
from models.store.leases import LEASE_SECONDS
from tests.waiting import wait_until

OLDER = Clash("An older release works on it.", code="already_serving")
AWAY = Unavailable("Out of reach.")


@dataclass
class HandLease:
    """A lease that a test gives to this process or to another by hand."""

    free: bool = True
    wrong: Exception | None = None
    """What whoever asks is told."""
    generation: int = 0
    given_back: list[int] = field(default_factory=list)

    def take(self) -> Lease | None:
        """Take it, if it is to be had."""
        self._may_refuse()
        if not self.free:
            return None
        self.free = False
        self.generation += 1
        return self._lease()

    def renew(self, lease: Lease) -> bool:
        """Renew it, if it is still the holder's."""
        self._may_refuse()
        return lease == self._lease()

    def give_back(self, lease: Lease) -> None:
        """Give it back."""
        self._may_refuse()
        self.given_back.append(lease.generation)
        self.free = True

    def goes_elsewhere(self) -> None:
        """Let another process have it."""
        self.generation += 1
        self.free = False

    def _lease(self) -> Lease:
        return Lease(name="leader", holder="a", generation=self.generation)

    def _may_refuse(self) -> None:
        if self.wrong is not None:
            raise self.wrong


@dataclass
class Duty:
    """What is done under one lease."""

    lease: Lease
    told: list[object]

    def settle(self) -> None:
        """Note it."""
        self.told.append("settled")

    def end(self) -> None:
        """Note it."""
        self.told.append("ended")

    def work(self) -> None:
        """Note under which generation it is worked."""
        self.told.append(self.lease.generation)


@dataclass
class Story:
    """A process that may lead."""

    lease: HandLease = field(default_factory=HandLease)
    seconds: float = 0.0
    told: list[object] = field(default_factory=list)
    ended: int = 0

    def __post_init__(self) -> None:
        self.legs = Legs(now=utc_now)
        self.leadership = Leadership(
            self.lease,
            duties=lambda lease: Duty(lease, self.told),
            monotonic=lambda: self.seconds,
            legs=self.legs,
            end=self._end,
        )
        self.work = self.leadership.only(Duty.work)

    def leg(self) -> str:
        """Return how the leg is."""
        (leg,) = self.legs.of(LegKind.WORKER_LOCK)
        return leg.code

    def _end(self) -> None:
        self.ended += 1


def test_it_works_while_it_leads():
    """Before the lease is ours nothing is done, under it everything, and nothing any more once it is another's."""
    story = Story()

    story.work()
    story.leadership.look()
    story.work()
    story.lease.goes_elsewhere()
    story.leadership.look()
    story.work()
    story.leadership.look()
    story.work()

    assert story.told == [1, "ended"]


def test_each_turn_has_duties_of_its_own():
    """What a thread of an earlier turn still holds is bound to a lease that is over."""
    story = Story()

    story.leadership.look()
    story.work()
    story.lease.goes_elsewhere()
    story.leadership.look()
    story.lease.free = True
    story.leadership.look()
    story.work()

    assert story.told == [1, "ended", 3]


def test_a_lease_is_trusted_for_less_than_it_holds():
    """Where no renewal comes through, its holder stops by its own clock before anybody else can have begun."""
    story = Story()
    lease = Lease(name="leader", holder="a", generation=1)

    story.leadership.look()
    until = story.leadership.trusted_until
    story.seconds += TRUSTED_SECONDS - 0.1
    story.work()
    story.leadership.check(lease)
    story.seconds += 0.2
    story.work()
    leads = story.leadership.leads
    with pytest.raises(LeaseLost):
        story.leadership.check(lease)
    story.leadership.look()
    story.work()

    assert (until, leads) == (TRUSTED_SECONDS, False)
    assert story.told == [1, 1]
    assert TRUSTED_SECONDS < LEASE_SECONDS


def test_nothing_is_sent_under_another_turns_lease():
    """A thread that woke up in a later turn of the same process does not send what it had in hand in the earlier one."""
    story = Story()
    story.leadership.look()
    story.lease.goes_elsewhere()
    story.leadership.look()
    story.lease.free = True
    story.leadership.look()

    with pytest.raises(LeaseLost):
        story.leadership.check(Lease(name="leader", holder="a", generation=1))
    story.leadership.check(Lease(name="leader", holder="a", generation=3))


def test_work_that_finds_its_lease_lost_is_left_to_the_next_one():
    """It is no failure; what else goes wrong with it goes to whoever counts failures."""
    story = Story()
    story.leadership.look()

    def raises(error: Exception):
        def work(duty: Duty) -> None:
            raise error

        return story.leadership.only(work)

    with capture_logs() as logs:
        raises(LeaseLost())()
    with pytest.raises(Unavailable):
        raises(AWAY)()

    assert [line["event"] for line in logs] == ["leader.work_left"]


@pytest.mark.parametrize(("wrong", "goes_on"), [(OLDER, False), (AWAY, True)])
def test_beside_an_older_release_it_stops_at_once(wrong, goes_on):
    """A database that is away may be back before the lease lapses; an older release writes without any fence."""
    story = Story()
    story.leadership.start()
    story.lease.wrong = wrong
    wait_until(lambda: story.leg() == wrong.code, what="the leg fails")

    story.work()
    story.lease.wrong = None
    wait_until(lambda: story.leg() == "ok", what="the leg stands again")
    story.leadership.stop()

    assert story.told == ([1, "settled", "ended"] if goes_on else ["ended"])


def test_it_gives_the_lease_back_when_what_it_does_has_ended():
    """A stop in good order waits for what is under way, and then lets another begin at once; one that never led gives nothing."""
    leads, follows = Story(), Story(lease=HandLease(free=False))
    for story in (leads, follows):
        story.leadership.start()
        story.leadership.stop()
        story.work()

    assert (leads.told, leads.lease.given_back) == (["settled", "ended"], [1])
    assert (follows.told, follows.lease.given_back) == ([], [])


def test_a_lease_that_cannot_be_given_back_lapses():
    """A stop does not fail because the database is away."""
    story = Story()
    story.leadership.start()
    story.lease.wrong = AWAY

    with capture_logs() as logs:
        story.leadership.stop()

    assert "leader.not_given_back" in [line["event"] for line in logs]
    assert not story.leadership.leads


def test_a_database_that_stays_away_ends_the_service_once():
    """Past its patience the service is told to end, once, and why; a database that comes back in time ends nothing."""
    story = Story()
    story.leadership.start()
    for _ in range(2):
        story.lease.wrong = AWAY
        story.seconds += AWAY_SECONDS - 1
        wait_until(lambda: story.leg() == AWAY.code, what="the leg fails")
        story.lease.wrong = None
        wait_until(lambda: story.leg() == "ok", what="the leg stands again")
    before = (story.ended, story.leadership.given_up)
    story.lease.wrong = AWAY
    story.seconds += AWAY_SECONDS + 1
    wait_until(lambda: story.ended, what="the service is ended")
    wait_until(lambda: story.leg() == AWAY.code, what="the leg fails")
    story.leadership.stop()

    assert (before, story.ended, story.leadership.given_up) == ((0, None), 1, AWAY)


def test_what_nobody_foresaw_ends_no_looking():
    """The thread goes on, and the leg says so."""
    story = Story()
    story.leadership.start()
    story.lease.wrong = ZeroDivisionError("unforeseen")
    wait_until(lambda: story.leg() == "raised", what="the leg fails")
    story.lease.wrong = None
    wait_until(lambda: story.leg() == "ok", what="the leg stands again")
    story.leadership.stop()
