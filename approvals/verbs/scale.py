"""Scale: set the number of replicas of a Deployment or a StatefulSet, through the scale subresource.

The executor holds ``get`` and ``patch`` on the two scale subresources and nothing else, so there is no pod template
to attack. The write is marked by its field manager, because a Scale object cannot store annotations.
"""

from collections.abc import Mapping
from typing import Any, Final

from approvals.change.action import Argument, Target
from approvals.change.diff import Mac, changes_between
from approvals.change.plan import Bound, Change, PatchType, Resource, Step, json_text
from approvals.change.risk import Risk
from approvals.verbs.fencing import same_but
from approvals.verbs.managers import autoscaler_findings, manager_findings, owners_of
from approvals.verbs.parameter import WholeNumber
from approvals.verbs.rollout import numbered
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
    Trial,
    Verb,
    Yardstick,
    field_manager,
)
from approvals.verbs.workload import DEPLOYMENT, HPAS, STATEFUL_SET, counted, held_up, waits_for_each, wanted_replicas

_OBJECT: Final = "object"
_SCALE: Final = "scale"
_HPAS: Final = "hpas"
_FIELD: Final = ("spec", "replicas")

_LEAST: Final = 0
_MOST: Final = 1000
_NUMBER: Final = "(has(object.spec.replicas) ? object.spec.replicas : 0)"
"""The server leaves the field out when it is 0."""


def _reads(target: Target, resource: Resource) -> tuple[Read, ...]:
    return (
        Read(key=_OBJECT, resource=resource, name=target.name),
        Read(key=_SCALE, resource=resource, name=target.name, subresource="scale"),
        Read(key=_HPAS, resource=HPAS, name=None),
    )


def _build(
    observed: Observed, target: Target, resource: Resource, arguments: Mapping[str, Argument], occasion: PlanSeed
) -> tuple[StepDraft, ...]:
    del occasion  # the field manager carries the escalation's id
    uid = observed[_SCALE]["metadata"]["uid"]
    step = Step(
        resource=resource,
        namespace=target.namespace,
        name=target.name,
        uid=uid,
        subresource="scale",
        patch_type=PatchType.MERGE,
        body=json_text({"metadata": {"uid": uid}, "spec": {"replicas": arguments["replicas"]}}),
        changes=(),
    )
    return (StepDraft(step=step, before=_SCALE),)


def _reviewed(before: Mapping[str, Any], after: Mapping[str, Any], mac: Mac) -> tuple[Change, ...]:
    return changes_between(_with_zero(before), _with_zero(after), mac=mac)


def _becomes(observed: Observed, answer: Mapping[str, Any]) -> dict[str, Any]:
    workload = observed[_OBJECT]
    return {**workload, "spec": {**workload["spec"], "replicas": _with_zero(answer)["spec"]["replicas"]}}


def _with_zero(scale: Mapping[str, Any]) -> dict[str, Any]:
    """Return *scale* with its replicas spelt out: the server leaves the field out when it is 0."""
    return {**scale, "spec": {"replicas": 0, **(scale.get("spec") or {})}}


def _stake(observed: Observed, arguments: Mapping[str, Argument]) -> Assessment:
    before, after = wanted_replicas(_with_zero(observed[_SCALE])), int(arguments["replicas"])
    findings = (
        *(("Scaling to 0 stops every pod of it.",) if after == 0 else ()),
        *held_up(observed[_OBJECT], left=after if after < before else None),
        *autoscaler_findings(observed[_OBJECT], observed[_HPAS], before=before, after=after),
        *manager_findings(observed[_OBJECT], *_FIELD),
    )
    risk = Risk.HIGH if after == 0 else Risk.MEDIUM if after < before else Risk.LOW
    return Assessment(risk=risk, findings=findings, blast=_blast(observed[_OBJECT], before=before, after=after))


def _blast(workload: Mapping[str, Any], *, before: int, after: int) -> str:
    number = abs(after - before)
    in_order = number > 1 and waits_for_each(workload)
    more = "more" if after > before else "fewer"
    return f"{counted(number, 'pod')} {more}{', one after another' if in_order else ''}"


