"""The wire: sockets and HTTP itself, by uvicorn with h11, narrowed so that no peer can hold anything for long.

A connection that does not finish its headers in time is closed, there are only so many connections
(:mod:`bot.intake.http.crowd` says
which), and a request that is no HTTP gets a problem document like any other refusal. Signals are the application's: it stops the
server by setting ``should_exit``.
"""

import asyncio
import contextlib
import ipaddress
import socket
import sys
from collections.abc import Callable, Generator
from http import HTTPStatus
from typing import Any, Final, cast

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from approvals.errors import Malformed, Refused
from bot.intake.http.calls import LARGEST_HEADERS, headers_too_large
from bot.intake.http.crowd import Crowd
from bot.intake.http.problems import BadRequest, Turned, answer_to
from bot.intake.http.sources import Sources

HEADERS_WITHIN_S: Final = 10.0
"""From the first byte that is expected to the last of the headers; a peer that drips bytes gains no time."""

GONE_AFTER_S: Final = 1.0
"""How long a call that changes nothing is still answered to a peer that has stopped sending: most such have gone."""

CLOSES_WITHIN_S: Final = 5.0
"""How long a peer may take to read the rest when the connection ends."""

READS_WITHIN_S: Final = 20.0
"""How long a peer may take to read 48 KB of an answer."""

ACCEPTED_AT_ONCE: Final = 128
"""How many connections are taken on before the first of them is looked at: each costs an open file until then."""

SOCKET: Final = Sources()
"""Names the far ends of sockets."""

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

    def __init__(self, app: ASGIApp, *, host: str, port: int, stopping: Callable[[], None], crowd: Crowd) -> None:
        """Keep what it serves and where.

        Args:
            app: The application, whose lifespan it runs.
            host: The address to listen on, as :func:`check_listen` let it pass.
            port: The TCP port; 0 for any.
            stopping: Called once, before calls under way are waited for, so that long polls end.
            crowd: Which connections may stay.
        """
        super().__init__(_config(app, crowd, host=host, port=port))
        self._stopping = stopping
        self.crowd = crowd

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave signals alone."""
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End what waits, then stop as usual."""
        self._stopping()
        await super().shutdown(sockets)


class _Config(uvicorn.Config):
    """The library's settings; connections are given nothing else that they could share."""

    crowd: Crowd


def _config(app: ASGIApp, crowd: Crowd, *, host: str, port: int) -> uvicorn.Config:
    config = _Config(
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
        backlog=ACCEPTED_AT_ONCE,
        h11_max_incomplete_event_size=LARGEST_HEADERS,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=STOPS_WITHIN_S,
    )
    config.crowd = crowd
    return config


class Wire(H11Protocol):
    """One connection."""

    _headers_timer: asyncio.TimerHandle | None = None
    _gone_timer: asyncio.TimerHandle | None = None
    _reading_timer: asyncio.TimerHandle | None = None

    @property
    def _crowd(self) -> Crowd:
        crowd: Crowd = self.config.crowd  # type: ignore[attr-defined]
        return crowd

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection on, or close it at once when there are too many and none of them waits."""
        super().connection_made(transport)
        if not self._crowd.enter(self, SOCKET.of({"client": self.client})):
            transport.abort()
            return
        # Head and body of an answer are two writes; held back until the first is acknowledged, the second was measured to
        # come 40 ms late. asyncio sees to it only for sockets that it made itself.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._crowd.leave(self)
        self._stop_timer()
        for timer in (self._gone_timer, self._reading_timer):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def put_out(self) -> None:
        """Close it for another that has something to say; what is still unsent is thrown away."""
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take bytes in, and keep watch over headers that do not end."""
        super().data_received(data)
        self._look()
        if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
            self._expect_headers()
        else:
            self._stop_timer()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Answer what came whole before the other side fell silent, and say of what was cut that it was.

        Whoever only waits is taken for gone soon: a poll would hold its place until its end.
        """
        cycle = cast("RequestResponseCycle | None", self.cycle)
        if cycle is None or cycle.response_complete:
            if not self.conn.trailing_data[0]:
                return False
            self.send_400_response("")
            return True
        if cycle.more_body:
            self.send_400_response("")
            return True
        cycle.keep_alive = False
        if self._gone_timer is None and cycle.scope["method"] == "GET":
            self._gone_timer = self.loop.call_later(GONE_AFTER_S, self.transport.abort)
        return True

    def pause_writing(self) -> None:
        """Wait until the peer has read some of its answer, but not for long."""
        super().pause_writing()
        self._reading_timer = self.loop.call_later(READS_WITHIN_S, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on: the peer reads."""
        if self._reading_timer is not None:
            self._reading_timer.cancel()
            self._reading_timer = None
        super().resume_writing()

    def on_response_complete(self) -> None:
        """Wait for the next call."""
        super().on_response_complete()
        self._look()

    def timeout_keep_alive_handler(self) -> None:
        """End a connection over which nothing came any more; one that does not take what it was sent is cut."""
        super().timeout_keep_alive_handler()
        self._cut_soon()

    def send_400_response(self, msg: str) -> None:
        """Answer bytes that are no HTTP, and close: nothing after them can be understood."""
        del msg  # uvicorn's; ours is the same for all
        cycle = cast("RequestResponseCycle | None", self.cycle)
        is_under_way = cycle is not None and not cycle.response_complete
        if cycle is not None and is_under_way:
            # The body of a call under way is broken. Where its answer has begun, nothing can be sent between.
            cycle.disconnected = True
            cycle.message_event.set()
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE} and not (is_under_way and _has_begun(cycle)):
            self._send(_broken(sys.exception()))
        self.transport.close()
        self._cut_soon()

    def _look(self) -> None:
        """Tell the crowd whether a whole call is being answered."""
        cycle = cast("RequestResponseCycle | None", self.cycle)
        if cycle is None or cycle.more_body or cycle.response_started or self.transport.is_closing():
            self._crowd.waits(self)
        else:
            self._crowd.is_busy(self)

    def _cut_soon(self) -> None:
        """Cut the connection if it does not close by itself: a peer that reads nothing would hold it for ever."""
        if self._gone_timer is None:
            self._gone_timer = self.loop.call_later(CLOSES_WITHIN_S, self.transport.abort)

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
            self._headers_timer = self.loop.call_later(HEADERS_WITHIN_S, self._headers_late)

    def _headers_late(self) -> None:
        """End a connection whose headers did not come in time, with an answer where they had begun."""
        if self.conn.our_state is h11.IDLE and self.conn.trailing_data[0] and not self.transport.is_closing():
            self._send(_parts_of(_SLOW))
            self.transport.close()
            self._cut_soon()
        else:
            self.transport.abort()

    def _stop_timer(self) -> None:
        if self._headers_timer is not None:
            self._headers_timer.cancel()
            self._headers_timer = None


_SLOW: Final = Turned(
    f"The headers did not come within {HEADERS_WITHIN_S:g} seconds.",
    status=HTTPStatus.REQUEST_TIMEOUT,
    code="slow_headers",
)


def _has_begun(cycle: "RequestResponseCycle | None") -> bool:
    return cycle is not None and cycle.response_started


def _broken(error: BaseException | None) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    hint = error.error_status_hint if isinstance(error, h11.RemoteProtocolError) else HTTPStatus.BAD_REQUEST
    if hint == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE:
        return _parts_of(headers_too_large())
    return _parts_of(BadRequest("This is not a valid HTTP request.", code="not_http"))


def _parts_of(refused: Refused) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    answer: Any = answer_to(refused, close=True)
    return answer.status_code, answer.raw_headers, bytes(answer.body)
