"""Socket Mode against a Slack that ends every connection: each end is followed by a wait and told once, with its cause."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from bot.health.legs import LegKind
from bot.runtime.waits import Backoff
from bot.slack.inbound.sockets import Sockets
from bot.slack.workspace.clients import async_client
from bot.slack.workspace.errors import MOST_WAIT

NO_APP: Any = None
"""No frame that needs an answer comes here."""

TRIES = 8
GROWING = [1, 2, 4, 8, 16, 32, 60, 60]

Serve = Callable[[web.Request], Awaitable[web.StreamResponse]]


def on_a_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test on an event loop of its own."""

    @wraps(test)
    def run(**arguments: object) -> None:
        asyncio.run(test(**arguments))

    return run


@dataclass
class Told:
    """What was said of the leg, each change once, as the legs log it."""

    changes: list[str] = field(default_factory=list)
    whys: set[str] = field(default_factory=set)
    stands: asyncio.Event = field(default_factory=asyncio.Event)

    def good(self, part: LegKind, of: str = "") -> None:
        """Keep that it stands."""
        self.stands.set()
        self._keep(part, "good")

    def failing(self, part: LegKind, of: str = "", *, code: str, why: str) -> None:
        """Keep that it does not."""
        self.whys.add(why)
        self._keep(part, code)

    def _keep(self, part: LegKind, what: str) -> None:
        assert part is LegKind.SLACK_DOOR
        if self.changes[-1:] != [what]:
            self.changes.append(what)


@dataclass
class Slack:
    """A server that hands out addresses and serves each connection in one way."""

    serve: Serve
    opened: int = 0
    refusal: Callable[[], web.Response] | None = None
    url: str = ""

    async def open(self, request: web.Request) -> web.Response:
        """Answer ``apps.connections.open``."""
        self.opened += 1
        if self.refusal is not None:
            return self.refusal()
        return web.json_response({"ok": True, "url": f"{self.url.replace('http', 'ws')}/link?ticket=secret"})


def greeting_then(*frames: dict[str, Any], linger: bool = False) -> Serve:
    """Serve a greeting and some frames, and hang up."""

    async def serve(request: web.Request) -> web.StreamResponse:
        connection = web.WebSocketResponse()
        await connection.prepare(request)
        for frame in frames:
            await connection.send_json(frame)
        if linger:
            async for _ in connection:
                pass
        await connection.close()
        return connection

    return serve


async def refuse(request: web.Request) -> web.StreamResponse:
    """Refuse the handshake."""
    return web.Response(status=503, headers={"Retry-After": "77"})


async def cut(request: web.Request) -> web.StreamResponse:
    """Cut the connection without a word."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


HELLO = {"type": "hello", "num_connections": 1}


def goodbye(reason: str) -> dict[str, Any]:
    """Return how Slack announces the end of a connection."""
    return {"type": "disconnect", "reason": reason}


@asynccontextmanager
async def running(slack: Slack):
    """Run it on loopback."""
    app = web.Application()
    app.router.add_post("/api/apps.connections.open", slack.open)
    app.router.add_get("/link", slack.serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    slack.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield slack
    finally:
        await runner.cleanup()


async def tries(slack: Slack, told: Told, *, api_url: str | None = None) -> list[float]:
    """Return the waits of the first tries; none of them is slept."""
    waited: list[float] = []
    enough = asyncio.Event()

    async def pause(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == TRIES:
            enough.set()
            await asyncio.Event().wait()

    async with running(slack):
        sockets = Sockets(
            NO_APP,
            app_token="xapp-1-test",
            client=async_client(None, api_url or f"{slack.url}/api/", timeout_seconds=2),
            report=told,
            waits=Backoff(first=1, most=60, chance=lambda: 1.0),
            pause=pause,
            closing_seconds=0.2,
        )
        await sockets.open()
        async with asyncio.timeout(30):
            await enough.wait()
        await sockets.close()
    return waited


ENDS = {
    "too_many_websockets": (greeting_then(HELLO, goodbye("too_many_websockets")), "too_many_websockets"),
    "too_many_websockets, no hello": (greeting_then(goodbye("too_many_websockets")), "too_many_websockets"),
    "link_disabled": (greeting_then(HELLO, goodbye("link_disabled")), "link_disabled"),
    "warning": (greeting_then(HELLO, goodbye("warning")), "warning"),
    "warning, and left open": (greeting_then(HELLO, goodbye("warning"), linger=True), "warning"),
    "refresh_requested": (greeting_then(HELLO, goodbye("refresh_requested")), "refresh_requested"),
    "a reason to come": (greeting_then(HELLO, goodbye("moon_in_the_way")), "disconnected"),
    "closed after hello": (greeting_then(HELLO), "closed"),
    "closed before hello": (greeting_then(), "closed"),
    "another greeting": (greeting_then({"type": "hi"}), "no_hello"),
    "cut": (cut, "no_connection"),
}


@pytest.mark.parametrize(("serve", "code"), ENDS.values(), ids=ENDS.keys())
@on_a_loop
async def test_every_end_of_a_connection_is_followed_by_a_growing_wait(serve, code):
    """Whatever ends a connection at once, the next try waits, each time longer; its cause is told once, not at every try."""
    told, slack = Told(), Slack(serve=serve)

    waited = await tries(slack, told)

    assert (waited, slack.opened) == (GROWING, TRIES)
    assert [change for change in told.changes if change != "good"][:1] == [code]
    assert len(told.changes) <= 4
    assert not any("secret" in why for why in told.whys)


def limited(**headers: str) -> web.Response:
    """Return Slack's answer to whoever asks too often."""
    return web.json_response({"ok": False, "error": "ratelimited"}, status=429, headers=headers)