def _summary(bound: Bound) -> str:
    before = next(
        (change.before for step in bound.steps for change in step.changes if change.path == "/spec/replicas"), None
    )
    target, after = bound.target, bound.arguments["replicas"]
    return f"Scale {target.kind} {target.name} {before} → {after} in {target.namespace}"


def _evidence_of(bound: Bound, before: Baseline, now: Mapping[str, Any]) -> Landed:
    if now["metadata"]["uid"] != bound.steps[0].uid:
        return Landed.CANNOT_TELL
    if now["metadata"]["generation"] == before.generation:
        # Our write would have raised it. A mark beside it was put there by somebody else: it is any writer's to choose.
        return Landed.NOT_APPLIED
    if wanted_replicas(now) == bound.arguments["replicas"]:
        # No mark is asked for: to and from 0 the server was measured to leave none. The number is absolute and the object has
        # moved on from what our bytes were conditional on, so it is there, and they cannot land any more.
        return Landed.APPLIED
    return Landed.CANNOT_TELL


def _marked(bound: Bound, now: Mapping[str, Any]) -> bool:
    return any(
        entry.get("manager") == field_manager(bound.escalation) and entry.get("subresource") == "scale"
        for entry in now["metadata"].get("managedFields") or ()
    )


def _progress(bound: Bound, now: Mapping[str, Any]) -> Progress:
    number = wanted_replicas(now)
    if number != bound.arguments["replicas"]:
        who = (owners_of(now, *_FIELD) or ("somebody else",))[-1]
        who = f"{who[0].upper()}{who[1:]}"
        return Progress(effect=Effect.UNDONE, sentence=f"{who} has set it to {counted(number, 'pod')} since.")
    return numbered(now)


SCALE: Final = Verb(
    name="scale",
    kinds=(DEPLOYMENT, STATEFUL_SET),
    parameters=(
        WholeNumber(
            name="replicas", least=_LEAST, most=_MOST, description="How many pods are wanted: an absolute number."
        ),
    ),
    blind_spots=(
        "whether new pods find room, pull their image and become ready",
        "whether an autoscaler or a GitOps controller sets the number back",
    ),
    planner_rules=(
        AccessRule(group="apps", resource="deployments", verbs=("get",)),
        AccessRule(group="apps", resource="statefulsets", verbs=("get",)),
        AccessRule(group="apps", resource="deployments/scale", verbs=("get", "patch")),
        AccessRule(group="apps", resource="statefulsets/scale", verbs=("get", "patch")),
        AccessRule(group="autoscaling", resource="horizontalpodautoscalers", verbs=("list",)),
    ),
    executor_rules=(
        AccessRule(group="apps", resource="deployments/scale", verbs=("get", "patch")),
        AccessRule(group="apps", resource="statefulsets/scale", verbs=("get", "patch")),
    ),
    observer_rules=(
        AccessRule(group="apps", resource="deployments", verbs=("get",)),
        AccessRule(group="apps", resource="statefulsets", verbs=("get",)),
        *SURROUNDINGS,
    ),
    fences=tuple(
        Fence(
            group="apps",
            version="v1",
            resource=f"{kind.resource.plural}/scale",
            expressions=(
                (same_but("", "spec"), "of the scale only its spec may change"),
                (same_but("spec", "replicas"), "of the spec only the number may change"),
                (f"{_NUMBER} >= {_LEAST} && {_NUMBER} <= {_MOST}", f"at most {_MOST} replicas"),
            ),
        )
        for kind in (DEPLOYMENT, STATEFUL_SET)
    ),
    reads=_reads,
    build=_build,
    reviewed=_reviewed,
    stake=_stake,
    summary=_summary,
    becomes=_becomes,
    evidence_of=_evidence_of,
    marked=_marked,
    yardstick=Yardstick(progress=_progress, standstill=standstill, looks_around=True),
    trial=Trial(kind=DEPLOYMENT, subresource="scale", breach={"spec": {"replicas": 1_000_000}}),
)
