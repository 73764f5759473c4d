"""The door's edges: what is not ours, what nobody listens to, and people who cannot be told."""

import asyncio
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, ClassVar

import pytest
from slack_bolt.request.async_request import AsyncBoltRequest

from approvals.errors import Unavailable
from approvals.identity.names import Account
from bot.slack.inbound.acting import Acting
from bot.slack.inbound.answers import Answers, Person, body_of, may_answer_at
from bot.slack.inbound.deny_form import told
from bot.slack.inbound.door import NO_SUCH, NOT_OURS
from bot.slack.inbound.payloads import Team, User, account_in
from bot.slack.workspace.clients import async_client
from bot.slack.workspace.pin import Installed, belongs

INSTALLED = Installed(team="T0COUNTERSIGN", bot_id="B0COUNTERSIGN", bot_user="U0COUNTERSIGN")
OURS = {"bot_id": "B0COUNTERSIGN", "app_id": "A0COUNTERSIGN"}
CLICK = {"type": "block_actions", "api_app_id": "A0COUNTERSIGN", "message": OURS}
FORM = {"type": "view_submission", "api_app_id": "A0COUNTERSIGN", "view": OURS}

PAYLOADS: dict[str, tuple[dict[str, Any], bool]] = {
    "a click on our card": (CLICK, True),
    "a click on another app's card": ({**CLICK, "message": {"bot_id": "B0OTHER"}}, False),
    "a click on a person's message": ({**CLICK, "message": {}}, False),
    "a click with no message": ({"type": "block_actions"}, False),
    "a click addressed to another app": ({**CLICK, "api_app_id": "A0OTHER"}, False),
    "our form": (FORM, True),
    "our form, opened by somebody of another company": (
        {**FORM, "team": {"id": "T0PARTNER"}, "view": {**OURS, "app_installed_team_id": "T0COUNTERSIGN"}},
        True,
    ),
    "our form of another installation": ({**FORM, "view": {**OURS, "app_installed_team_id": "T0PARTNER"}}, False),
    "another app's form": ({**FORM, "view": {"bot_id": "B0OTHER"}}, False),
    "a command here": ({"command": "/agent-pause", "team_id": "T0COUNTERSIGN"}, True),
    "a command elsewhere": ({"command": "/agent-pause", "team_id": "T0PARTNER"}, False),
    "a command in another workspace of an organisation": (
        {"command": "/agent-pause", "team_id": "T0SISTER", "enterprise_id": "E0HARBOUR"},
        True,
    ),
    "an event here": ({"type": "event_callback", "team_id": "T0COUNTERSIGN"}, True),
    "an event elsewhere": ({"type": "event_callback", "team_id": "T0PARTNER"}, False),
    "Slack's challenge": ({"type": "url_verification"}, True),
    "anything else": ({"type": "shortcut", "team_id": "T0COUNTERSIGN"}, False),
    "nothing": ({}, False),
}


@pytest.mark.parametrize("name", PAYLOADS)
def test_only_what_is_about_us_belongs(name):
    """T-DEC-16: a message or form is ours by the bot that made it, a command or event by its workspace."""
    body, ours = PAYLOADS[name]

    assert belongs(body, INSTALLED) is ours


def test_an_id_without_a_team_is_nobody():
    """T-DEC-05: two companies may have the same user id, so one alone names nobody."""
    user = User(id="U0ADA")

    assert account_in(user, Team(id="T0COUNTERSIGN")) == "T0COUNTERSIGN:U0ADA"
    assert account_in(User(id="U0ADA", team_id="T0PARTNER"), Team(id="T0COUNTERSIGN")) == "T0PARTNER:U0ADA"
    with pytest.raises(ValueError, match="no team"):
        account_in(user, None)


def _dispatched(office, body):
    request = AsyncBoltRequest(body=body, mode="socket_mode")
    return office.loop.do(office.app.async_dispatch(request))


def test_what_is_not_ours_is_dropped_and_its_sender_told(office):
    """It is acknowledged, so that Slack shows no failure of ours, and answered where there is somebody to answer."""
    told = {
        "type": "block_actions",
        "user": {"id": "U0ADA"},
        "channel": {"id": "C0PROD"},
        "message": {"bot_id": "B0OTHER"},
    }

    statuses = [_dispatched(office, body).status for body in (told, {"type": "block_actions"})]

    assert statuses == [200, 200]
    assert office.note("U0ADA") == NOT_OURS


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        (
            {
                "type": "view_submission",
                "api_app_id": "A0COUNTERSIGN",
                "view": {**OURS, "callback_id": "another", "type": "modal"},
            },
            {"response_action": "update", "view": told(NO_SUCH)},
        ),
        ({"type": "event_callback", "team_id": "T0COUNTERSIGN", "event": {"type": "message"}}, None),
        ({"command": "/another", "team_id": "T0COUNTERSIGN"}, {"response_type": "ephemeral", **body_of(NO_SUCH)}),
    ],
    ids=["a form that we never made", "an event that we never asked for", "a command that we do not have"],
)
def test_what_nobody_listens_to_is_acknowledged_and_said_to_have_done_nothing(office, body, answer):
    """Whoever waits for it reads that nothing was done; a form does not close as if it had worked."""
    response = _dispatched(office, body)

    assert (response.status, json.loads(response.body) if response.body else None) == (200, answer)