REFUSALS = {
    "too often, for a minute": (lambda: limited(**{"Retry-After": "60"}), "rate_limited", [60] * 8),
    "too often, for two minutes": (lambda: limited(**{"Retry-After": "120"}), "rate_limited", [120] * 8),
    "too often, for ever": (
        lambda: limited(**{"Retry-After": "9" * 18}),
        "rate_limited",
        [MOST_WAIT.total_seconds()] * 8,
    ),
    "too often, at some date": (lambda: limited(**{"Retry-After": "tomorrow"}), "rate_limited", GROWING),
    "invalid_auth": (lambda: web.json_response({"ok": False, "error": "invalid_auth"}), "invalid_auth", GROWING),
    "not an app's": (
        lambda: web.json_response({"ok": False, "error": "not_allowed_token_type"}),
        "not_allowed_token_type",
        GROWING,
    ),
    "down": (lambda: web.Response(status=503, text="no"), "http_503", GROWING),
    "no JSON": (lambda: web.Response(text="<html>"), "no_connection", GROWING),
    "no address": (lambda: web.json_response({"ok": True}), "no_address", GROWING),
    "an address of another kind": (
        lambda: web.json_response({"ok": True, "url": "file:///etc/passwd"}),
        "no_address",
        GROWING,
    ),
}


@pytest.mark.parametrize(("refusal", "code", "waits"), REFUSALS.values(), ids=REFUSALS.keys())
@on_a_loop
async def test_a_refused_address_is_asked_for_again_after_the_whole_wait(refusal, code, waits):
    """``Retry-After`` is honoured to its end, up to an hour; any other refusal grows the wait."""
    told, slack = Told(), Slack(serve=cut, refusal=refusal)

    waited = await tries(slack, told)

    assert (waited, slack.opened, told.changes) == (waits, TRIES, [code])


@on_a_loop
async def test_a_refused_handshake_may_say_how_long_to_wait():
    """A gateway that refuses the WebSocket with ``Retry-After`` is left alone as long."""
    told = Told()

    waited = await tries(Slack(serve=refuse), told)

    assert (waited, told.changes) == ([77] * TRIES, ["handshake_503"])


@on_a_loop
async def test_a_server_without_tls_is_paced_and_told():
    """TLS that fails is a cause of its own."""
    told, slack = Told(), Slack(serve=cut)
    slack.refusal = lambda: web.json_response({"ok": True, "url": f"{slack.url.replace('http:', 'wss:')}/link"})

    waited = await tries(slack, told)

    assert (waited, told.changes) == (GROWING, ["tls"])


@on_a_loop
async def test_a_slack_that_cannot_be_reached_is_paced_and_told():
    """A refused TCP connection, too, is a failed try."""
    told = Told()

    waited = await tries(Slack(serve=cut), told, api_url="http://127.0.0.1:9/api/")

    assert (waited, told.changes) == (GROWING, ["no_connection"])


@on_a_loop
async def test_a_goodbye_that_never_ends_leaves_nothing_open():
    """What the connection holds is freed even where the other side never answers the goodbye."""
    ended, told = asyncio.Event(), Told()

    async def mute(request: web.Request) -> web.StreamResponse:
        connection = web.WebSocketResponse()
        await connection.prepare(request)
        await connection.send_json(HELLO)
        await ended.wait()
        return connection

    async with running(Slack(serve=mute)) as slack:
        sockets = Sockets(
            NO_APP,
            app_token="xapp-1-test",
            client=async_client(None, f"{slack.url}/api/", timeout_seconds=2),
            report=told,
            closing_seconds=0.05,
        )
        await sockets.open()
        async with asyncio.timeout(10):
            await told.stands.wait()
        link = sockets._link
        await sockets.close()
        ended.set()

    assert link is not None
    assert (link.is_open, link._session.closed) == (False, True)


@pytest.mark.parametrize(
    ("greeting", "connections"),
    [
        (HELLO, 1),
        ({"type": "hello", "num_connections": 3}, 3),
        ({"type": "hello", "num_connections": "3"}, None),
        ({"type": "hello", "num_connections": True}, None),
        ({"type": "hello"}, None),
    ],
)
@on_a_loop
async def test_the_log_says_how_many_connections_the_app_has(greeting, connections):
    """A forgotten process with our token takes its share of the clicks: whoever misses some finds the number in the log."""
    with capture_logs() as lines:
        await tries(Slack(serve=greeting_then(greeting)), Told())

    found = {line["connections"] for line in lines if line["event"] == "socket.connected"}
    assert found == {connections}
