"""Health: is the process alive, can it do its work, and what has it counted? Open to whoever reaches the port; no names in it."""

import asyncio
from http import HTTPStatus
from typing import Final, Literal

from starlette.requests import Request as Call
from starlette.responses import Response

from approvals.errors import Unavailable
from bot.intake.calls import query_of
from bot.intake.deps import Deps
from bot.intake.escalations import NoQuery
from bot.metrics import MEDIA_TYPE
from models.payloads.shapes import Shape

KEPT_S: Final = 1.0
"""How long an answer to "ready?" is given again, so that asking cannot load the store."""


class HealthView(Shape):
    """Alive, or ready."""

    status: Literal["ok", "ready"]


class Health:
    """The paths that monitors ask."""

    def __init__(self, deps: Deps) -> None:
        """Keep what to ask."""
        self._deps = deps
        self._lock = asyncio.Lock()
        self._asked_at = float("-inf")
        self._missing: tuple[str, ...] = ()

    async def alive(self, call: Call) -> Response:
        """Say that the process answers."""
        query_of(call.scope, NoQuery)
        return _answer(HealthView(status="ok"))

    async def ready(self, call: Call) -> Response:
        """Say whether it can do its work: 503 with the names of what is missing where it cannot."""
        query_of(call.scope, NoQuery)
        async with self._lock:
            if self._deps.clock() - self._asked_at >= KEPT_S:
                self._missing = await self._deps.pools.intake.run(self._deps.not_ready)
                self._asked_at = self._deps.clock()
        if self._missing:
            raise Unavailable(f"Not ready: {', '.join(self._missing)}.", code="not_ready")
        return _answer(HealthView(status="ready"))

    async def metrics(self, call: Call) -> Response:
        """Give every figure in Prometheus' text format."""
        query_of(call.scope, NoQuery)
        return Response(self._deps.metrics.text(), headers={"Content-Type": MEDIA_TYPE})


def _answer(view: HealthView) -> Response:
    status = HTTPStatus.OK
    return Response(view.model_dump_json(), status_code=status, media_type="application/json")
