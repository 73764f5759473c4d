"""The wire: what is too large, too slow, broken or too much at once, before anybody looks at what it says."""

import json
import re
import socket
import time
from contextlib import ExitStack

import pytest

from approvals.errors import Malformed
from bot.intake.http import bodies, wire
from bot.intake.http.wire import check_listen
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
    """Eight megabytes are read on the alerts' path (and found to be no JSON); one byte more is not."""
    largest, larger = b" " * 8 * 1024 * 1024, b" " * (8 * 1024 * 1024 + 1)

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


def test_a_newcomer_takes_the_place_of_whoever_has_waited_longest(shared_door, monkeypatch):
    """T-DOS-04: above the bound the connection that has said nothing for longest goes, and the new one is served."""
    monkeypatch.setattr(shared_door.crowd, "most", 3)
    with ExitStack() as stack:
        held = [stack.enter_context(_connected(shared_door)) for _ in range(3)]
        assert [_is_healthy(connection) for connection in held] == [True] * 3

        with _connected(shared_door) as fourth:
            assert _is_healthy(fourth)
            assert _hangs_up(held[0])
            assert _is_healthy(held[1])


def test_who_is_being_answered_is_not_put_out(shared_door, monkeypatch):
    """T-DOS-04: where everybody is being answered, there is no room for one more, who is told by a hang-up."""
    asked = shared_door.escalate("held").json
    monkeypatch.setattr(shared_door.crowd, "most", 2)
    poll = (
        f"GET {ESCALATIONS}/{asked['id']}?after_version={asked['version']}&wait_seconds=30 HTTP/1.1\r\nHost: door\r\n"
    )
    with ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(_connected(shared_door)).sendall(poll.encode() + GOOD + b"\r\n")
        wait_until(lambda: len(shared_door.intake.polls) == 2, what="both wait")

        with _connected(shared_door) as third:
            assert _hangs_up(third)

        assert len(shared_door.intake.polls) == 2
    wait_until(lambda: not len(shared_door.intake.polls), what="both are gone")


CROWDS = {
    "idle": b"",
    "after a call": b"GET /healthz HTTP/1.1\r\nHost: door\r\n\r\n",
    "in the headers": b"GET /healthz HTTP/1.1\r\nHost: do",
    "in the body": OPEN + GOOD + b"Content-Length: 1000\r\n\r\n{",
    "in a stranger's body": b"POST /slack/events HTTP/1.1\r\nHost: door\r\nContent-Length: 1000\r\n\r\n{",
}


@pytest.mark.parametrize("said", CROWDS.values(), ids=CROWDS.keys())
def test_six_hundred_idle_connections_shut_nobody_out(shared_door, said):
    """T-DOS-04: however many say nothing, or stop in the middle, the next call is answered at once; and its own time is short."""
    with ExitStack() as stack:
        for _ in range(600):
            connection = stack.enter_context(_connected(shared_door))
            _takes(connection, said)

        began = time.monotonic()
        answers = [shared_door.call("GET", "/healthz", token=None).status for _ in range(5)]

        assert answers == [200] * 5
        assert time.monotonic() - began < 3
        assert len(shared_door.crowd) <= shared_door.crowd.most


def test_two_thousand_connects_in_one_go_shut_nobody_out(shared_door):
    """T-DOS-04: a burst of connects holds no more than the room that there is, and the next call is answered."""
    with ExitStack() as stack:
        for _ in range(2000):
            connection = stack.enter_context(socket.socket())
            connection.setblocking(False)
            connection.connect_ex(("127.0.0.1", shared_door.port))

        assert shared_door.call("GET", "/healthz", token=None).status == 200
        assert len(shared_door.crowd) <= shared_door.crowd.most


