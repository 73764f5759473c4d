"""HPA bounds: set the least and the most pods that a HorizontalPodAutoscaler keeps its workload at.

The write patches the autoscaler's two numbers and nothing else, and is marked by its field manager; admission fences the fields.
An autoscaler has no ``metadata.generation``, and its own status moves its resource version every 15 seconds while something
changes. So a write is proven not to have landed only while the object is at the very version that the write was conditional on.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from approvals.change.action import Argument, Target
from approvals.change.diff import Mac, changes_between
from approvals.change.plan import Bound, Change, PatchType, Resource, Step, json_text
from approvals.change.risk import Risk
from approvals.errors import Unplannable
from approvals.verbs.fencing import keeps_owners, same_but
from approvals.verbs.managers import manager_findings, named, owners_of
from approvals.verbs.parameter import WholeNumber
from approvals.verbs.verb import (
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
    field_manager,
)
from approvals.verbs.workload import DEPLOYMENT, HPAS, counted, is_being_deleted

HPA: Final = TargetKind(name="HorizontalPodAutoscaler", resource=HPAS)

_OBJECT: Final = "object"
_LEAST: Final = 1
"""0 would let an autoscaler stop every pod, and needs a feature of the cluster's that is off by default."""
_MOST: Final = 1000
_RULES: Final = (AccessRule(group=HPAS.group, resource=HPAS.plural, verbs=("get", "patch")),)

_WHY: Final = (
    ("AbleToScale", "FailedGetScale", "It cannot read how many pods its workload has: that may be gone."),
    ("AbleToScale", "FailedUpdateScale", "The cluster does not let it set its workload's number of pods."),
    ("AbleToScale", "BackoffBoth", "It waits, because it has set the number a short while ago."),
    ("AbleToScale", "BackoffDownscale", "It waits, because it has set the number a short while ago."),
    ("AbleToScale", "BackoffUpscale", "It waits, because it has set the number a short while ago."),
    ("ScalingActive", "AmbiguousSelector", "Another autoscaler aims at the same pods, so it does nothing."),
    ("ScalingActive", "InvalidSelector", "It cannot tell which pods are its workload's."),
)
"""By condition and reason: why an autoscaler does nothing. That it gets no metrics keeps it from nothing here."""


def _reads(target: Target, resource: Resource) -> tuple[Read, ...]:
    return (Read(key=_OBJECT, resource=resource, name=target.name),)


def _build(
    observed: Observed, target: Target, resource: Resource, arguments: Mapping[str, Argument], occasion: PlanSeed
) -> tuple[StepDraft, ...]:
    del occasion  # the field manager carries the escalation's id
    least, most = _wanted(arguments)
    if least > most:
        raise Unplannable(
            "min_replicas is more than max_replicas.", code="bounds_reversed", field="/action/parameters/min_replicas"
        )
    uid = observed[_OBJECT]["metadata"]["uid"]
    step = Step(
        resource=resource,
        namespace=target.namespace,
        name=target.name,
        uid=uid,
        subresource=None,
        patch_type=PatchType.MERGE,
        body=json_text({"metadata": {"uid": uid}, "spec": {"minReplicas": least, "maxReplicas": most}}),
        changes=(),
    )
    return (StepDraft(step=step, before=_OBJECT),)


def _wanted(arguments: Mapping[str, Argument]) -> tuple[int, int]:
    return int(arguments["min_replicas"]), int(arguments["max_replicas"])


def _bounds(hpa: Mapping[str, Any]) -> tuple[int, int]:
    """Return the least and the most that an autoscaler keeps; the server's default for the least is 1."""
    return int(hpa["spec"].get("minReplicas", 1)), int(hpa["spec"]["maxReplicas"])


def _reviewed(before: Mapping[str, Any], after: Mapping[str, Any], mac: Mac) -> tuple[Change, ...]:
    return changes_between(before, after, mac=mac)


def _becomes(observed: Observed, answer: Mapping[str, Any]) -> Mapping[str, Any]:
    del observed  # the answer is the whole object
    return answer


