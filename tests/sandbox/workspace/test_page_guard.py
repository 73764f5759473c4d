"""Who may open the page and act on it: this machine, this very address, this run's key, and no other page."""

import asyncio
import json

import aiohttp
import pytest

from sandbox.workspace import Workspace
from sandbox.workspace.feed import Change, Feed
from tests.sandbox.workspace.support import ADA, CHANNEL, call, client_of, running, section, story, until


def _parts(workspace):
    origin, _, key = workspace.page_url.partition("/?key=")
    return origin, key


def _good(workspace):
    origin, key = _parts(workspace)
    return {"Origin": origin, "X-Workspace-Key": key, "Content-Type": "application/json"}


async def _send(workspace, method, path, *, headers=None, body=None):
    origin, _ = _parts(workspace)
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, origin + path, headers=headers, data=body, allow_redirects=False) as response,
    ):
        return response.status, await response.text(), response.headers


@story
async def test_the_page_opens_with_its_key_only():
    """Without the key, with another run's, or with the bot's token there is no page; each run has its own key."""
    async with running() as workspace, running() as other:
        _, key = _parts(workspace)
        _, other_key = _parts(other)
        statuses = [
            (await _send(workspace, "GET", path))[0]
            for path in (
                f"/?key={key}",
                f"/archives/{CHANNEL}/p1000000001000000?key={key}",
                "/",
                f"/?key={other_key}",
                f"/?key={workspace.bot_token}",
                f"/archives/{CHANNEL}/p1000000001000000",
            )
        ]

    assert statuses == [200, 200, 403, 403, 403, 403]


@story
async def test_the_pages_key_opens_no_web_api():
    """The two sides share no credential: the key is no token, and no token acts on the page."""
    async with running() as workspace:
        _, key = _parts(workspace)
        answer = await call(workspace, "auth.test", token=key)
        body = json.dumps({"viewer": ADA, "channel": CHANNEL, "text": "hi"})
        statuses = []
        for token in (workspace.bot_token, workspace.app_token, workspace.signing_secret):
            headers = {**_good(workspace), "X-Workspace-Key": token, "Authorization": f"Bearer {token}"}
            statuses.append((await _send(workspace, "POST", "/page/act/say", headers=headers, body=body))[0])

        assert answer == {"ok": False, "error": "invalid_auth"}
        assert statuses == [403, 403, 403]
        assert workspace.messages(CHANNEL) == []


@story
async def test_every_answer_of_the_page_is_locked_down():
    """Page, refusals, files and calls carry a policy without inline anything, and may be framed by nobody."""
    async with running() as workspace:
        _, key = _parts(workspace)
        answers = [
            await _send(workspace, "GET", f"/?key={key}"),
            await _send(workspace, "GET", "/"),
            await _send(workspace, "GET", "/static/app.js"),
            await _send(workspace, "GET", "/static/nothing.js"),
            await _send(workspace, "POST", "/page/act/say", headers=_good(workspace), body="{}"),
            await _send(workspace, "POST", "/page/act/say"),
        ]

    assert [status for status, _, _ in answers] == [200, 403, 200, 404, 409, 403]
    for _, _, headers in answers:
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "require-trusted-types-for 'script'" in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "Access-Control-Allow-Origin" not in headers
        assert "Set-Cookie" not in headers


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "evil.example:{port}", "localhost"])
@story
async def test_only_its_own_host_is_served(host):
    """A name that somebody made resolve to this machine is refused on every path, with and without the key."""
    async with running() as workspace:
        origin, key = _parts(workspace)
        headers = {"Host": host.format(port=origin.rpartition(":")[2])}
        statuses = [
            (await _send(workspace, method, path, headers=headers))[0]
            for method, path in (
                ("GET", f"/?key={key}"),
                ("GET", "/static/app.js"),
                ("POST", "/api/auth.test"),
                ("POST", "/page/feed"),
                ("GET", "/link/"),
            )
        ]

    assert statuses == [403] * 5


