"""Alerts: Alertmanager's webhook. It becomes a card that informs; a monitor's token can do nothing else.

The answer comes after the commit, so what was answered 200 is never lost. Alertmanager sends again after a 5xx and drops a
delivery after a 4xx, which is why only what can never be understood is answered so.
"""

from typing import Annotated

from pydantic import Field
from starlette.requests import Request as Call
from starlette.responses import Response

from approvals.tokens import Token
from approvals.usecases.notice import Noticed
from bot.intake.calls import check_json, query_of
from bot.intake.deps import Deps
from bot.intake.escalations import NoQuery
from bot.intake.gate import BODY, CALLER
from models.payloads import AlertmanagerPayload, read, reports_of
from models.payloads.shapes import Count, Shape
from models.strict_json import parse


class NoticedView(Shape):
    """What one delivery changed."""

    new: Annotated[Count, Field(description="Alerts not seen before.")]
    changed: Annotated[Count, Field(description="Known alerts that have resolved.")]
    folded: Annotated[Count, Field(description="Repeats that changed nothing.")]


class Alerts:
    """The paths under ``/v1/alerts``."""

    def __init__(self, deps: Deps) -> None:
        """Keep the verb."""
        self._deps = deps

    async def alertmanager(self, call: Call) -> Response:
        """Take down what an Alertmanager reports."""
        query_of(call.scope, NoQuery)
        check_json(call.scope)
        body, token = call.scope[BODY], call.scope[CALLER]
        noticed = await self._deps.pools.intake.run(lambda: self._notice(body, token))
        view = NoticedView(new=noticed.new, changed=noticed.changed, folded=noticed.folded)
        return Response(view.model_dump_json(), media_type="application/json", headers={"Cache-Control": "no-store"})

    def _notice(self, body: bytes, token: Token) -> Noticed:
        return self._deps.notice(reports_of(read(AlertmanagerPayload, parse(body))), token)
