"""Restart: two annotations and nothing else; what it refuses, what a read back proves, and what admission holds fast."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest

from approvals.change.plan import Bound, Change, PatchType, Step
from approvals.change.risk import Risk
from approvals.errors import Unplannable
from approvals.verbs.fencing import keeps_owners, only_annotation, same_but
from approvals.verbs.restart import REQUEST_ID, RESTART, RESTARTED_AT
from approvals.verbs.verb import (
    SURROUNDINGS,
    AccessRule,
    Assessment,
    Baseline,
    Effect,
    Landed,
    PlanSeed,
    Progress,
    Read,
    StepDraft,
)
from tests.builders import (
    ESCALATION,
    HOUR,
    NOON,
    OBJECT_UID,
    a_mac,
    a_plan,
    a_preview,
    a_step,
    a_target,
    a_workload,
    an_action,
    preview_of,
)

KINDS = ["Deployment", "StatefulSet"]
BASELINE = Baseline(resource_version="10", generation=4)
OCCASION = PlanSeed(escalation=ESCALATION, at=NOON + timedelta(microseconds=999_999))
AT = "2026-11-20T12:00:00Z"
BODY = (
    f'{{"metadata":{{"annotations":{{"countersign.dev/request-id":"{ESCALATION}"}},"uid":"{OBJECT_UID}"}},'
    f'"spec":{{"template":{{"metadata":{{"annotations":{{"kubectl.kubernetes.io/restartedAt":"{AT}"}}}}}}}}}}'
)


def build(workload: dict[str, Any], kind: str = "Deployment", occasion: PlanSeed = OCCASION) -> tuple[StepDraft, ...]:
    """Return the drafts of restarting *workload*."""
    return RESTART.build({"object": workload}, a_target(kind), RESTART.kind(kind).resource, {}, occasion)


def restarted(kind: str = "Deployment", **annotations: str) -> dict[str, Any]:
    """Return the workload as the server would answer the patch."""
    workload = a_workload(kind)
    workload["metadata"]["annotations"] = {REQUEST_ID: ESCALATION}
    workload["spec"]["template"]["metadata"]["annotations"] = {RESTARTED_AT: AT, **annotations}
    return workload


def bound() -> Bound:
    """Return what binds the restart of ``shop/checkout``."""
    step = a_step(subresource=None, body=BODY)
    return a_plan(action=an_action("restart"), preview=a_preview(steps=(step,))).bound


@pytest.mark.parametrize("kind", KINDS)
def test_planning_reads_the_object_alone(kind):
    """Nothing else is needed."""
    resource = RESTART.kind(kind).resource

    assert RESTART.reads(a_target(kind), resource) == (Read(key="object", resource=resource, name="checkout"),)


@pytest.mark.parametrize("kind", KINDS)
def test_the_step_sets_the_mark_and_the_instant_it_was_asked(kind):
    """Fixed before planning, to the second: planned again at any later time it is the same patch."""
    assert build(a_workload(kind), kind) == (
        StepDraft(
            step=Step(
                resource=RESTART.kind(kind).resource,
                namespace="shop",
                name="checkout",
                uid=OBJECT_UID,
                subresource=None,
                patch_type=PatchType.MERGE,
                body=BODY,
                changes=(),
            ),
            before="object",
        ),
    )
    later = build(a_workload(kind), kind, PlanSeed(escalation=ESCALATION, at=NOON + HOUR))
    assert json.loads(later[0].step.body)["spec"] != json.loads(BODY)["spec"]


@pytest.mark.parametrize(
    ("spec", "code", "sentence"),
    [
        (
            {"paused": True},
            "rollout_paused",
            "Its rollouts are paused, so a restart would do nothing until somebody resumes them.",
        ),
        (
            {"updateStrategy": {"type": "OnDelete"}},
            "rollout_manual",
            "It replaces pods only when they are deleted, so a restart would do nothing.",
        ),
        (
            {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 3}}},
            "rollout_partitioned",
            "Its partition keeps every pod as it is, so a restart would do nothing.",
        ),
    ],
)
def test_a_restart_that_would_do_nothing_is_refused(spec, code, sentence):
    """Nobody is asked to approve what the controller would not carry out."""
    with pytest.raises(Unplannable) as refused:
        build(a_workload(**spec))

    assert (refused.value.code, refused.value.sentence) == (code, sentence)


@pytest.mark.parametrize(
    "spec", [{"paused": False}, {"updateStrategy": None}, {"updateStrategy": {"type": "RollingUpdate"}}]
)
def test_any_other_strategy_restarts(spec):
    """What rolls is restarted."""
    assert build(a_workload(**spec))


@pytest.mark.parametrize("kind", KINDS)
def test_people_see_the_instant_and_whatever_else_the_dry_run_changed(kind):
    """Our own mark is bookkeeping; a webhook's addition is shown beside the restart itself."""
    preview = preview_of(
        RESTART,
        an_action("restart", target=a_target(kind)),
        {"object": a_workload(kind)},
        restarted(kind, added="x"),
        OCCASION,
    )

    path = "/spec/template/metadata/annotations"
    assert preview.steps[0].changes == (
        Change(path=f"{path}/added", before=None, after="x"),
        Change(path=f"{path}/kubectl.kubernetes.io~1restartedAt", before=None, after=AT),
    )
    assert RESTART.reviewed(a_workload(kind), a_workload(kind), a_mac) == ()