@pytest.mark.parametrize(
    ("url", "may"),
    [
        ("https://hooks.slack.com/actions/T0/1/x", True),
        ("https://hooks.slack-gov.com/commands/1234", True),
        ("https://HOOKS.slack.com:443/x", True),
        ("http://127.0.0.1:4001/actions/x", True),
        ("http://hooks.slack.com/actions/x", False),
        ("https://hooks.slack.com:8443/x", False),
        ("https://hooks.slack.com.evil.example/x", False),
        ("https://evil.example/hooks.slack.com", False),
        ("https://a:b@hooks.slack.com/x", False),
        ("https://hooks.slack.com@evil.example/x", False),
        ("http://127.0.0.1:4002/actions/x", False),
        ("https://127.0.0.1:4001/actions/x", False),
        ("http://127.0.0.1/actions/x", False),
        ("http://169.254.169.254/latest/meta-data", False),
        ("http://[::1]/", False),
        ("http://[::1", False),
        ("https://hooks.slack.com:port/x", False),
        ("file:///etc/passwd", False),
        ("gopher://hooks.slack.com/x", False),
        ("", False),
    ],
)
def test_an_answer_goes_to_slack_or_nowhere(url, may):
    """T-SSRF-01: the address comes from outside, and whoever calls it does so from inside."""
    assert may_answer_at(url, "http://127.0.0.1:4001/api/") is may


@pytest.mark.parametrize(
    ("api", "may"),
    [
        ("http://localhost:4001/api/", True),
        ("http://[::1]:4001/api/", True),
        ("https://slack.example/api/", True),
        ("http://slack.example/api/", False),
        ("http://10.0.0.7/api/", False),
        ("http://127.0.0.1.evil.example/api/", False),
        ("ftp://127.0.0.1/api/", False),
    ],
)
def test_plain_http_goes_to_this_machine_alone(api, may):
    """T-SSRF-01: whatever the API's own address is, no answer leaves this machine unencrypted."""
    assert may_answer_at(f"{api}actions/x", api) is may


class _Elsewhere(BaseHTTPRequestHandler):
    """An address that sends whoever comes to another one, and one that was never meant to be called."""

    called: ClassVar[list[str]] = []

    def do_POST(self):
        """Take a call down, and send it on; the API's own calls are refused."""
        self.called.append(self.path)
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(500 if self.path.startswith("/api/") else 307)
        self.send_header("Location", "/secret")
        self.end_headers()

    def log_message(self, *said):
        """Say nothing."""


def test_an_answer_is_not_sent_on(capsys):
    """T-SSRF-03: an allowed host that sends us elsewhere is not followed, and then nobody was told."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Elsewhere)
    Thread(target=server.serve_forever, daemon=True).start()
    origin = f"http://127.0.0.1:{server.server_port}"
    answers = Answers(async_client("xoxb-1", f"{origin}/api/", timeout_seconds=2), waits=())
    person = Person(account=Account("T0:U0ADA"), user="U0ADA", channel="C0PROD", response_url=f"{origin}/actions/x")

    asyncio.run(answers.tell(person, "hello"))
    server.shutdown()
    server.server_close()

    assert _Elsewhere.called == ["/api/chat.postEphemeral", "/actions/x"]
    assert "answer.not_shown" in capsys.readouterr().out


def test_an_unreadable_payload_of_nobody_is_acknowledged(office):
    """A button inside a form of ours that we do not have: nothing to act on and nobody to answer."""
    body = {
        "type": "block_actions", "api_app_id": "A0COUNTERSIGN", "user": {"id": "U0ADA"}, "view": {**OURS, "type": "modal"},
        "actions": [{"action_id": "x", "block_id": "y", "type": "button"}],
    }  # fmt: skip

    assert _dispatched(office, body).status == 200


def test_a_person_who_cannot_be_told_is_logged_and_holds_nothing_up(capsys):
    """Neither the note nor the address that came with the click works: the log says that nobody was told."""
    client = async_client("xoxb-1", "http://127.0.0.1:9/api/", timeout_seconds=1)
    answers = Answers(client, waits=())
    addresses = (None, "http://127.0.0.1:9/actions/x", "https://127.0.0.1:9/actions/x")
    people = [
        Person(account=Account("T0:U0ADA"), user="U0ADA", channel="C0PROD", response_url=url) for url in addresses
    ]

    async def tell_all():
        for person in people:
            await answers.tell(person, "hello")

    asyncio.run(tell_all())

    assert capsys.readouterr().out.count("answer.not_shown") == 3


def test_an_answer_to_an_address_that_slack_has_forgotten_is_not_shown(office, capsys):
    """A response address lives for half an hour; after that nobody can be told by it."""
    url = f"{office.workspace.api_url.removesuffix('/api/')}/actions/forgotten"
    answers = Answers(async_client("xoxb-wrong", office.workspace.api_url, timeout_seconds=2), waits=())

    office.loop.do(
        answers.tell(Person(account=Account("T0:U0ADA"), user="U0ADA", channel="C0PROD", response_url=url), "hello")
    )

    assert "answer.not_shown" in capsys.readouterr().out


def test_a_refusals_mention_is_kept_and_the_rest_is_literal(office):
    """A sentence of ours may mention somebody; nothing else in it is markup."""

    def refuse():
        raise Unavailable("Ask <@U0ADA> & <friends>.")

    async def act():
        acting = Acting(Answers(async_client(office.workspace.bot_token, office.workspace.api_url, timeout_seconds=2)))
        person = Person(account=Account("T0COUNTERSIGN:U0BORIS"), user="U0BORIS", channel="C0PROD", response_url=None)
        said = await acting.act(person, office.pools.decide, refuse)
        await acting.close()
        return said

    said = office.loop.do(act())

    assert (said.text, said.done) == ("Ask <@U0ADA> &amp; &lt;friends&gt;.", False)
    assert office.note("U0BORIS") == "Ask <@U0ADA> &amp; &lt;friends&gt;."
