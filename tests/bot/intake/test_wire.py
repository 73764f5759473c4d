"""The wire: what is too large, too slow, broken or too much at once, before anybody looks at what it says."""

import json
import re
import socket
import time
from contextlib import ExitStack

import pytest

from approvals.errors import Malformed
from bot.intake import bodies, wire
from bot.intake.credentials import source_of
from bot.intake.wire import check_listen
from tests.bot.intake.support import ALERTS, ESCALATIONS, MONITOR, a_body
from tests.waiting import wait_until

GOOD = b"Authorization: Bearer cst_secret\r\nContent-Type: application/json\r\nIdempotency-Key: key\r\n"
OPEN = f"POST {ESCALATIONS} HTTP/1.1\r\nHost: door\r\n".encode()


def _problem(answer):
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head
    assert b"connection: close" in head.lower()
    return json.loads(body)


def test_a_body_declared_too_large_is_refused_before_a_byte_of_it(shared_door):
    """T-DOS-01: 413 at once, and no "100 Continue" asks for the rest."""
    began = time.monotonic()

    answer = shared_door.raw(OPEN + GOOD + b"Expect: 100-continue\r\nContent-Length: 10000000000\r\n\r\n")

    assert (_problem(answer)["status"], _problem(answer)["code"]) == (413, "too_large")
    assert time.monotonic() - began < 5


def test_a_stranger_is_not_asked_for_the_body(shared_door):
    """The credential is judged before the body is let in."""
    answer = shared_door.raw(OPEN + b"Expect: 100-continue\r\nContent-Length: 100\r\n\r\n")

    assert _problem(answer)["status"] == 401


def test_a_body_of_no_declared_length_is_cut_off(shared_door, monkeypatch):
    """T-DOS-01: sent in chunks without end, it is read up to the bound and no further."""
    monkeypatch.setattr(bodies, "LINGER_S", 0.2)
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"

    answer = shared_door.raw(OPEN + GOOD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 5)

    assert (_problem(answer)["status"], _problem(answer)["code"]) == (413, "too_large")


def test_a_monitors_delivery_may_be_larger(shared_door):
    """A megabyte is read on the alerts' path (and found to be no JSON); one byte more is not."""
    largest, larger = b" " * 1024 * 1024, b" " * (1024 * 1024 + 1)

    answers = [shared_door.call("POST", ALERTS, body, token=MONITOR) for body in (largest, larger)]

    assert [(answer.status, answer.code) for answer in answers] == [(400, "not_json"), (413, "too_large")]


def test_a_slow_body_is_not_waited_for(shared_door, monkeypatch):
    """T-DOS-04: a body that drips in is 408 when its time is over, however steadily it drips."""
    monkeypatch.setattr(bodies, "WITHIN_S", 0.3)
    monkeypatch.setattr(bodies, "LINGER_S", 0.2)

    def drip(connection: socket.socket) -> None:
        wait_until(lambda: not _takes(connection, b" "), what="the connection is closed", every_s=0.05)

    answer = shared_door.raw(OPEN + GOOD + b"Content-Length: 1000\r\n\r\n", then=drip)

    assert (_problem(answer)["status"], _problem(answer)["code"]) == (408, "slow_body")


def test_headers_that_do_not_end_are_not_waited_for(shared_door, monkeypatch):
    """T-DOS-04: neither silence nor dripping headers keep a connection, on a fresh one or after a call."""
    monkeypatch.setattr(wire, "HEADERS_WITHIN_S", 0.3)

    def drip(connection: socket.socket) -> None:
        wait_until(lambda: not _takes(connection, b"x"), what="the connection is closed", every_s=0.05)

    silent = shared_door.raw(b"")
    with _connected(shared_door) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: ")
        drip(connection)
    with _connected(shared_door) as connection:
        assert _is_healthy(connection)
        drip(connection)

    assert silent == b""


def test_a_connection_is_kept_for_the_next_call(shared_door):
    """A refusal whose body was read does not cost the connection."""
    bad = OPEN + GOOD + b"Content-Length: 1\r\n\r\n["

    answer = shared_door.raw(bad + bad + b"GET /healthz HTTP/1.1\r\nHost: door\r\nConnection: close\r\n\r\n")

    assert answer.count(b"HTTP/1.1 400 ") == 2
    assert answer.count(b"HTTP/1.1 200 ") == 1


def test_only_so_many_connections_are_taken_on(shared_door, monkeypatch):
    """T-DOS-04: above the bound a connection is closed at once, and those below it are served."""
    monkeypatch.setattr(wire, "MOST_CONNECTIONS", 3)
    with ExitStack() as stack:
        held = [stack.enter_context(_connected(shared_door)) for _ in range(3)]
        assert [_is_healthy(connection) for connection in held] == [True] * 3

        with _connected(shared_door) as fourth:
            assert _hangs_up(fourth)

        assert _is_healthy(held[0])
    wait_until(lambda: shared_door.call("GET", "/healthz", token=None).status == 200, what="there is room again")


def _connected(door):
    return socket.create_connection(("127.0.0.1", door.port), timeout=10)


