"""Routes: from a method and an address to the call that is meant. Everything that is not offered ends here, with 501."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs, unquote

from sandbox.cluster import refusals
from sandbox.cluster.declared import LISTED

_WORKLOADS: Final = ("deployments", "statefulsets")
_REVIEWS: Final = {
    "/apis/authentication.k8s.io/v1/selfsubjectreviews": ("authentication.k8s.io", "selfsubjectreviews"),
    "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews": ("authorization.k8s.io", "selfsubjectrulesreviews"),
}
SELECTORS: Final = {("", "pods"): "labelSelector", ("", "events"): "fieldSelector"}
"""By group and resource: how what is listed can be narrowed."""

_APPS: Final = ("apis", "apps", "v1", "namespaces")
_AUTOSCALING: Final = ("apis", "autoscaling", "v2", "namespaces")
_CORE: Final = ("api", "v1", "namespaces")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a request asks for, in RBAC's words."""

    verb: str
    resource: str
    group: str = ""
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    @property
    def full_resource(self) -> str:
        """The resource with its subresource, such as ``deployments/scale``."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


@dataclass(frozen=True, slots=True)
class Address:
    """A request's address, taken apart once."""

    path: str
    query: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, target: str) -> "Address":
        """Return the address in a request line."""
        path, _, query = target.partition("?")
        fields = parse_qs(query, keep_blank_values=True, max_num_fields=100)
        return cls(path, {name: tuple(values) for name, values in fields.items()})

    def one(self, name: str) -> str:
        """Return the first value of a query parameter; empty where it is not given."""
        return self.query.get(name, ("",))[0]


def call_of(method: str, address: Address) -> Call:
    """Return the call that *method* and *address* mean.

    Raises:
        Refused: 501, it is none that the stand-in offers.
    """
    call = _call_of(method, address.path)
    selector = None if call is None else SELECTORS.get((call.group, call.resource))
    barred = {"watch", "labelSelector", "fieldSelector", "continue"} - {selector}
    if call is None or not barred.isdisjoint(address.query):
        raise refusals.not_offered(f"{method} {address.path}")
    return call


def _call_of(method: str, path: str) -> Call | None:
    if method == "GET" and path in {"/version", "/version/"}:
        return Call(verb="get", resource="version")
    if method == "POST" and path in _REVIEWS:
        group, resource = _REVIEWS[path]
        return Call(verb="create", group=group, resource=resource)
    # Each segment is decoded on its own: an encoded slash stays inside the name, as on the server.
    parts = tuple(unquote(part) for part in path.split("/")[1:])
    if not all(parts):
        return None
    return (
        _namespace_call(method, parts)
        or _workload_call(method, parts)
        or _account_call(method, parts)
        or _bystanders_call(method, parts)
        or _declared_call(method, parts)
    )


def _namespace_call(method: str, parts: tuple[str, ...]) -> Call | None:
    match parts:
        case ("api", "v1", "namespaces") if method == "GET":
            return Call(verb="list", resource="namespaces")
        case ("api", "v1", "namespaces", name) if method == "GET":
            # RBAC sees a namespace as lying in itself.
            return Call(verb="get", resource="namespaces", namespace=name, name=name)
    return None


def _workload_call(method: str, parts: tuple[str, ...]) -> Call | None:
    verb = {"GET": "get", "PATCH": "patch"}.get(method)
    match parts:
        case (*head, namespace, "horizontalpodautoscalers") if tuple(head) == _AUTOSCALING and method == "GET":
            return Call(verb="list", group="autoscaling", resource="horizontalpodautoscalers", namespace=namespace)
        case (*head, namespace, resource, name) if tuple(head) == _APPS and verb and resource in _WORKLOADS:
            return Call(verb=verb, group="apps", resource=resource, namespace=namespace, name=name)
        case (*head, namespace, resource, name, "scale") if tuple(head) == _APPS and verb and resource in _WORKLOADS:
            return Call(verb=verb, group="apps", resource=resource, namespace=namespace, name=name, subresource="scale")
    return None


def _account_call(method: str, parts: tuple[str, ...]) -> Call | None:
    match parts:
        case (*head, namespace, "serviceaccounts", name, "token") if tuple(head) == _CORE and method == "POST":
            return Call(verb="create", resource="serviceaccounts", namespace=namespace, name=name, subresource="token")
    return None


def _bystanders_call(method: str, parts: tuple[str, ...]) -> Call | None:
    match parts:
        case (*head, namespace, resource) if tuple(head) == _CORE and method == "GET" and ("", resource) in SELECTORS:
            return Call(verb="list", resource=resource, namespace=namespace)
    return None


def _declared_call(method: str, parts: tuple[str, ...]) -> Call | None:
    match parts:
        case ("apis", group, "v1", resource) if method == "GET" and (group, resource) in LISTED:
            return Call(verb="list", group=group, resource=resource)
    return None
