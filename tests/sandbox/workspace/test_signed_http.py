"""HTTP delivery: signed as Slack signs, in the encoding of each kind, to a real Bolt app and to a bare server."""

import hashlib
import hmac
import json
from contextlib import asynccontextmanager
from urllib.parse import parse_qs

import pytest
from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.async_app import AsyncApp
from slack_sdk.signature import SignatureVerifier

from sandbox.workspace import HttpMode, Strictness
from tests.sandbox.workspace.support import ADA, CHANNEL, actions, client_of, modal, running, story, until

SECRET = "shared-with-the-app"


@asynccontextmanager
async def _server(handler):
    """Serve POST / on loopback and give its address."""
    app = web.Application()
    app.router.add_post("/slack/events", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def _bolt_behind_http(register, **world):
    """Give a workspace that posts to a Bolt app, whose listeners *register* adds."""
    apps: list[AsyncApp] = []

    async def handle(request):
        return await to_aiohttp_response(await apps[0].async_dispatch(await to_bolt_request(request)))

    async with (
        _server(handle) as url,
        running(mode=HttpMode(url=url, signing_secret=SECRET), **world) as workspace,
    ):
        apps.append(AsyncApp(client=client_of(workspace), signing_secret=SECRET))
        register(apps[0])
        yield workspace


async def _card(workspace):
    return (await client_of(workspace).chat_postMessage(channel=CHANNEL, text="x", blocks=[actions()]))["ts"]


@story
async def test_the_same_listeners_work_over_http():
    """Click, modal with errors, command and event reach a Bolt app over signed HTTP, and its answers come back."""
    events = []

    def register(app):
        @app.action("approve")
        async def approve(ack, body, client):
            await ack()
            await client.views_open(trigger_id=body["trigger_id"], view=modal())

        @app.view("deny")
        async def deny(ack):
            await ack(response_action="errors", errors={"why": "too late"})

        @app.command("/agent-pause")
        async def pause(ack, command):
            await ack(f"paused: {command['text']}")

        @app.event("subteam_members_changed")
        async def changed(event):
            events.append(event["subteam_id"])

    async with _bolt_behind_http(register) as workspace:
        clicked = await workspace.click(ADA, CHANNEL, await _card(workspace), "approve")
        await workspace.wait_for_view(ADA)
        submitted = await workspace.submit_view(ADA, {"why": {"reason": "no"}})
        await workspace.run_command(ADA, CHANNEL, "/agent-pause", "on")
        delivered = await workspace.set_group_members("S0PROD", [])
        await until(lambda: events, what="the event reaches its listener")

        assert (clicked.acked, submitted.field_errors, delivered) == (True, {"why": "too late"}, True)
        assert [note.text for note in workspace.ephemerals(ADA)] == ["paused: on"]
        assert await workspace.verify_url() is True


@story
async def test_a_wrong_signature_is_refused_by_the_app():
    """With signing switched off the app takes nothing, so a suite would notice an app that checks nothing."""

    def register(app):
        @app.action("approve")
        async def approve(ack):
            await ack()

    async with _bolt_behind_http(register, strictness=Strictness(sign_requests=False)) as workspace:
        outcome = await workspace.click(ADA, CHANNEL, await _card(workspace), "approve")
        verified = await workspace.verify_url()

    assert (outcome.acked, verified) == (False, False)
    assert outcome.error == "The app answered with an error. Nothing tells whether it acted."


@story
async def test_each_kind_has_its_encoding_and_its_signature():
    """Interactions are a form with a payload, commands a form, events JSON; each is signed over its raw body."""
    seen = []

    async def handle(request):
        seen.append((await request.read(), dict(request.headers)))
        return web.Response()

    async with _server(handle) as url, running(mode=HttpMode(url=url, signing_secret=SECRET)) as workspace:
        assert workspace.signing_secret == SECRET
        await workspace.click(ADA, CHANNEL, await _card(workspace), "approve")
        await workspace.run_command(ADA, CHANNEL, "/agent-pause", "on")
        await workspace.set_group_members("S0PROD", [])

    verifier = SignatureVerifier(SECRET)
    assert all(verifier.is_valid_request(body, headers) for body, headers in seen)
    body, headers = seen[0]
    by_hand = hmac.new(
        SECRET.encode(), f"v0:{headers['X-Slack-Request-Timestamp']}:".encode() + body, hashlib.sha256
    ).hexdigest()
    assert headers["X-Slack-Signature"] == f"v0={by_hand}"
    assert json.loads(parse_qs(body.decode())["payload"][0])["type"] == "block_actions"
    assert parse_qs(seen[1][0].decode())["command"] == ["/agent-pause"]
    assert json.loads(seen[2][0])["event"]["type"] == "subteam_members_changed"
    assert [headers["Content-Type"] for _, headers in seen] == [
        "application/x-www-form-urlencoded",
        "application/x-www-form-urlencoded",
        "application/json",
    ]


@story
async def test_retries_say_which_and_why():
    """A failed event comes again with Slack's two headers; x-slack-no-retry ends it."""
    seen = []

    async def handle(request):
        seen.append((request.headers.get("X-Slack-Retry-Num"), request.headers.get("X-Slack-Retry-Reason")))
        stop = {"x-slack-no-retry": "1"} if len(seen) == 3 else {}
        return web.Response(status=500, headers=stop)

    strictness = Strictness(event_retry_seconds=(0.0, 0.0, 0.0))
    async with _server(handle) as url, running(mode=HttpMode(url=url), strictness=strictness) as workspace:
        delivered = await workspace.set_group_members("S0PROD", [])

    assert delivered is False
    assert seen == [(None, None), ("1", "http_error"), ("2", "http_error")]


@story
async def test_a_server_that_is_not_there_or_redirects_is_no_app():
    """A refused connection means nothing happened; a redirect is not followed."""

    async def redirect(_request):
        raise web.HTTPFound("http://127.0.0.1:9/")

    async with _server(redirect) as url, running(mode=HttpMode(url=url)) as workspace:
        redirected = await workspace.click(ADA, CHANNEL, await _card(workspace), "approve")
    async with running(mode=HttpMode(url=url)) as workspace:
        gone = await workspace.click(ADA, CHANNEL, await _card(workspace), "approve")

    assert (redirected.acked, gone.acked) == (False, False)
    assert gone.error == "The app is not connected, so nothing happened."


@pytest.mark.parametrize(
    "url", ["https://slack.example/x", "http://10.0.0.1/", "http://localhost.example/", "nonsense"]
)
def test_nothing_is_delivered_off_this_machine(url):
    """An address that is not on loopback is refused when it is named."""
    with pytest.raises(ValueError, match="is not a loopback address"):
        HttpMode(url=url)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/x", "http://localhost:1/", "http://[::1]:1/"])
def test_loopback_has_three_names(url):
    """Both loopback addresses and localhost are fine, and the secret stays out of the repr."""
    assert "hush" not in repr(HttpMode(url=url, signing_secret="hush"))
