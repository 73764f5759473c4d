"""The agents' door over either store: what an engine could take otherwise than the other one."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from models.engine.database import Database
from tests.bot.intake.conftest import UNBOUNDED
from tests.bot.intake.support import (
    ALERTS,
    ESCALATIONS,
    FRESH,
    MONITOR,
    OTHER_AGENT,
    Answer,
    Door,
    a_delivery,
    a_world,
    open_door,
)
from tests.world import HandClock


@pytest.fixture
def either_door(database: Database):
    """The door over each store in turn."""
    clock = HandClock()
    with open_door(a_world(database, clock), clock, rates=UNBOUNDED) as opened:
        yield opened


def _escalate(door: Door, key: str, **changed: object) -> Answer:
    return door.escalate(key, token=FRESH, **changed)


def test_a_journey(either_door):
    """Taken on, repeated, refused under a used key, hidden from others, listed, taken back."""
    asked = _escalate(either_door, "key-1")
    again, other = _escalate(either_door, "key-1"), _escalate(either_door, "key-1", rationale="another")
    path = f"{ESCALATIONS}/{asked.json['id']}"
    hidden = either_door.call("GET", path, token=OTHER_AGENT)
    cancelled = either_door.call("POST", f"{path}/cancel", token=FRESH)
    listed = either_door.call("GET", f"{ESCALATIONS}?status=cancelled", token=FRESH)

    statuses = [answer.status for answer in (asked, again, other, hidden, cancelled, listed)]
    assert statuses == [202, 200, 409, 404, 200, 200]
    assert again.json == asked.json
    assert listed.json["escalations"] == [cancelled.json]


def test_eight_deliveries_of_one_key_at_once_make_one_escalation(either_door):
    """A lost race for a key reads the winner; on either engine there is one."""
    for number in range(5):
        with ThreadPoolExecutor(8) as callers:
            answers = list(callers.map(lambda _, key=f"key-{number}": _escalate(either_door, key), range(8)))

        assert sorted(answer.status for answer in answers) == [200] * 7 + [202]
        assert len({answer.json["id"] for answer in answers}) == 1


@pytest.mark.parametrize("path", ["esc_%00", "%00", "esc_" + "%00" * 26, "esc_" + "Z" * 26, "%ED%A0%80"])
def test_no_id_makes_a_store_fail(either_door, path):
    """PostgreSQL refuses NUL in a text, SQLite stores it: neither gets to see it."""
    assert either_door.call("GET", f"{ESCALATIONS}/{path}", token=FRESH).status == 404


@pytest.mark.parametrize("instant", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"])
def test_no_instant_makes_a_store_fail(either_door, instant):
    """The calendar's ends are stored, and found again, alike."""
    answers = [either_door.call("POST", ALERTS, a_delivery(startsAt=instant), token=MONITOR) for _ in range(2)]

    assert [answer.json for answer in answers] == [
        {"new": 1, "changed": 0, "folded": 0, "cut": {}},
        {"new": 0, "changed": 0, "folded": 1, "cut": {}},
    ]


def test_texts_come_back_as_they_were_sent(either_door):
    """Every character that the reader lets in is kept by either store."""
    text = "a\u202eb\u200b\U0001f4a9\ufffe\u0001 \u0085"

    asked = _escalate(either_door, "key-1", rationale=text).json

    with either_door.world.store.reading() as reading:
        assert reading.texts(asked["id"])["rationale"] == text
