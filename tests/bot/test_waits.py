"""Waits between tries grow, are bounded, honour what was asked, and begin anew after a success."""

from bot.runtime.waits import Backoff


def test_waits_double_up_to_a_bound_and_begin_anew():
    """Each wait doubles the last one up to the bound; a success leads back to the first."""
    waits = Backoff(first=1, most=60, chance=lambda: 1.0)

    grown = [waits.after_failure() for _ in range(8)]
    waits.after_success()

    assert grown == [1, 2, 4, 8, 16, 32, 60, 60]
    assert waits.after_failure() == 1


def test_half_of_a_wait_is_left_to_chance_but_nothing_of_what_was_asked_for():
    """Chance shortens our own waits only: the other side's number is a least one."""
    waits = Backoff(first=8, most=60, chance=lambda: 0.0)

    assert waits.after_failure() == 4
    assert waits.after_failure(at_least=60) == 60
    assert waits.after_failure(at_least=3) == 16


def test_failures_without_end_do_not_overflow():
    """A loop may fail for years."""
    waits = Backoff(first=1, most=60, chance=lambda: 1.0)

    assert {waits.after_failure() for _ in range(5000)} == {1, 2, 4, 8, 16, 32, 60}
