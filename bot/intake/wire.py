"""The wire: sockets and HTTP itself, by uvicorn with h11, narrowed so that no peer can hold anything for long.

A connection that does not finish its headers in time is closed, there are only so many connections, and a request that is no
HTTP gets a problem document like any other refusal. Where calls come from is taken from the socket alone: a forwarding header
could be written by anybody. Signals are the application's: it stops the server by setting ``should_exit``.
"""

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import Callable, Generator
from http import HTTPStatus
from typing import Any, Final, cast

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from approvals.errors import Malformed
from bot.intake.problems import BadRequest, answer_to

HEADERS_WITHIN_S: Final = 10.0
"""From the first byte that is expected to the last of the headers; a peer that drips bytes gains no time."""

MOST_CONNECTIONS: Final = 512
"""Half of the usual limit on open files, so that the store and Slack are never without."""

LARGEST_HEADERS: Final = 16 * 1024
"""In bytes."""

KEEP_ALIVE_S: Final = 15
"""How long an idle connection is kept for the next call."""

STOPS_WITHIN_S: Final = 5
"""How long calls under way may take to end when the server stops."""


def check_listen(host: str, *, tls_in_front: bool) -> None:
    """Return if the API may listen on *host*: beyond loopback, tokens would cross the network in the clear.

    Raises:
        Malformed: It is not loopback, and no setting says that TLS ends in front.
    """
    if tls_in_front or _is_loopback(host):
        return
    raise Malformed(
        f"COUNTERSIGN_LISTEN is {host}, which others can reach, and the API speaks no TLS itself. Listen on 127.0.0.1, "
        "or set COUNTERSIGN_TLS_IN_FRONT=yes where TLS ends in front of it.",
        code="listens_without_tls",
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class IntakeServer(uvicorn.Server):
    """The HTTP server. It begins by :meth:`serve` and ends when ``should_exit`` is set."""

    def __init__(self, app: ASGIApp, *, host: str, port: int, stopping: Callable[[], None]) -> None:
        """Keep what it serves and where.

        Args:
            app: The application, whose lifespan it runs.
            host: The address to listen on, as :func:`check_listen` let it pass.
            port: The TCP port; 0 for any.
            stopping: Called once, before calls under way are waited for, so that long polls end.
        """
        super().__init__(_config(app, host=host, port=port))
        self._stopping = stopping

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave signals alone."""
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End what waits, then stop as usual."""
        self._stopping()
        await super().shutdown(sockets)


def _config(app: ASGIApp, *, host: str, port: int) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        loop="asyncio",
        http=Wire,
        ws="none",
        lifespan="on",
        log_config=None,
        log_level="error",
        access_log=False,  # it would write whole addresses, query and all
        proxy_headers=False,
        server_header=False,
        h11_max_incomplete_event_size=LARGEST_HEADERS,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=STOPS_WITHIN_S,
    )


class Wire(H11Protocol):
    """One connection."""

    _headers_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection on, or close it at once when there are too many."""
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            transport.abort()
            return
        # Head and body of an answer are two writes; held back until the first is acknowledged, the second was measured to
        # come 40 ms late. asyncio sees to it only for sockets that it made itself.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes in, and keep watch over headers that do not end."""
        super().data_received(data)
        if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
            self._expect_headers()
        else:
            self._stop_timer()

    def send_400_response(self, msg: str) -> None:
        """Answer bytes that are no HTTP, and close: nothing after them can be understood."""
        del msg  # uvicorn's; ours is the same for all
        cycle = cast("RequestResponseCycle | None", self.cycle)
        if cycle is not None and not cycle.response_complete:
            # The body of a call under way is broken. Its answer may have begun, so nothing can be sent between.
            cycle.disconnected = True
            cycle.message_event.set()
        elif self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            self._send(_not_http())
        self.transport.close()

    def _send(self, answer: tuple[int, list[tuple[bytes, bytes]], bytes]) -> None:
        status, headers, body = answer
        reason = HTTPStatus(status).phrase.encode()
        for event in (
            h11.Response(status_code=status, headers=headers, reason=reason),
            h11.Data(data=body),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")

    def _expect_headers(self) -> None:
        if self._headers_timer is None:
            self._headers_timer = self.loop.call_later(HEADERS_WITHIN_S, self.transport.abort)

    def _stop_timer(self) -> None:
        if self._headers_timer is not None:
            self._headers_timer.cancel()
            self._headers_timer = None


def _not_http() -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    answer: Any = answer_to(BadRequest("This is not a valid HTTP request.", code="not_http"), close=True)
    return answer.status_code, answer.raw_headers, bytes(answer.body)
