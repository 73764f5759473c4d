"""Every odd payload: each field of each kind of payload, spoilt in every way, over both ways in.

What is signed, or comes over our own socket, is acknowledged whatever it is. What leaves out, or says in two ways, anything that
decides who acts, on what and where is not acted on, and whoever can be told reads that nothing was done.
"""

import contextlib
import gzip
import hashlib
import hmac
import json
import socket
import time
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlencode

import pytest

from approvals.errors import NotEligible
from approvals.usecases.operation.pause import EngagePause
from approvals.usecases.people.decide import Decide
from bot.slack.inbound.answers import Answers, Person
from tests.bot.slack.office import SECRET
from tests.bot.slack.test_odd_payloads import FORM, command_fields, framed, sent, signed, view_payload
from tests.bot.slack.test_races import click_payload

Step = str | int
Path = tuple[Step, ...]

MISSING: Final = object()
WRONG: Final[dict[str, Any]] = {
    "missing": MISSING,
    "null": None,
    "a number": 7,
    "true": True,
    "empty": "",
    "words": "private words",
    "half a character": "\ud800",
    "NUL": "\x00",
    "a list": [],
    "an object": {},
    "deep": [[[[{"a": [{}]}]]]],
    "long": "x" * 5_000,
}

NOT_READ: Final = {
    "block_actions": {
        "response_url", "trigger_id", "channel.name", "team.domain", "user.username", "user.name", "actions.0.action_ts",
        "actions.0.block_id", "actions.0.text", "actions.0.type", "actions.0.style", "message.type", "message.user",
        "message.text", "message.team", "message.blocks",
    },
    "view_submission": {
        "view.id", "view.type", "view.blocks", "view.title", "view.submit", "view.close", "view.external_id", "view.hash",
        "view.clear_on_close", "view.notify_on_close", "view.previous_view_id", "view.root_view_id", "view.state",
    },
    "command": {"api_app_id", "response_url", "trigger_id"},
}  # fmt: skip
"""What decides neither who acts nor on what. The reason in a form is words, and those never keep a denial from counting."""

TOLD_TWICE: Final = {
    "block_actions": {"team", "user.team_id", "channel", "message.ts", "message.app_id", "api_app_id"},
    "view_submission": {
        "team",
        "user.team_id",
        "view.team_id",
        "view.app_id",
        "view.app_installed_team_id",
        "api_app_id",
    },
    "command": set[str](),
}
"""What may be left out, because something else says it as well; where it is there, it has to be what it should be."""


def may_act(kind: str, place: str, how: str) -> bool:
    """Tell whether a payload that is spoilt in this way may be acted on as it stands."""
    if how.startswith("doubled"):
        return False
    if place in TOLD_TWICE[kind] and how in {"missing", "null"}:
        return True
    return any(place == one or place.startswith(f"{one}.") for one in NOT_READ[kind])


def paths_of(value: Any, at: Path = ()) -> Iterator[Path]:
    """Return every place in *value*, but for what a message or a form shows."""
    inner: list[tuple[Step, Any]] = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value[:1]))
    for step, one in inner:
        yield (*at, step)
        if step != "blocks":
            yield from paths_of(one, (*at, step))


def spoilt(value: Any, path: Path, new: Any) -> Any:
    """Return *value* with *new* in one place, or without that place."""
    step, *rest = path
    copy: Any = dict(value) if isinstance(value, dict) else list(value)
    if rest:
        copy[step] = spoilt(copy[step], tuple(rest), new)
    elif new is MISSING:
        del copy[step]
    else:
        copy[step] = new
    return copy


def doubled(value: Any, path: Path, other: Any) -> str:
    """Return JSON in which the key at *path* stands twice."""
    step, *rest = path
    items = value.items() if isinstance(value, dict) else enumerate(value)
    written = []
    for key, one in items:
        name = f"{json.dumps(key)}: " if isinstance(value, dict) else ""
        if key == step and rest:
            written.append(name + doubled(one, tuple(rest), other))
        else:
            written.append(name + json.dumps(one))
        if key == step and not rest:
            written.append(name + json.dumps(other))
    return f"{{{', '.join(written)}}}" if isinstance(value, dict) else f"[{', '.join(written)}]"