def _is_healthy(connection):
    connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: door\r\n\r\n")
    received = b""
    while not received.endswith(b'{"status":"ok"}'):
        piece = connection.recv(65536)
        assert piece, "it hung up"
        received += piece
    return received.startswith(b"HTTP/1.1 200 ")


def _takes(connection, data):
    try:
        connection.sendall(data)
    except OSError:
        return False
    return True


def _hangs_up(connection):
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


NOT_HTTP = {
    "noise": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "no host": b"GET /healthz HTTP/1.1\r\n\r\n",
    "a space in a name": b"GET /healthz HTTP/1.1\r\nHost: door\r\nBad Name: x\r\n\r\n",
    "two lengths": OPEN + GOOD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
    "a length that is none": OPEN + GOOD + b"Content-Length: -1\r\n\r\n{}",
    "headers without end": b"GET /healthz HTTP/1.1\r\nHost: door\r\nX: " + b"x" * 70_000,
    "an unknown coding": OPEN + GOOD + b"Transfer-Encoding: gzip\r\n\r\n",
}


@pytest.mark.parametrize("data", NOT_HTTP.values(), ids=NOT_HTTP.keys())
def test_what_is_no_http_gets_a_problem_document_and_goodbye(shared_door, data):
    """Broken requests are answered like all others, with our words, and end the connection."""
    assert (_problem(shared_door.raw(data))["status"], _problem(shared_door.raw(data))["code"]) == (400, "not_http")


def test_a_length_given_in_two_ways_is_refused(shared_door):
    """A proxy and we could part such a call differently, and one would see a call that the other did not (smuggling)."""
    answer = shared_door.raw(OPEN + GOOD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")

    assert (_problem(answer)["status"], _problem(answer)["code"]) == (400, "ambiguous_length")


def test_a_chunk_that_breaks_in_the_middle_ends_the_call(shared_door):
    """What cannot be read to its end is not answered with anything but a hang-up, and nothing of it is kept."""
    before = shared_door.events()

    answer = shared_door.raw(OPEN + GOOD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{    \r\nZZ\r\n")

    assert (answer, shared_door.events()) == (b"", before)


def test_a_client_that_hangs_up_in_its_body_leaves_nothing(shared_door):
    """Half a body is no call."""
    before = shared_door.events()

    with socket.create_connection(("127.0.0.1", shared_door.port), timeout=10) as connection:
        connection.sendall(OPEN + GOOD + b"Content-Length: 1000\r\n\r\n" + json.dumps(a_body()).encode())

    assert shared_door.call("GET", "/healthz", token=None).status == 200
    assert shared_door.events() == before


def test_pipelined_calls_are_answered_in_order(shared_door):
    """Several calls in one go get their answers one after the other."""
    calls = b"".join(
        b"GET " + path + b" HTTP/1.1\r\nHost: door\r\n" + last + b"\r\n"
        for path, last in ((b"/healthz", b""), (b"/nothing", b""), (b"/healthz", b"Connection: close\r\n"))
    )

    answer = shared_door.raw(calls)

    assert re.findall(rb"HTTP/1.1 ([0-9]+) ", answer) == [b"200", b"404", b"200"]


@pytest.mark.parametrize(
    "header", [b"Upgrade: websocket\r\nConnection: Upgrade\r\n", b"Upgrade: h2c\r\nConnection: Upgrade\r\n"]
)
def test_no_other_protocol_is_spoken(shared_door, header):
    """An upgrade is passed over."""
    asked = b"GET /healthz HTTP/1.1\r\nHost: door\r\n" + header + b"\r\n"

    answer = shared_door.raw(asked + b"GET /healthz HTTP/1.1\r\nHost: door\r\nConnection: close\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 200 ")


def test_a_forwarding_header_does_not_say_where_a_call_comes_from(shared_door):
    """Anybody could write one, so that each guess would seem to come from somewhere else."""
    assert source_of({"client": ("10.0.0.9", 1), "headers": [(b"x-forwarded-for", b"1.2.3.4")]}) == "10.0.0.9"


SOURCES = {
    "10.0.0.9": "10.0.0.9",
    "::ffff:10.0.0.9": "10.0.0.9",
    "2001:db8:1:2:aaaa::1": "2001:db8:1:2::/64",
    "fe80::1%eth0": "fe80::/64",
}


@pytest.mark.parametrize(("address", "source"), SOURCES.items())
def test_a_source_is_an_address_or_the_network_of_one(address, source):
    """Whoever owns an IPv6 network has 2**64 addresses in it, and counts as one."""
    assert (source_of({"client": (address, 1)}), source_of({"client": None})) == (source, "unknown")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_t_cfg_06_loopback_needs_no_tls(host):
    """T-CFG-06: on loopback nobody can listen in."""
    check_listen(host, tls_in_front=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.9", "countersign.test", ""])
def test_t_cfg_06_others_can_reach_it_only_behind_tls(host):
    """T-CFG-06: beyond loopback the start is refused, unless a setting says that TLS ends in front."""
    check_listen(host, tls_in_front=True)

    with pytest.raises(Malformed, match="COUNTERSIGN_TLS_IN_FRONT=yes") as refusal:
        check_listen(host, tls_in_front=False)
    assert refusal.value.code == "listens_without_tls"
