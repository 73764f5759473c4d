"""Turns of the one writer: the urgent go first, and nobody waits for ever."""

from threading import Event, Thread

import pytest

from approvals.errors import Unavailable
from approvals.ports.store import Urgency
from models.engine.lanes import WriteLanes
from tests.waiting import wait_until


def queue_up(lanes: WriteLanes, lane: Urgency, name: str, done: list[str]) -> Thread:
    """Start a writer that waits for its turn in *lane*, and return once it waits."""
    before = sum(len(waiting) for waiting in lanes._waiting.values())

    def write() -> None:
        with lanes.turn(lane):
            done.append(name)

    thread = Thread(target=write)
    thread.start()
    wait_until(
        lambda: sum(len(waiting) for waiting in lanes._waiting.values()) > before, what=f"{name} waits for its turn"
    )
    return thread


def test_urgent_writers_pass_all_others():
    """A pause or a denial that comes last writes next (I13); within a lane it is first come, first served."""
    lanes = WriteLanes(patience=10)
    done: list[str] = []

    with lanes.turn(Urgency.NORMAL):
        writers = [
            queue_up(lanes, Urgency.NORMAL, "intake 1", done),
            queue_up(lanes, Urgency.NORMAL, "intake 2", done),
            queue_up(lanes, Urgency.URGENT, "pause", done),
            queue_up(lanes, Urgency.URGENT, "deny", done),
        ]
    for writer in writers:
        writer.join()

    assert done == ["pause", "deny", "intake 1", "intake 2"]


def test_patience_ends():
    """A writer whose turn does not come is told to try again, and holds up nobody after it."""
    lanes = WriteLanes(patience=0.01)

    with lanes.turn(Urgency.NORMAL), pytest.raises(Unavailable) as refused, lanes.turn(Urgency.NORMAL):
        pass
    with lanes.turn(Urgency.NORMAL):
        pass

    assert refused.value.code == "store_busy"


def test_a_turn_that_comes_as_patience_ends_is_taken(monkeypatch):
    """A turn handed over in the moment in which its waiter gives up is used, and passed on afterwards."""
    lanes = WriteLanes(patience=10)
    holder = lanes.turn(Urgency.NORMAL)

    class LastMoment(Event):
        """A wait that runs out just as the turn comes."""

        def wait(self, timeout: float | None = None) -> bool:
            holder.__exit__(None, None, None)
            return False

    monkeypatch.setattr("models.engine.lanes.Event", LastMoment)

    holder.__enter__()
    with lanes.turn(Urgency.NORMAL):
        taken_meanwhile = lanes._taken

    assert (taken_meanwhile, lanes._taken) == (True, False)