def named(path: Path) -> str:
    """Return a place as one word."""
    return ".".join(map(str, path))


def odd_ones(good: Any) -> Iterator[tuple[str, str, str]]:
    """Return a place, what is wrong there, and the payload as JSON."""
    for path in paths_of(good):
        for how, new in WRONG.items():
            yield named(path), how, json.dumps(spoilt(good, path, new))
        if isinstance(path[-1], str):
            yield named(path), "doubled", doubled(good, path, "other")
            yield named(path), "doubled alike", doubled(good, path, _at(good, path))


def _at(value: Any, path: Path) -> Any:
    for step in path:
        value = value[step]
    return value


@pytest.fixture
def asked(either_office):
    """An office, either way, with a request that waits on a card."""
    either_office.request = either_office.world.pending()
    either_office.step()
    return either_office


@pytest.fixture
def acts(monkeypatch):
    """Count what is acted on: answers and stops, which do nothing here."""
    made: list[str] = []

    def counted(name):
        def act(*_, **__):
            made.append(name)
            raise NotEligible("You may not.")

        return act

    monkeypatch.setattr(Decide, "__call__", counted("answer"))
    monkeypatch.setattr(EngagePause, "__call__", counted("stop"))
    return made


@pytest.fixture
def told(monkeypatch):
    """Take down what people are told by notes."""
    texts: list[str] = []

    async def tell(_: Answers, __: Person, text: str) -> None:
        texts.append(text)

    monkeypatch.setattr(Answers, "tell", tell)
    return texts


def payload_of(office, kind):
    """Return how a kind of payload is delivered, and a good one."""
    click, form = click_payload(office, "U0ADA", "deny:v1"), view_payload(office)
    person = {name: click[name] for name in ("user", "team", "api_app_id")}
    return {
        "block_actions": ("interactive", click),
        "view_submission": ("interactive", form),
        "view_closed": ("interactive", {**form, "type": "view_closed", "is_cleared": False}),
        "shortcut": ("interactive", {**person, "type": "shortcut", "callback_id": "x", "trigger_id": "1.2.3"}),
        "message_action": (
            "interactive",
            {**person, "type": "message_action", "callback_id": "x", "channel": {"id": "C0PROD"}, "message": {"ts": "1.000001"}},
        ),
        "block_suggestion": ("interactive", {**person, "type": "block_suggestion", "action_id": "x", "value": "x"}),
        "event": (
            "events_api",
            {
                "type": "event_callback", "team_id": office.seed.team_id, "api_app_id": office.seed.app_id, "event_id": "Ev1",
                "event": {"type": "subteam_members_changed", "subteam_id": "S0PROD", "team_id": office.seed.team_id},
            },
        ),
        "url_verification": ("events_api", {"type": "url_verification", "challenge": "x", "token": "x"}),
        "command": ("slash_commands", command_fields(office)),
    }[kind]  # fmt: skip


@pytest.mark.parametrize("kind", ["block_actions", "view_submission"])
def test_a_payload_with_any_field_spoilt_is_acted_on_as_it_stands_or_not_at_all(asked, acts, told, kind):
    """Never an error, silence or two acts; none where a field that decides is spoilt or any key is doubled, which is said."""
    way, good = payload_of(asked, kind)
    assert (sent(asked, way, json.dumps(good))[0], len(acts)) == (200, 1)
    untold, wrong, tellable = [], [], 0

    for place, how, text in odd_ones(good):
        acts.clear()
        status, answer = sent(asked, way, text)
        if status != 200 or len(acts) > 1 or (acts and not may_act(kind, place, how)):
            wrong.append((place, how, status, len(acts)))
        if not acts:
            # Without these it is not known that it was a form, or whom to tell.
            tellable += place.partition(".")[0] not in {"user", "channel", "container", "type"}
            if kind == "view_submission" and place != "type" and "Nothing was" not in json.dumps(answer):
                untold.append((place, how, answer))

    assert (wrong, untold) == ([], [])
    assert tellable > 100
    if kind == "block_actions":
        asked.until(lambda: sum(text.startswith("Nothing was") for text in told) >= tellable, "who can be told is told")


