"""Odd payloads: signed by Slack, or over our own socket, and not acted on; each is acknowledged and answered, none breaks.

One table for both ways in. What only one of them can say (fields of a form, numbers of an envelope) has a table of its own.
"""

import asyncio
import hashlib
import hmac
import json
import time
from typing import Any
from urllib.parse import urlencode

import pytest

from approvals.workflow.request import State
from bot.slack.inbound.deny_form import told
from tests.bot.slack.office import SECRET
from tests.bot.slack.test_races import click_payload

FORM = "application/x-www-form-urlencoded"
HUGE = "x" * 600_000


@pytest.fixture
def asked(either_office):
    """An office, either way, with a request that waits on a card."""
    either_office.request = either_office.world.pending()
    either_office.step()
    return either_office


def signed(office, body, *, kind: str | list[str] | None = FORM, headers=()):
    """Send *body* signed, and return the status and the answer."""
    stamp = str(int(time.time()))
    signature = hmac.new(SECRET.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    port = office._listening.getsockname()[1]

    async def post():
        kinds = [kind] if isinstance(kind, str) else kind or []
        head = [
            f"POST /slack/events HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n",
            f"X-Slack-Request-Timestamp: {stamp}\r\nX-Slack-Signature: v0={signature}\r\n",
            *(f"Content-Type: {one}\r\n" for one in kinds),
            *(f"{one}\r\n" for one in headers),
            "\r\n",
        ]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write("".join(head).encode() + body)
        said = await asyncio.wait_for(reader.read(), 20)
        writer.close()
        return said

    top, _, said = office.loop.do(post()).partition(b"\r\n\r\n")
    return int(top.split()[1]), _json(said.decode())


def framed(office, frame, *, number="e1"):
    """Send one frame over the socket, and return whether it was acknowledged, and the answer."""

    async def send():
        hub = office.workspace._hub
        answer = hub._waiting[number] = asyncio.get_running_loop().create_future()
        await hub._connections[0].socket.send_str(frame)
        try:
            return 200, await asyncio.wait_for(answer, 20)
        finally:
            del hub._waiting[number]

    return office.loop.do(send())


def _json(text: str) -> Any:
    return json.loads(text) if text.startswith("{") else None


def sent(office, kind, payload):
    """Send a payload, written as JSON already, whichever way the office is reached; return status and answer."""
    if office.over_http:
        if kind == "slash_commands":
            fields = json.loads(payload)
            assert all(isinstance(value, str) for value in fields.values())
            return signed(office, urlencode(fields, errors="surrogatepass").encode())
        if kind == "events_api":
            return signed(office, payload.encode(), kind="application/json")
        return signed(office, urlencode({"payload": payload}).encode())
    answers = "true" if kind != "interactive" or '"view_submission"' in payload else "false"
    frame = f'{{"envelope_id": "e1", "type": "{kind}", "accepts_response_payload": {answers}, "payload": {payload}}}'
    return framed(office, frame)


def view_payload(office):
    """Return the payload of a submitted form of ours."""
    office.click("U0ADA", "deny-reason:v1")
    view = office.loop.do(office.workspace.wait_for_view("U0ADA"))
    values = {"reason": {"text": {"type": "plain_text_input", "value": "No"}}}
    return {
        "type": "view_submission",
        "api_app_id": office.seed.app_id,
        "team": {"id": office.seed.team_id},
        "user": {"id": "U0ADA", "team_id": office.seed.team_id},
        "view": view.as_slack(values),
    }


def command_fields(office, text="on"):
    """Return the fields of a slash command."""
    return {
        "command": "/agent-pause", "text": text, "team_id": office.seed.team_id, "user_id": "U0ADA", "channel_id": "C0PROD",
        "api_app_id": office.seed.app_id, "response_url": "https://hooks.slack.com/x", "trigger_id": "1.2.3",
    }  # fmt: skip


def _without(payload, *names):
    return {name: value for name, value in payload.items() if name not in names}


def _doubled(payload, name, value):
    """Return JSON in which a key stands twice."""
    return f"{json.dumps(payload)[:-1]}, {json.dumps(name)}: {json.dumps(value)}}}"


def odd_clicks(good):
    """Return clicks that say two things, or nothing."""
    (action,) = good["actions"]
    other = {**action, "action_id": "approve:v1"}
    container, message = good["container"], good["message"]
    return {
        "two actions": {**good, "actions": [action, other]},
        "no action": {**good, "actions": []},
        "actions that are none": {**good, "actions": {"0": action}},
        "an action that is a list": {**good, "actions": [[action]]},
        "an action of a number": {**good, "actions": [{**action, "action_id": 1}]},
        "a value that is a list": {**good, "actions": [{**action, "value": [action["value"], "x"]}]},
        "an endless value": {**good, "actions": [{**action, "value": "x" * 5000}]},
        "two channels": {**good, "channel": {"id": "C0STAGING"}},
        "two messages": {**good, "message": {**message, "ts": "1.000001"}},
        "a message and a form": {**good, "view": {"bot_id": "B0COUNTERSIGN"}},
        "no user": _without(good, "user"),
        "a user without a team": {**_without(good, "team"), "user": {"id": "U0ADA"}},
        "a user that is a list": {**good, "user": [good["user"]]},
        "a user with a small id": {**good, "user": {"id": "u0ada", "team_id": "T0COUNTERSIGN"}},
        "a team that is a number": {**good, "user": {"id": "U0ADA", "team_id": 7}},
        "no container": _without(good, "container"),
        "a container of another kind": {**good, "container": {**container, "type": "view"}},
        "no message": _without(good, "message"),
        "an enterprise that is a number": {**good, "enterprise": 7, "actions": [action, other]},
        "authorizations of another kind": {**good, "authorizations": "x", "actions": [action, other]},
        "a team that is a text": {**good, "team": "T0COUNTERSIGN"},
        "no type": _without(good, "type"),
        "a type that is a list": {**good, "type": ["block_actions"]},
        "a shortcut": {**good, "type": "message_action"},
        "an old button": {**good, "type": "interactive_message"},
        "a step of a workflow": {**good, "type": "workflow_step_edit"},
    }


def odd_texts(good):
    """Return JSON that is odd as such, from a payload that is good."""
    text = json.dumps(good)
    return {
        "a doubled key": _doubled(good, "user", {"id": "U0BORIS", "team_id": "T0COUNTERSIGN"}),
        "a doubled type": _doubled(good, "type", good.get("type")),
        "a doubled key inside": text.replace('"user": {', '"user": {"id": "U0BORIS", ', 1),
        "not a number": f'{text[:-1]}, "x": NaN}}',
        "an endless number": f'{text[:-1]}, "x": {"9" * 5000}}}',
        "too deep": f'{text[:-1]}, "x": {"[" * 100}{"]" * 100}}}',
        "much too deep": f'{text[:-1]}, "x": {"[" * 50_000}{"]" * 50_000}}}',
        "half a key": f'{text[:-1]}, "\\ud800": 1}}',
        "too many keys": f'{text[:-1]}, "x": {json.dumps({str(n): n for n in range(2000)})}}}',
    }


def test_an_odd_click_decides_nothing_and_is_answered(asked):
    """Two actions, two places, a doubled key, a missing id: acknowledged, told to whoever can be told, and never acted on."""
    good = click_payload(asked, "U0ADA", "deny:v1")
    odd = {name: json.dumps(one) for name, one in odd_clicks(good).items()} | odd_texts(good)
    untold = {
        "no user",
        "a user that is a list",
        "a user with a small id",
        "much too deep",
        "no type",
        "a type that is a list",
    }

    answers = {name: sent(asked, "interactive", one) for name, one in odd.items()}

    assert {name: status for name, (status, _) in answers.items() if status != 200} == {}
    assert asked.world.request(asked.request).state is State.PENDING
    asked.until(
        lambda: len(asked.notes("U0ADA")) + len(asked.notes("U0BORIS")) >= len(odd) - len(untold), "they are told"
    )
    assert {note.text.partition(":")[0] for note in asked.notes("U0ADA")} <= {"Nothing was decided", "Nothing was done"}
    assert sent(asked, "interactive", json.dumps(good))[0] == 200
    assert asked.world.request(asked.request).state is State.DENIED


def test_an_odd_form_decides_nothing_and_does_not_close(asked):
    """It never closes as if it had worked: what could not be read is said in its place."""
    good = view_payload(asked)
    view = good["view"]
    two = {"values": {"reason": {"text": {"value": "Yes"}, "other": {"value": "No"}}}}
    odd = {
        "two texts": {**good, "view": {**view, "state": two}},
        "no user": _without(good, "user"),
        "no team": {**_without(good, "team"), "user": {"id": "U0ADA"}},
        "a form and a message": {**good, "message": {"bot_id": "B0COUNTERSIGN"}},
        "no view": _without(good, "view"),
        "a view that is a list": {**good, "view": [view]},
        "metadata that is a list": {**good, "view": {**view, "private_metadata": []}},
        "a state that is a list": {**good, "view": {**view, "state": []}},
        "a form of another app": {**good, "view": {**view, "bot_id": "B0OTHER"}},
        "a form that we do not have": {**good, "view": {**view, "callback_id": "other"}},
    }
    texts = {name: json.dumps(one) for name, one in odd.items()} | odd_texts(good)

    answers = {name: sent(asked, "interactive", one) for name, one in texts.items()}

    closed = {name: said for name, said in answers.items() if (said[1] or {}).get("response_action") != "update"}
    assert closed == {}
    assert all("Nothing was" in json.dumps(answer["view"]) for _, answer in answers.values())
    assert asked.world.request(asked.request).state is State.PENDING


def test_an_error_of_ours_while_reading_is_answered_and_logged(asked, monkeypatch, capsys):
    """Whatever breaks: it is acknowledged, nothing is acted on, no form closes, and no log quotes what arrived."""
    payloads = {
        "form": ("interactive", view_payload(asked)),
        "click": ("interactive", click_payload(asked, "U0ADA", "deny:v1")),
        "command": ("slash_commands", command_fields(asked)),
    }

    def breaks(*_: object) -> None:
        raise RuntimeError("private words")

    monkeypatch.setattr("bot.slack.inbound.reader._checked", breaks)
    answers = {name: sent(asked, kind, json.dumps(one)) for name, (kind, one) in payloads.items()}
    # What tells whom to answer may break as well.
    monkeypatch.setattr("bot.slack.inbound.reader.person_of", breaks)
    again = sent(asked, *_written(payloads["form"]))

    assert {status for status, _ in [*answers.values(), again]} == {200}
    assert answers["form"][1]["view"] == told("Nothing was denied: something broke on our side.") == again[1]["view"]
    assert answers["command"][1]["text"] == "Nothing was paused or resumed: something broke on our side."
    assert asked.note("U0ADA") == "Nothing was decided: something broke on our side."
    assert asked.world.request(asked.request).state is State.PENDING
    with asked.store.reading() as reading:
        assert reading.pauses() == ()
    logged = capsys.readouterr()
    assert logged.out.count("reader.broken") == 4
    assert "private words" not in logged.out + logged.err


def _written(one):
    kind, payload = one
    return kind, json.dumps(payload)


def test_what_is_too_large_to_read_says_so_in_place(asked):
    """The same sentence over both ways in: a command answers where it was typed, a form stays open."""
    form, command = view_payload(asked), {**command_fields(asked), "text": f"on {HUGE}"}

    answers = (
        sent(asked, "slash_commands", json.dumps(command)),
        sent(asked, "interactive", json.dumps({**form, "x": HUGE})),
    )

    assert [status for status, _ in answers] == [200, 200]
    assert answers[0][1]["text"] == "Nothing was paused or resumed: Slack's message is too large."
    assert answers[1][1]["view"] == told("Nothing was denied: Slack's message is too large.")


@pytest.mark.parametrize("value", [["private words"], {"a": "private words"}, 7, True, None])
def test_a_reason_that_is_no_text_is_none(asked, value):
    """The denial counts; what Slack never sends as words is not written down as such."""
    payload = view_payload(asked)
    payload["view"]["state"]["values"]["reason"]["text"]["value"] = value

    assert sent(asked, "interactive", json.dumps(payload))[0] == 200
    assert asked.world.request(asked.request).state is State.DENIED
    assert "private words" not in str(asked.events(f"request:{asked.request.id}"))


def test_words_of_any_kind_deny_by_the_form(asked):
    """Half a character and a NUL in the reason are shown as such; they keep no denial from counting."""
    payload = view_payload(asked)
    payload["view"]["state"]["values"]["reason"]["text"]["value"] = "no \ud800 and \x00 never"

    assert sent(asked, "interactive", json.dumps(payload)) in [(200, None), (200, {})]
    assert asked.world.request(asked.request).state is State.DENIED


def test_an_odd_command_pauses_nothing_and_says_so(asked):
    """A command that says two things, or not who asks, is answered in place, beginning with what was not done."""
    good = command_fields(asked)
    odd = {
        "no user": _without(good, "user_id"),
        "no team": _without(good, "team_id"),
        "a small id": {**good, "user_id": "u0ada"},
        "a channel that is none": {**good, "channel_id": "x"},
        "another workspace": {**good, "team_id": "T0PARTNER"},
    }
    texts = {name: json.dumps(one) for name, one in odd.items()}
    if not asked.over_http:
        texts |= {name: one for name, one in odd_texts(good).items() if "doubled" not in name}
        texts |= {
            "two texts": _doubled(good, "text", "off"),
            "two users": _doubled(good, "user_id", "U0BORIS"),
            "a text that is a list": json.dumps({**good, "text": ["on", "off"]}),
            "a command and a click": json.dumps({**good, "type": "block_actions"}),
        }

    answers = {name: sent(asked, "slash_commands", one) for name, one in texts.items()}

    assert {name: said for name, said in answers.items() if _silent(said)} == {"much too deep": (200, None)} or not any(
        _silent(said) for said in answers.values()
    )
    with asked.store.reading() as reading:
        assert reading.pauses() == ()
    assert sent(asked, "slash_commands", json.dumps(good))[1]["text"].startswith("*Paused: everything.*")


def _silent(said):
    status, answer = said
    return status != 200 or "Nothing was" not in json.dumps(answer)


def test_a_form_of_http_that_says_two_things_does_nothing(make_office):
    """Doubled fields however they are spelt, two payloads, a command that is a click too, and every wrong word about encoding."""
    office = make_office(over_http=True)
    request = office.world.pending()
    office.step()
    command, click = urlencode(command_fields(office)), json.dumps(click_payload(office, "U0ADA", "deny:v1"))
    payload = urlencode({"payload": click})
    bodies: dict[str, tuple[bytes, Any]] = {
        "two texts": (f"{command}&text=off".encode(), FORM),
        "two texts, one spelt out": (f"{command}&te%78t=off".encode(), FORM),
        "two commands": (f"{command}&command=%2Fother".encode(), FORM),
        "two users": (f"{command}&user_id=U0BORIS".encode(), FORM),
        "two payloads": (f"{payload}&{payload}".encode(), FORM),
        "a command and a payload": (f"{command}&{payload}".encode(), FORM),
        "too many fields": ((command + "&x=1" * 200).encode(), FORM),
        "another encoding": (command.encode(), f"{FORM}; charset=utf-16"),
        "two encodings": (command.encode(), f"{FORM}; charset=utf-8; charset=utf-7"),
        "two types": (command.encode(), [FORM, "application/json"]),
        "no type": (command.encode(), None),
        "text": (command.encode(), "text/plain"),
        "a form in parts": (command.encode(), "multipart/form-data; boundary=x"),
        "a click as JSON": (click.encode(), "application/json"),
        "a command as JSON": (json.dumps(command_fields(office)).encode(), "application/json"),
        "a click with another type": (payload.encode(), "application/json"),
        "no payload": (b"payload=", FORM),
        "half a payload": (payload[: len(payload) // 2].encode(), FORM),
        "a payload of a list": (b"payload=%5B%5D", FORM),
        "nothing": (b"", FORM),
        "no UTF-8": (b"\xff\xfe", FORM),
        "a check of the certificate": (b"ssl_check=1&token=x", FORM),
        "JSON that is a text": (b'"on"', "application/json"),
        "a mark of the byte order": (b"\xef\xbb\xbf{}", "application/json"),
    }

    answers = {name: signed(office, body, kind=kind) for name, (body, kind) in bodies.items()}
    packed = signed(office, command.encode(), headers=["Content-Encoding: gzip"])
    orders = signed(
        office, payload.encode(), headers=["X-Slack-Bolt-Lazy-Only: 1", "X-Slack-Bolt-Lazy-Function-Name: deny"]
    )

    assert {name: said for name, said in answers.items() if said[0] != 200} == {}
    assert packed[0] == 200
    commands = [
        name for name in bodies if "text" in name or name in {"two commands", "two users", "no type", "a form in parts"}
    ]
    unsaid = {name: answers[name] for name in commands if name != "JSON that is a text" and _silent(answers[name])}
    assert unsaid == {}
    with office.store.reading() as reading:
        assert reading.pauses() == ()
    # The library would have taken these headers for its own and done nothing, having said that it did.
    assert (orders[0], office.world.request(request).state) == (200, State.DENIED)


@pytest.mark.parametrize(
    "text", ["on %ED%A0%80 quick", "on %00 quick", "on %FF%FE", "%EF%BC%AF%EF%BC%AE", "on+" + "x" * 10_000]
)
def test_the_words_of_a_stop_are_never_a_reason_to_refuse_it(make_office, text):
    """Bytes that are no character, a NUL, full-width letters, ten thousand of them: it stops."""
    office = make_office(over_http=True)
    fields = urlencode(_without(command_fields(office), "text"))

    status, answer = signed(office, f"{fields}&text={text}".encode())

    assert (status, answer["text"].partition(".")[0]) == (200, "*Paused: everything")


def test_a_frame_that_says_two_things_is_acknowledged_and_does_nothing(office):
    """Whatever number an envelope names is acknowledged, and both where it names two; what cannot be read is not acted on."""
    request = office.world.pending()
    office.step()
    click, command = json.dumps(click_payload(office, "U0ADA", "deny:v1")), json.dumps(command_fields(office))
    head = '{"envelope_id": "e1", "accepts_response_payload": true, "type"'
    frames = {
        "two payloads": f'{head}: "interactive", "payload": {{}}, "payload": {click}}}',
        "two numbers": f'{{"envelope_id": "e1", "envelope_id": "e2", "type": "interactive", "payload": {click}}}',
        "two kinds": f'{head}: "slash_commands", "type": "interactive", "payload": {command}}}',
        "a click sent as a command": f'{head}: "slash_commands", "payload": {click}}}',
        "a command sent as a click": f'{head}: "interactive", "payload": {command}}}',
        "a click sent as an event": f'{head}: "events_api", "payload": {click}}}',
        "no kind": f'{head[:-7]} "payload": {click}}}',
        "no payload": f'{head}: "interactive"}}',
        "a payload that is a text": f'{head}: "interactive", "payload": {json.dumps(click)}}}',
        "a kind of its own": f'{head}: "other", "payload": {click}}}',
        "half a frame": f'{head}: "interactive", "payload": {click[:200]}',
        "a large frame": f'{head}: "interactive", "payload": {click[:-1]}, "x": "{HUGE}"}}}}',
        "a deep frame": f'{head}: "interactive", "x": {"[" * 90_000}{"]" * 90_000}, "payload": {click}}}',
        "a challenge": f'{head}: "events_api", "payload": {{"type": "url_verification", "challenge": "x"}}}}',
    }

    answers = {name: framed(office, frame)[0] for name, frame in frames.items()}
    second = framed(office, frames["two numbers"], number="e2")[0]

    assert set(answers.values()) | {second} == {200}
    assert office.world.request(request).state is State.PENDING
    with office.store.reading() as reading:
        assert reading.pauses() == ()


@pytest.mark.parametrize("kind", ["an event", "an event that we never asked for"])
def test_an_event_is_acknowledged(asked, kind):
    """Slack sends an event again that is not, and in the end none at all."""
    happened = {"type": "subteam_members_changed", "subteam_id": "S0PROD", "team_id": "T0PARTNER"}
    event = happened if kind == "an event" else {"type": "message", "text": "\ud800"}
    payload = {"type": "event_callback", "team_id": asked.seed.team_id, "event": event}

    assert sent(asked, "events_api", json.dumps(payload))[0] == 200


def test_what_is_written_in_a_payload_reaches_no_log(asked, capsys):
    """I12: a refused payload is logged by what was wrong with its shape, in words of ours."""
    payload = {**click_payload(asked, "U0ADA", "deny:v1"), "user": {"id": "private words"}, "team": "private words"}

    sent(asked, "interactive", json.dumps(payload))

    out = capsys.readouterr()
    assert "payload.refused" in out.out
    assert "private words" not in out.out + out.err
