"""Turns: several queues share one pace, and none of them starves another."""

from models.engine.turns import Turns

HERE = "a channel"


def queues(**waiting: int) -> dict[tuple[str, str], list[str]]:
    """Return queues of so many things each, most pressing first."""
    return {(HERE, name): [f"{name}{place}" for place in range(1, count + 1)] for name, count in waiting.items()}


def test_one_of_each_in_turn():
    """While nobody was served yet the queues go in the order in which they are named, each in its own order."""
    assert Turns[str, str]().in_order(queues(b=3, a=1, c=2)) == ("b1", "a1", "c1", "b2", "c2", "b3")


def test_who_was_served_longest_ago_goes_first():
    """A queue that was never served goes before all that were."""
    turns = Turns[str, str]()
    for name in ("a", "b", "a"):
        turns.took(HERE, name)

    assert turns.in_order(queues(a=2, b=2, c=1)) == ("c1", "b1", "a1", "b2", "a2")


def test_turns_count_while_anything_waits_there():
    """Where nothing waits any more the next crowd begins anew; an empty queue of a place that is busy stays known."""
    turns = Turns[str, str]()
    turns.took(HERE, "a")
    turns.forget_all_but([HERE])
    kept = turns.in_order(queues(a=1, b=1))
    turns.forget_all_but([])

    assert (kept, turns.in_order(queues(a=1, b=1))) == (("b1", "a1"), ("a1", "b1"))


def test_nothing_waits():
    """Without queues there is no order."""
    assert Turns[str, str]().in_order({}) == ()