@pytest.mark.parametrize(
    "kind", ["view_closed", "shortcut", "message_action", "block_suggestion", "event", "url_verification"]
)
def test_what_nobody_acts_on_is_acknowledged_however_it_is_spoilt(asked, acts, capsys, kind):
    """Slack counts what is not acknowledged, and in the end sends nothing any more; an odd event is no defect of ours."""
    way, good = payload_of(asked, kind)

    answers = {(place, how): sent(asked, way, text)[0] for place, how, text in odd_ones(good)}

    assert set(answers.values()) == {200}
    assert acts == []
    assert len(answers) > 15
    logged = capsys.readouterr().out
    assert "broken" not in logged
    assert "private words" not in logged


def test_a_command_with_any_field_spoilt_is_answered_and_acted_on_as_it_stands_or_not_at_all(asked, acts):
    """It is answered in place, beginning with what was not done; a text alone may be anything, and is read as it stands."""
    wrong, count = [], 0

    for place, how, text in odd_ones(command_fields(asked)):
        sending = _form(text) if asked.over_http else text
        if sending is None:
            continue  # A form holds texts alone.
        acts.clear()
        count += 1
        status, answer = (
            signed(asked, sending) if isinstance(sending, bytes) else sent(asked, "slash_commands", sending)
        )
        if (
            status != 200
            or len(acts) > 1
            or (acts and not may_act("command", place, how))
            or not answer["text"].startswith("Nothing was")
        ):
            wrong.append((place, how, status, len(acts), answer))

    assert wrong == []
    assert count > 50


def _form(text: str) -> bytes | None:
    fields = json.loads(text, object_pairs_hook=list)
    texts = all(isinstance(value, str) for _, value in fields)
    return urlencode(fields, errors="surrogatepass").encode() if texts else None


def framings(body: bytes, good: bytes) -> dict[str, tuple[bytes, list[str], bytes, set[int]]]:
    """Return, by name: what is signed, headers, what is sent, and which answers there may be."""
    size, other = f"Content-Length: {len(body)}", f"Content-Length: {len(body) + 7}"
    chunked, chunks = "Transfer-Encoding: chunked", _chunks(body)
    kind, plain = f"Content-Type: {FORM}", {200}
    packed = gzip.compress(body, mtime=0)
    of_packed = f"Content-Length: {len(packed)}"
    bom, wide = b"\xef\xbb\xbf" + body, body.decode().encode("utf-16")
    return {
        "chunked": (body, [kind, chunked], chunks, plain),
        "chunked and a length": (body, [kind, size, chunked], chunks, {200, 400}),
        "a length and chunks that are none": (body, [kind, size, chunked], body, {0, 400}),
        "chunked twice": (body, [kind, chunked, chunked], chunks, {200, 400, 501}),
        "another coding": (body, [kind, size, "Transfer-Encoding: identity"], body, {200, 400, 501}),
        "two lengths": (body, [kind, size, other], body, {400}),
        "a length that is none": (body, [kind, "Content-Length: x"], body, {400}),
        "a length below zero": (body, [kind, "Content-Length: -1"], body, {400}),
        "more than its length": (body, [kind, size], body + b"&text=off", plain),
        "another request behind it": (body, [kind, size], body + good, plain),
        "gzip": (packed, [kind, of_packed], packed, plain),
        "gzip that says so": (packed, [kind, of_packed, "Content-Encoding: gzip"], packed, plain),
        "a mark of the byte order": (bom, [kind, f"Content-Length: {len(bom)}"], bom, plain),
        "UTF-16": (wide, [kind, f"Content-Length: {len(wide)}"], wide, plain),
        **{
            f"as {one or 'nothing'}": (body, [f"Content-Type: {one}", size], body, plain)
            for one in (
                "", "text/plain", "application/xml", "multipart/form-data", "application/json; charset=utf-16", "*/*", ";",
                f"{FORM}; charset=utf-7", f"{FORM}, {FORM}", f"{FORM}; boundary=x", f"{FORM}x",
            )
        },
    }  # fmt: skip


