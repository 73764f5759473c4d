"""Trials: the fences, tried out. RBAC's lists cannot show that an admission policy is missing; an attempt can.

What is tried, and on what, is each verb's to say (:class:`approvals.verbs.verb.Trial`). Nothing is changed even where a fence is
missing: the attempts are dry runs, or an empty change of an object that the manifests bring along for this; a token that should
have been refused is thrown away unread.
"""

import json
from collections.abc import Mapping
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Final

from approvals.change.plan import PatchType
from approvals.identity.accounts import ServiceAccount
from approvals.verbs.verb import Trial
from bot.cluster.client import asking, paths
from bot.cluster.client.asking import Declined
from bot.cluster.client.calls import Client
from bot.cluster.rights.access import AccountRights

_TOO_LONG_SECONDS: Final = 3600


class TrialOutcome(StrEnum):
    """How an attempt ended that has to be refused."""

    REFUSED = "refused"
    LET_THROUGH = "let_through"
    NO_CANARY = "no_canary"


def planner_writes(line: Client, holding: AccountRights, trial: Trial, canary: str) -> TrialOutcome:
    """Try to write, without dry run, as a planner: an empty change of the *trial*'s object, which is called *canary*.

    Raises:
        Unavailable: The cluster cannot be asked.
    """
    return _attempt(line, holding, trial, canary, body={}, query={})


def executor_oversteps(line: Client, holding: AccountRights, trial: Trial, canary: str) -> TrialOutcome:
    """Try, in dry run, to change what an executor's verb does not; raises as :func:`planner_writes`."""
    return _attempt(line, holding, trial, canary, body=trial.breach, query={"dryRun": "All"})


def bot_mints_too_long(line: Client, account: ServiceAccount) -> TrialOutcome:
    """Try to mint a token for an hour; raises as :func:`planner_writes`."""
    body = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": _TOO_LONG_SECONDS},
    }
    try:
        asking.post(line, paths.token(account), body)
    except Declined:
        return TrialOutcome.REFUSED
    return TrialOutcome.LET_THROUGH


def _attempt(
    line: Client,
    holding: AccountRights,
    trial: Trial,
    canary: str,
    *,
    body: Mapping[str, Any],
    query: Mapping[str, str],
) -> TrialOutcome:
    path = paths.one(trial.kind.resource, holding.account.namespace, canary, trial.subresource)
    data = json.dumps(body).encode()
    try:
        asking.patch(line, path, data, content_type=PatchType.MERGE.value, query=query)
    except Declined as refusal:
        return TrialOutcome.NO_CANARY if refusal.status == HTTPStatus.NOT_FOUND else TrialOutcome.REFUSED
    return TrialOutcome.LET_THROUGH
