"""Restart: replace every pod of a Deployment or a StatefulSet by a rolling restart.

The write sets the annotation that ``kubectl rollout restart`` sets, to the instant the escalation came in: fixed
before planning, so that what was shown is what is sent and a resend is the same patch. It is marked by an annotation
that carries the escalation's id. The executor holds ``patch`` on the whole object; admission fences the fields.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from approvals.change.action import Argument, Target
from approvals.change.diff import Mac, changes_between
from approvals.change.plan import Bound, Change, PatchType, Resource, Step, json_text
from approvals.change.risk import Risk
from approvals.errors import Unplannable
from approvals.verbs.fencing import keeps_owners, only_annotation, same_but
from approvals.verbs.managers import manager_findings
from approvals.verbs.rollout import replaced
from approvals.verbs.standstill import standstill
from approvals.verbs.verb import (
    SURROUNDINGS,
    AccessRule,
    Assessment,
    Baseline,
    Effect,
    Fence,
    Landed,
    Observed,
    PlanSeed,
    Progress,
    Read,
    StepDraft,
    TargetKind,
    Trial,
    Verb,
    Yardstick,
)
from approvals.verbs.workload import (
    DEPLOYMENT,
    STATEFUL_SET,
    counted,
    goes_one_by_one,
    held_back,
    held_up,
    is_paused,
    replaces_only_what_is_deleted,
    stops_all_first,
    wanted_replicas,
)

RESTARTED_AT: Final = "kubectl.kubernetes.io/restartedAt"
REQUEST_ID: Final = "countersign.dev/request-id"

_OBJECT: Final = "object"

_INSTANT: Final = "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z$"
"""The form of the instant that a restart writes: RFC 3339 in UTC, 20 characters."""

_ID: Final = "^[A-Za-z0-9_]{1,64}$"
"""The form of an escalation's id."""


def _reads(target: Target, resource: Resource) -> tuple[Read, ...]:
    return (Read(key=_OBJECT, resource=resource, name=target.name),)


def _build(
    observed: Observed, target: Target, resource: Resource, arguments: Mapping[str, Argument], occasion: PlanSeed
) -> tuple[StepDraft, ...]:
    del arguments  # it has none
    workload = observed[_OBJECT]
    _check_restartable(workload)
    at = occasion.at.strftime("%Y-%m-%dT%H:%M:%SZ")
    body = {
        "metadata": {"uid": workload["metadata"]["uid"], "annotations": {REQUEST_ID: occasion.escalation}},
        "spec": {"template": {"metadata": {"annotations": {RESTARTED_AT: at}}}},
    }
    step = Step(
        resource=resource,
        namespace=target.namespace,
        name=target.name,
        uid=workload["metadata"]["uid"],
        subresource=None,
        patch_type=PatchType.MERGE,
        body=json_text(body),
        changes=(),
    )
    return (StepDraft(step=step, before=_OBJECT),)


def _check_restartable(workload: Mapping[str, Any]) -> None:
    if is_paused(workload):
        raise Unplannable(
            "Its rollouts are paused, so a restart would do nothing until somebody resumes them.", code="rollout_paused"
        )
    if replaces_only_what_is_deleted(workload):
        raise Unplannable(
            "It replaces pods only when they are deleted, so a restart would do nothing.", code="rollout_manual"
        )
    if (kept := held_back(workload)) and kept == wanted_replicas(workload):
        raise Unplannable(
            "Its partition keeps every pod as it is, so a restart would do nothing.", code="rollout_partitioned"
        )


def _reviewed(before: Mapping[str, Any], after: Mapping[str, Any], mac: Mac) -> tuple[Change, ...]:
    return changes_between(before, after, mac=mac)


def _stake(observed: Observed, arguments: Mapping[str, Argument]) -> Assessment:
    del arguments
    workload = observed[_OBJECT]
    return Assessment(
        risk=Risk.MEDIUM, findings=(*_findings(workload), *manager_findings(workload)), blast=_blast(workload)
    )


def _findings(workload: Mapping[str, Any]) -> Iterator[str]:
    wanted, kept = wanted_replicas(workload), held_back(workload)
    if wanted == 0:
        yield "It runs no pod now: only those of a later scale-up are new."
    elif stops_all_first(workload):
        yield "It stops every pod before it starts a new one: nothing serves meanwhile."
    elif wanted == 1:
        yield "It runs a single pod: requests may fail while that one is replaced."
    yield from held_up(workload)
    if kept:
        yield f"Its partition keeps {counted(kept, 'pod')} as {'it is' if kept == 1 else 'they are'}."


def _blast(workload: Mapping[str, Any]) -> str:
    number = wanted_replicas(workload) - held_back(workload)
    how = ", all at once" if stops_all_first(workload) else ", one after another" if goes_one_by_one(workload) else ""
    return f"{counted(number, 'pod')} replaced{how if number > 1 else ''}"