def _chunks(body: bytes) -> bytes:
    parts = [body[place : place + 50] for place in range(0, len(body), 50)]
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


@pytest.mark.parametrize("act", ["command", "click"])
def test_a_request_framed_in_any_way_is_acted_on_once_or_not_at_all(make_office, acts, act):
    """What is framed in two ways is no request, or read in the one way that was signed; else that nothing was done is said."""
    office = make_office(over_http=True)
    office.world.pending()
    office.step()
    click = {"payload": json.dumps(click_payload(office, "U0ADA", "deny:v1"))}
    body = urlencode(command_fields(office) if act == "command" else click).encode()
    wrong = []

    for name, (of, headers, on_the_wire, may) in framings(body, b"POST /slack/events HTTP/1.1\r\n\r\n").items():
        acts.clear()
        status, answer = framed_by_hand(office, of, headers, on_the_wire)
        said = (
            act == "click"
            or bool(acts)
            or name == "gzip that says so"
            or status != 200
            or "Nothing was" in json.dumps(answer)
        )
        acting = {"chunked", "chunked and a length", "chunked twice", "another coding", "more than its length"}
        acting.add("another request behind it")
        if status not in may or len(acts) > 1 or (acts and name not in acting) or not said:
            wrong.append((name, status, len(acts), answer))

    assert wrong == []


def framed_by_hand(office: Any, of: bytes, headers: list[str], on_the_wire: bytes) -> tuple[int, Any]:
    """Send a request whose signature is over *of*; return status and answer, 0 where more is awaited than was sent."""
    stamp = str(int(time.time()))
    signature = hmac.new(SECRET.encode(), b"v0:" + stamp.encode() + b":" + of, hashlib.sha256).hexdigest()
    head = [
        "POST /slack/events HTTP/1.1", "Host: x", "Connection: close", *headers,
        f"X-Slack-Request-Timestamp: {stamp}", f"X-Slack-Signature: v0={signature}", "", "",
    ]  # fmt: skip
    with socket.create_connection(office._listening.getsockname(), timeout=2) as line:
        line.sendall("\r\n".join(head).encode() + on_the_wire)
        said = b""
        with contextlib.suppress(ConnectionResetError, TimeoutError):  # It may hang up on what is left over.
            while part := line.recv(65_536):
                said += part
    if not said:
        return 0, None
    top, _, rest = said.partition(b"\r\n\r\n")
    return int(top.split()[1]), json.loads(rest) if rest.startswith(b"{") else None


def test_a_frame_spoilt_in_any_field_is_acknowledged_and_acted_on_as_it_stands_or_not_at_all(office, acts):
    """The envelope around a payload is as much a part of what it says: what it is, its number, and whether it takes an answer."""
    office.world.pending()
    office.step()
    wrong = []

    for kind, payload in (
        ("slash_commands", command_fields(office)),
        ("interactive", click_payload(office, "U0ADA", "deny:v1")),
    ):
        good = {"envelope_id": "e1", "type": kind, "accepts_response_payload": True, "payload": payload}
        for place, how, text in odd_ones(good):
            if place == "envelope_id" and not how.startswith("doubled"):
                continue  # Nobody waits for an acknowledgement that has no number.
            if place.startswith("payload."):
                continue  # Those are spoilt above.
            acts.clear()
            status, _ = framed(office, text)
            if status != 200 or len(acts) > 1 or (acts and place != "accepts_response_payload"):
                wrong.append((kind, place, how, len(acts)))

    assert wrong == []
