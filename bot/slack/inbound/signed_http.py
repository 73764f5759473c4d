"""Signed HTTP: the other way in. Size, headers and signature are checked on the raw bytes before anything is parsed.

The library's own verifier raises, and so answers 500, where a timestamp is no number, a signature is not ASCII or a body is not
UTF-8; here whatever is not a good signature is 401, and no body is ever logged. What is signed is always acknowledged: Slack sent
it, whatever it means, and a person may wait for the answer.
"""

import hashlib
import hmac
import re
from collections.abc import Callable
from functools import partial
from typing import Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from bot.slack.inbound.door import App
from bot.slack.inbound.reader import HttpMessage, read_http

PATH: Final = "/slack/events"
MOST_CHECKED: Final = 1024 * 1024
"""How many bytes are taken in to see who signed them: what Slack sent is answered, even where it is too large to be read."""

FRESH_SECONDS: Final = 300
"""How far a signature's time may be from ours, on either side; Slack's own number."""

_TIMESTAMP: Final = re.compile(r"[0-9]{1,12}", re.ASCII)
_SIGNATURE: Final = re.compile(r"v0=[0-9a-f]{64}", re.ASCII)


class SignedHttp:
    """Lets Slack's own requests in, and nothing else."""

    def __init__(self, app: App, signing_secret: str, *, seconds: Callable[[], float]) -> None:
        """Keep what verifies and what answers.

        Raises:
            ValueError: The secret is empty or blank: everybody could sign with that.
        """
        if not signing_secret.strip():
            raise ValueError("the signing secret is empty")
        self._app = app
        self._secret = signing_secret.encode()
        self._seconds = seconds

    def route(self) -> Route:
        """Return the route to mount."""
        return Route(PATH, self.handle, methods=["POST"])

    async def handle(self, request: Request) -> Response:
        """Return the answer to one request of Slack's, or of somebody who says so."""
        body = await _bounded_body(request)
        if body is None:
            return Response(status_code=413)
        if not self._is_signed(request, body):
            return Response(status_code=401)
        message = HttpMessage(
            body=body,
            content_types=request.headers.getlist("content-type"),
            encodings=request.headers.getlist("content-encoding"),
        )
        answer = await self._app.answer(partial(read_http, message))
        return Response(
            content=answer.body, status_code=answer.status, headers=answer.first_headers_without_set_cookie()
        )

    def _is_signed(self, request: Request, body: bytes) -> bool:
        """Tell whether Slack signed these very bytes in the last five minutes."""
        timestamps = request.headers.getlist("x-slack-request-timestamp")
        signatures = request.headers.getlist("x-slack-signature")
        if len(timestamps) != 1 or len(signatures) != 1:
            return False
        if not _TIMESTAMP.fullmatch(timestamps[0]) or not _SIGNATURE.fullmatch(signatures[0]):
            return False
        if abs(self._seconds() - int(timestamps[0])) > FRESH_SECONDS:
            return False
        signed = hmac.new(self._secret, b"v0:%b:%b" % (timestamps[0].encode(), body), hashlib.sha256).hexdigest()
        return hmac.compare_digest(f"v0={signed}", signatures[0])


async def _bounded_body(request: Request) -> bytes | None:
    """Return the body, or None where it is larger than anything that is checked."""
    parts, size = [], 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > MOST_CHECKED:
                return None
            parts.append(part)
    except ClientDisconnect:
        return None
    return b"".join(parts)
