"""Decoding: from the bytes of a body to an object of a known kind, as strictly as the request asks."""

from collections.abc import Iterable, Mapping
from typing import Any

from sandbox.cluster import refusals, schema
from sandbox.cluster.jsontypes import JsonObject, NotJson, merge, read_object


def created(kind: str, group: str, body: bytes) -> tuple[JsonObject, tuple[str, ...]]:
    """Return the object in the body of a POST, and warnings about fields that were dropped.

    Raises:
        Refused: 400, it is no such object.
    """
    try:
        value, repeated = read_object(body)
    except NotJson as error:
        raise refusals.bad_request(f"the object provided is unrecognized (must be of type {kind}): {error}") from error
    named = (value.get("kind", kind), value.get("apiVersion", f"{group}/v1"))
    if named != (kind, f"{group}/v1"):
        raise refusals.bad_request(f'{named[0]} in version "{named[1]}" cannot be handled as a {kind}')
    faults = schema.faults(kind, value)
    wrong = [fault.message for fault in faults if not fault.is_unknown]
    if wrong:
        raise refusals.bad_request(f'{kind} in version "v1" cannot be handled as a {kind}: {wrong[0]}')
    return schema.without_unknown(kind, value), _dropped(faults, repeated)


def patched(
    kind: str, before: Mapping[str, Any], body: bytes, *, strictness: str
) -> tuple[JsonObject, tuple[str, ...]]:
    """Return *before* with the merge patch in *body*, and warnings about fields that were dropped.

    Args:
        strictness: ``Strict`` refuses unknown and repeated fields, ``Warn`` drops them and says so, ``Ignore`` only drops.

    Raises:
        Refused: 400 or 422, as the server answers.
    """
    try:
        patch, repeated = read_object(body)
    except NotJson as error:
        raise refusals.bad_request(f"error decoding patch: {error}") from error
    after: JsonObject = merge(dict(before), patch)
    if (after.get("kind"), after.get("apiVersion")) != (before["kind"], before["apiVersion"]):
        raise refusals.undecodable(
            after, f'no kind "{after.get("kind")}" is registered for version "{after.get("apiVersion")}"'
        )
    faults = schema.faults(kind, after)
    wrong = [fault.message for fault in faults if not fault.is_unknown]
    if wrong:
        raise refusals.undecodable(after, wrong[0])
    dropped = _dropped(faults, repeated)
    if dropped and strictness == "Strict":
        raise refusals.undecodable(after, f"strict decoding error: {', '.join(dropped)}")
    return schema.without_unknown(kind, after), dropped if strictness == "Warn" else ()


def _dropped(faults: Iterable[schema.Fault], repeated: Iterable[str]) -> tuple[str, ...]:
    unknown = [fault.message for fault in faults if fault.is_unknown]
    return (*(f'duplicate field "{path}"' for path in repeated), *unknown)
