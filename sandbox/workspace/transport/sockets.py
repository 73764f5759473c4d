"""Socket Mode: the WebSocket connections the app holds, and envelopes over them.

One envelope goes to one connection, picked at random, as Slack promises no
pattern. An app that is not connected, or that does not answer in time, means
that the person sees a failure; nothing is queued for interactions.
"""

import asyncio
import json
import secrets
from contextlib import suppress
from dataclasses import dataclass

from aiohttp import WSCloseCode, WSMessage, WSMsgType, web

from sandbox.workspace.core import Core
from sandbox.workspace.ids import opaque, secret
from sandbox.workspace.jsontypes import JsonObject
from sandbox.workspace.transport.parcels import Ack, Parcel

_TICKETS_MOST = 1_000
_TICKET_SECONDS = 30.0


@dataclass(eq=False, slots=True)
class Connection:
    """One WebSocket of the app."""

    socket: web.WebSocketResponse
    request: web.Request
    lifetime: asyncio.Task[None] | None = None


class SocketHub:
    """Accepts connections and delivers envelopes."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._tickets: dict[str, float] = {}
        self._connections: list[Connection] = []
        self._waiting: dict[str, asyncio.Future[JsonObject | None]] = {}
        self._changed = asyncio.Event()

    @property
    def count(self) -> int:
        """How many connections are open."""
        return len(self._connections)

    def open_connection(self, core: Core, _arguments: JsonObject) -> JsonObject:
        """Answer ``apps.connections.open``: an address that opens one connection, soon and once."""
        ticket = secret()
        self._tickets[ticket] = core.now()
        while len(self._tickets) > _TICKETS_MOST:
            del self._tickets[next(iter(self._tickets))]
        return {"url": f"{core.origin.replace('http', 'ws', 1)}/link/?ticket={ticket}&app_id={core.seed.app_id}"}

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one connection until either side ends it."""
        issued_at = self._tickets.pop(request.query.get("ticket", ""), None)
        if issued_at is None or self._core.now() - issued_at > _TICKET_SECONDS or self._core.faults.outage:
            return web.Response(status=401, text="This address was used or is too old.")
        socket = web.WebSocketResponse(max_msg_size=1_048_576)
        await socket.prepare(request)
        if len(self._connections) >= self._core.strictness.max_connections:
            await socket.send_json(self._disconnect("too_many_websockets"))
            await socket.close()
            return socket
        connection = Connection(socket, request)
        self._connections.append(connection)
        self._changed.set()
        try:
            await socket.send_json(self._hello())
            connection.lifetime = asyncio.create_task(self._live(connection))
            async for message in socket:
                self._take(message)
        finally:
            self._forget(connection)
        return socket

    async def deliver(self, parcel: Parcel) -> Ack:
        """Send *parcel* in an envelope and wait for the frame that names it."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        targets = self._targets()
        if not targets or self._core.faults.outage:
            return Ack(answered=False, failure="no_connection")
        envelope_id = opaque(size=16).lower()
        answer: asyncio.Future[JsonObject | None] = loop.create_future()
        self._waiting[envelope_id] = answer
        try:
            await _send(targets, _envelope(envelope_id, parcel))
            async with asyncio.timeout(self._core.strictness.ack_seconds):
                payload = await answer
        except TimeoutError:
            return Ack(answered=False, failure="timeout", seconds=loop.time() - started)
        finally:
            del self._waiting[envelope_id]
        return Ack(answered=True, payload=payload, seconds=loop.time() - started)

    async def wait_for_connections(self, count: int, *, seconds: float) -> None:
        """Return as soon as at least *count* connections are open.

        Raises:
            TimeoutError: Not within *seconds*.
        """
        async with asyncio.timeout(seconds):
            while self.count < count:
                self._changed.clear()
                await self._changed.wait()

    async def refresh(self, reason: str = "refresh_requested") -> None:
        """Tell every connection to go, as Slack does every few hours, and close it."""
        for connection in tuple(self._connections):
            await self._dismiss(connection, reason)

    def drop(self) -> None:
        """Cut every connection without a word, as a failing network does."""
        for connection in tuple(self._connections):
            self._forget(connection)
            if connection.request.transport is not None:
                connection.request.transport.abort()

    async def close(self) -> None:
        """Close every connection."""
        for connection in tuple(self._connections):
            self._forget(connection)
            await connection.socket.close(code=WSCloseCode.GOING_AWAY)

    def _targets(self) -> list[Connection]:
        if not self._connections or not self._core.strictness.one_connection_per_envelope:
            return list(self._connections)
        return [secrets.choice(self._connections)]

    def _take(self, message: WSMessage) -> None:
        if message.type is not WSMsgType.TEXT:
            return
        with suppress(ValueError):
            frame = json.loads(message.data)
            waiting = self._waiting.get(frame.get("envelope_id", "")) if isinstance(frame, dict) else None
            if waiting is not None and not waiting.done():
                payload = frame.get("payload")
                waiting.set_result(payload if isinstance(payload, dict) else None)

    def _forget(self, connection: Connection) -> None:
        if connection in self._connections:
            self._connections.remove(connection)
            self._changed.set()
        if connection.lifetime is not None and connection.lifetime is not asyncio.current_task():
            connection.lifetime.cancel()

    async def _live(self, connection: Connection) -> None:
        life, warning = self._core.strictness.connection_seconds, self._core.strictness.connection_warning_seconds
        if life is None:
            return
        await asyncio.sleep(max(0.0, life - warning))
        with suppress(ConnectionError):
            await connection.socket.send_json(self._disconnect("warning"))
        await asyncio.sleep(min(warning, life))
        await self._dismiss(connection, "refresh_requested")

    async def _dismiss(self, connection: Connection, reason: str) -> None:
        # No further envelope may be given to a connection that was told to go.
        self._forget(connection)
        with suppress(ConnectionError):
            await connection.socket.send_json(self._disconnect(reason))
        await connection.socket.close()

    def _hello(self) -> JsonObject:
        life = self._core.strictness.connection_seconds
        return {
            "type": "hello",
            "num_connections": self.count,
            "connection_info": {"app_id": self._core.seed.app_id},
            "debug_info": {"host": "local-stand-in", "approximate_connection_time": int(life or 0)},
        }

    def _disconnect(self, reason: str) -> JsonObject:
        return {"type": "disconnect", "reason": reason, "debug_info": {"host": "local-stand-in"}}


async def _send(targets: list[Connection], envelope: JsonObject) -> None:
    for connection in targets:
        # A connection that broke a moment ago cannot answer: the wait for the acknowledgement tells.
        with suppress(ConnectionError):
            await connection.socket.send_json(envelope)


def _envelope(envelope_id: str, parcel: Parcel) -> JsonObject:
    made: JsonObject = {
        "envelope_id": envelope_id,
        "type": parcel.kind,
        "accepts_response_payload": parcel.accepts_response,
        "payload": parcel.payload,
    }
    if parcel.kind == "events_api":
        made |= {"retry_attempt": parcel.retry, "retry_reason": parcel.retry_reason}
    return made
