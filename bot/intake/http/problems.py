"""Problems: refusals as HTTP answers (RFC 9457), and the few refusals that only this door knows.

A refusal's sentence holds our own words only, so it may be sent. What is no refusal is a defect: it is answered with a fixed
text, because an exception's own words may quote what somebody sent, or a secret.
"""

import math
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final

from starlette.exceptions import HTTPException
from starlette.responses import Response

from approvals.errors import Forbidden, Refused, TooMany, Unauthorised, Unavailable
from approvals.identity.names import EscalationId
from models.payloads import ProblemPayload, problem_of, status_of
from models.payloads.problems import MEDIA_TYPE
from models.payloads.strict_json import Unreadable

LATER_S: Final = 2
"""When to ask again after "not now"."""

MUCH_LATER_S: Final = 30
"""When to ask again after a bound that only people's answers move, such as too many open questions."""


class Turned(Refused):
    """Refused by HTTP's own rules, before anybody looked at what is wanted."""

    def __init__(
        self, sentence: str, *, status: HTTPStatus, code: str, headers: Mapping[str, str] | None = None
    ) -> None:
        """Keep the status, and headers that go with it."""
        super().__init__(sentence, code=code)
        self.status = status
        self.headers = dict(headers or {})


class BadRequest(Unreadable):
    """A header, a query or an unwanted body breaks a rule: 400."""


class Throttled(TooMany):
    """Too often; ``after`` says in how many seconds it may be tried again."""

    def __init__(self, sentence: str, *, after: float, code: str) -> None:
        """Keep the time to wait."""
        super().__init__(sentence, code=code)
        self.after = after


class OnRecord(Forbidden):
    """An escalation that was refused and stored as such, so it needs no record of its own."""

    def __init__(self, sentence: str, *, code: str, escalation_id: EscalationId) -> None:
        """Keep the escalation's id."""
        super().__init__(sentence, code=code)
        self.escalation_id = escalation_id


def answer_to(refused: Refused, *, close: bool = False) -> Response:
    """Return *refused* as a problem document.

    Args:
        refused: The refusal.
        close: Whether the connection ends with it, because the rest of the call was not read.
    """
    status = refused.status if isinstance(refused, Turned) else status_of(refused)
    escalation_id = refused.escalation_id if isinstance(refused, OnRecord) else None
    problem = problem_of(refused, status=status, escalation_id=escalation_id)
    headers = dict(_headers_of(refused))
    if close:
        headers["Connection"] = "close"
    return document(problem, headers=headers)


def for_monitors(refused: Refused) -> Refused:
    """Return *refused* as a monitor has to be told: Alertmanager sends again after a 5xx alone, and drops all else for good.

    So what comes too fast or too slowly, and would do a moment later, is a 503 to it.
    """
    is_slow = isinstance(refused, Turned) and refused.status is HTTPStatus.REQUEST_TIMEOUT
    if not is_slow and not isinstance(refused, TooMany):
        return refused
    headers = {"Retry-After": str(LATER_S), **_headers_of(refused)}
    return Turned(refused.sentence, status=HTTPStatus.SERVICE_UNAVAILABLE, code=refused.code, headers=headers)


def defect() -> Response:
    """Return the answer to a call on which we failed: always the same."""
    return document(
        ProblemPayload(
            title=HTTPStatus.INTERNAL_SERVER_ERROR.phrase,
            status=HTTPStatus.INTERNAL_SERVER_ERROR.value,
            detail="This is a defect of Countersign; it is in the log. Nothing was answered with yes.",
            code="defect",
        ),
        headers={"Connection": "close"},
    )


def document(problem: ProblemPayload, *, headers: Mapping[str, str]) -> Response:
    """Return a problem as an answer; what does not apply is left out."""
    return Response(
        problem.model_dump_json(exclude_none=True),
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers={"Cache-Control": "no-store", **headers},
    )


def _headers_of(refused: Refused) -> Mapping[str, str]:
    match refused:
        case Turned():
            return refused.headers
        case Unauthorised():
            return {"WWW-Authenticate": "Bearer"}
        case Throttled():
            return {"Retry-After": str(math.ceil(refused.after))}
        case TooMany():
            return {"Retry-After": str(MUCH_LATER_S)}
        case Unavailable():
            return {"Retry-After": str(LATER_S)}
        case _:
            return {}


_ROUTING: Final = {
    HTTPStatus.NOT_FOUND: ("There is nothing at this path.", "no_such_path"),
    HTTPStatus.METHOD_NOT_ALLOWED: ("This path does not take that method.", "method_not_allowed"),
}


def turned_by_router(error: HTTPException, *, allowed: Sequence[str]) -> Turned:
    """Return what the router found, no such path or no such method there, as a refusal; *allowed* are the path's methods."""
    status = HTTPStatus(error.status_code)
    sentence, code = _ROUTING.get(status, ("The call cannot be answered.", "refused"))
    headers = {"Allow": ", ".join(allowed)} if status is HTTPStatus.METHOD_NOT_ALLOWED else {}
    return Turned(sentence, status=status, code=code, headers=headers)
