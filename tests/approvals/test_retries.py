"""Retries: what fails is tried again by growing waits, each thing by its own."""

from datetime import timedelta

import pytest

from approvals.workflow.retries import Retries, growing_wait
from tests.builders import MINUTE, NOON, TICK

SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(("failures", "seconds"), [(1, 5), (2, 10), (4, 40), (7, 300), (10_000, 300)])
def test_waits_grow_from_seconds_to_minutes(failures, seconds):
    """Twice the last, up to the longest."""
    assert growing_wait(failures, first=5 * SECOND, longest=5 * MINUTE) == seconds * SECOND


def test_each_waits_by_its_own_failures_until_it_goes_well():
    """The wait's end is no part of it; what went well begins anew."""
    retries = Retries(first=5 * SECOND, longest=MINUTE)
    for name in ("one", "one", "two", "three"):
        retries.after_failure(name, now=NOON)
    retries.after_success("three")
    retries.after_success("never failed")

    ends = [5 * SECOND - TICK, 5 * SECOND, 10 * SECOND - TICK, 10 * SECOND]
    assert [set(retries.waiting(NOON + end)) for end in ends] == [{"one", "two"}, {"one"}, {"one"}, set()]


def test_whoever_asks_for_patience_gets_it_and_no_less_is_waited():
    """Slack may ask for longer than we would wait, beyond the longest; what it asks for less shortens nothing."""
    retries = Retries(first=5 * SECOND, longest=MINUTE)
    retries.after_failure("long", now=NOON, at_least=MINUTE * 2)
    retries.after_failure("short", now=NOON, at_least=SECOND)

    ends = [SECOND, 5 * SECOND, 2 * MINUTE - TICK, 2 * MINUTE]
    assert [sorted(retries.waiting(NOON + end)) for end in ends] == [["long", "short"], ["long"], ["long"], []]
