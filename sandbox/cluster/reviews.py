"""Reviews and tokens: who am I, what may I do, and a token for an account."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sandbox.cluster import decoding, refusals
from sandbox.cluster.access import Access
from sandbox.cluster.fences import Fences
from sandbox.cluster.identities import AUDIENCE, Identities, User
from sandbox.cluster.jsontypes import JsonObject
from sandbox.cluster.refusals import Cause
from sandbox.cluster.routes import Call

_LEAST_SECONDS: Final = 600
_DEFAULT_SECONDS: Final = 3600
_MOST_SECONDS: Final = 1 << 32
_AUTHENTICATION: Final = "authentication.k8s.io"
_AUTHORIZATION: Final = "authorization.k8s.io"

Answer = tuple[JsonObject, tuple[str, ...]]
"""A body and its warnings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviews:
    """Answers them for one stand-in."""

    identities: Identities
    access: Access
    fences: Fences

    def who_am_i(self, user: User, body: bytes, *, at: str) -> Answer:
        """Return a SelfSubjectReview."""
        _given, warnings = decoding.created("SelfSubjectReview", _AUTHENTICATION, body)
        info: JsonObject = {"username": user.name}
        if user.uid:
            info["uid"] = user.uid
        info["groups"] = list(user.groups)
        info["extra"] = {"authentication.kubernetes.io/credential-id": [user.credential_id]}
        head = _head("SelfSubjectReview", _AUTHENTICATION)
        return {**head, "metadata": {"creationTimestamp": at}, "status": {"userInfo": info}}, warnings

    def what_may_i(self, user: User, body: bytes) -> Answer:
        """Return a SelfSubjectRulesReview.

        Raises:
            Refused: 400, it names no namespace.
        """
        given, warnings = decoding.created("SelfSubjectRulesReview", _AUTHORIZATION, body)
        namespace = (given.get("spec") or {}).get("namespace")
        if not namespace:
            raise refusals.bad_request("no namespace on request")
        head = _head("SelfSubjectRulesReview", _AUTHORIZATION)
        return {**head, "metadata": {}, "spec": {}, "status": self.access.review(user, namespace)}, warnings

    def token(self, user: User, call: Call, body: bytes, *, at: str, dry_run: bool) -> Answer:
        """Return a TokenRequest with a fresh token of the account that *call* names.

        Raises:
            Refused: 404 without such an account, 422 for an impossible life, 403 where a fence stands.
        """
        account = self.identities.account(call.namespace, call.name)
        given, warnings = decoding.created("TokenRequest", _AUTHENTICATION, body)
        spec = given.get("spec") or {}
        if spec.get("boundObjectRef") is not None:
            raise refusals.not_offered("tokens that are bound to an object")
        wanted = spec.get("expirationSeconds")
        seconds = _checked_seconds(_DEFAULT_SECONDS if wanted is None else wanted)
        audiences = tuple(spec.get("audiences") or (AUDIENCE,))
        self.fences.check_token(
            user, call, account=account.username, seconds=seconds, audiences=audiences, dry_run=dry_run
        )
        token, ends = self.identities.mint(account, life=timedelta(seconds=seconds), audiences=audiences)
        metadata = {"name": account.name, "namespace": account.namespace, "uid": self.identities.uid_of(account)}
        return {
            **_head("TokenRequest", _AUTHENTICATION),
            "metadata": {**metadata, "creationTimestamp": at},
            "spec": {"audiences": list(audiences), "expirationSeconds": seconds, "boundObjectRef": None},
            "status": {"token": token, "expirationTimestamp": ends.strftime("%Y-%m-%dT%H:%M:%SZ")},
        }, warnings


def _head(kind: str, group: str) -> JsonObject:
    return {"kind": kind, "apiVersion": f"{group}/v1"}


def _checked_seconds(seconds: int) -> int:
    if seconds < _LEAST_SECONDS:
        why = "may not specify a duration less than 10 minutes"
    elif seconds > _MOST_SECONDS:
        why = "may not specify a duration larger than 2^32 seconds"
    else:
        return seconds
    cause = Cause("FieldValueInvalid", f"Invalid value: {seconds}: {why}", "spec.expirationSeconds")
    raise refusals.invalid(_AUTHENTICATION, "TokenRequest", "", [cause])
