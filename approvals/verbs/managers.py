"""Managers: who else writes to a workload, and may set a change back, as far as its own marks and autoscalers tell.

A mark is what whoever wrote the object says of itself, so each is told as what it is: a hint where others use the same label.
Names come from the cluster: only plain ones are shown.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from approvals.verbs.verb import OUR_WRITERS
from approvals.verbs.workload import is_being_deleted

_GITOPS_KEYS: Final = {
    "argocd.argoproj.io/instance": "Argo CD",
    "argocd.argoproj.io/tracking-id": "Argo CD",
    "kustomize.toolkit.fluxcd.io/name": "Flux",
    "helm.toolkit.fluxcd.io/name": "Flux",
    "fluxcd.io/sync-checksum": "Flux",
    "configmanagement.gke.io/managed": "Config Sync",
    "configsync.gke.io/resource-id": "Config Sync",
    "kapp.k14s.io/app": "kapp",
    "objectset.rio.cattle.io/id": "Rancher Fleet or k3s",
    "olm.owner": "the Operator Lifecycle Manager",
}
_OFF: Final = frozenset({("configmanagement.gke.io/managed", "disabled")})
"""Marks by which a tool says that it leaves the object alone."""

_ARGO_LABEL: Final = "app.kubernetes.io/instance"
"""The label by which Argo CD tracks unless told otherwise; charts set it, too."""

_MANAGED_BY: Final = "app.kubernetes.io/managed-by"
_HELM_RELEASE: Final = "meta.helm.sh/release-name"

_PLAIN: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_MOST: Final = 4
"""How many names of one kind are told; the rest are counted."""

_TOOLS: Final = (
    ("argocd-", "Argo CD"),
    ("argocd", "Argo CD"),
    ("kustomize-controller", "Flux"),
    ("helm-controller", "Flux"),
    ("helm", "Helm"),
    ("keda", "KEDA"),
    ("kube-controller-manager", "an autoscaler"),
    ("kubectl", "kubectl"),
)
"""How field managers call themselves, by how the name begins, and what people call them."""

AUTOSCALERS: Final = frozenset({"KEDA", "an autoscaler"})
"""Who sets the number of pods by itself, as :func:`owners_of` calls them."""

_COME_BACK: Final = AUTOSCALERS | {"Argo CD", "Flux", "Helm"}


def named(text: object, *, otherwise: str) -> str:
    """Return *text*, a name from the cluster, if it is a plain one of at most 63 characters, else *otherwise*."""
    return text if isinstance(text, str) and _PLAIN.fullmatch(text) else otherwise


def autoscaler_findings(
    workload: Mapping[str, Any], autoscalers: Iterable[Mapping[str, Any]], *, before: int, after: int
) -> tuple[str, ...]:
    """Return a sentence for each autoscaler that targets the workload: what it will make of a number set by hand.

    At 0 an autoscaler is off, unless its own least is 0 or KEDA, which wakes it, stands behind it.
    """
    return tuple(
        _autoscaler_sentence(hpa, before=before, after=after)
        for hpa in autoscalers
        if _aims_at(hpa["spec"]["scaleTargetRef"], workload)
    )


def _autoscaler_sentence(hpa: Mapping[str, Any], *, before: int, after: int) -> str:
    name = named(hpa["metadata"].get("name"), otherwise="of this workload")
    least, most = hpa["spec"].get("minReplicas", 1), hpa["spec"]["maxReplicas"]
    bounds = f"between {least} and {most} pods"
    if _is_kedas(hpa):
        return (
            f"KEDA scales this through the autoscaler {name}, {bounds}, from and to 0 as well, and may undo the number."
        )
    if least > 0 and after == 0:
        return f"The autoscaler {name} is switched off by 0 and stays so until somebody sets another number."
    if least > 0 and before == 0:
        return f"The autoscaler {name} is off at 0; this switches it on again, and it may set its own number {bounds}."
    return f"The autoscaler {name} keeps this {bounds} and may undo the number."


def _is_kedas(hpa: Mapping[str, Any]) -> bool:
    metadata = hpa["metadata"]
    owners = (owner.get("kind") for owner in metadata.get("ownerReferences") or ())
    return "ScaledObject" in owners or "scaledobject.keda.sh/name" in (metadata.get("labels") or {})


def _aims_at(reference: Mapping[str, Any], workload: Mapping[str, Any]) -> bool:
    return (reference.get("kind"), reference.get("name")) == (workload.get("kind"), workload["metadata"]["name"])


def manager_findings(workload: Mapping[str, Any], *field: str) -> tuple[str, ...]:
    """Return a sentence for each sign that somebody else manages the workload, or the *field* that a change is about.

    Args:
        workload: The raw object.
        field: The way to the field that the change sets, such as ``spec``, ``replicas``; none asks about the object alone.
    """
    metadata = workload["metadata"]
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    marks = {*labels.items(), *annotations.items()} - _OFF
    tools = sorted({_GITOPS_KEYS[key] for key, _ in marks if key in _GITOPS_KEYS})
    deleted = ("It is being deleted: somebody has asked for its end.",) if is_being_deleted(workload) else ()
    return (
        *deleted,
        *(f"{_beginning(tool)} manages this and may set the change back." for tool in tools),
        *_parent_findings(metadata.get("ownerReferences") or ()),
        *_label_findings(labels, annotations, tools),
        *_owner_findings(workload, field, tools),
    )


def _beginning(name: str) -> str:
    return f"{name[0].upper()}{name[1:]}" if name.startswith("the ") else name


def _parent_findings(references: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield whose part the workload is: an operator makes it from an object of its own, and makes it so again."""
    parents = [(reference.get("kind"), reference.get("name")) for reference in references]
    for kind, name in parents[:_MOST]:
        what = f"{named(kind, otherwise='object')} {named(name, otherwise='whose name is not plain')}"
        yield f"It belongs to the {what}: the operator that made it from that may set the change back."
    if len(parents) > _MOST:
        yield f"It belongs to {len(parents) - _MOST} more."


