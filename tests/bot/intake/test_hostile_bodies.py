"""Bodies made to be read in two ways, or to break the reader: T-AUTH-09, and whatever hypothesis thinks of.

What is refused stores nothing but its refusal, and no body whatever is answered by a server's error.
"""

import json
from http import HTTPStatus
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.bot.intake.support import ALERTS, ESCALATIONS, MONITOR, PROBLEM, a_body, a_delivery, scaling
from tests.bot.intake.support import Door as OpenDoor


def _with(marker: str, replacement: str, **changed: Any) -> bytes:
    """Return the good body as text, with *marker* replaced by what JSON's own writer would not write."""
    return json.dumps(a_body(**changed)).replace(f'"{marker}"', replacement).encode()


HOSTILE = {
    "duplicate key": (_with("X", '"a", "rationale": "b"', rationale="X"), 400, "duplicate_key", "/rationale"),
    "duplicate key, nested": (
        _with("X", '{"replicas": 1, "replicas": 900}', action={**a_body()["action"], "parameters": "X"}),
        400,
        "duplicate_key",
        "/action/parameters/replicas",
    ),
    "NaN": (_with("X", "NaN", confidence="X"), 400, "not_a_number", "/confidence"),
    "Infinity": (_with("X", "-Infinity", confidence="X"), 400, "not_a_number", "/confidence"),
    "1e400": (_with("X", "1e400", confidence="X"), 400, "number_too_large", "/confidence"),
    "5,000 digits": (_with("X", "9" * 5000, timeout_seconds="X"), 400, "number_too_large", "/timeout_seconds"),
    "200,000 brackets": (b"[" * 200_000 + b"]" * 60_000, 400, "too_deep", None),
    "200,000 open brackets": (b'{"a":' * 50_000, 400, "too_deep", None),
    "lone surrogate": (_with("X", '"\\ud800"', rationale="X"), 400, "lone_surrogate", "/rationale"),
    "lone surrogate in a key": (_with("X", '"x", "\\udfff": 1', rationale="X"), 400, "lone_surrogate", None),
    "NUL": (_with("X", '"a\x00b"', rationale="X"), 400, "nul", None),
    "NUL, escaped": (_with("X", '"a\\u0000b"', rationale="X"), 400, "nul", "/rationale"),
    "UTF-16": (json.dumps(a_body()).encode("utf-16"), 400, None, None),
    "UTF-16 without a mark": (json.dumps(a_body()).encode("utf-16-le"), 400, "not_utf8", None),
    "byte order mark": (b"\xef\xbb\xbf" + json.dumps(a_body()).encode(), 400, "bom", None),
    "Latin-1": (json.dumps(a_body(rationale="é"), ensure_ascii=False).encode("latin-1"), 400, "not_utf8", None),
    "empty": (b"", 400, "not_json", None),
    "half": (json.dumps(a_body()).encode()[:-3], 400, "not_json", None),
    "two values": (json.dumps(a_body()).encode() * 2, 400, "not_json", None),
    "a comment": (b"{} // no", 400, "not_json", None),
    "an array": (b"[]", 422, "wrong_type", ""),
    "null": (b"null", 422, "wrong_type", ""),
    "unknown field": (_with("X", '"x", "approved": true', rationale="X"), 422, "unknown_field", "/approved"),
    "text for a number": (_with("X", '"6"', timeout_seconds="X"), 422, "wrong_type", "/timeout_seconds"),
    "number for a text": (_with("X", "6", rationale="X"), 422, "wrong_type", "/rationale"),
    "truth for a number": (_with("X", "true", timeout_seconds="X"), 422, "wrong_type", "/timeout_seconds"),
    "too long": (_with("X", f'"{"x" * 4001}"', rationale="X"), 422, "too_long", "/rationale"),
    "missing": (b"{}", 422, "missing_field", "/environment"),
    "unknown verb": (_with("scale", '"delete"'), 422, "unknown_verb", "/action/verb"),
    "unknown limit": (
        _with("X", '[{"limit": "nope", "observed": 1, "ceiling": 1}]', breaches="X"),
        422,
        "unknown_limit",
        "/breaches/0/limit",
    ),
    "10 MB": (_with("X", f'"{"x" * 10_000_000}"', rationale="X"), 413, "too_large", None),
    "one byte too many": (b" " * (256 * 1024 + 1), 413, "too_large", None),
}


@pytest.mark.parametrize(("body", "status", "code", "field"), HOSTILE.values(), ids=HOSTILE.keys())
def test_t_auth_09_a_hostile_body_is_refused_and_only_the_refusal_is_stored(shared_door, body, status, code, field):
    """T-AUTH-09: each has its status, a stable code and the place of the fault; nothing of what was sent is kept."""
    before = shared_door.events()

    answer = shared_door.call("POST", ESCALATIONS, body, key="hostile")

    problem = answer.json
    assert (answer.status, answer.headers["content-type"]) == (status, PROBLEM)
    assert code in {problem["code"], None}
    assert field in {problem.get("field"), None}
    (stored,) = [event for event in shared_door.events() if event not in before]
    assert (stored["kind"], stored["stream"], stored["private"]) == ("intake.refused", "agent:scaler", {})
    assert stored["data"] == {
        "token": "tok_01JD0000000000000000000000",
        "code": problem["code"],
        "field": problem.get("field"),
    }


@pytest.mark.parametrize("body", [body for body, status, *_ in HOSTILE.values() if status == HTTPStatus.BAD_REQUEST])
def test_t_auth_09_what_is_no_delivery_is_refused_as_that_and_nothing_else(shared_door, body):
    """T-AUTH-09: alerts are read loosely, as a monitor cannot correct itself; what has no reading or no alerts is refused."""
    answer = shared_door.call("POST", ALERTS, body, token=MONITOR)

    assert (answer.status, answer.code) in {
        (400, "not_json"),
        (400, "too_deep"),
        (422, "missing_field"),
        (422, "wrong_type"),
    }