@story
async def test_localhost_is_the_same_host():
    """Under the name localhost, with that origin, the page works too."""
    async with running() as workspace:
        origin, key = _parts(workspace)
        local = f"localhost:{origin.rpartition(':')[2]}"
        page = await _send(workspace, "GET", f"/?key={key}", headers={"Host": local})
        headers = {**_good(workspace), "Host": local, "Origin": f"http://{local}"}
        body = json.dumps({"viewer": ADA, "channel": CHANNEL, "text": "hi"})
        said = await _send(workspace, "POST", "/page/act/say", headers=headers, body=body)

    assert (page[0], said[0]) == (200, 200)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"Origin": "http://evil.example"}, "This call did not come from the page."),
        ({"Origin": "null"}, "This call did not come from the page."),
        ({"Origin": None}, "This call did not come from the page."),
        ({"X-Workspace-Key": None}, "The key is missing or belongs to another run."),
        ({"X-Workspace-Key": "0" * 64}, "The key is missing or belongs to another run."),
        ({"Content-Type": "text/plain"}, "The page speaks JSON."),
        ({"Content-Type": "application/x-www-form-urlencoded"}, "The page speaks JSON."),
    ],
    ids=["foreign origin", "no origin of its own", "no origin", "no key", "wrong key", "text", "form"],
)
@story
async def test_no_other_page_can_act_or_listen(change, why):
    """Acts and the live feed need this page's origin, JSON and the key, all three."""
    async with running() as workspace:
        headers = {name: value for name, value in {**_good(workspace), **change}.items() if value is not None}
        body = json.dumps({"viewer": ADA, "channel": CHANNEL, "text": "hi"})
        for path in ("/page/act/say", "/page/feed"):
            status, text, _ = await _send(workspace, "POST", path, headers=headers, body=body)
            assert (status, json.loads(text)) == (403, {"refused": why})

        assert workspace.messages(CHANNEL) == []


@story
async def test_the_apps_side_answers_no_browser():
    """Web API, socket and response URLs refuse whatever carries an Origin."""
    async with running() as workspace:
        origin, _ = _parts(workspace)
        statuses = [
            (await _send(workspace, method, path, headers={"Origin": origin}))[0]
            for method, path in (("POST", "/api/auth.test"), ("GET", "/link/"), ("POST", "/actions/x"))
        ]

    assert statuses == [403, 403, 403]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/page/act/say", "{", 400),
        ("/page/act/say", "[]", 400),
        ("/page/act/say", json.dumps({"viewer": "U0NOBODY"}), 400),
        ("/page/act/say", json.dumps({"viewer": "U0SHIPBOT", "channel": CHANNEL, "text": "x"}), 400),
        ("/page/act/say", json.dumps({"viewer": ["U0ADA"]}), 400),
        ("/page/act/say", json.dumps({"viewer": ADA, "channel": CHANNEL, "text": " "}), 409),
        ("/page/act/say", json.dumps({"viewer": ADA, "channel": CHANNEL, "text": "x" * 4_001}), 409),
        ("/page/act/say", json.dumps({"viewer": "U0FAY", "channel": "C0STAGING", "text": "x"}), 409),
        ("/page/act/click", json.dumps({"viewer": ADA, "channel": CHANNEL, "ts": 1, "action_id": "x"}), 409),
        ("/page/act/submit", json.dumps({"viewer": ADA, "values": {"a": "b"}}), 409),
        ("/page/act/submit", json.dumps({"viewer": ADA}), 409),
        ("/page/act/deactivate", json.dumps({"viewer": ADA}), 404),
        ("/page/act/outage", json.dumps({"viewer": ADA}), 404),
    ],
    ids=[
        "broken", "a list", "nobody", "a bot", "a list of people", "nothing to say", "too much to say",
        "a channel one cannot open", "a number for a name", "values of the wrong shape", "no modal is open",
        "an administrator's act", "an act of Slack",
    ],
)  # fmt: skip
@story
async def test_the_page_can_do_what_a_page_does_and_no_more(path, body, status):
    """Nonsense, other people's channels and controls are refused with a reason, never with an error of the server."""
    async with running() as workspace:
        answer = await _send(workspace, "POST", path, headers=_good(workspace), body=body)

        assert answer[0] == status
        assert "refused" in json.loads(answer[1])
        assert workspace.messages(CHANNEL) == []