def _stake(observed: Observed, arguments: Mapping[str, Argument]) -> Assessment:
    hpa = observed[_OBJECT]
    (least, most), (was_least, was_most) = _wanted(arguments), _bounds(hpa)
    managers = (
        *manager_findings(hpa, "spec", "minReplicas"),
        *manager_findings(hpa, "spec", "maxReplicas"),
    )
    findings = (*(("It is off: its workload runs no pod.",) if _is_off(hpa) else ()), *dict.fromkeys(managers))
    risk = Risk.MEDIUM if least < was_least or most < was_most else Risk.LOW
    return Assessment(risk=risk, findings=findings, blast=_blast(hpa, least=least, most=most))


def _blast(hpa: Mapping[str, Any], *, least: int, most: int) -> str:
    """Return how many pods come or go at once, by the number that the autoscaler saw last."""
    current = _seen(hpa)
    if current is None:
        return "how many pods come or go at once cannot be told: the autoscaler has not counted them"
    if _is_off(hpa) or least <= current <= most:
        return "no pod more or fewer at once"
    if current < least:
        return f"{counted(least - current, 'pod')} more at once"
    return f"{counted(current - most, 'pod')} fewer at once"


def _summary(bound: Bound) -> str:
    before = {change.path: change.before for step in bound.steps for change in step.changes}
    least, most = _wanted(bound.arguments)
    was = f"{before.get('/spec/minReplicas', least)}–{before.get('/spec/maxReplicas', most)}"
    target = bound.target
    return f"Set {target.kind} {target.name} {was} → {least}–{most} pods in {target.namespace}"


def _evidence_of(bound: Bound, before: Baseline, now: Mapping[str, Any]) -> Landed:
    if now["metadata"]["uid"] != bound.steps[0].uid:
        return Landed.CANNOT_TELL
    if str(now["metadata"]["resourceVersion"]) == before.resource_version:
        # Our write would have moved it, as anybody's does.
        return Landed.NOT_APPLIED
    if _bounds(now) == _wanted(bound.arguments):
        # No mark is asked for: the numbers are absolute and the object has moved on from what our bytes were conditional on, so
        # they are there, and the bytes cannot land any more.
        return Landed.APPLIED
    # Its status alone may have moved it, or somebody may have set our numbers back.
    return Landed.CANNOT_TELL


def _marked(bound: Bound, now: Mapping[str, Any]) -> bool:
    mark = field_manager(bound.escalation)
    return any(entry.get("manager") == mark for entry in now["metadata"].get("managedFields") or ())


def _progress(bound: Bound, now: Mapping[str, Any]) -> Progress:
    """Tell how far it is: done once the number of pods that the autoscaler counted last is within the bounds."""
    (least, most), wanted = _bounds(now), _wanted(bound.arguments)
    if (least, most) != wanted:
        owners = (*owners_of(now, "spec", "minReplicas"), *owners_of(now, "spec", "maxReplicas"))
        who = owners[-1] if owners else "somebody else"
        sentence = f"{who[0].upper()}{who[1:]} has set the bounds to {least}–{most} pods since."
        return Progress(effect=Effect.UNDONE, sentence=sentence)
    pace = _pace(now)
    if is_being_deleted(now):
        return Progress(effect=Effect.IN_PROGRESS, sentence="It is being deleted.", pace=pace)
    if _is_off(now):
        off = "The bounds are set; the autoscaler is off, since its workload runs no pod."
        return Progress(effect=Effect.VERIFIED, sentence=off, pace=pace)
    current = _seen(now)
    if current is None:
        return Progress(effect=Effect.IN_PROGRESS, sentence="The autoscaler has counted no pods yet.", pace=pace)
    if least <= current <= most:
        return Progress(effect=Effect.VERIFIED, sentence=f"{counted(current, 'pod')}, within the bounds.", pace=pace)
    how = "fewer than the least" if current < least else "more than the most"
    return Progress(effect=Effect.IN_PROGRESS, sentence=f"{counted(current, 'pod')} still, {how}.", pace=pace)


