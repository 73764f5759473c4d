import time

import pytest

from bot.cluster.client.answers import HttpReply, describe, warnings_of

LEAK = "env DB_PASSWORD=hunter2"


def _status(code, reason="Invalid", **details):
    return HttpReply(
        status=code,
        body={"kind": "Status", "reason": reason, "message": LEAK, **({"details": details} if details else {})},
    )


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (_status(409, "Conflict"), "409 Conflict"),
        (_status(422, causes=[{"field": "spec.replicas", "message": LEAK}]), "422 Invalid, at spec.replicas"),
        (
            _status(422, causes=[{"field": "spec.a"}, {"field": "spec.a"}, {"field": "spec.b[0].c"}]),
            "422 Invalid, at spec.a, spec.b[0].c",
        ),
        (_status(422, causes=[{"field": LEAK}, {"field": 7}, "x", {}]), "422 Invalid"),
        (_status(422, causes=[{"field": f"f{number}"} for number in range(9)]), "422 Invalid, at f0, f1, f2, f3, f4"),
        (
            _status(422, causes=[{"field": "metadata.labels[AKIA0000000000000000]"}]),
            "422 Invalid, at metadata.labels[[looked like a secret]]",
        ),
        (_status(403, LEAK), "403"),
        (HttpReply(status=502, body=None), "502"),
        (HttpReply(status=400, body={"reason": ["x"], "details": "x"}), "400"),
    ],
    ids=[
        "reason",
        "field",
        "fields once",
        "no shape",
        "bounded",
        "a secret for a key",
        "reason with text",
        "no body",
        "wrong types",
    ],
)
def test_an_error_is_described_without_the_servers_text(answer, words):
    """Only the status, the reason's code and field paths are said: a message can carry a whole pod (I12)."""
    assert describe(answer) == words


@pytest.mark.parametrize(
    ("answer", "certain"),
    [
        (_status(403, "Forbidden"), True),
        (HttpReply(status=403, body=None), False),
        (HttpReply(status=403, body={"error": "proxy"}), False),
        (HttpReply(status=429, body=None), True),
        (_status(500, "InternalError"), False),
        (HttpReply(status=302, body=None), False),
    ],
    ids=["the server's", "a page", "another's JSON", "overload in plain text", "5xx", "redirect"],
)
def test_only_the_server_itself_can_say_no(answer, certain):
    """A refusal counts as one where the API server gave it; anything else leaves open what happened."""
    assert answer.is_refusal is certain


def test_the_fence_that_refused_is_known_by_name():
    """The policy's name is read out of the message, and nothing else of it."""
    message = f"deployments.apps is forbidden: ValidatingAdmissionPolicy 'guard' with binding 'b' denied: {LEAK}"
    fenced = HttpReply(status=403, body={"kind": "Status", "reason": "Forbidden", "message": message})

    assert (fenced.fenced_by, describe(fenced)) == ("guard", "403 Forbidden, by the admission policy guard")
    assert HttpReply(status=403, body={"message": "no"}).fenced_by is None
    assert HttpReply(status=403, body=None).fenced_by is None


def test_warnings_are_bounded_and_plain():
    """At most eight, at most 200 characters each, without control characters, each once."""
    headers = ['299 - "one", 299 - "two"', '299 - "one"', '299 - "bell\x07"', f'299 - "{"x" * 500}"', "garbage"]
    headers += [f'299 - "w{number}"' for number in range(20)]

    texts = warnings_of(headers)

    assert texts[:4] == ("one", "two", "bell\\u{7}", "x" * 200)
    assert len(texts) == 8


def test_an_object_is_only_there_in_a_good_answer():
    """Asking a bodiless answer for its object is a mistake, not an empty object."""
    with pytest.raises(ValueError, match="no body"):
        HttpReply(status=200, body=None).object()


@pytest.mark.parametrize("part", [" ", "0", "000 ", '000 - "', "000 - "])
def test_no_header_takes_long_to_read(part):
    """A header of 64 kB is a server's to choose, and nothing else runs while it is read (I13)."""
    began = time.monotonic()
    warnings_of([part * (64 * 1024 // len(part))])

    assert time.monotonic() - began < 5.0