def test_a_peer_that_reads_nothing_is_cut(shared_door, monkeypatch):
    """T-DOS-04: answers that nobody takes hold a connection no longer than its goodbye may take."""
    monkeypatch.setattr(wire, "READS_WITHIN_S", 0.2)
    call = b"GET /openapi.json HTTP/1.1\r\nHost: door\r\n\r\n"
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", shared_door.port))
        connection.settimeout(0.5)
        for _ in range(200):
            if not _takes(connection, call):
                break
        wait_until(lambda: not len(shared_door.crowd), what="it is cut")


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


HEAD = b"GET /healthz HTTP/1.1\r\nHost: door\r\n"
TOO_MUCH = {
    "without end": HEAD + b"X: " + b"x" * 70_000,
    "one long one": HEAD + b"X: " + b"x" * 20_000 + b"\r\n\r\n",
    "a long path": b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: door\r\n\r\n",
    "many short ones": HEAD + b"".join(b"X%d: x\r\n" % number for number in range(101)) + b"\r\n",
    "many together": HEAD + b"".join(b"X%d: %b\r\n" % (number, b"x" * 400) for number in range(60)) + b"\r\n",
}


@pytest.mark.parametrize("data", TOO_MUCH.values(), ids=TOO_MUCH.keys())
def test_too_many_or_too_long_headers_are_431(shared_door, data):
    """T-DOS-01: the bounds on headers hold whether they come in one piece or in many, and are told."""
    answers = [
        shared_door.raw(data),
        shared_door.raw(data[:100], then=lambda connection: _takes(connection, data[100:])),
    ]

    for answer in answers:
        problem = json.loads(answer.partition(b"\r\n\r\n")[2])
        assert (problem["status"], problem["code"]) == (431, "headers_too_large")


def test_slow_headers_that_began_are_told_so(shared_door, monkeypatch):
    """T-DOS-04: a head that does not come whole in time is 408."""
    monkeypatch.setattr(wire, "HEADERS_WITHIN_S", 0.2)

    answer = shared_door.raw(HEAD)

    assert (_problem(answer)["status"], _problem(answer)["code"]) == (408, "slow_headers")


BROKEN = {
    "a chunk that is none": b"Transfer-Encoding: chunked\r\n\r\n5\r\n{    \r\nZZ\r\n",
    "a chunk longer than it says": b"Transfer-Encoding: chunked\r\n\r\n1\r\n{}}\r\n0\r\n\r\n",
    "no chunk at all": b"Transfer-Encoding: chunked\r\n\r\n{}\r\n",
}


@pytest.mark.parametrize("rest", [pytest.param(rest, id=name) for name, rest in BROKEN.items()])
def test_a_body_that_breaks_in_the_middle_is_answered(shared_door, rest):
    """What cannot be read to its end is 400, in a problem document, and nothing of it is kept."""
    before = shared_door.events()

    answer = shared_door.raw(OPEN + GOOD + rest)

    assert (_problem(answer)["status"], _problem(answer)["code"], shared_door.events()) == (400, "not_http", before)


CUT = {
    "in the headers": HEAD,
    "in the body": OPEN + GOOD + b"Content-Length: 1000\r\n\r\n{",
    "in a chunk": OPEN + GOOD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{",
}


@pytest.mark.parametrize("data", CUT.values(), ids=CUT.keys())
def test_a_call_that_is_cut_is_told_so(shared_door, data):
    """A peer that falls silent in the middle, and still listens, is told that its call did not come whole."""
    answer = shared_door.raw(data, then=_half_close)

    assert (_problem(answer)["status"], _problem(answer)["code"]) == (400, "not_http")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_call_that_came_whole_is_answered_to_a_half_closed_peer(shared_door, method):
    """A peer that has said all it wanted may close its half at once, and still reads the answer."""
    answer = shared_door.raw(f"{method} /nothing HTTP/1.1\r\nHost: door\r\n\r\n".encode(), then=_half_close)

    assert answer.startswith(b"HTTP/1.1 404 ")


def _half_close(connection):
    connection.shutdown(socket.SHUT_WR)


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
