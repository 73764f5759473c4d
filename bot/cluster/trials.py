"""Trials: the fences, tried out. RBAC's lists cannot show that an admission policy is missing; an attempt can.

Nothing is changed even where a fence is missing: the attempts are dry runs, or an empty change of a Deployment without pods
that the manifests bring along for this; a token that should have been refused is thrown away unread.
"""

import json
from collections.abc import Iterable, Mapping
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Final

from approvals.accounts import ServiceAccount
from approvals.plan import PatchType
from approvals.workload import DEPLOYMENT
from bot.cluster import asking, paths
from bot.cluster.access import Holding
from bot.cluster.asking import Declined
from bot.cluster.calls import Client

_TOO_LONG_SECONDS: Final = 3600

_BREACHES: Final[Mapping[str, dict[str, Any]]] = {
    "": {"metadata": {"labels": {"countersign.dev/trial": "must-be-refused"}}},
    "scale": {"spec": {"replicas": 1_000_000}},
}
"""By subresource: a change that no verb's fence lets pass."""


class Trial(StrEnum):
    """How an attempt ended that has to be refused."""

    REFUSED = "refused"
    LET_THROUGH = "let_through"
    NO_CANARY = "no_canary"


def planner_writes(line: Client, holding: Holding, canary: str) -> Trial:
    """Try to write, without dry run, as a planner: an empty change of the canary.

    Raises:
        Unavailable: The cluster cannot be asked.
    """
    resource = _on_deployments(rule.resource for rule in holding.rules if "patch" in rule.verbs)
    return _attempt(line, holding, resource, canary, body={}, query={})


def executor_oversteps(line: Client, holding: Holding, canary: str) -> Trial:
    """Try, in dry run, to change what an executor's verb does not; raises as :func:`planner_writes`."""
    fences = () if holding.verb is None else holding.verb.fences
    resource = _on_deployments(fence.resource for fence in fences)
    breach = _BREACHES[resource.partition("/")[2]]
    return _attempt(line, holding, resource, canary, body=breach, query={"dryRun": "All"})


def bot_mints_too_long(line: Client, account: ServiceAccount) -> Trial:
    """Try to mint a token for an hour; raises as :func:`planner_writes`."""
    body = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": _TOO_LONG_SECONDS},
    }
    try:
        asking.post(line, paths.token(account), body)
    except Declined:
        return Trial.REFUSED
    return Trial.LET_THROUGH


def _attempt(
    line: Client, holding: Holding, resource: str, canary: str, *, body: Mapping[str, Any], query: Mapping[str, str]
) -> Trial:
    subresource = resource.partition("/")[2] or None
    path = paths.one(DEPLOYMENT.resource, holding.account.namespace, canary, subresource)
    data = json.dumps(body).encode()
    try:
        asking.patch(line, path, data, content_type=PatchType.MERGE.value, query=query)
    except Declined as refusal:
        return Trial.NO_CANARY if refusal.status == HTTPStatus.NOT_FOUND else Trial.REFUSED
    return Trial.LET_THROUGH


def _on_deployments(resources: Iterable[str]) -> str:
    """Return the one of *resources* that can be tried on the canary, which is a Deployment."""
    return next(one for one in resources if one.partition("/")[0] == DEPLOYMENT.resource.plural)
