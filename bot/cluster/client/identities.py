"""Identities: tokens of planners, executors and observers, minted by the bot's own account and kept in memory only.

A token is asked for 600 seconds, the least that an API server gives, for the server's own audience, and the server is asked
whose it is before anybody uses it. Planners' and observers' are used again until shortly before they end; an executor's never
is: it is minted for one send (I11).
"""

from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from json import loads
from threading import Lock
from typing import Any, Final

from approvals.errors import Forbidden, Unavailable
from approvals.identity.accounts import ServiceAccount
from bot.cluster.client import asking, paths
from bot.cluster.client.answers import describe
from bot.cluster.client.asking import Declined
from bot.cluster.client.calls import Client, Endpoint, Identity, can_be_token

LIFE: Final = timedelta(seconds=600)
"""The server's least; it accepts a token for about a minute longer."""

_USE_AGAIN_UNTIL: Final = timedelta(seconds=120)
"""How long before its end a token is replaced: longer than any operation that has begun with it takes."""

_CREDENTIAL_ID: Final = "authentication.kubernetes.io/credential-id"

Open = Callable[[Identity], Client]
"""Opens a line for an identity, under the user agent of what is being done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Minted:
    """A minted token. It shows nothing of itself but whose it is, its id and its end."""

    account: ServiceAccount
    expires_at: datetime
    token_id: str | None
    identity: Identity = field(repr=False)


def mint(own: Identity, account: ServiceAccount, *, open_line: Open) -> Minted:
    """Return a fresh token of *account*, confirmed by the server to be that account's.

    Raises:
        Declined: The bot's own account was not accepted (401).
        Forbidden: The bot may not mint it, there is no such account, or the server made something else of it.
        Unavailable: The server cannot be asked.
    """
    with open_line(own) as line:
        made = _request(line, account)
    status = made.get("status") or {}
    token, expires = status.get("token"), status.get("expirationTimestamp")
    if not isinstance(token, str) or not can_be_token(token) or not isinstance(expires, str):
        raise Unavailable("The cluster's token cannot be read.", code="cluster_unavailable")
    _check_life(token, account)
    identity = _bearer(own.endpoint, token)
    with open_line(identity) as line:
        token_id = _confirm(line, account)
    return Minted(
        account=account,
        expires_at=datetime.fromisoformat(expires).astimezone(UTC),
        token_id=token_id or _text(_claims(token).get("jti")),
        identity=identity,
    )


def _request(line: Client, account: ServiceAccount) -> dict[str, Any]:
    body = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": int(LIFE.total_seconds())},
    }
    try:
        return asking.post(line, paths.token(account), body)
    except Declined as refusal:
        if refusal.is_unauthorised:
            raise
        raise Forbidden(
            f"The bot cannot mint a token of {account.namespace}/{account.name} ({describe(refusal.answer)}): the namespace or"
            " the account may be gone or being deleted, or the right may be missing.",
            code="cannot_mint",
        ) from refusal


def _bearer(endpoint: Endpoint, token: str) -> Identity:
    """Return the identity of a token, and of nothing else: a client certificate beside it would win over it."""
    return Identity(endpoint=endpoint, authorization=f"Bearer {token}")


def _confirm(line: Client, account: ServiceAccount) -> str | None:
    """Return the credential's id after the server has said that it is *account*'s."""
    try:
        user = who_am_i(line)
    except Declined as refusal:
        raise Forbidden(
            f"The token of {account.namespace}/{account.name} is not accepted ({describe(refusal.answer)}).",
            code="cannot_mint",
        ) from refusal
    if user.get("username") != account.username:
        raise Forbidden(f"The token minted for {account.namespace}/{account.name} is another's.", code="other_identity")
    ids = (user.get("extra") or {}).get(_CREDENTIAL_ID) or ()
    return next((one.removeprefix("JTI=") for one in ids if isinstance(one, str)), None)


def who_am_i(line: Client) -> dict[str, Any]:
    """Return what the server takes the holder of *line* for: ``username`` and what it knows beside it.

    Raises:
        Declined: The credential is not accepted.
        Unavailable: The server cannot be asked.
    """
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    review = asking.post(line, paths.WHO_AM_I, body)
    user = (review.get("status") or {}).get("userInfo")
    return user if isinstance(user, dict) else {}


def _check_life(token: str, account: ServiceAccount) -> None:
    """Refuse a token that lives longer than was asked for: some servers lengthen them."""
    claims = _claims(token)
    issued, ends = claims.get("iat"), claims.get("exp")
    if isinstance(issued, int) and isinstance(ends, int) and ends - issued > LIFE.total_seconds():
        raise Forbidden(
            f"The cluster made the token of {account.namespace}/{account.name} longer than 600 seconds.",
            code="token_too_long",
        )


def _claims(token: str) -> Mapping[str, Any]:
    """Return what a token says of itself, unverified: the server has just made it. Empty where it cannot be read."""
    try:
        payload = token.split(".")[1]
        claims = loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError):
        return {}
    return claims if isinstance(claims, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


class Cache:
    """Planners' and observers' tokens, until shortly before they end. An executor's is never brought here."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        """Start empty."""
        self._now = now
        self._known: dict[tuple[Endpoint, ServiceAccount], Minted] = {}
        self._lock = Lock()

    def get(self, endpoint: Endpoint, account: ServiceAccount) -> Minted | None:
        """Return a token of *account* at that very server that is good for a while, or None."""
        with self._lock:
            minted = self._known.get((endpoint, account))
        return minted if minted is not None and self._now() < minted.expires_at - _USE_AGAIN_UNTIL else None

    def keep(self, minted: Minted) -> None:
        """Keep a token to use it again."""
        with self._lock:
            self._known[minted.identity.endpoint, minted.account] = minted

    def drop(self, minted: Minted) -> None:
        """Forget a token that the server did not accept."""
        with self._lock:
            self._known.pop((minted.identity.endpoint, minted.account), None)
