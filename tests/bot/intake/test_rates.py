"""Rates: a bucket a key, exact at its edges, and bounded in memory without losing a guesser's count."""

import pytest

from bot.intake.gate.rates import Buckets, Rate


class Seconds:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Return the seconds it was set to."""
        return self.now


@pytest.fixture
def clock():
    """A clock at 0."""
    return Seconds()


def test_a_bucket_gives_its_burst_and_then_says_how_long_to_wait(clock):
    """Two at once, then one every two seconds."""
    buckets = Buckets(Rate(per_second=0.5, burst=2), clock=clock)

    taken = [buckets.take("a") for _ in range(4)]
    clock.now = 1.5
    early = buckets.take("a")
    clock.now = 2.0
    later = [buckets.take("a"), buckets.take("a")]

    assert (taken, early, later) == ([0.0, 0.0, 2.0, 2.0], 0.5, [0.0, 2.0])


def test_a_bucket_never_holds_more_than_its_burst(clock):
    """A long silence saves nothing up."""
    buckets = Buckets(Rate(per_second=1, burst=2), clock=clock)
    buckets.take("a")
    clock.now = 1000.0

    assert [buckets.take("a") for _ in range(3)] == [0.0, 0.0, 1.0]


def test_keys_do_not_touch_each_other(clock):
    """One key's bucket is empty, another's full."""
    buckets = Buckets(Rate(per_second=1, burst=1), clock=clock)

    assert (buckets.take("a"), buckets.take("a"), buckets.take("b")) == (0.0, 1.0, 0.0)


def test_what_was_given_back_can_be_taken_again(clock):
    """A success costs nothing; giving back what is not remembered changes nothing."""
    buckets = Buckets(Rate(per_second=1, burst=1), clock=clock)
    buckets.take("a")
    buckets.give_back("a")
    buckets.give_back("never seen")

    assert (buckets.take("a"), buckets.take("a")) == (0.0, 1.0)


def test_t_auth_02_many_sources_do_not_flush_a_guessers_count(clock):
    """T-AUTH-02: when there is no room the newcomers share one bucket, and nobody who is put off is forgotten."""
    buckets = Buckets(Rate(per_second=1, burst=1), clock=clock, most_keys=3)
    assert buckets.take("guesser") == 0.0

    flood = [buckets.take(f"source {number}") for number in range(1000)]

    assert buckets.take("guesser") == 1.0
    assert [number for number, after in enumerate(flood) if after == 0.0] == [0, 1, 2]
    assert len(buckets) == 4


def test_whoever_has_recovered_makes_room(clock):
    """A full bucket is as good as none, so it is the one that is forgotten."""
    buckets = Buckets(Rate(per_second=1, burst=1), clock=clock, most_keys=2)
    buckets.take("a")
    buckets.take("b")
    clock.now = 1.0

    assert [buckets.take(key) for key in ("c", "d", "c")] == [0.0, 0.0, 1.0]
    assert len(buckets) == 2


@pytest.mark.parametrize("replicas", [1, 2, 3, 7, 10])
def test_replicas_give_out_together_what_one_would(clock, replicas):
    """A caller who goes round them all gets the burst and then the pace of one; each says how long to wait for its own part."""
    rate = Rate(per_second=1, burst=20)
    shared = [Buckets(rate, clock=clock, replicas=lambda: replicas) for _ in range(replicas)]

    def given() -> int:
        return sum(buckets.take("a") == 0.0 for buckets in shared for _ in range(30))

    at_once = given()
    clock.now = 100.0 * replicas
    saved_up = given()
    waits = {buckets.take("a") for buckets in shared}
    later = 0
    for _ in range(60):
        clock.now += 1.0
        later += given()

    assert at_once == saved_up == 20 // replicas * replicas
    assert waits == {float(replicas)}
    assert 60 - replicas <= later <= 60


def test_another_replica_makes_the_parts_smaller_at_once(clock):
    """What was given out already counts on."""
    number = [1]
    buckets = Buckets(Rate(per_second=1, burst=4), clock=clock, replicas=lambda: number[0])
    alone = [buckets.take("a") for _ in range(3)]
    number[0] = 2

    assert (alone, buckets.take("a")) == ([0.0, 0.0, 0.0], 1.0)
