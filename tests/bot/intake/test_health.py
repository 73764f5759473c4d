"""Health and figures: open to whoever asks, cheap to ask, and true."""

from threading import Event

import pytest

from bot.intake import health
from tests.bot.intake.support import ESCALATIONS, OTHER_AGENT, open_door
from tests.waiting import wait_until


def test_alive_and_ready_are_two_questions(world, hand_clock, monkeypatch):
    """A process may live and not be ready: 503 with what is missing, until it is there."""
    monkeypatch.setattr(health, "KEPT_S", 0.0)
    missing = ["store", "slack"]
    with open_door(world, hand_clock, not_ready=lambda: tuple(missing)) as door:
        alive, not_ready = door.call("GET", "/healthz", token=None), door.call("GET", "/readyz", token=None)
        missing.clear()
        ready = door.call("GET", "/readyz", token=None)

    assert (alive.status, alive.json) == (200, {"status": "ok"})
    assert (not_ready.status, not_ready.code) == (503, "not_ready")
    assert not_ready.json["detail"] == "Not ready: store, slack."
    assert (ready.status, ready.json) == (200, {"status": "ready"})


def test_asking_whether_it_is_ready_does_not_load_it(world, hand_clock):
    """An answer is given again for a second."""
    asked = []

    def not_ready():
        asked.append(True)
        return ()

    with open_door(world, hand_clock, not_ready=not_ready) as door:
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
