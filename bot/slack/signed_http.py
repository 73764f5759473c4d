"""Signed HTTP: the other way in. Size, headers and signature are checked on the raw bytes before anything is parsed.

The library's own verifier raises, and so answers 500, where a timestamp is no number or a signature is not ASCII; here
whatever is not a good signature is 401, and no body is ever logged.
"""

import re
from collections.abc import Callable
from typing import Final

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_sdk.signature import Clock, SignatureVerifier
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

PATH: Final = "/slack/events"
LARGEST: Final = 512 * 1024
"""In bytes; a payload carries the whole message or form that it is about."""

_TIMESTAMP: Final = re.compile(r"[0-9]{1,12}", re.ASCII)
_SIGNATURE: Final = re.compile(r"v0=[0-9a-f]{64}", re.ASCII)


class HttpClock(Clock):
    """The library's clock, given instead of read."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        """Keep where seconds since 1970 come from."""
        self._seconds = seconds

    def now(self) -> float:
        """Return them."""
        return self._seconds()


class SignedHttp:
    """Lets Slack's own requests in, and nothing else."""

    def __init__(self, app: AsyncApp, signing_secret: str, *, seconds: Callable[[], float]) -> None:
        """Keep what verifies and what answers.

        Raises:
            ValueError: The secret is empty or blank: everybody could sign with that.
        """
        if not signing_secret.strip():
            raise ValueError("the signing secret is empty")
        self._app = app
        self._verifier = SignatureVerifier(signing_secret, clock=HttpClock(seconds))

    def route(self) -> Route:
        """Return the route to mount."""
        return Route(PATH, self.handle, methods=["POST"])

    async def handle(self, request: Request) -> Response:
        """Return the answer to one request of Slack's, or of somebody who says so."""
        body = await _bounded_body(request)
        if body is None:
            return Response(status_code=413)
        text = self._verified(request, body)
        if text is None:
            return Response(status_code=401)
        try:
            asked = AsyncBoltRequest(body=text, headers=dict(request.headers))
        except (ValueError, TypeError, KeyError, AttributeError):
            # The library takes a body of another shape apart without looking: signed, and still not understood.
            return Response(status_code=400)
        answer = await self._app.async_dispatch(asked)
        return Response(
            content=answer.body, status_code=answer.status, headers=answer.first_headers_without_set_cookie()
        )

    def _verified(self, request: Request, body: bytes) -> str | None:
        """Return the body as text where Slack signed these bytes in the last five minutes, else None."""
        timestamps = request.headers.getlist("x-slack-request-timestamp")
        signatures = request.headers.getlist("x-slack-signature")
        if len(timestamps) != 1 or len(signatures) != 1:
            return None
        if not _TIMESTAMP.fullmatch(timestamps[0]) or not _SIGNATURE.fullmatch(signatures[0]):
            return None
        try:
            text = body.decode("utf-8")
        except UnicodeDecodeError:
            return None
        return text if self._verifier.is_valid(text, timestamps[0], signatures[0]) else None


async def _bounded_body(request: Request) -> bytes | None:
    """Return the body, or None where it is larger than we read."""
    parts, size = [], 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > LARGEST:
                return None
            parts.append(part)
    except ClientDisconnect:
        return None
    return b"".join(parts)