@pytest.mark.parametrize(
    ("replicas", "findings", "blast"),
    [
        (3, (), "3 pods replaced"),
        (1, ("It runs a single pod: requests may fail while that one is replaced.",), "1 pod replaced"),
        (0, ("It runs no pod now: only those of a later scale-up are new.",), "0 pods replaced"),
    ],
)
def test_what_a_restart_puts_at_stake(replicas, findings, blast):
    """Medium risk; a single pod is told, because nothing serves while it is replaced."""
    assert RESTART.stake({"object": a_workload(replicas=replicas)}, {}) == Assessment(
        risk=Risk.MEDIUM, findings=findings, blast=blast
    )


@pytest.mark.parametrize(
    ("workload", "findings", "blast"),
    [
        (a_workload("StatefulSet"), (), "3 pods replaced, one after another"),
        (
            a_workload("StatefulSet", updateStrategy={"rollingUpdate": {"partition": 1}}),
            ("Its partition keeps 1 pod as it is.",),
            "2 pods replaced, one after another",
        ),
        (
            a_workload("StatefulSet", updateStrategy={"rollingUpdate": {"partition": 2}}),
            ("Its partition keeps 2 pods as they are.",),
            "1 pod replaced",
        ),
        (
            a_workload(strategy={"type": "Recreate"}),
            ("It stops every pod before it starts a new one: nothing serves meanwhile.",),
            "3 pods replaced, all at once",
        ),
    ],
)
def test_what_a_restart_touches_follows_the_strategy(workload, findings, blast):
    """One after another, all at once, or only those that no partition keeps."""
    stake = RESTART.stake({"object": workload}, {})

    assert (stake.findings, stake.blast) == (findings, blast)


HELD_UP = (
    "not ready: its controller makes and replaces none while one is not, so this does nothing unless that passes or somebody"
    " deletes what is not ready."
)


@pytest.mark.parametrize(
    ("workload", "findings"),
    [
        (
            a_workload("StatefulSet"),
            (f"1 of 3 pods is {HELD_UP}",),
        ),
        (a_workload("StatefulSet", podManagementPolicy="Parallel"), ()),
        (a_workload(), ()),
    ],
    ids=["one after the other", "in parallel", "a Deployment"],
)
def test_a_restart_that_cannot_begin_is_said(workload, findings):
    """What does not answer is what people want to restart; a controller that waits for it replaces nothing, for ever."""
    workload["status"]["readyReplicas"] = 2

    assert RESTART.stake({"object": workload}, {}).findings == findings


def test_who_may_undo_it_is_a_finding():
    """A GitOps controller's mark is told to the approver, as for any other change."""
    workload = a_workload()
    workload["metadata"]["labels"]["argocd.argoproj.io/instance"] = "shop"

    assert RESTART.stake({"object": workload}, {}).findings == ("Argo CD manages this and may set the change back.",)


def test_the_change_in_one_line():
    """What the card's title says."""
    assert RESTART.summary(bound()) == "Restart Deployment checkout in shop"


