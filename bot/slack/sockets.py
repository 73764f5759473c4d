"""Socket Mode: the connection that our own token opens, kept alive.

The library reconnects by itself, within about five seconds of a hard drop. What it does not do is give up an address that has
gone stale: then it tries the same one for ever. So the connection is watched, and made anew when it has been down for too long.
"""

import asyncio
import json
import logging
from typing import Final

import structlog
from aiohttp import WSMessage
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.door import App
from bot.slack.reader import read_envelope

log = structlog.get_logger(__name__)

PING_SECONDS: Final = 5.0
WATCH_SECONDS: Final = 2.0
PATIENCE_SECONDS: Final = 20.0
"""How long the library may try by itself."""

OK: Final = 200

CLOSING_SECONDS: Final = 5.0
"""How long the goodbye may take."""


class Sockets:
    """One connection, for as long as the door is open. Lives on the event loop that opens it."""

    def __init__(
        self,
        app: App,
        *,
        app_token: str,
        client: AsyncWebClient,
        ping_seconds: float = PING_SECONDS,
        watch_seconds: float = WATCH_SECONDS,
        patience_seconds: float = PATIENCE_SECONDS,
        closing_seconds: float = CLOSING_SECONDS,
    ) -> None:
        """Keep what to connect; *client* needs no token, it carries the address of the API."""
        self._app = app
        self._app_token = app_token
        self._client = client
        self._ping = ping_seconds
        self._watch = watch_seconds
        self._patience = patience_seconds
        self._closing = closing_seconds
        self._handler: AsyncSocketModeHandler | None = None
        self._watching: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Begin to connect, and watch from then on; whether it is connected is :meth:`is_connected`."""
        self._watching = asyncio.create_task(self._keep_connected())

    async def is_connected(self) -> bool:
        """Tell whether clicks reach us."""
        return self._handler is not None and await self._handler.client.is_connected()

    async def close(self) -> None:
        """Take nothing more; what has arrived is still answered by whoever acts on it."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        await self._drop()

    async def _keep_connected(self) -> None:
        down = 0.0
        while True:
            try:
                down = await self._look(down)
            except Exception:
                # The outermost loop: without it nobody's click would ever arrive again.
                log.exception("socket.broken")
            await asyncio.sleep(self._watch)

    async def _look(self, down: float) -> float:
        """Connect where there is no connection, give up one that stays down; return for how many seconds it has been."""
        if self._handler is None:
            await self._connect()
        if await self.is_connected():
            return 0.0
        if down > self._patience:
            log.warning("socket.down", seconds=down)
            await self._drop()
            return 0.0
        return down + self._watch

    async def _connect(self) -> None:
        handler = AsyncSocketModeHandler(
            self._app, self._app_token, logger=_quiet_logger(), web_client=self._client, ping_interval=self._ping
        )
        handler.client.proxy = self._client.proxy
        # The frames are read by us, each before the library makes anything of it.
        handler.client.socket_mode_request_listeners.clear()
        handler.client.on_message_listeners.append(Frames(self._app, handler.client).take)
        self._handler = handler
        try:
            # The library's connect() tries for ever with one address; ours has to come back.
            # (asyncio.wait_for was seen to swallow the cancelling of a close that came as the connection did.)
            async with asyncio.timeout(self._patience):
                await handler.connect_async()  # type: ignore[no-untyped-call]
            log.info("socket.connected")
        except (TimeoutError, OSError, ValueError) as error:
            log.warning("socket.not_connected", why=type(error).__name__)
            await self._drop()  # Nobody goes on trying with it.

    async def _drop(self) -> None:
        handler, self._handler = self._handler, None
        if handler is None:
            return
        try:
            async with asyncio.timeout(self._closing):
                await handler.close_async()  # type: ignore[no-untyped-call]
        except (TimeoutError, OSError) as error:
            log.warning("socket.not_closed", why=type(error).__name__)
            await _abandon(handler.client)


class Frames:
    """What comes over one connection: each frame is read, answered by the app, and acknowledged over the same connection."""

    def __init__(self, app: App, client: SocketModeClient) -> None:
        """Keep who answers, and how that is sent."""
        self._app = app
        self._client = client
        self._answering: set[asyncio.Task[None]] = set()

    async def take(self, message: WSMessage) -> None:
        """Begin to answer one frame; the connection goes on receiving meanwhile."""
        task = asyncio.create_task(self._answer(str(message.data)))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _answer(self, frame: str) -> None:
        try:
            envelope = read_envelope(frame)
            if envelope is None:
                return
            answer = await self._app.answer(envelope.read)
            if answer.status != OK:
                return  # It did not come in time, which is shown by saying nothing.
            payload = json.loads(answer.body) if answer.body and envelope.takes_answer else None
            for envelope_id in envelope.ids:
                acknowledgement = SocketModeResponse(envelope_id=envelope_id, payload=payload)
                await self._client.send_socket_mode_response(acknowledgement)
        except Exception as error:  # noqa: BLE001 - the outermost frame; the connection may have gone meanwhile
            log.warning("socket.not_acknowledged", why=type(error).__name__)


async def _abandon(client: SocketModeClient) -> None:
    """Let go of a connection without its goodbye: the library frees what it holds only after that."""
    for task in (client.message_processor, client.current_session_monitor, client.message_receiver):
        if task is not None:
            task.cancel()
    await client.aiohttp_client_session.close()


def _quiet_logger() -> logging.Logger:
    """Return a logger for the library, whose messages quote addresses that open a connection."""
    logger = logging.getLogger("countersign.socket")
    logger.setLevel(logging.CRITICAL)
    return logger
