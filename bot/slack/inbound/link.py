"""One connection of Socket Mode, from asking for its address to its end. How soon another one is made is decided elsewhere.

The library's own client tries again by itself, at once and without a bound where Slack says ``disconnect``, and tells nobody why.
So the WebSocket is aiohttp's and each end of it has a cause here.
"""

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.workspace.errors import CONNECTION_ERRORS, code_of, is_rate_limit, seconds_asked

HELLO_SECONDS: Final = 10.0
"""How long a fresh connection may take to greet us."""

GOODBYE_SECONDS: Final = 2.0
"""How long the other side may take to answer our goodbye."""

_LONGEST_CODE: Final = 60

REPLACED: Final = frozenset({"warning", "refresh_requested"})
"""Slack is about to end the connection for reasons of its own, and still sends over it for some seconds."""

_REASONS: Final = {
    "warning": "Slack is about to end the connection.",
    "refresh_requested": "Slack wanted a fresh connection.",
    "link_disabled": "Socket Mode is switched off for the app: switch it on in the app's settings at Slack.",
    "too_many_websockets": "The app holds too many connections: end other processes that use its SLACK_APP_TOKEN.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """Why there is no connection, or will be none soon."""

    code: str
    """For programs; it names nobody."""
    why: str
    """For operators, in words of ours."""
    wait_seconds: float = 0.0
    """How long Slack asks us to wait."""

    @property
    def is_replaced(self) -> bool:
        """Tell whether the connection is still good for a while."""
        return self.code in REPLACED


class NoLink(Exception):
    """No connection came about."""

    def __init__(self, ending: Ending) -> None:
        """Keep why."""
        super().__init__(ending.code)
        self.ending = ending


async def address(client: AsyncWebClient, app_token: str) -> str:
    """Return an address that opens one connection, soon and once. It is a secret.

    Raises:
        NoLink: Slack refuses one, or cannot be asked.
    """
    try:
        answer = await client.apps_connections_open(app_token=app_token)
        url = answer.get("url")
    except SlackApiError as error:
        raise NoLink(_refused(error)) from None
    except CONNECTION_ERRORS as error:
        raise NoLink(_unreached(error)) from None
    if not isinstance(url, str) or not url.startswith(("wss://", "ws://")):
        raise NoLink(Ending(code="no_address", why="Slack's answer held no address of a connection."))
    return url


class Link:
    """One open WebSocket."""

    def __init__(self, session: aiohttp.ClientSession, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Keep what is open; :meth:`close` frees both."""
        self._session = session
        self._socket = socket
        self.connections: int | None = None
        """How many connections the app has, this one among them, as Slack greeted it; None where it did not say."""

    @classmethod
    async def dial(cls, url: str, client: AsyncWebClient, *, ping_seconds: float) -> "Link":
        """Return the connection that *url* opens, greeted by Slack; *client* says by which proxy and which certificates.

        Raises:
            NoLink: None came about.
        """
        session = aiohttp.ClientSession()
        held: Link | aiohttp.ClientSession = session
        try:
            async with asyncio.timeout(HELLO_SECONDS):
                socket = await session.ws_connect(
                    url,
                    heartbeat=ping_seconds,
                    timeout=aiohttp.ClientWSTimeout(ws_close=GOODBYE_SECONDS),
                    proxy=client.proxy,
                    ssl=client.ssl if client.ssl is not None else True,
                )
                held = link = cls(session, socket)
                await link._greeted()
        except CONNECTION_ERRORS as error:
            await held.close()
            raise NoLink(_unreached(error)) from None
        except BaseException:
            await held.close()
            raise
        return link

    @property
    def is_open(self) -> bool:
        """Tell whether frames can come and go."""
        return not self._socket.closed

    async def read(self, take: Callable[[str], Awaitable[None]]) -> Ending:
        """Hand each frame to *take* until the connection ends or Slack says that it will; return why."""
        while True:
            frame = await self._next()
            if isinstance(frame, Ending):
                return frame
            await take(frame)

    async def send(self, message: dict[str, Any]) -> None:
        """Send one frame."""
        await self._socket.send_str(json.dumps(message))

    async def close(self) -> None:
        """End it and free what it holds, whatever the other side does."""
        try:
            await self._socket.close()
        finally:
            await self._session.close()

    async def _greeted(self) -> None:
        frame = await self._next()
        if isinstance(frame, Ending):
            raise NoLink(frame)
        if _kind(frame) != "hello":
            raise NoLink(Ending(code="no_hello", why="The connection did not begin with Slack's greeting."))
        found = _small(frame).get("num_connections")
        self.connections = found if type(found) is int else None

    async def _next(self) -> str | Ending:
        """Return the next frame, or why there is none."""
        while True:
            message = await self._socket.receive()
            if message.type is aiohttp.WSMsgType.TEXT:
                reason = _disconnect(str(message.data))
                return str(message.data) if reason is None else _parted(reason)
            if message.type in {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED}:
                return Ending(
                    code="closed", why=f"The connection was closed (WebSocket code {self._socket.close_code})."
                )
            if message.type is aiohttp.WSMsgType.ERROR:
                return Ending(code="broken", why=f"The connection broke ({type(message.data).__name__}).")


def _small(frame: str) -> dict[str, Any]:
    """Return a frame that is about the connection itself; those are short, and a payload is read elsewhere."""
    try:
        value = json.loads(frame) if len(frame) < 4096 else None  # noqa: PLR2004 - ten times what Slack sends
    except (ValueError, RecursionError):
        value = None
    return value if isinstance(value, dict) else {}


def _kind(frame: str) -> object:
    return _small(frame).get("type")


def _disconnect(frame: str) -> str | None:
    """Return the reason that a frame gives for the end of the connection, or None where it announces none."""
    value = _small(frame)
    return str(value.get("reason")) if value.get("type") == "disconnect" and "envelope_id" not in value else None


def _parted(reason: str) -> Ending:
    known = _REASONS.get(reason)
    if known is None:
        return Ending(code="disconnected", why="Slack ended the connection for a reason that we do not know.")
    return Ending(code=reason, why=known)


def _refused(error: SlackApiError) -> Ending:
    if is_rate_limit(error):
        wait = seconds_asked(error.response.headers) or 1.0
        why = f"Slack hands out no connection for {wait:g} seconds (apps.connections.open was asked too often)."
        return Ending(code="rate_limited", why=why, wait_seconds=wait)
    code = code_of(error)[:_LONGEST_CODE]
    headers = error.response.headers
    return Ending(
        code=code,
        why=f"Slack refuses a connection ({code}). Check SLACK_APP_TOKEN and that Socket Mode is on.",
        wait_seconds=seconds_asked(headers) or 0.0,
    )


def _unreached(error: Exception) -> Ending:
    if isinstance(error, aiohttp.WSServerHandshakeError):
        wait = seconds_asked(error.headers or {}) or 0.0
        return Ending(
            code=f"handshake_{error.status}",
            why=f"The connection was refused with HTTP {error.status}.",
            wait_seconds=wait,
        )
    if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError):
        return Ending(
            code="tls", why="TLS with Slack failed: check the certificates, the clock and any proxy in between."
        )
    if isinstance(error, TimeoutError):
        return Ending(code="timeout", why="Slack did not answer in time.")
    return Ending(code="no_connection", why=f"Slack cannot be reached ({type(error).__name__}).")
