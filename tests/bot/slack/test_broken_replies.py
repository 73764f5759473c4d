"""Replies of Slack that are cut or garbled: no answer to a question, and for a message that it may have arrived."""

import asyncio
import gc

import pytest

from approvals.errors import Unavailable
from approvals.identity.names import Channel
from bot.outbox.delivery import Uncertain
from bot.slack.inbound.answers import Answers, Person
from bot.slack.inbound.listeners import NO_FORM
from bot.slack.kit.blocks import markup
from bot.slack.kit.message import Message
from bot.slack.workspace.checks import check_app, check_channel, check_group
from bot.slack.workspace.clients import async_client, client
from bot.slack.workspace.directory import SlackDirectory
from bot.slack.workspace.poster import SlackPoster
from tests.bot.cluster.scripted import Answer, Verbatim, serving
from tests.bot.slack.office import REPLACES, text_of
from tests.builders import ADA, CHANNEL, GROUP, MINUTE, NOON, TEAM, a_policy

pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

HELLO = Message(text="hello", blocks=(markup("a", "hello"),))


def _page(rest: bytes, *, kind: bytes = b"application/json", status: bytes = b"200 OK") -> Verbatim:
    return Verbatim(b"HTTP/1.1 " + status + b"\r\nConnection: close\r\nContent-Type: " + kind + b"\r\n" + rest)


BROKEN = {
    "cut": _page(b'Content-Length: 500\r\n\r\n{"ok": true, "ts"'),
    "cut without a length": _page(b'\r\n{"ok": true, "ts"'),
    "cut in a chunk": _page(b'Transfer-Encoding: chunked\r\n\r\n40\r\n{"ok": true, "ts"'),
    "an error, cut": _page(b'Content-Length: 500\r\n\r\n{"ok": false', status=b"500 Oh"),
    "no status line": Verbatim(b"garbage\r\n\r\n"),
    "nothing at all": Verbatim(b""),
    "no end of headers": _page(b"".join(b"X-%d: y\r\n" % number for number in range(200)) + b'\r\n{"ok": true}'),
    "no length of a chunk": _page(b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}"),
    "no text": _page(b"\r\n\xff\xfe\xff"),
    "an encoding that nobody knows": _page(b'\r\n{"ok": true}', kind=b"application/json; charset=klingon"),
    "no object": _page(b"\r\n[1]"),
    "nothing in the body": _page(b"\r\nnull"),
    "too deep": _page(b"\r\n" + b"[" * 100_000),
    "a proxy's page": _page(b"\r\n<html>", kind=b"text/html"),
    "a proxy's line": _page(b"\r\nhm", kind=b"text/plain"),
    "a file": _page(b"\r\nhm", kind=b"application/gzip"),
    "a yes and nothing else": _page(b'\r\n{"ok": true}'),
}


@pytest.fixture(autouse=True)
def _sockets_of_the_library_end_here():
    """The library leaves the socket of a reply that broke to the garbage collector; the warning belongs to this test."""
    gc.freeze()  # What was there before need not be looked through.
    yield
    gc.collect()
    gc.unfreeze()


@pytest.fixture(params=BROKEN)
def broken_api(request):
    """The address of a Slack whose every reply is broken in one way."""
    with serving(BROKEN[request.param]) as server:
        yield f"{server.url}/api/"


def test_a_post_whose_reply_is_broken_may_have_arrived(broken_api):
    """The request was out before anything broke, so the message may stand there: never "not now", never "refused"."""
    poster = SlackPoster(client("xoxb-1", broken_api, timeout_seconds=10), monotonic=lambda: 0.0)

    with pytest.raises(Uncertain) as uncertain:
        poster.post(CHANNEL, HELLO)

    assert uncertain.value.reason in {"reply_lost", "http_200"}


def test_a_broken_answer_is_not_known(broken_api):
    """T-DEC: half an answer is neither a yes nor a no; whoever asks goes on without it."""
    directory = SlackDirectory(client("xoxb-1", broken_api, timeout_seconds=10), team=TEAM)

    answer = directory.authority(accounts=[ADA], groups=[GROUP], at=NOON)
    directory.close()

    assert (dict(answer.standings), dict(answer.groups)) == ({}, {})


@pytest.mark.parametrize("name", [name for name in BROKEN if not name.startswith(("an encoding", "a file", "a yes"))])
def test_a_note_whose_reply_is_broken_goes_by_the_address_that_came_with_the_click(name):
    """The person hears of it twice at worst; nothing is raised, whichever way the first reply broke."""
    with serving(lambda received: Answer() if received.path == "/actions/x" else BROKEN[name]) as server:
        answers = Answers(async_client("xoxb-1", f"{server.url}/api/", timeout_seconds=10))
        person = Person(account=ADA, user="U0ADA", channel="C0PROD", response_url=f"{server.url}/actions/x")

        asyncio.run(answers.tell(person, "hello"))

    assert [received.path for received in server.received] == ["/api/chat.postEphemeral", "/actions/x"]


def test_a_card_whose_reply_was_cut_is_replaced(office):
    """As for a lost reply: one more card, which says that it replaces, and not one at every step."""
    office.world.pending()
    office.change(lambda: office.workspace.faults.cut.update({"chat.postMessage": 1}))
    office.step()
    after_cut = len(office.cards_in())
    office.pass_by(MINUTE)

    office.step()

    assert (after_cut, len(office.cards_in())) == (1, 2)
    assert REPLACES in text_of(office.card().blocks)
    assert ("card.failed", "reply_lost") in office.deliveries()


def test_a_pause_by_somebody_listed_by_id_needs_no_whole_answer(office):
    """I13: what stops things goes by the policy's own list where Slack's answer about the person breaks off."""
    office.change(lambda: office.workspace.faults.cut.update({"users.info": 1, "usergroups.users.list": 1}))

    said = office.command("U0ADA", "on all")

    assert said.startswith("*Paused: everything.*")
    with office.store.reading() as reading:
        assert [pause.by for pause in reading.pauses()] == [ADA]


def test_a_form_whose_reply_was_cut_is_said_not_to_have_opened(office):
    """The clicker is pointed to the plain Deny; if the form stands there after all, it works."""
    office.world.pending()
    office.step()
    office.change(lambda: office.workspace.faults.cut.update({"views.open": 1}))

    outcome = office.click("U0BORIS", "deny-reason:v1")

    assert outcome.acked
    assert office.note("U0BORIS") == NO_FORM


_CUT = "it ends the connection"


def test_a_cut_answer_is_asked_for_again(make_office):
    """What could not be looked at is said in words, never by a traceback; it is no reason not to start."""
    office = make_office(connect=False)
    web = client(office.workspace.bot_token, office.workspace.api_url, timeout_seconds=10)
    for method in ("auth.test", "conversations.info", "usergroups.users.list"):
        office.change(lambda method=method: office.workspace.faults.cut.update({method: 1}))

    app = check_app(web, a_policy(), app_token=None)
    with pytest.raises(Unavailable) as channel:
        check_channel(web, Channel("T0COUNTERSIGN:C0PROD"))
    (group,) = check_group(web, GROUP)

    assert app.away is not None
    assert (app.may_serve, app.away.code, _CUT in app.away.sentence) == (True, "reset", True)
    assert (channel.value.code, _CUT in channel.value.sentence) == ("reset", True)
    assert (group.grave, _CUT in group.sentence) == (False, True)
