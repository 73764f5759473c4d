"""Socket Mode: the connection that our own token opens, kept alive.

Every try to connect is paced, whatever ended the last one: a try after a failure waits, each time longer and at least as long as
Slack asks. Why there is no connection is told once, on the leg ``slack_door``.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, Protocol

import structlog
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient

from bot import clock
from bot.health.legs import LegKind
from bot.runtime.waits import Backoff
from bot.slack.inbound.door import App
from bot.slack.inbound.link import Ending, Link, NoLink, address
from bot.slack.inbound.reader import read_envelope

log = structlog.get_logger(__name__)

PING_SECONDS: Final = 5.0

STEADY_SECONDS: Final = 30.0
"""How long a connection has to stand to count as good: the next one is then made without a wait. One that ends sooner counts as a
failed try, or a server that greets and hangs up would be dialled without end."""

FIRST_WAIT_SECONDS: Final = 1.0
LONGEST_WAIT_SECONDS: Final = 60.0
"""A minute without clicks is as much as an administrator's repair should have to wait for; Slack may ask for more."""

RETIRING_SECONDS: Final = 15.0
"""How long a connection that Slack replaces is still read: clicks may be on their way over it."""

OK: Final = 200

CLOSING_SECONDS: Final = 5.0
"""How long the goodbye may take."""


class ConnectionReport(Protocol):
    """Where it is told how the connection is: :class:`bot.health.legs.Legs`."""

    def good(self, part: LegKind, of: str = "") -> None:
        """Take down that it stands."""

    def failing(self, part: LegKind, of: str = "", *, code: str, why: str) -> None:
        """Take down that it does not."""


class Sockets:
    """One connection, for as long as the door is open. Lives on the event loop that opens it."""

    def __init__(
        self,
        app: App,
        *,
        app_token: str,
        client: AsyncWebClient,
        report: ConnectionReport,
        waits: Backoff | None = None,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        monotonic: Callable[[], float] = time.monotonic,
        ping_seconds: float = PING_SECONDS,
        steady_seconds: float = STEADY_SECONDS,
        closing_seconds: float = CLOSING_SECONDS,
    ) -> None:
        """Keep what to connect; *client* needs no token, it carries the address of the API. *pause* sleeps so many seconds."""
        self._app = app
        self._app_token = app_token
        self._client = client
        self._report = report
        self._waits = waits or Backoff(first=FIRST_WAIT_SECONDS, most=LONGEST_WAIT_SECONDS, chance=clock.chance)
        self._pause = pause
        self._monotonic = monotonic
        self._ping = ping_seconds
        self._steady = steady_seconds
        self._closing = closing_seconds
        self._link: Link | None = None
        self._stood = False
        self._keeping: asyncio.Task[None] | None = None
        self._retiring: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Begin to connect, and keep connected from then on; whether it is connected is :meth:`is_connected`."""
        self._keeping = asyncio.create_task(self._keep_connected())

    async def is_connected(self) -> bool:
        """Tell whether clicks reach us."""
        return self._link is not None and self._link.is_open

    async def close(self) -> None:
        """Take nothing more; what has arrived is still answered by whoever acts on it."""
        for task in (self._keeping, self._retiring):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        await self._let_go(self._link)
        self._link = None

    async def _keep_connected(self) -> None:
        while True:
            self._stood = False
            try:
                ending = await self._one()
            except Exception as error:
                # The outermost loop: without it nobody's click would ever arrive again.
                log.exception("socket.broken")
                ending = Ending(
                    code="defect", why=f"The connection met a defect ({type(error).__name__}); see the log."
                )
            if self._stood:
                self._waits.after_success()
                if ending.is_replaced:
                    continue
            self._report.failing(LegKind.SLACK_DOOR, code=ending.code, why=ending.why)
            await self._pause(self._waits.after_failure(at_least=ending.wait_seconds))

    async def _one(self) -> Ending:
        """Hold one connection for as long as it lasts; return why there is none any more."""
        try:
            url = await address(self._client, self._app_token)
            link = await Link.dial(url, self._client, ping_seconds=self._ping)
        except NoLink as error:
            return error.ending
        self._link, began = link, self._monotonic()
        # Slack gives each click to any connection of the app: one that somebody forgot elsewhere takes its share, unanswered.
        log.info("socket.connected", connections=link.connections)
        told = asyncio.create_task(self._tell_good())
        frames, ending = Frames(self._app, link), None
        try:
            ending = await link.read(frames.take)
        finally:
            told.cancel()
            self._stood = self._monotonic() - began >= self._steady
            if ending is None or not ending.is_replaced:
                self._link = None
                await self._let_go(link)
        if ending.is_replaced:
            await self._retire(link, frames)
        return ending

    async def _tell_good(self) -> None:
        """Tell that clicks come in; after several failures once the connection stands, or each short one would be told anew."""
        if self._waits.failures > 1:
            await asyncio.sleep(self._steady)
        self._report.good(LegKind.SLACK_DOOR)

    async def _retire(self, link: Link, frames: "Frames") -> None:
        """Read on over a connection that Slack replaces, beside the next one; there is never more than one of these."""
        if self._retiring is not None:
            self._retiring.cancel()
            await asyncio.gather(self._retiring, return_exceptions=True)
        self._retiring = asyncio.create_task(self._read_on(link, frames))

    async def _read_on(self, link: Link, frames: "Frames") -> None:
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(RETIRING_SECONDS):
                    while (await link.read(frames.take)).is_replaced:
                        pass  # Slack may warn more than once; each warning was awaited.
        finally:
            await self._let_go(link)

    async def _let_go(self, link: Link | None) -> None:
        if link is None:
            return
        try:
            async with asyncio.timeout(self._closing):
                await link.close()
        except (TimeoutError, OSError) as error:
            log.warning("socket.not_closed", why=type(error).__name__)


class Frames:
    """What comes over one connection: each frame is read, answered by the app, and acknowledged over the same connection."""

    def __init__(self, app: App, link: Link) -> None:
        """Keep who answers, and how that is sent."""
        self._app = app
        self._link = link
        self._answering: set[asyncio.Task[None]] = set()

    async def take(self, frame: str) -> None:
        """Begin to answer one frame; the connection goes on receiving meanwhile."""
        task = asyncio.create_task(self._answer(frame))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _answer(self, frame: str) -> None:
        try:
            envelope = read_envelope(frame)
            if envelope is None:
                return
            answer = await self._app.answer(envelope.read)
            takes_answer = envelope.takes_answer and answer.status == OK
            payload = json.loads(answer.body) if answer.body and takes_answer else None
            for envelope_id in envelope.ids:
                await self._link.send(SocketModeResponse(envelope_id=envelope_id, payload=payload).to_dict())
        except Exception as error:  # noqa: BLE001 - the outermost frame; the connection may have gone meanwhile
            log.warning("socket.not_acknowledged", why=type(error).__name__)
