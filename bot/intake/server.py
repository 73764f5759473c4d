"""The server's application: routes, the gate around them, and what runs beside them.

Further paths (Slack's, in HTTP mode) may be added to the application; they pass the gate, which bounds their bodies, and bring
a credential of their own.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.exceptions import HTTPException
from starlette.requests import Request as Call
from starlette.responses import Response
from starlette.routing import Match

from bot.intake import contract
from bot.intake.deps import Deps
from bot.intake.gate.credentials import Credentials
from bot.intake.gate.gate import Gate
from bot.intake.gate.refusals import Refusals
from bot.intake.http.crowd import Crowd
from bot.intake.http.problems import turned_by_router
from bot.intake.http.sources import Sources
from bot.intake.http.wire import IntakeServer
from bot.intake.routes.alerts import Alerts
from bot.intake.routes.escalations import Escalations, look_in
from bot.intake.routes.health import Health
from bot.intake.routes.polls import Polls

_NO_TELEMETRY: Final[TelemetryConfig] = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
"""FastAPI's own would be set up from the environment, and its log records hold exceptions' texts."""


class Intake:
    """The door: its application, and how to let go of those who wait."""

    def __init__(self, deps: Deps) -> None:
        """Put the door together."""
        pool, metrics = deps.pools.intake, deps.metrics
        self._sources = Sources(deps.proxies)
        self.polls = Polls(look_in(deps.store), pool=pool, failed=metrics.failed, hears=deps.hears)
        self._refusals = Refusals(deps.admit, pool=pool, one_by_one=deps.buckets(deps.rates.refusals), metrics=metrics)
        metrics.watch_polls(lambda: len(self.polls))
        metrics.watch_pools(deps.pools)
        self.app = self._application()
        _add_routes(self.app, deps, self.polls)
        self.app.add_middleware(
            Gate,
            sources=self._sources,
            credentials=Credentials(deps.admit, pool=pool, failures=deps.buckets(deps.rates.failures)),
            calls=deps.buckets(deps.rates.calls),
            refusals=self._refusals,
            metrics=metrics,
            clock=deps.clock,
        )

    def server(self, *, host: str, port: int) -> IntakeServer:
        """Return the HTTP server of this door; :func:`bot.intake.http.wire.check_listen` has let *host* pass."""
        crowd = Crowd(is_shared=self._sources.is_proxy)
        return IntakeServer(self.app, host=host, port=port, stopping=self.polls.close, crowd=crowd)

    def _application(self) -> FastAPI:
        app = FastAPI(
            title="Countersign",
            docs_url=None,
            redoc_url=None,
            redirect_slashes=False,
            telemetry=_NO_TELEMETRY,
            lifespan=self._lifespan(),
            exception_handlers={HTTPException: _turn_away},
        )
        app.openapi = lambda: _described(app)  # type: ignore[method-assign]
        return app

    def _lifespan(self) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
        @asynccontextmanager
        async def lifespan(app: FastAPI) -> AsyncIterator[None]:
            del app
            tasks = [asyncio.create_task(self.polls.watch()), asyncio.create_task(self._refusals.tell_every_minute())]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                await self._refusals.tell()

        return lifespan


def _described(app: FastAPI) -> dict[str, object]:
    if app.openapi_schema is None:
        app.openapi_schema = contract.describe(app)
    return app.openapi_schema


def _add_routes(app: FastAPI, deps: Deps, polls: Polls) -> None:
    escalations, alerts, health = Escalations(deps, polls), Alerts(deps), Health(deps)
    all_of_them, one = "/v1/escalations", "/v1/escalations/{escalation}"
    for method, path, endpoint, extra in (
        ("POST", all_of_them, escalations.open, contract.OPEN),
        ("GET", all_of_them, escalations.list, contract.LIST),
        ("GET", one, escalations.show, contract.SHOW),
        ("POST", f"{one}/cancel", escalations.cancel, contract.CANCEL),
        ("POST", "/v1/alerts/alertmanager", alerts.alertmanager, contract.ALERTMANAGER),
        ("GET", "/healthz", health.alive, contract.HEALTH),
        ("GET", "/readyz", health.ready, contract.READY),
    ):
        app.add_api_route(
            path, endpoint, methods=[method], response_class=Response, response_model=None, openapi_extra=extra
        )
    app.add_api_route("/metrics", health.metrics, methods=["GET"], include_in_schema=False, response_model=None)


async def _turn_away(call: Call, error: HTTPException) -> Response:
    """Raise what the router found as a refusal, for the gate to answer like every other."""
    raise turned_by_router(error, allowed=_methods_at(call)) from None


def _methods_at(call: Call) -> list[str]:
    """Return every method that the path takes; the router names those of one route only."""
    found = [route for route in call.app.routes if route.matches(call.scope)[0] is not Match.NONE]
    return sorted({method for route in found for method in getattr(route, "methods", None) or ()})
