"""Paths: where things are at an API server, as segments that are encoded one by one when a request is made."""

from typing import Final

from approvals.change.plan import Resource, Step
from approvals.identity.accounts import ServiceAccount

KUBE_SYSTEM: Final = ("api", "v1", "namespaces", "kube-system")
"""The namespace whose uid names the cluster: it is made once and never again."""

WHO_AM_I: Final = ("apis", "authentication.k8s.io", "v1", "selfsubjectreviews")
WHAT_MAY_I: Final = ("apis", "authorization.k8s.io", "v1", "selfsubjectrulesreviews")
MAY_I: Final = ("apis", "authorization.k8s.io", "v1", "selfsubjectaccessreviews")


def objects(resource: Resource, namespace: str) -> tuple[str, ...]:
    """Return where a namespace's objects of one kind are."""
    root = ("apis", resource.group, resource.version) if resource.group else ("api", resource.version)
    return (*root, "namespaces", namespace, resource.plural)


def pods(namespace: str) -> tuple[str, ...]:
    """Return where a namespace's pods are."""
    return ("api", "v1", "namespaces", namespace, "pods")


def events(namespace: str) -> tuple[str, ...]:
    """Return where a namespace's Kubernetes events are."""
    return ("api", "v1", "namespaces", namespace, "events")


def one(resource: Resource, namespace: str, name: str, subresource: str | None = None) -> tuple[str, ...]:
    """Return where one object, or one of its subresources, is."""
    path = (*objects(resource, namespace), name)
    return path if subresource is None else (*path, subresource)


def target(step: Step) -> tuple[str, ...]:
    """Return where a step writes."""
    return one(step.resource, step.namespace, step.name, step.subresource)


def token(account: ServiceAccount) -> tuple[str, ...]:
    """Return where a token of *account* is asked for."""
    return ("api", "v1", "namespaces", account.namespace, "serviceaccounts", account.name, "token")
