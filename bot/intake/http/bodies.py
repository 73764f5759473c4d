"""Bodies: read whole, within bounds of size and time, or not at all. What is in them is not looked at here."""

import asyncio
import re
from http import HTTPStatus
from typing import Final

from starlette.types import Message, Receive, Scope

from bot.intake.http.calls import headers_called
from bot.intake.http.problems import BadRequest, Turned

WITHIN_S: Final = 10.0
"""For a whole body; the largest that is taken needs 0.8 Mbit/s for it."""

LINGER_BYTES: Final = 16 * 1024 * 1024
"""How much of a body that was refused is still read and thrown away, ..."""

LINGER_S: Final = 2.0
"""... and for how long: closing on unread bytes resets the connection, and the client may never see why."""

_LENGTH: Final = re.compile(rb"[0-9]{1,18}")


class ClientGone(Exception):
    """The client hung up; there is nobody to answer."""


def check_declared(scope: Scope, *, most: int) -> None:
    """Return if the call declares no more than *most* bytes, before one of them is read.

    Raises:
        BadRequest: Its length is given in two ways, by which two readers could part it differently.
        Turned: It is too large: 413.
    """
    lengths = headers_called(scope, b"content-length")
    if len(lengths) > 1 or (lengths and headers_called(scope, b"transfer-encoding")):
        raise BadRequest("The length of the body is given twice.", code="ambiguous_length")
    if lengths and (_LENGTH.fullmatch(lengths[0]) is None or int(lengths[0]) > most):
        raise _too_large(most)


async def read_body(receive: Receive, *, most: int) -> bytes:
    """Return the whole body.

    Raises:
        Turned: It is larger than *most* bytes (413) or does not come in time (408).
        Gone: The client hung up in the middle.
    """
    body = bytearray()
    try:
        async with asyncio.timeout(WITHIN_S):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone
                body += message.get("body", b"")
                if len(body) > most:
                    raise _too_large(most)
                if not message.get("more_body", False):
                    return bytes(body)
    except TimeoutError as error:
        raise Turned(
            f"The body did not come within {WITHIN_S:g} seconds.", status=HTTPStatus.REQUEST_TIMEOUT, code="slow_body"
        ) from error


async def linger(receive: Receive) -> None:
    """Read what is left of a refused body, up to a bound, so that the client gets to read the answer."""
    read = 0
    try:
        async with asyncio.timeout(LINGER_S):
            while read < LINGER_BYTES:
                message = await receive()
                read += len(message.get("body", b""))
                if message["type"] == "http.disconnect" or not message.get("more_body", False):
                    return
    except TimeoutError:
        return


def replaying(body: bytes, receive: Receive) -> Receive:
    """Return a channel that gives *body*, which was read already, and then what *receive* gives."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _too_large(most: int) -> Turned:
    return Turned(
        f"The body is larger than {most} bytes.", status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE, code="too_large"
    )
