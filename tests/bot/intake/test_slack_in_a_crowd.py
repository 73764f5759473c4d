"""Slack's way in by HTTP is the same door: a signed denial gets in whatever others do there."""

import hashlib
import hmac
import json
import socket
import time
from contextlib import ExitStack
from http.client import HTTPConnection
from types import SimpleNamespace

import pytest
from starlette.routing import Route

from bot.intake.gate import gate
from bot.slack.inbound.signed_http import PATH, SignedHttp
from tests.bot.intake.support import AGENT, ESCALATIONS, Door
from tests.waiting import wait_until

SECRET = "a signing secret of the tests"
WITHIN_S = 3
"""Slack's own patience."""


class Approvers:
    """Stands for what answers Slack; how it does so is tested elsewhere."""

    def __init__(self):
        self.answered = 0

    async def answer(self, read):
        """Count it and say yes."""
        del read
        self.answered += 1
        return SimpleNamespace(body="", status=200, first_headers_without_set_cookie=dict)


@pytest.fixture
def approvers(shared_door: Door):
    """Whoever answers Slack behind the door, for the length of a test."""
    routes = shared_door.intake.app.router.routes
    said = Approvers()
    routes.append(Route(PATH, SignedHttp(said, SECRET, seconds=time.time).handle, methods=["POST"]))  # type: ignore[arg-type]
    yield said
    routes.pop()


def _denies(door: Door) -> int:
    """Send a signed click, and return the status."""
    body, stamp = b"payload=%7B%7D", str(int(time.time()))
    signature = hmac.new(SECRET.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    connection = HTTPConnection("127.0.0.1", door.port, timeout=WITHIN_S)
    try:
        headers = {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": f"v0={signature}"}
        connection.request("POST", PATH, body, headers)
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize("said", [b"", b"POST /slack/events HTTP/1.1\r\nHost: door\r\nContent-Length: 100\r\n\r\n{"])
def test_six_hundred_that_say_little_do_not_shut_a_denial_out(shared_door, approvers, said):
    """T-DOS-04: idle connections, or bodies that never end: Slack's next call takes the place of one of them."""
    with ExitStack() as stack:
        for _ in range(600):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", shared_door.port)))
            connection.sendall(said)

        assert [_denies(shared_door) for _ in range(5)] == [200] * 5
    assert approvers.answered == 5


def test_calls_with_a_token_leave_room_for_slack(shared_door, approvers, monkeypatch):
    """T-DOS-04: whoever is being answered cannot be put out, so agents may not fill the door; one too many hears "not now"."""
    asked = shared_door.escalate("held").json
    monkeypatch.setattr(gate, "MOST_AT_ONCE", 2)
    path = f"{ESCALATIONS}/{asked['id']}?after_version={asked['version']}&wait_seconds=30"
    poll = f"GET {path} HTTP/1.1\r\nHost: door\r\nAuthorization: Bearer {AGENT}\r\n\r\n".encode()
    with ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(socket.create_connection(("127.0.0.1", shared_door.port))).sendall(poll)
        wait_until(lambda: len(shared_door.intake.polls) == 2, what="both wait")

        third = shared_door.call("GET", ESCALATIONS)

        assert (third.status, third.code, third.headers["retry-after"]) == (503, "busy", "2")
        assert _denies(shared_door) == 200
    wait_until(lambda: not len(shared_door.intake.polls), what="both are gone")
    assert json.loads(shared_door.call("GET", ESCALATIONS).raw)["escalations"]
