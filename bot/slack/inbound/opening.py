"""Opening: the approvers' door opens as soon as Slack has said who we are, and not before: until then no click counts.

A click names the app and the workspace that it belongs to, and what it is held against is what ``auth.test`` says. So with Slack
away at the start everything else runs, and this waits. Whether clicks reach us is a leg.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bot.health.legs import LegKind, Legs
from bot.slack.inbound.door import App
from bot.slack.inbound.signed_http import PATH, SignedHttp
from bot.slack.inbound.sockets import Sockets
from bot.slack.workspace.pin import Installed

log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 0.2
AGAIN_SECONDS: Final = 5.0
"""After a fault of ours kept the door shut."""

_NOT_KNOWN: Final = "Slack has not said yet who we are, so no click counts."


class Opening:
    """Opens the door late, and watches it."""

    def __init__(
        self,
        *,
        installed: Callable[[], Installed | None],
        build: Callable[[Installed], App],
        sockets: Callable[[App], Sockets] | None,
        signed: Callable[[App], SignedHttp] | None,
        legs: Legs,
        again_seconds: float = AGAIN_SECONDS,
    ) -> None:
        """Keep how the door is made.

        Args:
            installed: Who we are, as soon as that is known.
            build: Makes the door's app.
            sockets: Makes Socket Mode's connection; None in HTTP mode.
            signed: Makes what takes Slack's requests in HTTP mode; None in Socket Mode.
            legs: Where it is told whether clicks reach us.
            again_seconds: How long it is waited after a fault of ours.
        """
        self._installed = installed
        self._build = build
        self._make_sockets = sockets
        self._make_signed = signed
        self._legs = legs
        self._again_seconds = again_seconds
        self._sockets: Sockets | None = None
        self._signed: SignedHttp | None = None
        self._task: asyncio.Task[None] | None = None

    def route(self) -> Route:
        """Return the route to mount in HTTP mode."""
        return Route(PATH, self.handle, methods=["POST"])

    async def handle(self, request: Request) -> Response:
        """Return the answer to one request of Slack's; before the door is open nothing is taken in."""
        if self._signed is None:
            return Response(status_code=503, headers={"Retry-After": "2"})
        return await self._signed.handle(request)

    async def open(self) -> None:
        """Begin to wait for Slack's word, and open then."""
        self._legs.unknown(LegKind.SLACK_DOOR, why=_NOT_KNOWN)
        self._task = asyncio.create_task(self._keep())

    async def close(self) -> None:
        """Take no click any more."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._sockets is not None:
            await self._sockets.close()

    async def _keep(self) -> None:
        while not await self._opened():  # noqa: ASYNC110 - nothing tells when a fault of ours is over
            await asyncio.sleep(self._again_seconds)

    async def _opened(self) -> bool:
        """Wait until it is known who we are, and open; return whether that went well."""
        while (installed := self._installed()) is None:  # noqa: ASYNC110 - a thread tells it
            await asyncio.sleep(LOOK_SECONDS)
        try:
            await self._open_as(installed)
        except Exception as error:
            # The outermost loop: without it the door would stay shut for good, and nobody would hear why.
            log.exception("door.not_opened")
            why = f"The door met a defect as it opened ({type(error).__name__}); see the log."
            self._legs.failing(LegKind.SLACK_DOOR, code="defect", why=why)
            return False
        return True

    async def _open_as(self, installed: Installed) -> None:
        app = self._build(installed)
        if self._make_signed is not None:
            self._signed = self._make_signed(app)
            self._legs.good(LegKind.SLACK_DOOR)
        if self._make_sockets is not None:
            self._sockets = self._make_sockets(app)
            await self._sockets.open()  # It tells of itself, with the cause.
