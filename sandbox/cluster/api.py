"""The API: from a request to an answer, in the order of a real server: who, what, may they, and then the deed.

Knows no socket (:mod:`sandbox.cluster.server`) and no fault (:mod:`sandbox.cluster.faults`).
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sandbox.cluster import refusals
from sandbox.cluster.access import Access
from sandbox.cluster.bystanders import RESOURCES, labelled, picked
from sandbox.cluster.declared import LISTED, Declared
from sandbox.cluster.fences import Fences
from sandbox.cluster.identities import Identities, User
from sandbox.cluster.jsontypes import JsonObject
from sandbox.cluster.options import Options
from sandbox.cluster.refusals import Refused
from sandbox.cluster.reviews import Reviews
from sandbox.cluster.routes import SELECTORS, Address, Call, call_of
from sandbox.cluster.seed import Seed
from sandbox.cluster.store import Key, Store
from sandbox.cluster.writes import Writer, scale_of

MERGE_PATCH: Final = "application/merge-patch+json"
BODY_MOST: Final = 3 * 1024 * 1024

_VERSION: Final = {
    "major": "1",
    "minor": "36",
    "gitVersion": "v1.36.1+stand-in",
    "gitCommit": "",
    "gitTreeState": "",
    "platform": "",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What came in."""

    method: str
    target: str
    headers: Mapping[str, str]
    """By lower-case name."""
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What goes out."""

    status: int
    body: JsonObject
    audit_id: str
    headers: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    changed: bool = False
    """Whether the request changed an object."""


class Api:
    """The API of one stand-in."""

    def __init__(
        self, seed: Seed, store: Store, identities: Identities, declared: Declared, now: Callable[[], datetime]
    ) -> None:
        fences = Fences(seed.fences)
        self._declared = declared
        self._now = now
        self._warnings = dict(seed.warnings)
        self._identities = identities
        self._store = store
        self._access = Access(identities)
        self._reviews = Reviews(identities=identities, access=self._access, fences=fences)
        self._writer = Writer(store=store, fences=fences)

    def user_of(self, request: Request) -> User | None:
        """Return who asks, or None where the credential is not taken."""
        try:
            return self._identities.user_of(request.headers.get("authorization"))
        except Refused:
            return None

    def answer(self, request: Request) -> Answer:
        """Return what the API says to *request*; every answer has an audit id of its own."""
        audit_id = str(uuid.uuid4())
        try:
            with self._store.lock:
                return self._answered(request, audit_id)
        except Refused as refused:
            return Answer(status=refused.code, body=refused.body, audit_id=audit_id, headers=refused.headers)

    def _answered(self, request: Request, audit_id: str) -> Answer:
        user = self._identities.user_of(request.headers.get("authorization"))
        try:
            address = Address.of(request.target)
        except ValueError as error:
            raise refusals.bad_request("the query of the request cannot be read") from error
        call = call_of(request.method, address)
        self._access.check(user, call)
        if len(request.body) > BODY_MOST:
            raise refusals.too_large(BODY_MOST)
        if call.verb == "patch":
            return self._patched(user, call, request, address, audit_id)
        if call.verb == "create":
            body, warnings = self._created(user, call, request, address)
            return Answer(status=201, body=body, audit_id=audit_id, warnings=warnings)
        return Answer(status=200, body=self._read(call, address), audit_id=audit_id)

    def _patched(self, user: User, call: Call, request: Request, address: Address, audit_id: str) -> Answer:
        if _media_type(request) != MERGE_PATCH:
            raise refusals.not_a_patch()
        options = Options.of(address, request.headers.get("user-agent", ""), kind="PatchOptions")
        written = self._writer.patch(user, call, request.body, options)
        warned = (self._warnings[call.resource],) if call.resource in self._warnings else ()
        warnings = (*written.warnings, *warned)
        return Answer(status=200, body=written.body, audit_id=audit_id, warnings=warnings, changed=written.changed)

    def _created(
        self, user: User, call: Call, request: Request, address: Address
    ) -> tuple[JsonObject, tuple[str, ...]]:
        if _media_type(request) != "application/json":
            raise refusals.not_json()
        options = Options.of(address, request.headers.get("user-agent", ""), kind="CreateOptions")
        at = self._store.timestamp()
        if call.resource == "selfsubjectreviews":
            return self._reviews.who_am_i(user, request.body, at=at)
        if call.resource == "selfsubjectrulesreviews":
            return self._reviews.what_may_i(user, request.body)
        return self._reviews.token(user, call, request.body, at=at, dry_run=options.dry_run)

    def _read(self, call: Call, address: Address) -> JsonObject:
        kind = LISTED.get((call.group, call.resource))
        if kind is not None:
            return self._list(f"{kind}List", f"{call.group}/v1", self._declared.listed(kind))
        match call.resource, call.verb:
            case "version", _:
                return dict(_VERSION)
            case "namespaces", "get":
                return self._store.namespace(call.name)
            case "namespaces", _:
                return self._list("NamespaceList", "v1", self._store.namespaces())
            case "horizontalpodautoscalers", _:
                autoscalers = self._store.autoscalers(call.namespace)
                return self._list("HorizontalPodAutoscalerList", "autoscaling/v2", autoscalers)
            case "pods" | "events", _:
                return self._bystanders(call, address)
            case _:
                workload = self._store.workload(Key(call.resource, call.namespace, call.name))
                return scale_of(workload) if call.subresource else workload

    def _bystanders(self, call: Call, address: Address) -> JsonObject:
        found, selector = (
            self._store.bystanders(call.resource, call.namespace),
            address.one(SELECTORS["", call.resource]),
        )
        found = labelled(found, selector) if call.resource == "pods" else picked(found, selector)
        limit = address.one("limit")
        if limit and not limit.isdecimal():
            raise refusals.bad_request("the limit of a list is a number")
        page = found[: int(limit)] if limit and int(limit) else found
        answer = self._list(f"{RESOURCES[call.resource]}List", "v1", page)
        if len(page) < len(found):
            answer["metadata"]["continue"] = f"after-{len(page)}"
        return answer

    def _list(self, kind: str, version: str, items: list[JsonObject]) -> JsonObject:
        # Items of a list carry no kind and no version of their own.
        bare = [{key: value for key, value in item.items() if key not in {"kind", "apiVersion"}} for item in items]
        return {
            "kind": kind,
            "apiVersion": version,
            "metadata": {"resourceVersion": self._store.version},
            "items": bare,
        }


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()
