import socket
from itertools import count
from urllib.parse import urlsplit

import pytest

from bot.cluster.client import calls
from bot.cluster.client.answers import HttpReply
from bot.cluster.client.calls import Client, Endpoint, Identity, Lost, Times, TooLate, Unsent
from tests.bot.cluster import scripted
from tests.bot.cluster.scripted import Reset, Silence, Trickle, serving
from tests.waiting import wait_until

CALM = Times(connect=10, read=10, whole=20)
QUICK = Times(connect=1, read=0.3, whole=0.9)


def _client(host, *, token="Bearer abc", times=CALM):
    return Client(Identity(endpoint=Endpoint(host=host), authorization=token), user_agent="countersign/1", times=times)


def _patch(client):
    return client.call("PATCH", ("apis", "x"), body=b'{"a": 1}', content_type="application/merge-patch+json")


def test_what_is_sent_is_what_was_given_to_the_byte():
    """The body leaves as it is, under our own name, with the identity's token, once."""
    with serving(scripted.Answer(body={"ok": True})) as server, _client(server.url) as client:
        client.call(
            "PATCH",
            ("apis", "apps", "v1"),
            query={"fieldManager": "countersign:esc_1", "dryRun": "All"},
            body=b'{"a":1,  "b" :"\xc3\xa9"}',
            content_type="application/merge-patch+json",
        )

    (request,) = server.received
    assert (request.method, request.path, request.body) == ("PATCH", "/apis/apps/v1", b'{"a":1,  "b" :"\xc3\xa9"}')
    assert request.query == {"fieldManager": "countersign:esc_1", "dryRun": "All"}
    expected = {"user-agent": "countersign/1", "authorization": "Bearer abc", "accept": "application/json"}
    assert expected.items() <= request.headers.items()
    assert request.headers["content-type"] == "application/merge-patch+json"


def test_an_answer_keeps_what_matters_of_it():
    """Status, object, audit id and warnings come back; nothing else of the headers does."""
    headers = (("Audit-Id", "a-1"), ("Warning", '299 - "spec.x is deprecated"'), ("Warning", '299 - "say \\"no\\""'))
    with (
        serving(scripted.Answer(body={"kind": "Scale"}, headers=headers)) as server,
        _client(server.url) as client,
    ):
        answer = client.call("GET", ("x",))

    warnings = ("spec.x is deprecated", 'say "no"')
    assert answer == HttpReply(status=200, body={"kind": "Scale"}, audit_id="a-1", warnings=warnings)


@pytest.mark.parametrize(("leave_by", "arrived"), [(0.5, 0), (1.5, 1)], ids=["before it connects", "while it connects"])
def test_a_body_does_not_leave_too_late(leave_by, arrived, monkeypatch):
    """Held against the clock before a connection is made, and again when its first byte would leave: so nothing takes effect."""
    monkeypatch.setattr(calls, "monotonic", count().__next__)
    with serving(scripted.Answer()) as server:
        with _client(server.url) as client, pytest.raises(TooLate):
            client.call("PATCH", ("x",), body=b"{}", leave_by=leave_by)
        wait_until(lambda: len(server.received) == arrived, what="the server has seen the headers")

    assert [request.body for request in server.received] == [b""] * arrived


@pytest.mark.parametrize("segment", ["../secrets", "a/b", "--server=https://evil", "-o=yaml", "%2e%2e", "a?b=c", "a#b"])
def test_t_exe_06_a_segment_stays_one_segment(segment):
    """T-EXE-06: whatever a name holds, it is encoded and cannot reach another address."""
    with serving(scripted.Answer()) as server, _client(server.url) as client:
        client.call("GET", ("api", segment, "end"))

    path = server.received[0].path
    assert path.count("/") == 3
    assert path.startswith("/api/")
    assert path.endswith("/end")
    assert server.received[0].query == {}


@pytest.mark.parametrize("segment", ["..", ".", ""])
def test_t_exe_06_a_segment_that_walks_is_refused(segment):
    """T-EXE-06: dots survive encoding, so such a segment is refused before anything is sent."""
    with serving(scripted.Answer()) as server, _client(server.url) as client:
        with pytest.raises(ValueError, match="no segment"):
            client.call("GET", ("api", segment, "end"))

        assert server.received == []


