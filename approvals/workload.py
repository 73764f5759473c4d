"""Workloads: what Deployments and StatefulSets have in common, read from their raw objects.

The rollout rule follows the API server's contract: a status speaks of the specification only once its
``observedGeneration`` has reached ``metadata.generation``; directly after a write it still describes the old one.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from approvals.plan import Resource
from approvals.verb import Effect, Kind, Progress

DEPLOYMENT: Final = Kind(name="Deployment", resource=Resource(group="apps", version="v1", plural="deployments"))
STATEFUL_SET: Final = Kind(name="StatefulSet", resource=Resource(group="apps", version="v1", plural="statefulsets"))
HPAS: Final = Resource(group="autoscaling", version="v2", plural="horizontalpodautoscalers")

_GITOPS_KEYS: Final = {
    "argocd.argoproj.io/instance": "Argo CD",
    "argocd.argoproj.io/tracking-id": "Argo CD",
    "kustomize.toolkit.fluxcd.io/name": "Flux",
    "helm.toolkit.fluxcd.io/name": "Flux",
}


def counted(number: int, noun: str) -> str:
    """Return *number* and *noun*, in the plural unless it is 1."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def wanted_replicas(workload: Mapping[str, Any]) -> int:
    """Return how many pods the object asks for; the server's default, 1, where it says nothing."""
    replicas = (workload.get("spec") or {}).get("replicas")
    return 1 if replicas is None else int(replicas)


def autoscaler_findings(workload: Mapping[str, Any], autoscalers: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return a sentence for each autoscaler that targets the workload: it may undo a number set by hand."""
    return tuple(
        f"The autoscaler {hpa['metadata']['name']} keeps this between {hpa['spec'].get('minReplicas', 1)} and "
        f"{hpa['spec']['maxReplicas']} pods and may undo the number."
        for hpa in autoscalers
        if _aims_at(hpa["spec"]["scaleTargetRef"], workload)
    )


def _aims_at(reference: Mapping[str, Any], workload: Mapping[str, Any]) -> bool:
    return (reference.get("kind"), reference.get("name")) == (workload.get("kind"), workload["metadata"]["name"])


def manager_findings(workload: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a sentence for each GitOps controller whose mark the workload carries: it may set the change back."""
    metadata = workload["metadata"]
    marks = {**(metadata.get("labels") or {}), **(metadata.get("annotations") or {})}
    names = sorted({name for key, name in _GITOPS_KEYS.items() if key in marks})
    return tuple(f"{name} manages this and may set the change back." for name in names)


def rollout(workload: Mapping[str, Any]) -> Progress:
    """Return how far the workload's pods are what its specification asks for."""
    status = workload.get("status") or {}
    if status.get("observedGeneration", 0) < workload["metadata"]["generation"]:
        return Progress(effect=Effect.ROLLING, sentence="The controller has not seen the change yet.")
    if _deadline_exceeded(status):
        return Progress(effect=Effect.FAILED_ROLLOUT, sentence="The rollout made no progress within its own deadline.")
    wanted = wanted_replicas(workload)
    ready = int(status.get("availableReplicas", 0))
    if all(int(status.get(field, 0)) == wanted for field in ("replicas", "updatedReplicas", "availableReplicas")):
        return Progress(effect=Effect.VERIFIED, sentence=f"All {counted(wanted, 'pod')} ready.")
    return Progress(effect=Effect.ROLLING, sentence=f"{ready} of {counted(wanted, 'pod')} ready.")


def _deadline_exceeded(status: Mapping[str, Any]) -> bool:
    return any(
        condition.get("type") == "Progressing"
        and condition.get("status") == "False"
        and condition.get("reason") == "ProgressDeadlineExceeded"
        for condition in status.get("conditions") or ()
    )
