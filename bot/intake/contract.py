"""The contract: what ``/openapi.json`` says of this door, made from the shapes that the door reads and writes.

A test sends what it says and holds every answer against it, so it cannot drift from what the routes do.
"""

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from bot.intake.http.calls import LONGEST_KEY
from bot.intake.routes.alerts import NoticedView
from bot.intake.routes.escalations import ListQuery, PollQuery
from bot.intake.routes.health import HealthView, ReadyView
from models.payloads import AlertmanagerPayload, EscalationPageView, EscalationPayload, EscalationView, ProblemPayload
from models.payloads.problems import MEDIA_TYPE as PROBLEM
from models.payloads.shapes import PayloadShape, WantedId

JSON: Final = "application/json"
VERSION: Final = "1"
"""Of the interface, as in its paths."""

_REF: Final = "#/components/schemas/{model}"
_SHAPES: Final[tuple[tuple[type[BaseModel], JsonSchemaMode], ...]] = (
    (EscalationPayload, "validation"),
    (AlertmanagerPayload, "validation"),
    (EscalationView, "serialization"),
    (EscalationPageView, "serialization"),
    (NoticedView, "serialization"),
    (HealthView, "serialization"),
    (ReadyView, "serialization"),
    (ProblemPayload, "serialization"),
)
_TOKENS: Final = {
    "agent": {"type": "http", "scheme": "bearer", "description": "An agent's token."},
    "monitor": {"type": "http", "scheme": "bearer", "description": "A monitor's token; it can deliver alerts only."},
}

_EVERYWHERE: Final = (400, 408, 413, 431, 500, 503)
_BEHIND_A_TOKEN: Final = {
    "agent": (*_EVERYWHERE, 401, 429),
    "monitor": (*_EVERYWHERE, 401),  # what is too fast is a 503 to it
}
_WHY: Final = {
    400: "A header, the query or the body cannot be read in one way only.",
    401: "The credential is missing or not good; which of it is not told.",
    403: "Refused by policy, charter, token scope or pause. A refused escalation is on record under escalation_id, unless the"
    " key stands for one outside of the token's scope.",
    404: "There is no such escalation of this agent within the token's scope.",
    408: "The headers or the body did not come in time.",
    409: "It contradicts what is already decided or stored.",
    413: "The body is too large.",
    415: "The body is not plain JSON in UTF-8.",
    422: "Readable, but not of the right shape, or nothing that can be previewed.",
    429: "Too much at once; Retry-After says when to come back.",
    431: "There are too many headers, or they are too long.",
    500: "A defect of Countersign; nothing was answered with yes.",
    503: "The answer is not known now; asking again later is fine.",
}


def describe(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document of *app*."""
    document = get_openapi(
        title="Countersign: intake",
        version=VERSION,
        summary="Agents escalate, monitors report; people decide elsewhere.",
        routes=app.routes,
    )
    _, definitions = models_json_schema(_SHAPES, ref_template=_REF)
    document["components"] = {"schemas": _spelt_out(definitions["$defs"]), "securitySchemes": _TOKENS}
    return document


_SPELT: Final = {"ge": "minimum", "le": "maximum"}
"""How JSON Schema calls the bounds that pydantic leaves in its own words beside a schema that was given to it."""


def _spelt_out(schema: Any) -> Any:
    """Return *schema* with every keyword in JSON Schema's words; the names of fields are no keywords."""
    if isinstance(schema, list):
        return [_spelt_out(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        _SPELT.get(key, key): {name: _spelt_out(one) for name, one in inner.items()}
        if key == "properties"
        else _spelt_out(inner)
        for key, inner in schema.items()
    }


_KEY_HEADER: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "One header of printable ASCII. The same key and body give the same escalation again.",
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY},
}

_ID_IN_PATH: Final = {
    "name": "escalation",
    "in": "path",
    "required": True,
    "description": "The escalation's id, as it was given when it was opened.",
    "schema": TypeAdapter(WantedId).json_schema(),
}


def _said(
    success: dict[int, str],
    *,
    caller: str | None = None,
    body: str | None = None,
    query: type[PayloadShape] | None = None,
    key: bool = False,
    one: bool = False,
    refusals: tuple[int, ...] = (),
) -> dict[str, Any]:
    """Return what a path says of itself, as FastAPI takes it.

    Args:
        success: For each good status the name of the answer's shape.
        caller: Which of the two kinds of token it asks for.
        body: The name of the body's shape, where it takes one.
        query: The shape of its query.
        key: Whether it asks for an idempotency key.
        one: Whether its path names one escalation.
        refusals: The statuses by which it refuses, beside those of every path.
    """
    statuses = sorted({*(_BEHIND_A_TOKEN[caller] if caller else _EVERYWHERE), *refusals})
    responses: dict[str, Any] = {str(status): _response(name, JSON) for status, name in success.items()}
    responses |= {str(status): _response("ProblemPayload", PROBLEM, _WHY[status]) for status in statuses}
    operation: dict[str, Any] = {"responses": responses}
    named = [*([_KEY_HEADER] if key else []), *([_ID_IN_PATH] if one else [])]
    if parameters := [*named, *_query_parameters(query)]:
        operation["parameters"] = parameters
    if caller:
        operation["security"] = [{caller: []}]
    if body:
        operation["requestBody"] = {"required": True, "content": {JSON: {"schema": _reference(body)}}}
    return operation


def _query_parameters(query: type[PayloadShape] | None) -> list[dict[str, Any]]:
    if query is None:
        return []
    schema = query.model_json_schema(ref_template=_REF)
    return [
        {
            "name": name,
            "in": "query",
            "required": False,
            "description": found.pop("description"),
            "schema": {
                key: value for key, value in found.items() if key not in {"title", "default"} or value is not None
            },
        }
        for name, found in schema["properties"].items()
    ]


def _response(name: str, media_type: str, description: str | None = None) -> dict[str, Any]:
    return {"description": description or "As asked.", "content": {media_type: {"schema": _reference(name)}}}


def _reference(name: str) -> dict[str, str]:
    return {"$ref": _REF.format(model=name)}


_VIEW: Final = "EscalationView"

OPEN: Final = _said(
    {202: _VIEW, 200: _VIEW}, caller="agent", body="EscalationPayload", key=True, refusals=(403, 409, 415, 422)
)
LIST: Final = _said({200: "EscalationPageView"}, caller="agent", query=ListQuery, refusals=(422,))
SHOW: Final = _said({200: _VIEW}, caller="agent", query=PollQuery, one=True, refusals=(404, 422))
CANCEL: Final = _said({200: _VIEW}, caller="agent", one=True, refusals=(404, 409))
ALERTMANAGER: Final = _said(
    {200: "NoticedView"}, caller="monitor", body="AlertmanagerPayload", refusals=(403, 415, 422)
)
HEALTH: Final = _said({200: "HealthView"})
READY: Final = _said({200: "ReadyView"})
