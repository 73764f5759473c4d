"""Signed HTTP: each parcel is a POST to the app's address, in the encoding Slack uses for its kind."""

import asyncio
import hashlib
import hmac
import json
from contextlib import suppress
from urllib.parse import urlencode

import aiohttp

from sandbox.workspace.core import Core
from sandbox.workspace.ids import opaque
from sandbox.workspace.jsontypes import JsonObject
from sandbox.workspace.transport.parcels import Ack, Parcel

_FORM = "application/x-www-form-urlencoded"


class SignedHttp:
    """Posts parcels to one address."""

    def __init__(self, core: Core, url: str, signing_secret: str) -> None:
        self._core = core
        self._url = url
        self._secret = signing_secret
        self._session: aiohttp.ClientSession | None = None

    async def deliver(self, parcel: Parcel) -> Ack:
        """Post *parcel*; any status but 200 counts as not acknowledged."""
        if self._core.faults.outage:
            return Ack(answered=False, failure="no_connection")
        body, content_type = _encode(parcel)
        headers = {"Content-Type": content_type, **self._signature(body)}
        if parcel.retry:
            headers |= {"X-Slack-Retry-Num": str(parcel.retry), "X-Slack-Retry-Reason": parcel.retry_reason}
        return await self._post(body, headers)

    async def verify_url(self) -> bool:
        """Ask the address to return a challenge, as Slack does when an events address is saved."""
        challenge = opaque(size=16)
        payload = {"type": "url_verification", "token": self._core.tokens.verification, "challenge": challenge}
        ack = await self.deliver(Parcel(kind="events_api", payload=payload))
        return ack.answered and (ack.payload or {}).get("challenge", (ack.payload or {}).get("text")) == challenge

    async def close(self) -> None:
        """Close the client session."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _post(self, body: bytes, headers: dict[str, str]) -> Ack:
        loop = asyncio.get_running_loop()
        started = loop.time()
        if self._session is None:
            # No proxy from the environment: the address is on loopback and must stay there.
            self._session = aiohttp.ClientSession(trust_env=False)
        try:
            async with asyncio.timeout(self._core.strictness.ack_seconds):
                async with self._session.post(self._url, data=body, headers=headers, allow_redirects=False) as response:
                    text = await response.text()
                    answered, no_retry = response.status == 200, "x-slack-no-retry" in response.headers  # noqa: PLR2004
        except TimeoutError:
            return Ack(answered=False, failure="timeout", seconds=loop.time() - started)
        except aiohttp.ClientError:
            return Ack(answered=False, failure="connection_failed", seconds=loop.time() - started)
        return Ack(
            answered=answered,
            payload=_answer(text) if answered else None,
            failure="" if answered else "http_error",
            no_retry=no_retry,
            seconds=loop.time() - started,
        )

    def _signature(self, body: bytes) -> dict[str, str]:
        timestamp = str(int(self._core.now()))
        key = self._secret if self._core.strictness.sign_requests else "not the secret"
        signed = hmac.new(key.encode(), b"v0:" + timestamp.encode() + b":" + body, hashlib.sha256).hexdigest()
        return {"X-Slack-Request-Timestamp": timestamp, "X-Slack-Signature": f"v0={signed}"}


def _encode(parcel: Parcel) -> tuple[bytes, str]:
    if parcel.kind == "interactive":
        return urlencode({"payload": json.dumps(parcel.payload)}).encode(), _FORM
    if parcel.kind == "slash_commands":
        # Half a character, which JSON can carry, is sent on as its three bytes.
        return urlencode(parcel.payload, errors="surrogatepass").encode(), _FORM
    return json.dumps(parcel.payload).encode(), "application/json"


def _answer(text: str) -> JsonObject | None:
    if not text.strip():
        return None
    with suppress(ValueError):
        parsed = json.loads(text)
        if isinstance(parsed, dict):
            return parsed
    return {"text": text}
