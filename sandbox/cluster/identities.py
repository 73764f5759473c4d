"""Identities: who is asking. Mints and checks tokens shaped like those of a real API server.

A token is a JSON Web Token signed with a key that is drawn at start and never leaves the process, so nobody can make
one and none outlives its stand-in. Like the server, an expired token is still taken for a minute of clock leeway.
"""

import base64
import hashlib
import hmac
import json
import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sandbox.cluster import refusals
from sandbox.cluster.jsontypes import JsonObject
from sandbox.cluster.seed import Account

AUDIENCE: Final = "https://kubernetes.default.svc"
LEEWAY: Final = timedelta(seconds=61)
"""How long after its end a token was still accepted by a real server; at exactly this age it is refused."""

_ADMIN: Final = "stand-in-admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Who a request comes from, as the API server sees it."""

    name: str
    groups: tuple[str, ...]
    uid: str = ""
    credential_id: str = ""

    @property
    def is_admin(self) -> bool:
        """Whether it may do anything."""
        return "system:masters" in self.groups


ANONYMOUS: Final = User(name="system:anonymous", groups=("system:unauthenticated",))


class Identities:
    """Knows the accounts, and which token speaks for whom."""

    def __init__(self, accounts: tuple[Account, ...], now: Callable[[], datetime]) -> None:
        self._now = now
        self._key = secrets.token_bytes(32)
        self._accounts = {(account.namespace, account.name): account for account in accounts}
        self._uids = {key: str(uuid.uuid4()) for key in self._accounts}

    def account(self, namespace: str, name: str) -> Account:
        """Return an account.

        Raises:
            Refused: 404, there is none.
        """
        try:
            return self._accounts[namespace, name]
        except KeyError:
            raise refusals.not_found("", "serviceaccounts", name) from None

    def account_called(self, username: str) -> Account | None:
        """Return the account of a username, if it is one."""
        return next((account for account in self._accounts.values() if account.username == username), None)

    def uid_of(self, account: Account) -> str:
        """Return the uid of an account."""
        return self._uids[account.namespace, account.name]

    def mint(self, account: Account, *, life: timedelta, audiences: tuple[str, ...]) -> tuple[str, datetime]:
        """Return a fresh token of *account*, and when it ends (whole seconds, UTC)."""
        issued = self._now().replace(microsecond=0)
        bound = {"namespace": account.namespace, "serviceaccount": {"name": account.name, "uid": self.uid_of(account)}}
        claims = self._claims(account.username, issued, life, audiences) | {"kubernetes.io": bound}
        return self._signed(claims), issued + life

    def admin_token(self, *, life: timedelta) -> str:
        """Return a token of an administrator, for the kubeconfig file and for tests."""
        return self._signed(self._claims(_ADMIN, self._now(), life, (AUDIENCE,)))

    def user_of(self, authorization: str | None) -> User:
        """Return who an ``Authorization`` header speaks for; the anonymous user where there is no bearer token.

        Raises:
            Refused: 401, the token is forged, over, or for another audience.
        """
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer":
            return ANONYMOUS
        claims = self._verified(token.strip())
        ended = self._now() >= datetime.fromtimestamp(claims["exp"], tz=self._now().tzinfo) + LEEWAY
        if ended or AUDIENCE not in claims["aud"]:
            raise refusals.unauthorized()
        return self._user(claims)

    def _user(self, claims: JsonObject) -> User:
        name, credential = claims["sub"], f"JTI={claims['jti']}"
        if name == _ADMIN:
            return User(name=name, groups=("system:masters", "system:authenticated"), credential_id=credential)
        bound = claims["kubernetes.io"]
        return User(
            name=name,
            uid=bound["serviceaccount"]["uid"],
            groups=("system:serviceaccounts", f"system:serviceaccounts:{bound['namespace']}", "system:authenticated"),
            credential_id=credential,
        )

    @staticmethod
    def _claims(subject: str, issued: datetime, life: timedelta, audiences: tuple[str, ...]) -> JsonObject:
        begin = int(issued.timestamp())
        end = begin + int(life.total_seconds())
        times = {"iat": begin, "nbf": begin, "exp": end}
        return {"iss": AUDIENCE, "aud": list(audiences), "sub": subject, "jti": str(uuid.uuid4()), **times}

    def _signed(self, claims: JsonObject) -> str:
        head = f"{_encoded({'alg': 'HS256', 'kid': 'stand-in'})}.{_encoded(claims)}"
        return f"{head}.{self._signature(head)}"

    def _signature(self, head: str) -> str:
        return _base64(hmac.digest(self._key, head.encode(), hashlib.sha256))

    def _verified(self, token: str) -> dict[str, Any]:
        head, _, signature = token.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(head).encode()):
            raise refusals.unauthorized()
        # Only what we signed ourselves comes this far, so its form needs no further distrust.
        payload = head.split(".")[1]
        claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return claims


def _encoded(value: JsonObject) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
