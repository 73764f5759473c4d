"""Alerts: a monitor's webhook. It becomes cards that inform; a monitor's token can do nothing else.

The answer comes after the commit, so what was answered 200 is never lost. Alertmanager sends again after a 5xx and drops a
delivery after a 4xx, which is why only what is no delivery at all is answered so: the rest is taken as far as it goes, and
what was cut of it is counted in the answer and said on the card.
"""

from typing import Annotated

from pydantic import Field
from starlette.requests import Request as Call
from starlette.responses import Response

from approvals.identity.tokens import Token
from approvals.usecases.intake.notice import Noticed
from bot.intake.deps import Deps
from bot.intake.gate.gate import BODY, CALLER
from bot.intake.http.calls import check_json, query_of
from bot.intake.routes.escalations import NoQuery
from models.payloads import delivery_of
from models.payloads.shapes import Count, PayloadShape


class NoticedView(PayloadShape):
    """What one delivery changed."""

    new: Annotated[Count, Field(description="Alerts not seen before.")]
    changed: Annotated[Count, Field(description="Known alerts that have resolved.")]
    folded: Annotated[Count, Field(description="Repeats that changed nothing.")]
    cut: Annotated[
        dict[str, Count],
        Field(
            description="How many labels, annotations and alerts were left out, texts shortened, characters replaced and times"
            " not understood; only those that were."
        ),
    ]


class Alerts:
    """The paths under ``/v1/alerts``."""

    def __init__(self, deps: Deps) -> None:
        """Keep the verb."""
        self._deps = deps

    async def alertmanager(self, call: Call) -> Response:
        """Take down what a monitor reports."""
        query_of(call.scope, NoQuery)
        check_json(call.scope)
        body, token = call.scope[BODY], call.scope[CALLER]
        noticed = await self._deps.pools.intake.run(lambda: self._notice(body, token))
        view = NoticedView(new=noticed.new, changed=noticed.changed, folded=noticed.folded, cut=dict(noticed.cut))
        return Response(view.model_dump_json(), media_type="application/json", headers={"Cache-Control": "no-store"})

    def _notice(self, body: bytes, token: Token) -> Noticed:
        return self._deps.notice(delivery_of(body), token)
