"""Heartbeats: one row that tells another process whether a service lives, and how its legs are."""

from datetime import timedelta

import pytest

from bot.clock import utc_now
from models.store.heartbeats import Heartbeat, Heartbeats
from tests.builders import NOON
from tests.models.leasing import several, taken_by

LEG = {"part": "cluster", "of": "prod", "state": "failing", "code": "timeout", "why": "…", "since": NOON.isoformat()}
LATER = NOON + timedelta(seconds=5)


def test_the_last_beat_is_what_is_known(store):
    """Nothing before the first; each beat takes the place of the one before; a stop in good order says so, a new start not."""
    heartbeats = Heartbeats(store.database)
    seen = [heartbeats.latest()]
    heartbeats.beat(started_at=NOON, now=NOON, legs=[])
    seen.append(heartbeats.latest())
    heartbeats.beat(started_at=NOON, now=LATER, legs=[LEG])
    seen.append(heartbeats.latest())
    heartbeats.stop(LATER)
    seen.append(heartbeats.latest())
    heartbeats.beat(started_at=LATER, now=LATER, legs=[])
    seen.append(heartbeats.latest())

    def beat(**changed):
        return Heartbeat(
            **{"process": "serve", "started_at": NOON, "seen_at": NOON, "stopped_at": None, "legs": (), **changed}
        )

    assert seen == [
        (),
        (beat(),),
        (beat(seen_at=LATER, legs=(LEG,)),),
        (beat(seen_at=LATER, legs=(LEG,), stopped_at=LATER),),
        (beat(started_at=LATER, seen_at=LATER),),
    ]


def test_each_process_has_a_word_of_its_own(store):
    """One that stops says nothing of the others; the newest comes first."""
    one, other = (Heartbeats(store.database, process=name) for name in ("a", "b"))
    one.beat(started_at=NOON, now=NOON, legs=[])
    other.beat(started_at=NOON, now=LATER, legs=[])
    other.stop(LATER)

    assert [(beat.process, beat.stopped_at) for beat in one.latest()] == [("b", LATER), ("a", None)]


@pytest.mark.postgres
def test_who_leads_is_known(postgres_store, postgres_database):
    """It is whoever holds the lease, while it holds."""
    heartbeats = Heartbeats(postgres_store.database)
    with several(postgres_database.restricted_url, "a:1:salt") as (one,):
        before = heartbeats.leader(utc_now())
        held = taken_by(one)
        during = heartbeats.leader(utc_now())
        one.give_back(held)

        assert (before, during, heartbeats.leader(utc_now())) == (None, "a:1:salt", None)
