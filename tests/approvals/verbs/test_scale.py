"""Scale: one number through one subresource; what it stakes, what a read back proves, and when it is done."""

import json
from dataclasses import replace
from typing import Any

import pytest

from approvals.change.plan import Bound, Change, PatchType, Resource, Step, bind
from approvals.change.risk import Risk
from approvals.errors import Unplannable
from approvals.verbs.fencing import same_but
from approvals.verbs.scale import SCALE
from approvals.verbs.verb import (
    SURROUNDINGS,
    AccessRule,
    Assessment,
    Baseline,
    Effect,
    Fence,
    Landed,
    PlanSeed,
    Progress,
    Read,
    StepDraft,
    field_manager,
)
from tests.builders import (
    ESCALATION,
    MINUTE,
    NOON,
    OBJECT_UID,
    a_change,
    a_mac,
    a_plan,
    a_preview,
    a_step,
    a_target,
    a_workload,
    an_action,
    preview_of,
    scale_of,
)

KINDS = ["Deployment", "StatefulSet"]
BASELINE = Baseline(resource_version="10", generation=4)
OCCASION = PlanSeed(escalation=ESCALATION, at=NOON)


def observed(replicas: int = 3, kind: str = "Deployment", **more: Any) -> dict[str, Any]:
    """Return what planning reads of a workload with that many replicas."""
    workload = a_workload(kind, replicas=replicas)
    return {"object": workload, "scale": scale_of(workload), "hpas": [], **more}


def bound(before: int = 3, after: int = 6) -> Bound:
    """Return what binds the change from one number to another."""
    action = an_action(replicas=after)
    step = a_step(changes=(a_change(before=before, after=after),))
    return a_plan(action=action, preview=a_preview(steps=(step,))).bound


@pytest.mark.parametrize("kind", KINDS)
def test_planning_reads_the_object_its_scale_and_the_autoscalers(kind):
    """What is needed for a diff and for the findings, nothing else: no pod template, no other namespace."""
    resource = SCALE.kind(kind).resource

    assert SCALE.reads(a_target(kind), resource) == (
        Read(key="object", resource=resource, name="checkout"),
        Read(key="scale", resource=resource, name="checkout", subresource="scale"),
        Read(
            key="hpas",
            resource=Resource(group="autoscaling", version="v2", plural="horizontalpodautoscalers"),
            name=None,
        ),
    )


@pytest.mark.parametrize("kind", KINDS)
def test_the_step_sets_the_number_and_nothing_else(kind):
    """The body is the uid and the number, through the scale subresource."""
    resource = SCALE.kind(kind).resource

    assert SCALE.build(observed(kind=kind), a_target(kind), resource, {"replicas": 6}, OCCASION) == (
        StepDraft(
            step=Step(
                resource=resource,
                namespace="shop",
                name="checkout",
                uid=OBJECT_UID,
                subresource="scale",
                patch_type=PatchType.MERGE,
                body=f'{{"metadata":{{"uid":"{OBJECT_UID}"}},"spec":{{"replicas":6}}}}',
                changes=(),
            ),
            before="scale",
        ),
    )


@pytest.mark.parametrize(("before", "after"), [(3, 6), (3, 0), (0, 3)])
def test_the_change_is_the_number_also_from_and_to_zero(before, after):
    """The server leaves the number out where it is 0; people see 0, not nothing."""
    now, then = scale_of(a_workload(replicas=before)), scale_of(a_workload(replicas=after))

    assert SCALE.reviewed(now, then, a_mac) == (Change(path="/spec/replicas", before=before, after=after),)
    assert SCALE.reviewed({**now, "spec": None}, now, a_mac) == (
        () if before == 0 else (Change(path="/spec/replicas", before=0, after=before),)
    )


@pytest.mark.parametrize(
    ("before", "after", "risk", "blast", "findings"),
    [
        (3, 6, Risk.LOW, "3 pods more", ()),
        (0, 1, Risk.LOW, "1 pod more", ()),
        (6, 5, Risk.MEDIUM, "1 pod fewer", ()),
        (3, 0, Risk.HIGH, "3 pods fewer", ("Scaling to 0 stops every pod of it.",)),
    ],
)
def test_what_a_new_number_puts_at_stake(before, after, risk, blast, findings):
    """More pods are low risk, fewer are medium, none is high and said in words."""
    assert SCALE.stake(observed(before), {"replicas": after}) == Assessment(risk=risk, findings=findings, blast=blast)


