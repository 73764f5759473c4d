"""Health: is the process alive, should it get traffic, and what has it counted? Open to whoever reaches the port.

What tells whether it is ready names no environment, channel or person. The figures name environments: keep them to yourselves.
"""

import asyncio
from dataclasses import replace
from http import HTTPStatus
from typing import Annotated, Final, Literal

from pydantic import Field
from starlette.requests import Request as Call
from starlette.responses import Response

from approvals.errors import Unavailable
from bot.health.legs import LegKind, LegState, Readiness, Together, together
from bot.intake.deps import Deps
from bot.intake.http.calls import query_of
from bot.intake.routes.escalations import NoQuery
from bot.observe.metrics import MEDIA_TYPE
from models.payloads.shapes import Code, Count, Instant, PayloadShape

KEPT_S: Final = 1.0
"""How long an answer to "ready?" is given again, so that asking cannot load the store."""

MOST_LEGS: Final = len(LegKind) * 100
"""How many lines the legs fill: those that are alike share one, and each part has a handful of codes."""


class HealthView(PayloadShape):
    """Alive."""

    status: Literal["ok"]


class LegView(PayloadShape):
    """Something that the service stands on; those that are alike are counted together, without their names."""

    leg: LegKind
    state: LegState
    code: Code
    number: Count
    since: Instant


class ReadyView(PayloadShape):
    """Ready for traffic; what does not stand is among the legs."""

    status: Literal["ready"]
    legs: Annotated[list[LegView], Field(max_length=MOST_LEGS)]


class Health:
    """The paths that monitors ask."""

    def __init__(self, deps: Deps) -> None:
        """Keep what to ask."""
        self._deps = deps
        self._lock = asyncio.Lock()
        self._asked_at = float("-inf")
        self._readiness = Readiness(legs=())

    async def alive(self, call: Call) -> Response:
        """Say that the process answers."""
        query_of(call.scope, NoQuery)
        return _answer(HealthView(status="ok"))

    async def ready(self, call: Call) -> Response:
        """Say whether it should get traffic, and how its legs are; 503 with what is missing where it should get none."""
        query_of(call.scope, NoQuery)
        async with self._lock:
            if self._deps.clock() - self._asked_at >= KEPT_S:
                await self._look()
        if missing := self._readiness.missing:
            raise Unavailable(f"Not ready: {', '.join(missing)}.", code="not_ready")
        legs = [_leg_view(one) for one in together(self._readiness.legs)]
        return _answer(ReadyView(status="ready", legs=legs))

    async def _look(self) -> None:
        """Ask anew. Where the door is full the last answer stands: a storm of calls must not take Slack's way in away."""
        try:
            self._readiness = await self._deps.pools.intake.run(self._deps.readiness)
        except Unavailable as error:
            self._readiness = replace(self._readiness, is_stopping=error.code == "stopping")
        self._asked_at = self._deps.clock()

    async def metrics(self, call: Call) -> Response:
        """Give every figure in Prometheus' text format."""
        query_of(call.scope, NoQuery)
        return Response(self._deps.metrics.text(), headers={"Content-Type": MEDIA_TYPE})


def _answer(view: HealthView | ReadyView) -> Response:
    status = HTTPStatus.OK
    return Response(view.model_dump_json(), status_code=status, media_type="application/json")


def _leg_view(one: Together) -> LegView:
    return LegView(leg=one.part, state=one.state, code=one.code, number=one.number, since=one.since)