def _label_findings(labels: Mapping[str, Any], annotations: Mapping[str, Any], tools: Iterable[str]) -> Iterator[str]:
    if _ARGO_LABEL in labels and "Argo CD" not in tools:
        instance = named(labels[_ARGO_LABEL], otherwise="a name that is not plain")
        yield (
            f"It carries the label {_ARGO_LABEL} ({instance}), by which Argo CD tracks unless told otherwise: if it does, "
            "it may set the change back."
        )
    if _HELM_RELEASE in annotations:
        release = named(annotations[_HELM_RELEASE], otherwise="whose name is not plain")
        yield f"It belongs to the Helm release {release}: its next upgrade may set the change back."
    elif _MANAGED_BY in labels:
        by = named(labels[_MANAGED_BY], otherwise="somebody whose name is not plain")
        yield f"Its label {_MANAGED_BY} says that {by} manages it, which may set the change back."


def _owner_findings(workload: Mapping[str, Any], field: tuple[str, ...], tools: Iterable[str]) -> Iterator[str]:
    owners = [owner for owner in dict.fromkeys(owners_of(workload, *field)) if owner not in tools] if field else []
    for owner in owners[:_MOST]:
        again = "which may set it again by itself" if owner in _COME_BACK else "which may apply its own again"
        yield f"The field that this changes was last set by {owner}, {again}."
    if len(owners) > _MOST:
        yield f"{len(owners) - _MOST} more have set the field that this changes."


def owners_of(workload: Mapping[str, Any], *field: str) -> tuple[str, ...]:
    """Return who has set *field*, by the object's own ``managedFields``, in their order; our own writes are left out.

    A manager's name is its writer's choice: it tells whom to ask, and proves nothing.
    """
    return tuple(
        _tool(str(entry.get("manager", "")))
        for entry in workload["metadata"].get("managedFields") or ()
        if _holds(entry.get("fieldsV1"), field) and not str(entry.get("manager", "")).startswith(OUR_WRITERS)
    )


def _holds(fields: Any, way: tuple[str, ...]) -> bool:
    for part in way:
        if not isinstance(fields, Mapping) or f"f:{part}" not in fields:
            return False
        fields = fields[f"f:{part}"]
    return True


def _tool(manager: str) -> str:
    for begins, name in _TOOLS:
        if manager.startswith(begins):
            return name
    return named(manager, otherwise="somebody whose name is not plain")
