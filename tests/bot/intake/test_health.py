"""Health and figures: open to whoever asks, cheap to ask, and true."""

from contextlib import suppress
from threading import Event

import pytest

from approvals.errors import Unavailable
from approvals.facts import instant_text
from bot.health.legs import Leg, LegKind, LegState, Readiness
from bot.intake.routes import health
from tests.bot.intake.support import ESCALATIONS, OTHER_AGENT, open_door
from tests.builders import HOUR, NOON
from tests.waiting import wait_until


def a_leg(part=LegKind.CLUSTER, of="", state=LegState.FAILING, code="timeout", since=NOON):
    """Return a leg that fails, unless something else is said."""
    return Leg(part=part, of=of, state=state, code=code, why="It is said to operators.", since=since, seen_at=since)


STANDS = a_leg(LegKind.STORE, state=LegState.GOOD, code="ok")


def test_alive_and_ready_are_two_questions(world, hand_clock, monkeypatch):
    """A process may live and not be ready: 503 with what is missing, until it is there."""
    monkeypatch.setattr(health, "KEPT_S", 0.0)
    legs = [a_leg(LegKind.STORE, code="store_busy")]
    with open_door(world, hand_clock, readiness=lambda: Readiness(legs=tuple(legs))) as door:
        alive, not_ready = door.call("GET", "/healthz", token=None), door.call("GET", "/readyz", token=None)
        legs[:] = [STANDS]
        ready = door.call("GET", "/readyz", token=None)

    assert (alive.status, alive.json) == (200, {"status": "ok"})
    assert (not_ready.status, not_ready.code) == (503, "not_ready")
    assert not_ready.json["detail"] == "Not ready: store (store_busy)."
    assert ready.status == 200


def test_a_leg_that_fails_is_listed_and_takes_no_traffic_away(world, hand_clock):
    """With Slack gone and two clusters down it still pauses, expires and reads back: 200, each leg by code and since when."""
    legs = (
        STANDS,
        a_leg(LegKind.SLACK_API, code="refused"),
        a_leg(of="prod-eu-1", since=NOON + HOUR),
        a_leg(of="prod-us-1"),
        a_leg(of="staging", state=LegState.GOOD, code="ok"),
    )
    with open_door(world, hand_clock, readiness=lambda: Readiness(legs=legs)) as door:
        answer = door.call("GET", "/readyz", token=None)

    noon, ok = instant_text(NOON), {"state": "good", "code": "ok", "number": 1}
    assert (answer.status, answer.json) == (
        200,
        {
            "status": "ready",
            "legs": [
                {"leg": "store", **ok, "since": noon},
                {"leg": "slack_api", "state": "failing", "code": "refused", "number": 1, "since": noon},
                {"leg": "cluster", "state": "failing", "code": "timeout", "number": 2, "since": noon},
                {"leg": "cluster", **ok, "since": noon},
            ],
        },
    )
    assert b"prod" not in answer.raw
    assert b"operators" not in answer.raw


def test_a_process_that_stops_gets_no_traffic(world, hand_clock):
    """Who balances loads is told before the port is shut."""
    with open_door(world, hand_clock, readiness=lambda: Readiness(legs=(STANDS,), is_stopping=True)) as door:
        answer = door.call("GET", "/readyz", token=None)

    assert (answer.status, answer.json["detail"]) == (503, "Not ready: it is stopping.")


def test_a_full_door_takes_no_traffic_away(world, hand_clock, monkeypatch):
    """While agents' calls fill the threads the last answer stands: pauses and denials come over the same port."""
    monkeypatch.setattr(health, "KEPT_S", 0.0)
    release = Event()
    with open_door(world, hand_clock, readiness=lambda: Readiness(legs=(STANDS,))) as door:
        before = door.call("GET", "/readyz", token=None)
        pool = door.intake._refusals._pool
        blocked = [pool.submit(release.wait) for _ in range(2)]
        with suppress(Unavailable):
            while True:
                blocked.append(pool.submit(release.wait))
        during = door.call("GET", "/readyz", token=None)
        release.set()

    assert (before.status, before.json) == (during.status, during.json) == (200, before.json)


def test_asking_whether_it_is_ready_does_not_load_it(world, hand_clock):
    """An answer is given again for a second."""
    asked = []

    def readiness():
        asked.append(True)
        return Readiness(legs=(STANDS,))

    with open_door(world, hand_clock, readiness=readiness) as door:
        for _ in range(20):
            door.call("GET", "/readyz", token=None)

    assert len(asked) < 10


def test_figures_count_what_happened(door):
    """Calls by route and status, refusals by code, polls and threads at work; no path and no token is in them."""
    door.call("GET", f"{ESCALATIONS}/esc_planted")
    door.call("GET", f"{ESCALATIONS}?planted=1")
    door.call("PLANTED", "/planted", token="cst_planted")
    door.escalate()

    answer = door.call("GET", "/metrics", token=None)

    text = answer.raw.decode()
    for line in (
        'countersign_http_requests_total{method="GET",route="/v1/escalations/{escalation}",status="404"} 1.0',
        'countersign_http_requests_total{method="GET",route="/v1/escalations",status="400"} 1.0',
        'countersign_http_requests_total{method="other",route="other",status="404"} 1.0',
        'countersign_http_requests_total{method="POST",route="/v1/escalations",status="202"} 1.0',
        'countersign_http_request_seconds_count{route="/v1/escalations"} 2.0',
        'countersign_intake_refusals_total{code="not_found"} 1.0',
        'countersign_intake_refusals_total{code="unknown_parameter"} 1.0',
        'countersign_pool_in_hand{pool="cluster"} 0.0',
        "countersign_long_polls 0.0",
    ):
        assert line in text
    assert "planted" not in text
    assert answer.headers["content-type"].startswith("text/plain; version=")


def test_a_defect_is_answered_and_logged_without_a_word_of_it(door, caplog):
    """What is no refusal is 500 with a fixed text; neither answer nor log quote the exception, which may quote the caller."""

    def broken(*_args, **_kwargs):
        raise RuntimeError("planted secret")

    original, door.world.store.reading = door.world.store.reading, broken
    with pytest.raises(AssertionError, match="500"):
        door.call("GET", ESCALATIONS)
    answer = door.raw(f"GET {ESCALATIONS} HTTP/1.1\r\nHost: door\r\nAuthorization: Bearer cst_secret\r\n\r\n".encode())
    door.world.store.reading = original

    assert answer.startswith(b"HTTP/1.1 500 ")
    assert b'"code":"defect"' in answer
    assert b"planted" not in answer
    assert "planted" not in caplog.text


def test_a_full_door_says_not_now(door):
    """When more waits than threads and queue hold, a call is 503 with the time to come back (I13)."""
    release, pool = Event(), door.intake._refusals._pool
    blocked = []
    while pool.in_hand < 68:
        blocked.append(pool.submit(release.wait))

    answer = door.call("GET", ESCALATIONS, token=OTHER_AGENT)
    release.set()

    assert (answer.status, answer.code, answer.headers["retry-after"]) == (503, "busy", "2")
    wait_until(lambda: pool.in_hand == 0, what="the door is free again")
    assert door.call("GET", ESCALATIONS, token=OTHER_AGENT).status == 200
