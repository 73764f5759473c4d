"""Signed HTTP: what is not signed by Slack over these bytes, just now, is 401; nothing is ever a 500."""

import hashlib
import hmac
import json
import logging
import socket
import time
import urllib.request
from typing import Any
from urllib.parse import urlencode

import pytest

from approvals.workflow.request import State
from bot.slack.inbound.reader import LARGEST
from bot.slack.inbound.signed_http import MOST_CHECKED, SignedHttp
from tests.bot.slack.office import SECRET
from tests.bot.slack.test_races import click_payload, send, signed_request


@pytest.fixture
def http(make_office):
    """An office reached by HTTP, with a pending request on a card."""
    office = make_office(over_http=True)
    office.request = office.world.pending()
    office.step()
    return office


def _click(office, **how):
    return signed_request(office, click_payload(office, "U0ADA", "approve:v1"), **how)


def test_a_signed_click_is_let_in(http):
    """The same request that the cases below spoil is good."""
    assert send(_click(http)) == 200
    assert http.world.request(http.request).state is State.APPROVED


SPOILT = {
    "T-AUTH-10 no signature": lambda request: request.remove_header("X-slack-signature"),
    "T-AUTH-10 no timestamp": lambda request: request.remove_header("X-slack-request-timestamp"),
    "T-AUTH-10 the body re-encoded": lambda request: setattr(request, "data", request.data.replace(b"+", b"%20")),
    "T-AUTH-10 one byte more": lambda request: setattr(request, "data", request.data + b"&x=1"),
    "T-AUTH-11 timestamp abc": lambda request: request.add_header("X-slack-request-timestamp", "abc"),
    "T-AUTH-11 timestamp with a space": lambda request: request.add_header("X-slack-request-timestamp", " 17"),
    "T-AUTH-11 full-width timestamp": lambda request: request.add_header(
        "X-slack-request-timestamp", "\uff11\uff17".encode().decode("latin-1")
    ),
    "T-AUTH-11 empty timestamp": lambda request: request.add_header("X-slack-request-timestamp", ""),
    "T-AUTH-11 negative timestamp": lambda request: request.add_header("X-slack-request-timestamp", "-1"),
    "T-AUTH-11 a signature of é": lambda request: request.add_header("X-slack-signature", "v0=é"),
    "T-AUTH-11 another version": lambda request: request.add_header("X-slack-signature", "v1=" + "0" * 64),
    "not UTF-8": lambda request: setattr(request, "data", b"\xff\xfe"),
}


@pytest.mark.parametrize("name", SPOILT)
def test_what_is_not_well_signed_is_401(http, name):
    """T-AUTH-10, T-AUTH-11: refused before anything is parsed, never an error of ours, and nothing is decided."""
    request = _click(http)
    SPOILT[name](request)

    assert send(request) == 401
    assert http.world.request(http.request).state is State.PENDING


@pytest.mark.parametrize("name", ["wrong secret", "301 s old", "far ahead"])
def test_a_signature_by_somebody_else_or_of_another_time_is_401(http, name):
    """T-AUTH-10: the wrong secret, and a timestamp more than five minutes off, on either side."""
    how: dict[str, dict[str, Any]] = {
        "wrong secret": {"secret": "not the secret"},
        "301 s old": {"at": time.time() - 301},
        "far ahead": {"at": time.time() + 600},
    }

    assert send(_click(http, **how[name])) == 401
    assert http.world.request(http.request).state is State.PENDING


@pytest.mark.parametrize("secret", ["", " ", "\t\n"])
def test_an_empty_secret_cannot_be_used(http, secret):
    """T-AUTH-12: everybody could sign with it, so the door does not open."""
    with pytest.raises(ValueError, match="empty"):
        SignedHttp(http.app, secret, seconds=time.time)


def test_a_request_that_says_it_came_by_socket_is_verified_all_the_same(http):
    """T-AUTH-13: HTTP is always verified, whatever its body claims."""
    request = _click(http)
    request.remove_header("X-slack-signature")
    request.add_header("X-Slack-Socket-Mode", "true")
    request.data = json.dumps({"envelope_id": "1", "type": "interactive", "payload": {}}).encode()

    assert send(request) == 401


def test_a_body_beyond_the_limit_is_413(http):
    """I13: the body is bounded before anything else."""
    request = _click(http)
    request.data = b"x" * (MOST_CHECKED + 1)

    assert send(request) == 413


def test_a_large_body_is_checked_by_its_signature_first(http):
    """What Slack signed and we do not read is answered as over the socket; what nobody signed is a stranger's."""
    request = _click(http)
    request.data = b"x" * (LARGEST + 1)
    payload = click_payload(http, "U0ADA", "approve:v1")
    large = signed_request(http, {**payload, "x": "x" * LARGEST})

    assert (send(request), send(large)) == (401, 200)
    assert http.note("U0ADA") == "Nothing was decided: Slack's message is too large."
    assert http.world.request(http.request).state is State.PENDING


def test_a_sender_who_hangs_up_halfway_harms_nobody(http):
    """A body that never comes is no request; the next one is served."""
    with socket.create_connection(http._listening.getsockname()) as half:
        half.sendall(b"POST /slack/events HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")

    assert send(_click(http)) == 200


def test_a_get_changes_nothing(http):
    """T-DEC-15: no GET, such as a scanner's prefetch, does anything."""
    request = urllib.request.Request(_click(http).full_url)

    assert send(request) == 405
    assert http.world.request(http.request).state is State.PENDING


@pytest.mark.parametrize("body", [b"payload=%7B", b"{", b"payload=1", b"[]", b"payload=%5B%5D"])
def test_a_signed_body_of_another_shape_is_no_500(http, body):
    """Signed and not understood is the sender's error, never ours."""
    stamp = str(int(time.time()))
    signature = hmac.new(SECRET.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    kind = "application/json" if body[:1] in b"{[" else "application/x-www-form-urlencoded"
    request = urllib.request.Request(
        _click(http).full_url,
        data=body,
        headers={"Content-Type": kind, "X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": f"v0={signature}"},
    )

    assert send(request) in {200, 400}


def test_slacks_challenge_is_answered(http):
    """The address can be entered in Slack's settings: it answers the challenge."""
    assert http.loop.do(http.workspace.verify_url()) is True


def test_no_body_is_ever_logged(http, caplog, capsys):
    """I12: a refused body leaves no trace in the log, at any level that we set."""
    caplog.set_level(logging.INFO)
    request = _click(http, secret="not the secret")
    request.data = urlencode({"payload": '{"text": "private words"}'}).encode()

    send(request)

    out = capsys.readouterr()
    assert "private words" not in caplog.text + out.out + out.err