async def _changes(workspace, viewer, count):
    origin, _ = _parts(workspace)
    found = []
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{origin}/page/feed", headers=_good(workspace), data=json.dumps({"viewer": viewer})) as response,
    ):
        async for line in response.content:
            if line.startswith(b"data: "):
                found.append(json.loads(line[6:]))
            if len(found) == count:
                return found
    return found


@story
async def test_the_feed_tells_each_viewer_only_what_they_may_see():
    """Private notes, other people's modals and channels one is not in never reach another page."""
    async with running() as workspace:
        client = client_of(workspace)
        ada = asyncio.create_task(_changes(workspace, ADA, 4))
        fay = asyncio.create_task(_changes(workspace, "U0FAY", 2))
        await until(lambda: len(workspace._core.feed._subscriptions) == 2, what="both pages listen")
        await client.chat_postEphemeral(channel=CHANNEL, user=ADA, text="for Ada")
        await client.chat_postMessage(channel="C0STAGING", text="in staging")
        await client.chat_postMessage(channel=CHANNEL, text="for all")

        adas, fays = await ada, await fay

    assert [change["kind"] for change in adas] == ["state", "message", "message", "message"]
    assert [change["message"]["summary"] for change in adas[1:]] == ["for Ada", "in staging", "for all"]
    assert [change["message"]["summary"] for change in fays[1:]] == ["for all"]
    assert [channel["id"] for channel in fays[0]["channels"]] == [CHANNEL]


@story
async def test_the_state_has_what_a_page_needs_and_no_secret():
    """The first change is the whole page for one viewer; no token or key of the run is in anything a page is sent."""
    async with running() as workspace:
        await client_of(workspace).chat_postMessage(channel=CHANNEL, text="x", blocks=[section("*b*")])
        workspace.set_status_line("cluster", "real")
        workspace.set_status_line("gone", "soon")
        workspace.set_status_line("gone", "")
        [state] = await _changes(workspace, ADA, 1)

        assert (state["viewer"], state["team"], state["view"]) == (ADA, "Harbour", None)
        assert state["status"] == [{"name": "cluster", "text": "real"}]
        assert [person["id"] for person in state["people"]] == [
            "U0ADA", "U0BORIS", "U0CHEN", "U0DINA", "U0ELI", "U0FAY", "U0GUS",
        ]  # fmt: skip
        assert state["messages"][0]["blocks"][0]["text"]["nodes"] == [{"t": "bold", "c": [{"t": "text", "s": "b"}]}]
        sent = json.dumps(state)
        for secret in (workspace.bot_token, workspace.app_token, workspace.signing_secret, _parts(workspace)[1]):
            assert secret not in sent


@story
async def test_a_page_that_does_not_read_is_let_go():
    """A subscription that falls too far behind ends instead of growing; the page then asks for the state anew."""
    feed = Feed()
    slow = feed.subscribe(ADA)
    for _ in range(2_000):
        feed.publish(Change(kind="status"))

    read = 0
    while await slow.next() is not None:
        read += 1
    assert (slow.ended, read) == (True, 500)


@story
async def test_a_port_that_is_taken_is_an_error():
    """Two workspaces cannot share a port, and the second says so."""
    async with running() as workspace:
        port = int(_parts(workspace)[0].rpartition(":")[2])

        with pytest.raises(OSError, match="in use"):
            await Workspace(port=port).start()


@story
async def test_secrets_are_in_no_repr():
    """Tokens do not reach a log through the repr of what holds them."""
    async with running() as workspace:
        assert workspace.bot_token not in repr(workspace._core.tokens)
        assert _parts(workspace)[1] not in repr(workspace._core.tokens)