def test_who_may_undo_it_is_a_finding():
    """An autoscaler on the workload and a GitOps controller's mark are told to the approver, after our own warning."""
    reference = {"kind": "Deployment", "name": "checkout"}
    hpa = {"metadata": {"name": "web"}, "spec": {"scaleTargetRef": reference, "minReplicas": 2, "maxReplicas": 9}}
    seen = observed(hpas=[hpa])
    seen["object"]["metadata"]["labels"]["argocd.argoproj.io/instance"] = "shop"

    assert SCALE.stake(seen, {"replicas": 0}).findings == (
        "Scaling to 0 stops every pod of it.",
        "The autoscaler web is switched off by 0 and stays so until somebody sets another number.",
        "Argo CD manages this and may set the change back.",
    )


def test_the_change_in_one_line():
    """What the card's title says; where the plan has no number before, it says so rather than make one up."""
    assert SCALE.summary(bound()) == "Scale Deployment checkout 3 → 6 in shop"
    webhook = a_change("/metadata/labels/x", None, "y")
    only = replace(bound(), steps=(a_step(changes=(webhook,)),))
    assert SCALE.summary(only) == "Scale Deployment checkout None → 6 in shop"
    both = replace(bound(), steps=(a_step(changes=(webhook, a_change())),))
    assert SCALE.summary(both) == "Scale Deployment checkout 3 → 6 in shop"


def now(replicas: int = 3, generation: int = 4, manager: str | None = None, **entry: Any) -> dict[str, Any]:
    """Return the object as it is read back."""
    workload = a_workload(replicas=replicas)
    workload["metadata"]["generation"] = generation
    if manager is not None:
        workload["metadata"]["managedFields"] = [{"manager": "kubectl"}, {"manager": manager, **entry}]
    return workload


OURS = field_manager(ESCALATION)


@pytest.mark.parametrize(
    ("seen", "landed"),
    [
        (now(6, 5, OURS, subresource="scale"), Landed.APPLIED),
        (now(9, 6, OURS, subresource="scale"), Landed.CANNOT_TELL),
        (now(3, 4, OURS, subresource="scale"), Landed.NOT_APPLIED),
        (now(3, 4), Landed.NOT_APPLIED),
        (now(3, 4, "countersign:esc_other", subresource="scale"), Landed.NOT_APPLIED),
        (now(3, 4, OURS), Landed.NOT_APPLIED),
        (now(3, 4, OURS, subresource="status"), Landed.NOT_APPLIED),
        (now(6, 5), Landed.APPLIED),
        (now(9, 5), Landed.CANNOT_TELL),
        (now(9, 5, "countersign:esc_other", subresource="scale"), Landed.CANNOT_TELL),
    ],
    ids=[
        "our mark",
        "our mark, and another number",
        "our mark, forged beside what was never written",
        "nothing has moved",
        "another escalation's mark, before ours",
        "our name without the subresource",
        "our name elsewhere",
        "the number is there",
        "something moved",
        "another escalation moved it",
    ],
)
def test_what_a_read_back_proves(seen, landed):
    """The number itself on an object that has moved on: applied. The same generation: not. Else nobody knows, mark or not."""
    assert SCALE.evidence_of(bound(), BASELINE, seen) is landed


def test_our_mark_is_our_managers_name_on_the_scale():
    """Another's, or ours elsewhere, is none; to and from 0 the server leaves none."""
    marked = [
        now(manager=OURS, subresource="scale"),
        now(manager=OURS),
        now(manager="countersign:esc_other", subresource="scale"),
        now(),
    ]

    assert [SCALE.marked(bound(), one) for one in marked] == [True, False, False, False]


@pytest.mark.parametrize(("before", "after"), [(3, 6), (3, 0), (0, 3)])
def test_what_the_whole_target_becomes(before, after):
    """The object that was read, with the number that the dry run answered and nothing else moved."""
    seen = observed(before)

    becomes = SCALE.becomes(seen, scale_of(a_workload(replicas=after)))

    assert becomes == {**seen["object"], "spec": {**seen["object"]["spec"], "replicas": after}}


def test_another_object_of_the_same_name_proves_nothing():
    """T-TOC-02: what was deleted and created again is not what was written to, whatever it looks like."""
    other = now(6, 4, OURS, subresource="scale")
    other["metadata"]["uid"] = "another"

    assert SCALE.evidence_of(bound(), BASELINE, other) is Landed.CANNOT_TELL


