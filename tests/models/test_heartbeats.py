"""Heartbeats: one row that tells another process whether a service lives, and how its legs are."""

from datetime import timedelta

from models.store.heartbeats import Heartbeat, Heartbeats
from tests.builders import NOON

LEG = {"part": "cluster", "of": "prod", "state": "failing", "code": "timeout", "why": "…", "since": NOON.isoformat()}
LATER = NOON + timedelta(seconds=5)


def test_the_last_beat_is_what_is_known(store):
    """Nothing before the first; each beat takes the place of the one before; a stop in good order says so, a new start not."""
    heartbeats = Heartbeats(store.database)
    seen = [heartbeats.last()]
    heartbeats.beat(started_at=NOON, now=NOON, legs=[])
    seen.append(heartbeats.last())
    heartbeats.beat(started_at=NOON, now=LATER, legs=[LEG])
    seen.append(heartbeats.last())
    heartbeats.stop(LATER)
    seen.append(heartbeats.last())
    heartbeats.beat(started_at=LATER, now=LATER, legs=[])
    seen.append(heartbeats.last())

    def beat(**changed):
        return Heartbeat(**{"started_at": NOON, "seen_at": NOON, "stopped_at": None, "legs": (), **changed})

    assert seen == [
        None,
        beat(),
        beat(seen_at=LATER, legs=(LEG,)),
        beat(seen_at=LATER, legs=(LEG,), stopped_at=LATER),
        beat(started_at=LATER, seen_at=LATER),
    ]
