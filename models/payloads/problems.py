"""Refusals as they cross the wire: RFC 9457 problem documents, and the HTTP status of each kind of refusal."""

from http import HTTPStatus
from typing import Annotated, Final, Literal

from pydantic import Field

from approvals.errors import (
    Clash,
    Forbidden,
    Malformed,
    Missing,
    Refused,
    TooMany,
    Unauthorised,
    Unavailable,
    Unplannable,
)
from approvals.identity.names import EscalationId
from models.payloads.shapes import Code, PayloadShape, Sentence, ShownId
from models.payloads.strict_json import Unreadable

MEDIA_TYPE: Final = "application/problem+json"

_STATUSES: Final[tuple[tuple[type[Refused], HTTPStatus], ...]] = (
    (Unreadable, HTTPStatus.BAD_REQUEST),
    (Malformed, HTTPStatus.UNPROCESSABLE_ENTITY),
    (Unauthorised, HTTPStatus.UNAUTHORIZED),
    (Forbidden, HTTPStatus.FORBIDDEN),
    (Missing, HTTPStatus.NOT_FOUND),
    (Clash, HTTPStatus.CONFLICT),
    (Unplannable, HTTPStatus.UNPROCESSABLE_ENTITY),
    (TooMany, HTTPStatus.TOO_MANY_REQUESTS),
    (Unavailable, HTTPStatus.SERVICE_UNAVAILABLE),
)


class ProblemPayload(PayloadShape):
    """Why not: for programs in ``code``, for people in ``detail``."""

    type: Literal["about:blank"] = "about:blank"
    title: Annotated[Sentence, Field(description="The status in words.")]
    status: Annotated[int, Field(ge=400, le=599)]
    detail: Sentence
    code: Annotated[Code, Field(description="Stable; never renamed.")]
    field: Annotated[Sentence | None, Field(description="JSON pointer of the culprit in the body.")] = None
    escalation_id: Annotated[ShownId | None, Field(description="Where the refusal is on record.")] = None


def status_of(refused: Refused) -> HTTPStatus:
    """Return the HTTP status by which *refused* is answered; 400 for a kind of refusal not listed."""
    return next((status for kind, status in _STATUSES if isinstance(refused, kind)), HTTPStatus.BAD_REQUEST)


def problem_of(
    refused: Refused, *, status: HTTPStatus | None = None, escalation_id: EscalationId | None = None
) -> ProblemPayload:
    """Return *refused* as a problem document.

    Args:
        refused: The refusal; its sentence holds no text from outside.
        status: Instead of :func:`status_of`, where only the door knows better: 413 for a body too large to read.
        escalation_id: The refused escalation, where one was stored.
    """
    answered = status_of(refused) if status is None else status
    return ProblemPayload(
        title=answered.phrase,
        status=answered.value,
        detail=refused.sentence,
        code=refused.code,
        field=refused.field,
        escalation_id=escalation_id,
    )