def test_the_effect_is_the_rollout_to_the_approved_number():
    """Followed until every pod is there; another number means that somebody else has changed it."""
    assert SCALE.yardstick.progress(bound(), now(6)) == Progress(
        effect=Effect.VERIFIED, sentence="All 6 pods ready.", pace="4/6/6/6/6/"
    )
    assert SCALE.yardstick.progress(bound(), now(6, generation=5)) == Progress(
        effect=Effect.IN_PROGRESS, sentence="The controller has not seen the change yet.", pace="4/6/6/6/6/"
    )
    assert SCALE.yardstick.progress(bound(), now(7)) == Progress(
        effect=Effect.UNDONE, sentence="Somebody else has set it to 7 pods since."
    )
    fields: dict[str, Any] = {"f:spec": {"f:replicas": {}}}
    assert SCALE.yardstick.progress(bound(), now(7, manager="kube-controller-manager", fieldsV1=fields)) == Progress(
        effect=Effect.UNDONE, sentence="An autoscaler has set it to 7 pods since."
    )


@pytest.mark.parametrize(
    ("kind", "spec", "after", "blast"),
    [
        ("StatefulSet", {}, 6, "3 pods more, one after another"),
        ("StatefulSet", {}, 2, "1 pod fewer"),
        ("StatefulSet", {"podManagementPolicy": "Parallel"}, 6, "3 pods more"),
        ("Deployment", {}, 6, "3 pods more"),
    ],
)
def test_a_stateful_set_scales_in_its_order(kind, spec, after, blast):
    """One pod after another, unless it says that they may come together."""
    seen = {**observed(kind=kind), "object": a_workload(kind, **spec)}

    assert SCALE.stake(seen, {"replicas": after}).blast == blast


def test_more_pods_that_do_not_come_are_said():
    """A StatefulSet that waits for a pod makes no further one; taking pods away is another matter."""
    seen = {**observed(kind="StatefulSet"), "object": a_workload("StatefulSet")}
    seen["object"]["status"]["readyReplicas"] = 1

    held_up = (
        "2 of 3 pods are not ready: its controller makes and replaces none while one is not, so this does nothing unless that"
        " passes or somebody deletes what is not ready."
    )
    assert SCALE.stake(seen, {"replicas": 6}).findings == (held_up,)
    fewer = (
        "2 of 3 pods are not ready: its controller takes none away while {}, so this may do nothing unless that passes or"
        " somebody deletes what is not ready."
    )
    assert SCALE.stake(seen, {"replicas": 2}).findings == (fewer.format("one of the first is not"),)
    assert SCALE.stake(seen, {"replicas": 1}).findings == (fewer.format("the first is not"),)
    assert SCALE.stake(seen, {"replicas": 0}).findings == ("Scaling to 0 stops every pod of it.",)


@pytest.mark.parametrize("kind", KINDS)
def test_a_plan_of_it_whole(kind):
    """From what was read and what the dry run answered to what people are asked about."""
    action = an_action(target=a_target(kind), replicas=6)
    seen = observed(kind=kind)

    preview = preview_of(SCALE, action, seen, scale_of(a_workload(kind, replicas=6)), OCCASION)

    assert preview.steps[0].changes == (a_change(),)
    assert json.loads(preview.steps[0].body)["spec"] == {"replicas": 6}
    assert (preview.evidence.risk, preview.evidence.blast.partition(",")[0]) == (Risk.LOW, "3 pods more")


def test_the_same_number_again_is_no_change():
    """T-TOC-14: asking for what already is, nobody is asked."""
    seen = observed(6)
    preview = preview_of(SCALE, an_action(), seen, seen["scale"], OCCASION)

    with pytest.raises(Unplannable):
        bind(
            preview,
            escalation=ESCALATION,
            action=an_action(),
            executor="x",
            valid_for=MINUTE,
        )


def test_its_rights_and_fences():
    """The executor holds get and patch on the two scale subresources and nothing else; admission bounds the number."""
    both = (
        AccessRule(group="apps", resource="deployments/scale", verbs=("get", "patch")),
        AccessRule(group="apps", resource="statefulsets/scale", verbs=("get", "patch")),
    )
    objects = (
        AccessRule(group="apps", resource="deployments", verbs=("get",)),
        AccessRule(group="apps", resource="statefulsets", verbs=("get",)),
    )
    hpas = AccessRule(group="autoscaling", resource="horizontalpodautoscalers", verbs=("list",))
    number = "(has(object.spec.replicas) ? object.spec.replicas : 0)"
    bounded = (
        (same_but("", "spec"), "of the scale only its spec may change"),
        (same_but("spec", "replicas"), "of the spec only the number may change"),
        (f"{number} >= 0 && {number} <= 1000", "at most 1000 replicas"),
    )

    assert SCALE.executor_rules == both
    assert SCALE.planner_rules == (*objects, *both, hpas)
    assert SCALE.observer_rules == (*objects, *SURROUNDINGS)
    assert SCALE.fences == tuple(
        Fence(group="apps", version="v1", resource=f"{plural}/scale", expressions=bounded)
        for plural in ("deployments", "statefulsets")
    )