def now(mark: str | None = None, generation: int = 4, uid: str = OBJECT_UID, at: str | None = AT) -> dict[str, Any]:
    """Return the object as it is read back: restarted at the planned instant unless told otherwise."""
    workload = a_workload()
    if at is not None:
        workload["spec"]["template"]["metadata"]["annotations"] = {"kubectl.kubernetes.io/restartedAt": at}
    workload["metadata"] |= {"generation": generation, "uid": uid}
    workload["metadata"]["annotations"] = None if mark is None else {REQUEST_ID: mark}
    return workload


@pytest.mark.parametrize(
    ("seen", "landed"),
    [
        (now(ESCALATION, 5), Landed.APPLIED),
        (now(ESCALATION, 9), Landed.APPLIED),
        (now(), Landed.NOT_APPLIED),
        (now(ESCALATION), Landed.NOT_APPLIED),
        (now(ESCALATION, 5, at=None), Landed.CANNOT_TELL),
        (now(ESCALATION, 5, at="2026-11-20T13:00:00Z"), Landed.CANNOT_TELL),
        (now("esc_before"), Landed.NOT_APPLIED),
        (now(generation=5), Landed.CANNOT_TELL),
        (now("esc_after", 6), Landed.CANNOT_TELL),
        (now(ESCALATION, 5, uid="another"), Landed.CANNOT_TELL),
        (now(uid="another"), Landed.CANNOT_TELL),
    ],
)
def test_what_a_read_back_proves(seen, landed):
    """Our mark beside what was planned: applied. The generation it was planned on: not. Else: may have been overwritten.

    A mark alone proves nothing, since whoever may write can put it there.
    """
    assert RESTART.evidence_of(bound(), BASELINE, seen) is landed


def test_the_effect_is_the_rollout_while_our_restart_stands():
    """Followed to its end; once somebody restarts it once more or takes the restart away, this one is undone."""
    assert RESTART.yardstick.progress(bound(), now(ESCALATION)) == Progress(
        effect=Effect.VERIFIED, sentence="All 3 pods ready.", pace="4/3/3/3/3/"
    )
    assert RESTART.yardstick.progress(bound(), now(at="2026-11-20T13:00:00Z")) == Progress(
        effect=Effect.UNDONE, sentence="Somebody else has restarted it once more since."
    )
    assert RESTART.yardstick.progress(bound(), now(at=None)) == Progress(
        effect=Effect.UNDONE,
        sentence="Somebody else has taken the restart's mark from the template since: its pods are replaced once more.",
    )


def test_the_whole_target_becomes_what_the_dry_run_answers():
    """The answer is the whole object, whatever a webhook has added to it."""
    answer = restarted(added="x")

    assert RESTART.becomes({"object": a_workload()}, answer) == answer


def test_its_rights():
    """The executor may patch the two kinds as a whole, which is why admission fences the fields."""
    rules = tuple(
        AccessRule(group="apps", resource=plural, verbs=("get", "patch")) for plural in ("deployments", "statefulsets")
    )

    assert RESTART.planner_rules == RESTART.executor_rules == rules
    assert RESTART.observer_rules == (
        *(AccessRule(group="apps", resource=plural, verbs=("get",)) for plural in ("deployments", "statefulsets")),
        *SURROUNDINGS,
    )


@pytest.mark.parametrize("plural", ["deployments", "statefulsets"])
def test_admission_lets_the_two_annotations_change_and_nothing_else(plural):
    """T-EXE-05: every map on the way to them is held whole, and they themselves to the form of what we write."""
    (fence,) = [fence for fence in RESTART.fences if fence.resource == plural]
    instant = "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z$"

    assert (fence.group, fence.version) == ("apps", "v1")
    assert [expression for expression, _ in fence.expressions] == [
        same_but("", "metadata", "spec"),
        same_but("metadata", "annotations", "managedFields", "generation"),
        same_but("spec", "template"),
        same_but("spec.template", "metadata"),
        same_but("spec.template.metadata", "annotations"),
        only_annotation("spec.template.metadata", RESTARTED_AT, instant),
        only_annotation("metadata", REQUEST_ID, "^[A-Za-z0-9_]{1,64}$"),
        keeps_owners(
            (
                ("f:metadata", "f:annotations", f"f:{REQUEST_ID}"),
                ("f:spec", "f:template", "f:metadata", "f:annotations", f"f:{RESTARTED_AT}"),
            )
        ),
    ]
    assert re.fullmatch(instant, AT)
    assert re.fullmatch("[A-Za-z0-9_]{1,64}", ESCALATION)
