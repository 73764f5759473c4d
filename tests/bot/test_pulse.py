"""The pulse: a service writes that it lives; a store that cannot be written is a leg that fails, also where it can be read."""

import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest

from bot.cli.parts import ServiceStatus
from bot.health.legs import LegKind, Legs, LegState
from bot.operations.service_status import FRESH, service_status
from bot.runtime.pulse import Pulse
from models.engine.database import open_database
from models.store.heartbeats import Heartbeat, Heartbeats
from tests.builders import HOUR, MINUTE, NOON
from tests.world import HandClock


@pytest.fixture
def legs():
    """Legs of a service."""
    return Legs(now=HandClock())


def test_a_beat_tells_how_every_leg_is(sqlite_store, legs):
    """Whoever reads it sees what the service itself sees."""
    heartbeats = Heartbeats(sqlite_store.database)
    legs.failing(LegKind.CLUSTER, "prod", code="timeout", why="It does not answer.")

    Pulse(legs, heartbeats, now=HandClock()).beat()

    (last,) = heartbeats.latest()
    assert (last.started_at, last.seen_at, [leg.state for leg in legs.of(LegKind.STORE)]) == (
        NOON,
        NOON,
        [LegState.GOOD],
    )
    assert last.legs == (
        {
            "part": "cluster", "of": "prod", "state": "failing", "code": "timeout",
            "why": "It does not answer.", "since": NOON.isoformat(),
        },
    )  # fmt: skip


def test_a_store_that_cannot_be_written_is_noticed(sqlite_store, legs, monkeypatch):
    """Locked by somebody else, it can still be read: the leg fails, the tick does not, and it stands again afterwards."""
    monkeypatch.setattr("models.engine.database.PATIENCE", 0.1)
    database = open_database(str(sqlite_store.database.url))
    heartbeats = Heartbeats(database)
    pulse, states = Pulse(legs, heartbeats, now=HandClock()), []
    with closing(sqlite3.connect(str(sqlite_store.database.url.database))) as other:
        other.execute("BEGIN IMMEDIATE")
        pulse.beat()
        states += [leg.state for leg in legs.of(LegKind.STORE)]
        pulse.stop()
    pulse.beat()
    states += [leg.state for leg in legs.of(LegKind.STORE)]

    assert states == [LegState.FAILING, LegState.GOOD]
    (last,) = heartbeats.latest()
    assert last.stopped_at is None
    database.close()


LEGS = ({"part": "store", "state": "good"},)


def beat(**changed):
    """Return a heartbeat of noon."""
    of_noon = {"process": "serve", "started_at": NOON - HOUR, "seen_at": NOON, "stopped_at": None, "legs": LEGS}
    return Heartbeat(**{**of_noon, **changed})


@pytest.mark.parametrize(
    ("last", "age", "status"),
    [
        (None, 0 * MINUTE, ServiceStatus(sentence="no service has ever run on this database", legs=())),
        (beat(), FRESH, ServiceStatus(sentence="runs since 2026-11-20T11:00:00Z", legs=LEGS)),
        (
            beat(stopped_at=NOON),
            HOUR,
            ServiceStatus(sentence="stopped in good order at 2026-11-20T12:00:00Z", legs=()),
        ),
    ],
    ids=["never", "just fresh", "stopped"],
)
def test_what_a_heartbeat_says(last, age, status):
    """It runs, it stopped, or it never was: each is told apart."""
    assert service_status(() if last is None else (last,), leader=None, now=NOON + age) == status


@pytest.mark.parametrize(
    ("age", "words"),
    [
        (FRESH + timedelta(seconds=1), "31 seconds"),
        (12 * MINUTE, "12 minutes"),
        (HOUR, "1 hour"),
        (72 * HOUR, "3 days"),
    ],
)
def test_a_service_that_writes_no_more_is_told(age, words):
    """A dead service says nothing; how its legs were then is no news."""
    status = service_status((beat(),), leader=None, now=NOON + age)

    assert status.sentence.startswith(f"no service has written here for {words}, since ")
    assert "start countersign serve again" in status.sentence
    assert status.legs == ()


def test_several_replicas_are_told_apart():
    """Who leads comes first, with every leg; of the others those that do not stand. One that stopped or died is left out."""
    bad = {"part": "slack_door", "of": "", "state": "failing"}
    ours, other = beat(process="a:1"), beat(process="b:2", legs=(*LEGS, bad))
    gone = (beat(process="c:3", stopped_at=NOON), beat(process="d:4", seen_at=NOON - HOUR))

    said = service_status((other, ours, *gone), leader="a:1:0c0ffee0", now=NOON)
    without = service_status((other, ours, *gone), leader="d:4:0c0ffee0", now=NOON)

    assert said == ServiceStatus(
        sentence="2 replicas run: a:1 since 2026-11-20T11:00:00Z (leads), b:2 since 2026-11-20T11:00:00Z",
        legs=(*LEGS, {**bad, "of": "at b:2"}),
    )
    assert without == ServiceStatus(
        sentence="2 replicas run: a:1 since 2026-11-20T11:00:00Z, b:2 since 2026-11-20T11:00:00Z; nobody leads at this moment",
        legs=({**bad, "of": "at b:2"},),
    )


def test_one_replica_that_stopped_hides_no_other():
    """The newest word may be the goodbye of one, while another runs."""
    said = service_status((beat(process="b:2", stopped_at=NOON), beat(process="a:1")), leader=None, now=NOON)

    assert said.sentence == "runs since 2026-11-20T11:00:00Z"