MEDIA_TYPES = {
    "none": {"Content-Type": ""},
    "text": {"Content-Type": "text/plain"},
    "form": {"Content-Type": "application/x-www-form-urlencoded"},
    "another charset": {"Content-Type": "application/json; charset=utf-16"},
    "prefix": {"Content-Type": "application/jsonp"},
    "compressed": {"Content-Encoding": "gzip"},
}


@pytest.mark.parametrize("headers", MEDIA_TYPES.values(), ids=MEDIA_TYPES.keys())
@pytest.mark.parametrize(("path", "token"), [(ESCALATIONS, "cst_secret"), (ALERTS, MONITOR)])
def test_only_plain_json_is_read(shared_door, path, token, headers):
    """A body that is said to be something else, or packed, is 415 and not looked into."""
    answer = shared_door.call("POST", path, a_body(), token=token, key="typed", headers=headers)

    assert (answer.status, answer.code) == (415, "not_json_type")


@pytest.mark.parametrize(
    "said", ["application/json", "application/json;charset=UTF-8", 'APPLICATION/JSON; charset="utf-8"']
)
def test_json_may_name_its_charset(shared_door, said):
    """Plain JSON is taken however it is spelt."""
    body = a_body(action=scaling(100 + len(said)))
    answer = shared_door.call("POST", ESCALATIONS, body, key=f"said {said}", headers={"Content-Type": said})

    assert answer.status == 202


KEYS = {
    "none": [],
    "empty": [""],
    "too long": ["k" * 256],
    "not ascii": ["sch\xf6n"],
    "a tab": ["a\tb"],
    "two": ["a", "b"],
    "a credential": ["cst_0123456789abcdefghijklmnop"],
}


@pytest.mark.parametrize("keys", KEYS.values(), ids=KEYS.keys())
def test_an_idempotency_key_is_one_header_of_printable_ascii(shared_door, keys):
    """Without one key that everybody reads alike nothing is taken on."""
    body = json.dumps(a_body()).encode()
    head = f"POST {ESCALATIONS} HTTP/1.1\r\nHost: door\r\nConnection: close\r\nAuthorization: Bearer cst_secret\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    head += "".join(f"Idempotency-Key: {key}\r\n" for key in keys)

    answer = shared_door.raw(head.encode("latin-1") + b"\r\n" + body)

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"idempotency_key_m" in answer


def test_the_longest_key_is_taken(shared_door):
    """255 characters are a key, blanks inside and all."""
    assert shared_door.escalate("a key " + "~" * 249).status == 202


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, one in inner for place in _places(one, (*path, key)))]


def _put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copied = dict(value) if isinstance(value, dict) else list(value)
    copied[path[0]] = _put(copied[path[0]], path[1:], new)
    return copied


@st.composite
def damaged(draw, whole):
    """A good body with a piece replaced by anything, and sometimes a byte."""
    value = _put(whole, draw(st.sampled_from(_places(whole))), draw(JSON_VALUES))
    text = json.dumps(value, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")
    if draw(st.integers(0, 3)):
        return text
    place = draw(st.integers(0, len(text)))
    return text[:place] + draw(st.binary(max_size=3)) + text[place:]


WHOLE = a_body(
    breaches=[{"limit": "cluster-cpu", "observed": 0.87, "ceiling": 0.8}],
    evidence=[{"title": "p99", "text": "4.1 s"}],
    confidence=0.8,
    timeout_seconds=900,
)
FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@FUZZ
@given(body=damaged(WHOLE) | st.binary(max_size=200), number=st.integers(0))
def test_no_body_makes_the_escalations_path_fail(shared_door: OpenDoor, body, number):
    """Whatever is sent is answered by what the contract names, and never by a server's error (I13)."""
    answer = shared_door.call("POST", ESCALATIONS, body, key=f"fuzz {number}")

    assert answer.status in {200, 202, 400, 403, 409, 413, 422, 429}


@FUZZ
@given(body=damaged(a_delivery()) | st.binary(max_size=200))
def test_no_body_makes_the_alerts_path_fail(shared_door: OpenDoor, body):
    """Whatever a monitor sends is answered by what the contract names, and never by a server's error (I13)."""
    answer = shared_door.call("POST", ALERTS, body, token=MONITOR)

    assert answer.status in {200, 400, 413, 422}


INSTANTS = ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999999Z", "0999-06-01T00:00:00Z"]


@pytest.mark.parametrize("instant", INSTANTS)
def test_the_ends_of_the_calendar_are_no_failure(shared_door, instant):
    """A monitor whose clock is far off is taken, or refused; again, too."""
    first = shared_door.call("POST", ALERTS, a_delivery(startsAt=instant), token=MONITOR)
    again = shared_door.call("POST", ALERTS, a_delivery(startsAt=instant), token=MONITOR)

    assert {first.status, again.status} <= {200, 422}


PATHS = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=40)


@FUZZ
@given(path=PATHS, query=PATHS, method=st.sampled_from(["GET", "POST", "PUT", "HEAD", "OPTIONS", "TRACE", "BREW"]))
def test_no_path_makes_the_door_fail(shared_door: OpenDoor, path, query, method):
    """Whatever is asked for is answered, and never by a server's error."""
    target = f"{ESCALATIONS}/{path.replace('?', '').replace('#', '')}?{query.replace('#', '')}"

    status = shared_door.call(method, target).status

    assert status < 500
