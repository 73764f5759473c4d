"""Refusals: every way to say no, as the Status object that a Kubernetes API server answers with.

Raised anywhere below :mod:`sandbox.cluster.api` and turned into an answer there. Messages have the server's shape,
down to the habit of a failed strict decoding to quote the whole object, so that a client which lets the server's words
through shows it in its tests. Never a token.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.cluster.jsontypes import JsonObject


@dataclass(frozen=True, slots=True)
class Cause:
    """What is wrong with one field."""

    reason: str
    message: str
    field: str


@dataclass
class Refused(Exception):
    """The request is refused, with this status code, reason and message."""

    code: int
    reason: str
    message: str
    details: JsonObject | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        """Say it in one line, for whoever meets it as an exception."""
        return f"{self.code} {self.reason}: {self.message}"

    @property
    def body(self) -> JsonObject:
        """The Status object."""
        status: JsonObject = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            status["reason"] = self.reason
        if self.details is not None:
            status["details"] = self.details
        return {**status, "code": self.code}


def details(group: str, kind: str, name: str = "", causes: Iterable[Mapping[str, str]] = ()) -> JsonObject:
    """Return a Status's details, without what is empty."""
    given = {"name": name, "group": group, "kind": kind, "causes": list(causes)}
    return {key: value for key, value in given.items() if value}


def qualified(resource: str, group: str) -> str:
    """Return the name by which messages call a resource, such as ``deployments.apps``."""
    return f"{resource}.{group}" if group else resource


def not_offered(what: str) -> Refused:
    """Return the refusal of something that a real API server may do and this stand-in does not."""
    message = (
        f"the stand-in does not offer {what}; it is no Kubernetes cluster and knows only what scale and restart need"
    )
    return Refused(501, "NotImplemented", message)


def unauthorized() -> Refused:
    """Return the refusal of a credential; it never says why."""
    return Refused(401, "Unauthorized", "Unauthorized")


def not_found(group: str, resource: str, name: str) -> Refused:
    """Return that there is no such object."""
    message = f'{qualified(resource, group)} "{name}" not found'
    return Refused(404, "NotFound", message, details(group, resource, name))


def bad_request(message: str) -> Refused:
    """Return that the request makes no sense."""
    return Refused(400, "BadRequest", message)


def conflict(group: str, resource: str, name: str, why: str) -> Refused:
    """Return that a precondition does not hold."""
    message = f'Operation cannot be fulfilled on {qualified(resource, group)} "{name}": {why}'
    return Refused(409, "Conflict", message, details(group, resource, name))


def forbidden(group: str, resource: str, name: str, why: str, *, causes: Iterable[Mapping[str, str]] = ()) -> Refused:
    """Return that this user may not do this."""
    subject = f'{qualified(resource, group)} "{name}"' if name else qualified(resource, group)
    return Refused(403, "Forbidden", f"{subject} is forbidden: {why}", details(group, resource, name, causes))


def invalid(group: str, kind: str, name: str, causes: Iterable[Cause]) -> Refused:
    """Return that fields hold what they may not hold; at least one cause."""
    found = list(causes)
    said = [f"{cause.field}: {cause.message}" for cause in found]
    told = said[0] if len(said) == 1 else f"[{', '.join(said)}]"
    as_json = [{"reason": cause.reason, "message": cause.message, "field": cause.field} for cause in found]
    message = f'{qualified(kind, group)} "{name}" is invalid: {told}'
    return Refused(422, "Invalid", message, details(group, kind, name, as_json))


def undecodable(patched: Mapping[str, Any], why: str) -> Refused:
    """Return that a patch does not lead to an object of its kind; like the server's, it quotes the whole object."""
    quoted = json.dumps(json.dumps(patched, separators=(",", ":")))
    return invalid("", "", "", [Cause("FieldValueInvalid", f"Invalid value: {quoted}: {why}", "patch")])


def not_a_patch() -> Refused:
    """Return that the body of a PATCH is of no type that is known as a patch."""
    return Refused(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})


def not_json() -> Refused:
    """Return that the body of a POST is not said to be JSON."""
    known = "accepted media types include: application/json"
    return Refused(415, "UnsupportedMediaType", f"the body of the request was in an unknown format - {known}")


def too_large(limit: int) -> Refused:
    """Return that the body is larger than *limit* bytes."""
    return Refused(413, "RequestEntityTooLarge", f"Request entity too large: limit is {limit}")
