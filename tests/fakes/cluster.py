"""A cluster in memory for tests of use cases: raw objects, dry runs through the verbs' own functions, scripted mishaps.

It implements :class:`approvals.ports.cluster.Cluster` and runs the production verbs; what the API server means (validation, RBAC,
admission, conflicts of managers) is proved against the real one, in the cluster door's contract suite.
"""

import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from threading import RLock
from typing import Any

from approvals.change.action import Wish
from approvals.change.plan import Bound, Preview, generation_of
from approvals.errors import Refused, Unavailable, Unplannable
from approvals.identity.accounts import ServiceAccount
from approvals.ports.cluster import Came, Credential, Reply, Surroundings
from approvals.verbs.verb import PlanSeed, Verb, field_manager
from tests.builders import CLUSTER_UID, NOON, a_mac, a_workload, preview_of, scale_of


@dataclass(frozen=True)
class FakeCredential:
    """A token that opens nothing."""

    token_id: str | None
    expires_at: datetime


@dataclass
class FakeCluster:
    """One cluster with some workloads, by (kind, namespace, name)."""

    now: Callable[[], datetime] = lambda: NOON
    objects: dict[tuple[str, str, str], dict[str, Any]] = field(default_factory=dict)
    hpas: list[dict[str, Any]] = field(default_factory=list)
    sent: list[bytes] = field(default_factory=list)
    minted: list[str] = field(default_factory=list)
    replies: list[Reply | Callable[[], None]] = field(default_factory=list)
    """What the next sends come to, instead of being carried out; a callable runs first and the send goes on."""
    lose_next_reply: bool = False
    """Carry the next send out and lose the answer."""
    down: bool = False
    around: Surroundings | Exception = field(default_factory=Surroundings)
    """What stands around every workload, or what comes of asking."""
    asked_around: int = 0
    admission: Mapping[str, Any] = field(default_factory=dict)
    """A merge patch that admission adds to every change of an object, in dry runs as well."""
    mint_refusal: Refused | None = None
    rolling: bool = False
    """Whether changed workloads stay under way."""
    lock: RLock = field(default_factory=RLock)
    """A server handles each request whole, whoever else asks."""

    @classmethod
    def with_checkout(cls, replicas: int = 3, **kwargs: Any) -> "FakeCluster":
        """Return a cluster that runs the Deployment ``shop/checkout``."""
        cluster = cls(**kwargs)
        cluster.objects["Deployment", "shop", "checkout"] = a_workload(replicas=replicas)
        return cluster

    def checkout(self) -> dict[str, Any]:
        """Return the Deployment ``shop/checkout`` as it is."""
        return self.objects["Deployment", "shop", "checkout"]

    def somebody_scales(self, replicas: int) -> None:
        """Change ``shop/checkout`` behind everybody's back."""
        with self.lock:
            self._write(self.checkout(), {"spec": {"replicas": replicas}}, manager="kubectl", subresource=None)

    def churn(self) -> None:
        """Move the resource version of ``shop/checkout`` and nothing that was reviewed."""
        metadata = self.checkout()["metadata"]
        metadata["resourceVersion"] = str(int(metadata["resourceVersion"]) + 1)

    def preview(self, wish: Wish, *, verb: Verb, occasion: PlanSeed) -> Preview:
        """Return what the verb would change, by its own functions."""
        if self.down:
            raise Unavailable("The cluster does not answer.", code="cluster_unavailable")
        action, target = wish.action, wish.action.target
        with self.lock:
            workload = copy.deepcopy(self.objects.get((target.kind, target.namespace, target.name)))
        if workload is None:
            raise Unplannable("There is no such target.", code="target_not_found")
        scale = scale_of(workload) if "replicas" in workload["spec"] else {}
        observed = {"object": workload, "scale": scale, "hpas": self.hpas}
        resource = verb.kind(target.kind).resource
        (draft,) = verb.build(observed, target, resource, action.parameters, occasion)
        after = _merged(_merged(observed[draft.before], json.loads(draft.step.body)), self.admission)
        preview = preview_of(verb, action, observed, after, occasion)
        metadata = workload["metadata"]
        seen = replace(
            preview.evidence,
            seen_at=self.now(),
            resource_version=metadata["resourceVersion"],
            generation=generation_of(workload),
        )
        return replace(preview, cluster_uid=CLUSTER_UID, evidence=seen)

    def mint(self, *, environment: str, account: ServiceAccount) -> Credential:
        """Return a credential good for ten minutes."""
        if self.mint_refusal is not None:
            raise self.mint_refusal
        self.minted.append(account.username)
        return FakeCredential(token_id=f"JTI={len(self.minted)}", expires_at=self.now() + timedelta(minutes=10))

    def send(
        self, *, environment: str, bound: Bound, step: int, body: bytes, credential: Credential, within: timedelta
    ) -> Reply:
        """Carry the write out under its precondition, unless a mishap is scripted; it takes no time."""
        self.sent.append(body)
        if self.replies:
            scripted = self.replies.pop(0)
            if isinstance(scripted, Reply):
                return scripted
            scripted()
        with self.lock:
            return self._carried_out(bound, step, json.loads(body))

    def _carried_out(self, bound: Bound, step: int, patch: dict[str, Any]) -> Reply:
        workload = self._of(bound, step)
        if workload is None:
            return Reply(came=Came.REJECTED, status=404, message="not found")
        if patch["metadata"].pop("resourceVersion") != workload["metadata"]["resourceVersion"]:
            return Reply(came=Came.CONFLICT, status=409, message="the object has been modified")
        manager = field_manager(bound.escalation)
        admitted = _merged(patch, self.admission)
        self._write(workload, admitted, manager=manager, subresource=bound.steps[step].subresource)
        if self.lose_next_reply:
            self.lose_next_reply = False
            return Reply(came=Came.LOST, message="the reply was lost")
        return Reply(came=Came.APPLIED, status=200, audit_id="audit-1")

    def observe(self, *, environment: str, agent: str, bound: Bound, step: int) -> Mapping[str, Any] | None:
        """Return the object as it is."""
        if self.down:
            raise Unavailable("The cluster does not answer.", code="cluster_unavailable")
        with self.lock:
            return copy.deepcopy(self._of(bound, step))

    def surroundings(
        self, *, environment: str, agent: str, bound: Bound, step: int, workload: Mapping[str, Any], since: datetime
    ) -> Surroundings:
        """Return what stands around it, whatever it is."""
        self.asked_around += 1
        if isinstance(self.around, Exception):
            raise self.around
        return self.around

    def mac(self, text: str) -> str:
        """Return the keyed hash of a value that is not shown."""
        return a_mac(text)

    def _of(self, bound: Bound, step: int) -> dict[str, Any] | None:
        target = bound.target
        found = self.objects.get((target.kind, target.namespace, target.name))
        return found if found is not None and found["metadata"]["uid"] == bound.steps[step].uid else None

    def _write(self, workload: dict[str, Any], patch: dict[str, Any], *, manager: str, subresource: str | None) -> None:
        metadata = workload["metadata"]
        after = _merged(workload, patch)
        workload.clear()
        workload.update(after)
        metadata = workload["metadata"]
        metadata["resourceVersion"] = str(int(metadata["resourceVersion"]) + 1)
        if "generation" in metadata:  # an autoscaler has none
            metadata["generation"] += 1
        entry = {"manager": manager, **({"subresource": subresource} if subresource else {})}
        metadata["managedFields"] = [entry]
        replicas = workload["spec"].get("replicas")
        if replicas is not None and not self.rolling:
            counts = dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas", "readyReplicas"), replicas)
            workload["status"] = {"observedGeneration": metadata["generation"], **counts}


def _merged(target: Any, patch: Any) -> Any:
    """Return *target* after a JSON merge patch (RFC 7396)."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = copy.deepcopy(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merged(result.get(key), value)
    return result
