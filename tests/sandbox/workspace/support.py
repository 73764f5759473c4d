"""What the stand-in's tests share: a running workspace, the real Bolt client connected to it, and small cards."""

import asyncio
import functools
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from sandbox.workspace import Strictness, Workspace

CHANNEL = "C0PROD"
ADA = "U0ADA"
Json = dict[str, Any]


def story(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run an async test to its end in a loop of its own."""

    @functools.wraps(test)
    def run(*arguments: Any, **keywords: Any) -> None:
        asyncio.run(_to_the_end(test, arguments, keywords))

    return run


async def _to_the_end(test: Callable[..., Awaitable[None]], arguments: Any, keywords: Any) -> None:
    async with asyncio.timeout(120):
        await test(*arguments, **keywords)


class Clock:
    """A clock that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.at = 1_800_000_000.0

    def __call__(self) -> float:
        """Return the instant it stands at, in seconds since the epoch."""
        return self.at

    def go_on(self, seconds: float) -> None:
        """Let *seconds* pass."""
        self.at += seconds


@asynccontextmanager
async def running(**world: Any) -> AsyncIterator[Workspace]:
    """Give a workspace that listens for the length of the block; as patient with the app as a loaded machine needs."""
    workspace = Workspace(**{"strictness": Strictness(ack_seconds=30), **world})
    await workspace.start()
    try:
        yield workspace
    finally:
        await workspace.stop()


def client_of(workspace: Workspace) -> AsyncWebClient:
    """Return Slack's own client, with the bot's token."""
    return AsyncWebClient(token=workspace.bot_token, base_url=workspace.api_url)


def bolt_app(workspace: Workspace) -> AsyncApp:
    """Return a Bolt app that knows no listener yet."""
    return AsyncApp(client=client_of(workspace), raise_error_for_unhandled_request=False)


@asynccontextmanager
async def connected(workspace: Workspace, app: AsyncApp) -> AsyncIterator[None]:
    """Hold one Socket Mode connection of *app* for the length of the block."""
    client = AsyncWebClient(token=workspace.app_token, base_url=workspace.api_url)
    handler = AsyncSocketModeHandler(app, workspace.app_token, web_client=client, ping_interval=1)
    await handler.connect_async()
    try:
        yield
    finally:
        await handler.close_async()


async def call(workspace: Workspace, method: str, *, token: str | None = None, **arguments: Any) -> Json:
    """Call a method as raw JSON and return the answer, whatever its status."""
    answer, _, _ = await call_fully(workspace, method, token=token, **arguments)
    return answer


async def call_fully(
    workspace: Workspace, method: str, *, token: str | None = None, **arguments: Any
) -> tuple[Json, int, Json]:
    """Call a method as raw JSON and return answer, status and headers."""
    headers = {"Authorization": f"Bearer {token or workspace.bot_token}"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(workspace.api_url + method, json=arguments, headers=headers) as response,
    ):
        return await response.json(), response.status, dict(response.headers)


async def until(condition: Callable[[], Any], *, what: str, within_s: float = 30.0) -> Any:
    """Return what *condition* gives, as soon as it is true; AssertionError when it does not become so."""
    deadline = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {within_s:g} s in vain: {what}"
        await asyncio.sleep(0.01)
    return found


def plain(text: str) -> Json:
    """Return a plain_text object."""
    return {"type": "plain_text", "text": text}


def marked(text: str, **more: Any) -> Json:
    """Return a mrkdwn object."""
    return {"type": "mrkdwn", "text": text, **more}


def section(text: str = "words", **more: Any) -> Json:
    """Return a section of mrkdwn."""
    return {"type": "section", "text": marked(text), **more}


def button(action_id: str = "approve", **more: Any) -> Json:
    """Return a button."""
    return {"type": "button", "action_id": action_id, "text": plain(action_id.capitalize()), **more}


def actions(*elements: Json, **more: Any) -> Json:
    """Return an actions block, with one Approve button if no elements are named."""
    return {"type": "actions", "elements": list(elements) or [button()], **more}


def rich(*elements: Json, **more: Any) -> Json:
    """Return a rich_text block of one section."""
    inside = list(elements) or [{"type": "text", "text": "words"}]
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": inside}], **more}


def modal(*blocks: Json, **more: Any) -> Json:
    """Return a modal that asks for a reason, or has the named blocks."""
    return {
        "type": "modal",
        "callback_id": "deny",
        "title": plain("Deny"),
        "submit": plain("Deny"),
        "blocks": list(blocks) or [reason()],
        **more,
    }


def reason(**more: Any) -> Json:
    """Return the input of a reason."""
    return {
        "type": "input",
        "block_id": "why",
        "label": plain("Reason"),
        "element": {"type": "plain_text_input", "action_id": "reason", **more},
    }


async def post_card(workspace: Workspace, *elements: Json, **more: Any) -> str:
    """Post a card of these buttons, or of one Approve, and return its ts."""
    answer = await client_of(workspace).chat_postMessage(
        channel=CHANNEL, text="card", blocks=[actions(*elements, block_id="b")], **more
    )
    return str(answer["ts"])


def keep_clicks(app: AsyncApp, kept: list[Any]) -> None:
    """Let *app* acknowledge every Approve and keep its payloads."""

    @app.action("approve")
    async def approve(ack: Any, body: Json) -> None:
        kept.append(body)
        await ack()


def keep_triggers(app: AsyncApp, triggers: list[Any]) -> None:
    """Let *app* acknowledge every Approve and keep its trigger ids."""

    @app.action("approve")
    async def approve(ack: Any, body: Json) -> None:
        triggers.append(body["trigger_id"])
        await ack()
