"""Calls: what a single HTTP call brings, taken apart strictly. Pure functions over its head; bodies are read elsewhere.

Where HTTP allows something to be said twice, two readers may believe different ones. So what matters may be said once.
"""

import re
from http import HTTPStatus
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl

from starlette.types import Scope

from approvals.errors import Malformed, Missing
from approvals.identity.names import EscalationId, escalation_id
from approvals.masking import masked
from bot.intake.http.problems import BadRequest, Turned
from models.payloads import read
from models.payloads.shapes import PayloadShape

S = TypeVar("S", bound=PayloadShape)

LONGEST_KEY: Final = 255
"""Of an idempotency key, in characters."""

MOST_PARAMETERS: Final = 8
"""Of one query; no path takes more than three."""

LARGEST_HEADERS: Final = 16 * 1024
"""Of the request line and all headers together, in bytes."""

MOST_HEADERS: Final = 100
"""Slack sends some fifteen, and a chain of proxies adds a dozen."""

_BEARER: Final = re.compile(rb"(?i:bearer) ([A-Za-z0-9._~+/-]{1,256})")
_KEY: Final = re.compile(rb"[\x20-\x7e]{1,255}")
_JSON: Final = re.compile(rb'application/json[ \t]*(;[ \t]*charset[ \t]*=[ \t]*"?utf-?8"?[ \t]*)?', re.IGNORECASE)
_DIGITS: Final = re.compile(r"0|[1-9][0-9]{0,18}")


def check_head(scope: Scope) -> None:
    """Return if the call's first lines are within bounds.

    The HTTP library bounds only what has not come whole yet: a long head in one piece passes it.

    Raises:
        Turned: There are too many headers, or they are too long: 431.
    """
    headers = scope["headers"]
    size = sum(len(name) + len(value) + 4 for name, value in headers)
    line = len(scope.get("raw_path", b"")) + len(scope.get("query_string", b""))
    if len(headers) > MOST_HEADERS or size + line > LARGEST_HEADERS:
        raise headers_too_large()


def headers_too_large() -> Turned:
    """Return the refusal of a call whose first lines are too long."""
    return Turned(
        f"A call has at most {MOST_HEADERS} headers, and {LARGEST_HEADERS} bytes of them.",
        status=HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
        code="headers_too_large",
        headers={"Connection": "close"},
    )


def headers_called(scope: Scope, name: bytes) -> list[bytes]:
    """Return every value of one header, in order; *name* is in lower case."""
    return [value for key, value in scope["headers"] if key == name]


def bearer_of(scope: Scope) -> str | None:
    """Return the one bearer token that the call shows, or None where there is none, or two, or something else."""
    values = headers_called(scope, b"authorization")
    found = _BEARER.fullmatch(values[0]) if len(values) == 1 else None
    return None if found is None else found[1].decode("ascii")


def idempotency_key_of(scope: Scope) -> str:
    """Return the call's idempotency key.

    Raises:
        BadRequest: There is none, or more than one, or it is not 1 to 255 printable ASCII characters, or looks like a
            credential.
    """
    values = headers_called(scope, b"idempotency-key")
    if not values:
        raise BadRequest("The header Idempotency-Key is required.", code="idempotency_key_missing")
    if len(values) > 1 or _KEY.fullmatch(values[0]) is None:
        raise BadRequest(
            f"Idempotency-Key is one header of 1 to {LONGEST_KEY} printable ASCII characters.",
            code="idempotency_key_malformed",
        )
    key = values[0].decode("ascii")
    if masked(key) != key:
        # The key is kept as it is. A client that mixes up its headers would leave its token in the database.
        raise BadRequest("Idempotency-Key looks like a credential.", code="idempotency_key_malformed")
    return key


def check_json(scope: Scope) -> None:
    """Return if the body is said to be plain JSON.

    Raises:
        Turned: It is said to be something else, or to be compressed: 415.
    """
    types = headers_called(scope, b"content-type")
    if headers_called(scope, b"content-encoding") or len(types) != 1 or _JSON.fullmatch(types[0]) is None:
        raise Turned(
            "The body has to be application/json in UTF-8, not compressed.",
            status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            code="not_json_type",
            headers={"Accept": "application/json"},
        )


def check_no_body(body: bytes) -> None:
    """Return if nothing was sent where nothing is read: a body there could name something else than the path.

    Raises:
        BadRequest: Something was.
    """
    if body:
        raise BadRequest("This call takes no body.", code="body_not_allowed")


def escalation_id_of(scope: Scope) -> EscalationId:
    """Return the id that the path names, if it can be one of an escalation at all.

    Raises:
        Missing: It cannot, so there is no such escalation.
    """
    text: str = scope["path_params"]["escalation"]
    try:
        return escalation_id(text)
    except Malformed as refusal:
        raise Missing("You have no such escalation.") from refusal


def query_of(scope: Scope, kind: type[S]) -> S:
    """Return the call's query as a *kind* of shape; digits become numbers where the shape wants one.

    Raises:
        BadRequest: A parameter is not known, or given twice.
        Malformed: A value is not what it should be.
    """
    return read_query(kind, _parameters(scope["query_string"], known=tuple(kind.model_fields)))


def _parameters(query: bytes, *, known: tuple[str, ...]) -> dict[str, str]:
    if not query:
        return {}
    try:
        pairs = parse_qsl(
            query.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=MOST_PARAMETERS,
        )
    except ValueError as error:  # a wrong escape, no "=", too many fields
        raise BadRequest("The query cannot be read.", code="query_malformed") from error
    found = dict(pairs)
    if not found.keys() <= set(known):
        takes = f"takes only: {', '.join(known)}" if known else "takes none"
        raise BadRequest(f"There is no such query parameter; this call {takes}.", code="unknown_parameter")
    if len(found) != len(pairs):
        raise BadRequest("A query parameter is given twice.", code="duplicate_parameter")
    return found


def read_query(kind: type[S], found: dict[str, str]) -> S:
    """Return the parameters *found* as a *kind* of shape.

    Raises:
        Malformed: A value is not what it should be; the sentence names the parameter.
    """
    values: dict[str, Any] = {
        name: int(text) if _DIGITS.fullmatch(text) and _is_number(kind, name) else text for name, text in found.items()
    }
    try:
        return read(kind, values)
    except Malformed as fault:
        name = (fault.field or "").lstrip("/")
        # The field of a problem points into the body, and this is none.
        raise Malformed(f"The query parameter {name}: {fault.sentence}", code=fault.code) from None


def _is_number(kind: type[PayloadShape], name: str) -> bool:
    return kind.model_fields[name].annotation in {int, int | None}