def test_a_refused_connection_sent_nothing():
    """Nobody listens: nothing can have taken effect."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        url = f"http://127.0.0.1:{gone.getsockname()[1]}"

    with _client(url) as client, pytest.raises(Unsent):
        _patch(client)


def test_a_name_that_does_not_resolve_sent_nothing():
    """A lookup that fails comes before anything else."""
    with _client("http://countersign.invalid:1") as client, pytest.raises(Unsent):
        _patch(client)


def test_a_server_that_is_not_who_it_should_be_gets_nothing():
    """TLS that does not come about is no reason to speak in the clear, and nothing was sent."""
    with (
        serving(scripted.Answer()) as server,
        _client(server.url.replace("http:", "https:"), times=QUICK) as client,
    ):
        with pytest.raises(Unsent):
            _patch(client)

        assert server.received == []


def test_the_scripted_server_takes_the_beginning_of_tls_for_no_request():
    """A greeting of TLS is random bytes: whichever they are, they are no request and no fault of the server."""
    with serving(scripted.Answer()) as server:
        with socket.create_connection(("127.0.0.1", urlsplit(server.url).port)) as connection:
            connection.sendall(b"\x16\x03\x01 \xf7 \x9c\n\xf7\xff\r\n\r\n")
            answered = connection.recv(1)

        assert (answered, server.received) == (b"", [])


@pytest.mark.parametrize(
    "fault",
    [
        Reset(),
        Silence(),
        Trickle(),
        scripted.Answer(body=b'{"kind": "Deployment", "spec": {}}', cut_after=9),
        scripted.Answer(body=b"{" * (17 * 1024 * 1024)),
    ],
    ids=["reset after the request", "no answer", "an answer without end", "a cut answer", "a huge answer"],
)
def test_what_may_have_arrived_is_lost_and_sent_once(fault):
    """From the body's first byte on, a missing answer proves nothing, and nothing is sent a second time by itself."""
    with serving(fault) as server:
        with _client(server.url, times=QUICK) as client, pytest.raises(Lost):
            _patch(client)
        wait_until(lambda: server.received, what="what was given up has arrived")

        assert len(server.received) == 1


@pytest.mark.parametrize("code", [301, 302, 307, 308])
def test_a_redirect_is_an_answer_and_not_followed(code):
    """A token must not be carried to an address that somebody else names."""
    with serving(scripted.Answer()) as elsewhere:
        answer = scripted.Answer(status=code, headers=(("Location", f"{elsewhere.url}/x"),))
        with serving(answer) as server, _client(server.url) as client:
            assert client.call("GET", ("x",)).status == code

    assert elsewhere.received == []


@pytest.mark.parametrize("code", [429, 503])
def test_a_busy_server_is_not_asked_again_behind_the_callers_back(code):
    """The library's own retries, which sleep as long as the server says, are off."""
    busy = scripted.Answer(status=code, headers=(("Retry-After", "30"),))
    with serving(busy) as server, _client(server.url) as client:
        assert client.call("GET", ("x",)).status == code

        assert len(server.received) == 1


@pytest.mark.parametrize("body", [b"", b"not json", b"[1, 2]", b"null", b"[" * 100_000, b'{"a": '])
def test_a_body_that_is_no_object_is_none(body):
    """What cannot be read is no object, and not an error of its own."""
    with serving(scripted.Answer(body=body)) as server, _client(server.url) as client:
        answer = client.call("GET", ("x",))

    assert answer == HttpReply(status=200, body=None)
    assert not answer.is_good


def test_the_environments_proxy_is_not_used_on_loopback(monkeypatch):
    """A proxy named in the environment would see every token; the endpoint alone says whether there is one."""
    with serving(scripted.Answer()) as proxy, serving(scripted.Answer()) as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("http_proxy", proxy.url)
        with _client(server.url) as client:
            client.call("GET", ("x",))

    assert (len(proxy.received), len(server.received)) == (0, 1)


def test_a_representation_shows_no_credential():
    """An identity in a log line or a traceback gives nothing away."""
    identity = Identity(
        endpoint=Endpoint(host="https://k"), authorization="Bearer abc", cert_file="/c", key_file="/k.pem"
    )

    assert repr(identity) == (
        "Identity(endpoint=Endpoint(host='https://k', ca_file=None, tls_server_name=None, proxy=None))"
    )
