"""The poster: what is sent and how, its pace, and what failures mean."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace
from urllib.error import URLError

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.slack_response import SlackResponse

from bot.outbox.delivery import Later, MessageGone, Pace, Rejected, Stuck, Uncertain
from bot.slack.kit.blocks import markup
from bot.slack.kit.message import Message
from bot.slack.workspace.clients import client, is_loopback
from bot.slack.workspace.errors import meaning_of
from bot.slack.workspace.poster import Bucket, Shared, SlackPoster
from tests.bot.slack.office import PROD
from tests.builders import CHANNEL, TEAM

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
    "down": (_answer("service_unavailable"), Later, "service_unavailable"),
    "down, whoever says so": (_answer("service_unavailable", 503), Uncertain, "service_unavailable"),
    "broken on Slack's side": (_answer("internal_error", 500), Uncertain, "internal_error"),
    "perhaps done": (_answer("fatal_error"), Uncertain, "fatal_error"),
    "a gateway's page": (
        _answer(None, 504, data={"ok": False, "error": "<html> unexpected body"}),
        Uncertain,
        "http_504",
    ),
    "deleted": (_answer("message_not_found"), MessageGone, "message_not_found"),
    "thread deleted": (_answer("thread_not_found"), MessageGone, "thread_not_found"),
    "not invited": (_answer("not_in_channel"), Later, "not_in_channel"),
    "a bad shape": (_answer("invalid_blocks"), Rejected, "invalid_blocks"),
    "too late to change": (_answer("edit_window_closed"), Stuck, "edit_window_closed"),
    "cannot be changed": (_answer("cant_update_message"), Stuck, "cant_update_message"),
    "inactive": (_answer("is_inactive"), Stuck, "is_inactive"),
    "too long": (_answer("msg_too_long"), Rejected, "msg_too_long"),
    "a login is due": (_answer("org_login_required"), Later, "org_login_required"),
    "nothing that we know": (_answer("a_code_of_next_year"), Later, "a_code_of_next_year"),
    "a proxy's no": (_answer(None, 403, data={"ok": False, "error": "<html> no"}), Later, "http_403"),
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
    ("header", "wait"),
    [("60", 60), ("1.5", 1.5), ("0", 1), (" 7 ", 7), ("999999999999", 3600), ("9" * 40, 1), ("-5", 1), ("", 1)],
)
def test_how_long_slack_asks_to_wait(header, wait):
    """In seconds, whole or not; a day at most, so that no sum of instants breaks; a second where it says nothing of use."""
    meaning = meaning_of(_answer("ratelimited", 429, {"Retry-After": header}))

    assert isinstance(meaning, Later)
    assert meaning.wait == timedelta(seconds=wait)


def test_a_wait_can_be_said_as_an_instant():
    """HTTP allows a date in its place."""
    then = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)

    meaning = meaning_of(_answer("service_unavailable", headers={"Retry-After": then}))

    assert isinstance(meaning, Later)
    assert meaning.wait is not None
    assert 80 < meaning.wait.total_seconds() <= 90


def test_information_takes_no_more_than_twenty_posts_in_any_minute(office):
    """However long it has been quiet before, and whatever decisions leave of the pace."""
    now = SimpleNamespace(seconds=1000.0)
    poster = _poster(office, lambda: now.seconds)
    posted = []
    for _ in range(5 * 180):
        now.seconds += 0.2
        if poster.may_post(CHANNEL, Pace.INFORMATION):
            poster.post(CHANNEL, HELLO, pace=Pace.INFORMATION)
            posted.append(now.seconds)

    most = max(sum(at <= one < at + 60 for one in posted) for at in posted)
    assert 15 <= most <= 20
    assert len(posted) >= 45


def test_further_tries_take_a_small_part_of_the_pace():
    """What fails takes one in five of what there is, so that four in five are left to what does not."""
    shared = Shared(per_second=1.0, at_once=2, now=0.0)
    tries = {Pace.AGAIN: 0, Pace.DECISION: 0}
    for tick in range(1, 101):
        for pace in tries:
            if shared.has_one(pace, float(tick)):
                shared.take(pace, float(tick))
                tries[pace] += 1

    assert tries == {Pace.AGAIN: 24, Pace.DECISION: 77}


def test_only_slacks_own_brake_holds_back_everything(office):
    """A refusal or a broken call is one channel's affair as far as we know; 429 is the whole workspace's."""
    poster = _poster(office)
    office.change(lambda: office.workspace.faults.errors.update({"chat.postMessage": ["is_archived", "ratelimited"]}))
    allowed = []
    for _ in range(2):
        with pytest.raises(Later):
            poster.post(CHANNEL, HELLO)
        allowed.append(poster.may_post(f"{TEAM}:C0STAGING"))

    assert allowed == [True, False]


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