def _summary(bound: Bound) -> str:
    return f"Restart {bound.target.kind} {bound.target.name} in {bound.target.namespace}"


def _evidence_of(bound: Bound, before: Baseline, now: Mapping[str, Any]) -> Landed:
    if now["metadata"]["uid"] != bound.steps[0].uid:
        return Landed.CANNOT_TELL
    if now["metadata"]["generation"] == before.generation:
        # Our write would have raised it. A mark beside it was put there by somebody else: it is any writer's to choose.
        return Landed.NOT_APPLIED
    return Landed.APPLIED if _marked(bound, now) and _restarted_at(now) == _planned_at(bound) else Landed.CANNOT_TELL


def _marked(bound: Bound, now: Mapping[str, Any]) -> bool:
    return bool((now["metadata"].get("annotations") or {}).get(REQUEST_ID) == bound.escalation)


def _restarted_at(workload: Mapping[str, Any]) -> object:
    return (workload["spec"]["template"].get("metadata", {}).get("annotations") or {}).get(RESTARTED_AT)


def _planned_at(bound: Bound) -> object:
    return _restarted_at(json.loads(bound.steps[0].body))


def _progress(bound: Bound, now: Mapping[str, Any]) -> Progress:
    at = _restarted_at(now)
    if at == _planned_at(bound):
        return replaced(now)
    return Progress(
        effect=Effect.UNDONE,
        sentence="Somebody else has taken the restart's mark from the template since: its pods are replaced once more."
        if at is None
        else "Somebody else has restarted it once more since.",
    )


def _becomes(observed: Observed, answer: Mapping[str, Any]) -> Mapping[str, Any]:
    del observed  # the answer is the whole object
    return answer


def _fence(kind: TargetKind) -> Fence:
    """Return what a restart may change: the two annotations, to values of their form, and the server's own bookkeeping.

    Every map on the way to them is compared key by key, as the object has them at run time: a field that a later version
    of Kubernetes brings may not change either.
    """
    template = "spec.template"
    return Fence(
        group="apps",
        version="v1",
        resource=kind.resource.plural,
        expressions=(
            (same_but("", "metadata", "spec"), "of the object only metadata and spec may change"),
            (
                same_but("metadata", "annotations", "managedFields", "generation"),
                "of the metadata only the annotations",
            ),
            (same_but("spec", "template"), "of the spec only the template may change"),
            (same_but(template, "metadata"), "of the template only its metadata may change"),
            (
                same_but(f"{template}.metadata", "annotations"),
                "of the template's metadata only the annotations may change",
            ),
            (
                only_annotation(f"{template}.metadata", RESTARTED_AT, _INSTANT),
                "of the template's annotations only the restart's may change, and to an instant",
            ),
            (
                only_annotation("metadata", REQUEST_ID, _ID),
                "of the annotations only the request id may change, and to an id",
            ),
            (keeps_owners(_OWNED), "who owns which field stays recorded (managedFields)"),
        ),
    )


_OWNED: Final = (
    ("f:metadata", "f:annotations", f"f:{REQUEST_ID}"),
    ("f:spec", "f:template", "f:metadata", "f:annotations", f"f:{RESTARTED_AT}"),
)
"""The two annotations, as managedFields names them."""


def _annotation_path(metadata: str, key: str) -> str:
    return f"{metadata}/annotations/{key.replace('/', '~1')}"


RESTART: Final = Verb(
    name="restart",
    kinds=(DEPLOYMENT, STATEFUL_SET),
    parameters=(),
    blind_spots=(
        "whether new pods find room, pull their image and become ready",
        "what the new pods do differently once they run",
    ),
    planner_rules=(
        AccessRule(group="apps", resource="deployments", verbs=("get", "patch")),
        AccessRule(group="apps", resource="statefulsets", verbs=("get", "patch")),
    ),
    executor_rules=(
        AccessRule(group="apps", resource="deployments", verbs=("get", "patch")),
        AccessRule(group="apps", resource="statefulsets", verbs=("get", "patch")),
    ),
    observer_rules=(
        AccessRule(group="apps", resource="deployments", verbs=("get",)),
        AccessRule(group="apps", resource="statefulsets", verbs=("get",)),
        *SURROUNDINGS,
    ),
    fences=tuple(_fence(kind) for kind in (DEPLOYMENT, STATEFUL_SET)),
    reads=_reads,
    build=_build,
    reviewed=_reviewed,
    stake=_stake,
    summary=_summary,
    becomes=_becomes,
    evidence_of=_evidence_of,
    marked=_marked,
    yardstick=Yardstick(progress=_progress, standstill=standstill, looks_around=True),
    trial=Trial(
        kind=DEPLOYMENT, subresource=None, breach={"metadata": {"labels": {"countersign.dev/trial": "must-be-refused"}}}
    ),
    effect_words={
        _annotation_path("/spec/template/metadata", RESTARTED_AT): "restarted",
        _annotation_path("/metadata", REQUEST_ID): None,
    },
)
