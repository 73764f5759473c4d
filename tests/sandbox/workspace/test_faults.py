"""Slack itself failing on purpose: outages, slow replies, replies that are lost or cut after the call took effect."""

import asyncio
import time

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError

from tests.sandbox.workspace.support import (
    ADA,
    CHANNEL,
    actions,
    bolt_app,
    call_fully,
    client_of,
    connected,
    running,
    story,
)


@story
async def test_an_outage_answers_503_and_delivers_nothing():
    """While Slack is down every call fails, connections are gone, and afterwards all is as before."""
    async with running() as workspace:
        app = bolt_app(workspace)

        @app.action("approve")
        async def approve(ack):
            await ack()

        async with connected(workspace, app):
            await workspace.wait_for_connections()
            ts = (await client_of(workspace).chat_postMessage(channel=CHANNEL, text="x", blocks=[actions()]))["ts"]
            workspace.set_outage(on=True)
            body, status, _ = await call_fully(workspace, "auth.test")
            clicked = await workspace.click(ADA, CHANNEL, ts, "approve")
            workspace.set_outage(on=False)
            await workspace.wait_for_connections(seconds=20)
            again = await workspace.click(ADA, CHANNEL, ts, "approve")

    assert (status, body["error"]) == (503, "service_unavailable")
    assert (clicked.acked, again.acked) == (False, True)


@story
async def test_a_post_can_be_accepted_and_its_reply_lost():
    """The caller gets no answer although the message stands there: the ambiguous failure, exactly once."""
    async with running() as workspace:
        workspace.faults.lost["chat.postMessage"] = 1
        client = client_of(workspace)
        client.retry_handlers.clear()
        with pytest.raises(aiohttp.ClientError):
            await client.chat_postMessage(channel=CHANNEL, text="once")
        await client.chat_postMessage(channel=CHANNEL, text="twice")

        assert [message.text for message in workspace.messages(CHANNEL)] == ["once", "twice"]


@story
async def test_a_reply_can_break_off_in_the_middle():
    """The caller gets half an answer although the message stands there, exactly once."""
    async with running() as workspace:
        workspace.faults.cut["chat.postMessage"] = 1
        client = client_of(workspace)
        client.retry_handlers.clear()
        with pytest.raises(aiohttp.ClientPayloadError):
            await client.chat_postMessage(channel=CHANNEL, text="once")
        await client.chat_postMessage(channel=CHANNEL, text="twice")

        assert [message.text for message in workspace.messages(CHANNEL)] == ["once", "twice"]


@story
async def test_a_reply_can_be_late():
    """A delayed method takes effect at once and answers later; others are not delayed."""
    async with running() as workspace:
        workspace.faults.delay_seconds["users.info"] = 1.0
        started = time.monotonic()
        slow = asyncio.create_task(call_fully(workspace, "users.info", user=ADA))
        await call_fully(workspace, "auth.test")
        late = not slow.done()
        await slow

        assert late
        assert time.monotonic() - started >= 1.0


@story
async def test_planned_errors_come_in_order_before_the_call_takes_effect():
    """An error planned for a method is answered once, without any effect."""
    async with running() as workspace:
        workspace.faults.errors["chat.postMessage"] = ["fatal_error", "ratelimited"]
        with pytest.raises(SlackApiError, match="fatal_error"):
            await client_of(workspace).chat_postMessage(channel=CHANNEL, text="x")
        body, status, headers = await call_fully(workspace, "chat.postMessage", channel=CHANNEL, text="x")
        before = workspace.messages(CHANNEL)
        await client_of(workspace).chat_postMessage(channel=CHANNEL, text="x")

        assert (body["error"], status, headers["Retry-After"]) == ("ratelimited", 429, "1")
        assert (before, len(workspace.messages(CHANNEL))) == ([], 1)
