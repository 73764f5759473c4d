"""Rollout style: how a Deployment replaces its pods, with a parameter of each kind that no verb of the product has.

A choice (the strategy), a switch (whether its rollouts are paused) and a word (a stage, kept as an annotation).
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from approvals.change.action import Argument, Target
from approvals.change.diff import Mac, changes_between
from approvals.change.plan import Bound, Change, PatchType, Resource, Step, json_text
from approvals.change.risk import Risk
from approvals.identity.names import EscalationId
from approvals.verbs.fencing import keeps_owners, only_annotation, same_but
from approvals.verbs.parameter import Choice, Switch, Word
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
    Trial,
    Verb,
    Yardstick,
    field_manager,
)
from approvals.verbs.workload import DEPLOYMENT

STAGE: Final = "stories.test/stage"
_OBJECT: Final = "object"
_FORM: Final = "[a-z]+(-[a-z]+)*"
_RULES: Final = (AccessRule(group="apps", resource="deployments", verbs=("get", "patch")),)
_STRATEGY: Final = ("f:spec", "f:strategy")


def _reads(target: Target, resource: Resource) -> tuple[Read, ...]:
    return (Read(key=_OBJECT, resource=resource, name=target.name),)


def _build(
    observed: Observed, target: Target, resource: Resource, arguments: Mapping[str, Argument], occasion: PlanSeed
) -> tuple[StepDraft, ...]:
    del occasion
    uid = observed[_OBJECT]["metadata"]["uid"]
    strategy: dict[str, Any] = {"type": arguments["strategy"]}
    if arguments["strategy"] == "Recreate":
        strategy["rollingUpdate"] = None
    body = {
        "metadata": {"uid": uid, "annotations": {STAGE: arguments["stage"]}},
        "spec": {"paused": arguments["paused"], "strategy": strategy},
    }
    step = Step(
        resource=resource,
        namespace=target.namespace,
        name=target.name,
        uid=uid,
        subresource=None,
        patch_type=PatchType.MERGE,
        body=json_text(body),
        changes=(),
    )
    return (StepDraft(step=step, before=_OBJECT),)


def _reviewed(before: Mapping[str, Any], after: Mapping[str, Any], mac: Mac) -> tuple[Change, ...]:
    return changes_between(before, after, mac=mac)


def _stake(observed: Observed, arguments: Mapping[str, Argument]) -> Assessment:
    del observed, arguments
    return Assessment(risk=Risk.LOW, findings=(), blast="no pod more or fewer")


def _summary(bound: Bound) -> str:
    return f"Set the rollout style of {bound.target.kind} {bound.target.name} in {bound.target.namespace}"


def style_of(workload: Mapping[str, Any]) -> tuple[str, bool, str]:
    """Return a Deployment's strategy, whether its rollouts are paused, and its stage."""
    stage = (workload["metadata"].get("annotations") or {}).get(STAGE, "")
    return workload["spec"]["strategy"]["type"], bool(workload["spec"].get("paused", False)), stage


def _wanted(bound: Bound) -> tuple[object, object, object]:
    return bound.arguments["strategy"], bound.arguments["paused"], bound.arguments["stage"]


def _evidence_of(bound: Bound, before: Baseline, now: Mapping[str, Any]) -> Landed:
    if str(now["metadata"]["resourceVersion"]) == before.resource_version:
        return Landed.NOT_APPLIED
    return Landed.APPLIED if style_of(now) == _wanted(bound) else Landed.CANNOT_TELL


def _marked(bound: Bound, now: Mapping[str, Any]) -> bool:
    mark = field_manager(EscalationId(bound.escalation))
    return any(entry.get("manager") == mark for entry in now["metadata"].get("managedFields") or ())


def _progress(bound: Bound, now: Mapping[str, Any]) -> Progress:
    if style_of(now) == _wanted(bound):
        return Progress(effect=Effect.VERIFIED, sentence="It replaces its pods as approved.")
    return Progress(effect=Effect.UNDONE, sentence="Somebody else has set another style since.")


def _standstill(
    workload: Mapping[str, Any], pods: Iterable[Mapping[str, Any]], events: Iterable[Mapping[str, Any]]
) -> str:
    del workload, pods, events
    return ""


def _becomes(observed: Observed, answer: Mapping[str, Any]) -> Mapping[str, Any]:
    del observed
    return answer


ROLLOUT_STYLE: Final = Verb(
    name="rollout_style",
    kinds=(DEPLOYMENT,),
    parameters=(
        Choice(name="strategy", options=("RollingUpdate", "Recreate"), description="How it replaces its pods."),
        Switch(name="paused", description="Whether its rollouts wait."),
        Word(name="stage", form=_FORM, longest=20, description="What it is for, in a word."),
    ),
    blind_spots=("what the next rollout does",),
    planner_rules=_RULES,
    executor_rules=_RULES,
    observer_rules=(AccessRule(group="apps", resource="deployments", verbs=("get",)),),
    fences=(
        Fence(
            group="apps",
            version="v1",
            resource="deployments",
            expressions=(
                (same_but("", "metadata", "spec"), "of the object only metadata and spec may change"),
                (same_but("metadata", "annotations", "managedFields", "generation"), "of the metadata the annotations"),
                (same_but("spec", "paused", "strategy"), "of the spec only the style may change"),
                (only_annotation("metadata", STAGE, f"^{_FORM}$"), "of the annotations only the stage may change"),
                (
                    keeps_owners(
                        (
                            ("f:metadata", "f:annotations", f"f:{STAGE}"),
                            ("f:spec", "f:paused"),
                            (*_STRATEGY, "f:type"),
                            (*_STRATEGY, "f:rollingUpdate"),
                        )
                    ),
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
    trial=Trial(kind=DEPLOYMENT, subresource=None, breach={"metadata": {"labels": {"stories.test/trial": "refused"}}}),
)