def _standstill(hpa: Mapping[str, Any], pods: Iterable[Mapping[str, Any]], events: Iterable[Mapping[str, Any]]) -> str:
    del pods, events  # the autoscaler says itself what keeps it from setting a number
    for kind, one in _conditions(hpa).items():
        if one.get("status") != "False":
            continue
        for condition, reason, sentence in _WHY:
            if (kind, one.get("reason")) == (condition, reason):
                return sentence
        if kind == "AbleToScale":
            reason = named(one.get("reason"), otherwise="that is not a plain word")
            return f"The autoscaler gives the reason {reason}."
    return ""


def _conditions(hpa: Mapping[str, Any]) -> dict[Any, Mapping[str, Any]]:
    return {one.get("type"): one for one in (hpa.get("status") or {}).get("conditions") or ()}


def _is_off(hpa: Mapping[str, Any]) -> bool:
    """Tell whether the autoscaler leaves its workload alone, as it does where somebody has scaled that to 0."""
    active = _conditions(hpa).get("ScalingActive") or {}
    return (active.get("status"), active.get("reason")) == ("False", "ScalingDisabled")


def _seen(hpa: Mapping[str, Any]) -> int | None:
    """Return how many pods the autoscaler counted when it looked last; None where it has not, or could not."""
    able = _conditions(hpa).get("AbleToScale")
    if able is None or able.get("reason") == "FailedGetScale":
        return None
    return int(hpa["status"].get("currentReplicas") or 0)


def _pace(hpa: Mapping[str, Any]) -> str:
    status = hpa.get("status") or {}
    parts = (status.get("currentReplicas", 0), status.get("desiredReplicas", 0), status.get("lastScaleTime", ""))
    return "/".join(str(part) for part in parts)[:120]


def _canary(name: str) -> dict[str, Any]:
    """Return an autoscaler of the Deployment of that name, which has no pod: so it is off."""
    reference = {"apiVersion": "apps/v1", "kind": DEPLOYMENT.name, "name": name}
    return {"maxReplicas": 1, "minReplicas": 1, "scaleTargetRef": reference}


_LOWER: Final = "object.spec.?minReplicas.orValue(1)"

HPA_BOUNDS: Final = Verb(
    name="hpa_bounds",
    kinds=(HPA,),
    parameters=(
        WholeNumber(name="min_replicas", least=_LEAST, most=_MOST, description="The least pods: an absolute number."),
        WholeNumber(name="max_replicas", least=_LEAST, most=_MOST, description="The most pods: an absolute number."),
    ),
    blind_spots=(
        "how many pods the autoscaler will want within the bounds",
        "whether new pods find room, pull their image and become ready",
    ),
    planner_rules=_RULES,
    executor_rules=_RULES,
    observer_rules=(AccessRule(group=HPAS.group, resource=HPAS.plural, verbs=("get",)),),
    fences=(
        Fence(
            group=HPAS.group,
            version=HPAS.version,
            resource=HPAS.plural,
            expressions=(
                (same_but("", "metadata", "spec"), "of the object only metadata and spec may change"),
                (same_but("metadata", "managedFields"), "of the metadata nothing may change"),
                (same_but("spec", "minReplicas", "maxReplicas"), "of the spec only the two bounds may change"),
                (
                    f"{_LOWER} >= {_LEAST} && {_LOWER} <= object.spec.maxReplicas && object.spec.maxReplicas <= {_MOST}",
                    f"from {_LEAST} to {_MOST} pods",
                ),
                (
                    keeps_owners((("f:spec", "f:minReplicas"), ("f:spec", "f:maxReplicas"))),
                    "who owns which field stays recorded (managedFields)",
                ),
            ),
        ),
    ),
    reads=_reads,
    build=_build,
    reviewed=_reviewed,
    stake=_stake,
    summary=_summary,
    becomes=_becomes,
    evidence_of=_evidence_of,
    marked=_marked,
    yardstick=Yardstick(progress=_progress, standstill=_standstill, looks_around=False),
    trial=Trial(
        kind=HPA,
        subresource=None,
        breach={"metadata": {"labels": {"countersign.dev/trial": "must-be-refused"}}},
        canary=_canary,
    ),
)
