"""The worker lock at work: what one process alone may do is done while the lock is held, and never after it is given up."""

from dataclasses import dataclass, field

import pytest

from approvals.errors import Clash, Refused, Unavailable
from bot.runtime.under_lock import AWAY_SECONDS, TAKEN_SECONDS, UnderLock

TAKEN = Clash("Another one works on it.", code="already_serving")
AWAY = Unavailable("Out of reach.")


@dataclass
class HandLock:
    """A lock that a test loses and gives back by hand."""

    lost: Refused | None = None
    """What whoever takes it again is told; None where it is held, or free."""
    held: bool = True

    def lose(self, why: Refused) -> None:
        """Lose it."""
        self.lost, self.held = why, False

    def is_held(self) -> bool:
        """Tell whether it is held."""
        return self.held

    def hold(self) -> None:
        """Hold it, if it is to be had."""
        if self.lost is not None:
            raise self.lost
        self.held = True


@dataclass
class Story:
    """Somebody who works under the lock."""

    lock: HandLock = field(default_factory=HandLock)
    seconds: float = 0.0
    done: int = 0
    ended: int = 0

    def __post_init__(self) -> None:
        self.under = UnderLock(self.lock, monotonic=lambda: self.seconds, end=self._end)
        self.work = self.under.only(self._work)

    def watch_after(self, seconds: float) -> None:
        """Let time go by, then look at the lock."""
        self.seconds += seconds
        self.under.watch()

    def _work(self) -> None:
        self.done += 1

    def _end(self) -> None:
        self.ended += 1


def test_work_is_done_while_the_lock_is_held():
    """Held it is worked; lost it is not, and what was left out is no failure: the next tick finds it."""
    story = Story()

    story.work()
    story.lock.lose(AWAY)
    story.work()

    assert (story.done, story.ended) == (1, 0)


@pytest.mark.parametrize(("why", "patience"), [(TAKEN, TAKEN_SECONDS), (AWAY, AWAY_SECONDS)])
def test_a_lock_that_comes_back_in_time_ends_nothing(why, patience):
    """Until its patience has run out, a lock that can be had again is work again, and the patience begins anew."""
    story = Story()

    for _ in range(2):
        story.lock.lose(why)
        with pytest.raises(type(why)):
            story.watch_after(patience - 0.1)
        story.lock.lost = None
        story.watch_after(0.1)
        story.work()

    assert (story.done, story.ended, story.under.given_up) == (2, 0, None)


@pytest.mark.parametrize(("why", "patience"), [(TAKEN, TAKEN_SECONDS), (AWAY, AWAY_SECONDS)])
def test_a_lock_that_does_not_come_back_ends_the_service_for_good(why, patience):
    """Past its patience the service is told to end, once, and why; nothing is begun any more, though the lock were free."""
    story = Story()

    story.lock.lose(why)
    story.watch_after(patience)
    story.lock.lost, story.lock.held = None, True
    story.watch_after(5)
    story.work()

    assert (story.done, story.ended, story.under.given_up) == (0, 1, why)


def test_work_that_fails_is_told_as_it_is():
    """Only the lock decides what is left out: what the work itself could not do goes to whoever counts failures."""
    story = Story()

    def breaks() -> None:
        raise AWAY

    with pytest.raises(Unavailable):
        story.under.only(breaks)()
