"""The poster: what is sent and how, its pace, and what failures mean."""

from datetime import timedelta
from types import SimpleNamespace
from urllib.error import URLError

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.slack_response import SlackResponse

from bot.delivery import Gone, Later, Rejected, Uncertain
from bot.slack.clients import client, is_loopback
from bot.slack.errors import meaning_of
from bot.slack.kit import markup
from bot.slack.message import Message
from bot.slack.poster import Bucket, SlackPoster
from tests.bot.slack.office import PROD
from tests.builders import CHANNEL

HELLO = Message(text="hello", blocks=(markup("a", "hello"),))


def _poster(office, clock=lambda: 0.0):
    return SlackPoster(client(office.workspace.bot_token, office.workspace.api_url, timeout_seconds=2), monotonic=clock)


def test_nothing_unfolds_and_no_name_becomes_live(office):
    """T-RND-02: previews are off, and a bare name is not made a mention, on posts and on updates alike."""
    poster = _poster(office)
    ts = poster.post(CHANNEL, HELLO)

    poster.update(CHANNEL, ts, HELLO)

    post, update = office.change(lambda: office.workspace.calls)[-2:]
    flags = {name: str(post.arguments[name]) for name in ("unfurl_links", "unfurl_media", "parse", "link_names")}
    assert flags == {"unfurl_links": "False", "unfurl_media": "False", "parse": "none", "link_names": "False"}
    assert {name: str(update.arguments[name]) for name in ("parse", "link_names")} == {
        "parse": "none",
        "link_names": "False",
    }


def test_a_message_that_must_not_leave_does_not_whoever_sends_it(office):
    """The last look stands in the only way out."""
    poster = _poster(office)
    before = len(office.messages())

    with pytest.raises(Rejected, match="unsendable"):
        poster.post(CHANNEL, Message(text="<!channel>", blocks=()))
    with pytest.raises(Rejected, match="unsendable"):
        poster.update(CHANNEL, "1.1", Message(text="<!channel>", blocks=()))

    assert len(office.messages()) == before


def test_a_thread_is_a_thread(office):
    """A reply stands under its card."""
    poster = _poster(office)
    ts = poster.post(CHANNEL, HELLO)

    reply = poster.post(CHANNEL, HELLO, thread=ts)

    assert [message.ts for message in office.change(lambda: office.workspace.thread(PROD, ts))] == [reply]


def test_a_bucket_gives_some_at_once_then_some_a_second():
    """Two at once, then one a second; waiting longer never saves up more than two."""
    bucket = Bucket(per_second=1.0, at_once=2, now=0.0)
    taken = []
    for now in (0.0, 0.0, 0.0, 0.9, 1.0, 1.0, 60.0, 60.0, 60.0):
        if bucket.has_one(now):
            bucket.take(now)
            taken.append(now)

    assert taken == [0.0, 0.0, 1.0, 60.0, 60.0]


def test_after_too_many_requests_nothing_is_sent_until_slack_allows_it(office):
    """Retry-After holds back posts, and only posts."""
    now = SimpleNamespace(seconds=0.0)
    poster = _poster(office, lambda: now.seconds)
    office.change(lambda: office.workspace.faults.errors.update({"chat.postMessage": ["ratelimited"]}))

    with pytest.raises(Later) as later:
        poster.post(CHANNEL, HELLO)

    assert later.value.wait == timedelta(seconds=1)
    allowed = []
    for seconds in (0.9, 1.0):
        now.seconds = seconds
        allowed.append((poster.may_post(CHANNEL), poster.may_update()))
    assert allowed == [(False, True), (True, True)]


def _answer(error, status=200, headers=None, data=None):
    response = SlackResponse(
        client=None, http_verb="POST", api_url="u", req_args={}, data=data or {"ok": False, "error": error},
        headers=headers or {}, status_code=status,
    )  # fmt: skip
    return SlackApiError("failed", response)


MEANINGS = {
    "too fast": (_answer("ratelimited", 429, {"Retry-After": "7"}), Later, "ratelimited"),
    "too fast, no time said": (_answer("ratelimited", 429, {}), Later, "ratelimited"),
    "too fast, nonsense said": (_answer("ratelimited", 200, {"retry-after": "soon"}), Later, "ratelimited"),
    "down": (_answer("service_unavailable", 503), Later, "service_unavailable"),
    "broken on Slack's side": (_answer("internal_error", 500), Uncertain, "internal_error"),
    "perhaps done": (_answer("fatal_error"), Uncertain, "fatal_error"),
    "a gateway's page": (
        _answer(None, 504, data={"ok": False, "error": "<html> unexpected body"}),
        Uncertain,
        "http_504",
    ),
    "deleted": (_answer("message_not_found"), Gone, "message_not_found"),
    "thread deleted": (_answer("thread_not_found"), Gone, "thread_not_found"),
    "not invited": (_answer("not_in_channel"), Rejected, "not_in_channel"),
    "a bad shape": (_answer("invalid_blocks"), Rejected, "invalid_blocks"),
    "nobody listens": (URLError(ConnectionRefusedError()), Later, "no_connection"),
    "the reply timed out": (TimeoutError(), Uncertain, "reply_lost"),
    "the reply was cut": (ConnectionResetError(), Uncertain, "reply_lost"),
}


@pytest.mark.parametrize("name", MEANINGS)
def test_a_failure_means_one_thing(name):
    """Not now, gone, refused or perhaps delivered: read from Slack's code, and only a code is ever repeated."""
    error, kind, reason = MEANINGS[name]

    meaning = meaning_of(error)

    assert (type(meaning), meaning.reason) == (kind, reason)


@pytest.mark.parametrize(
    ("code", "mendable"), [("not_in_channel", True), ("missing_scope", True), ("invalid_blocks", False)]
)
def test_what_an_administrator_can_mend_is_told_apart(code, mendable):
    """An invitation or a scope can be given; a bad shape stays bad."""
    meaning = meaning_of(_answer(code))

    assert isinstance(meaning, Rejected)
    assert meaning.mendable is mendable


@pytest.mark.parametrize(
    ("address", "loopback"),
    [
        ("http://127.0.0.1:1/api/", True),
        ("http://localhost/api/", True),
        ("https://slack.com/api/", False),
        ("nonsense", False),
    ],
)
def test_a_server_on_this_machine_is_reached_without_a_proxy(monkeypatch, address, loopback):
    """The library takes a proxy from the environment for everything; for loopback that would lead nowhere."""
    monkeypatch.setenv("HTTPS_PROXY", "http://outbound.example:3128")

    assert is_loopback(address) is loopback
    assert (client("xoxb-1", address, timeout_seconds=1).proxy is None) is loopback
