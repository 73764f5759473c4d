"""HPA bounds: two numbers of one object without a generation; what a read back proves, and when it is done."""

import json
from typing import Any

import pytest

from approvals.change.plan import Bound, Change, PatchType, Step, bind
from approvals.change.risk import Risk
from approvals.errors import Unplannable
from approvals.verbs.fencing import keeps_owners, same_but
from approvals.verbs.hpa_bounds import HPA, HPA_BOUNDS
from approvals.verbs.verb import (
    AccessRule,
    Assessment,
    Baseline,
    Effect,
    Landed,
    PlanSeed,
    Progress,
    Read,
    StepDraft,
    field_manager,
)
from tests.builders import ESCALATION, MINUTE, NOON, OBJECT_UID, a_mac, a_target, an_action, an_autoscaler, preview_of

OCCASION = PlanSeed(escalation=ESCALATION, at=NOON)
BASELINE = Baseline(resource_version="100", generation=0)
TARGET = a_target("HorizontalPodAutoscaler")


def wanting(least: int, most: int) -> dict[str, Any]:
    """Return the parameters of new bounds."""
    return {"min_replicas": least, "max_replicas": most}


def bound(least: int = 2, most: int = 8) -> Bound:
    """Return what binds the change of 1 to 4 pods."""
    before, action = an_autoscaler(), an_action("hpa_bounds", target=TARGET, **wanting(least, most))
    after = an_autoscaler(least=least, most=most)
    preview = preview_of(HPA_BOUNDS, action, {"object": before}, after, OCCASION)
    return bind(
        preview,
        escalation=ESCALATION,
        action=action,
        executor="exec",
        valid_for=15 * MINUTE,
    ).bound


def condition(kind: str, status: str, reason: Any) -> dict[str, Any]:
    """Return one condition of an autoscaler."""
    return {"type": kind, "status": status, "reason": reason}


def saying(*conditions: dict[str, Any], least: int = 2, most: int = 8, current: int = 3) -> dict[str, Any]:
    """Return an autoscaler with the bounds of :func:`bound` and these conditions."""
    one = an_autoscaler(least=least, most=most, current=current)
    one["status"]["conditions"] = list(conditions)
    return one


OFF = condition("ScalingActive", "False", "ScalingDisabled")
ABLE = condition("AbleToScale", "True", "SucceededGetScale")


def test_planning_reads_the_autoscaler_alone():
    """Neither its workload nor a pod is read: its own status tells how many there are."""
    assert HPA_BOUNDS.reads(TARGET, HPA.resource) == (Read(key="object", resource=HPA.resource, name="checkout"),)


def test_the_step_sets_the_two_numbers_and_nothing_else():
    """The body is the uid and both bounds, of the whole object."""
    assert HPA_BOUNDS.build({"object": an_autoscaler()}, TARGET, HPA.resource, wanting(2, 8), OCCASION) == (
        StepDraft(
            step=Step(
                resource=HPA.resource,
                namespace="shop",
                name="checkout",
                uid=OBJECT_UID,
                subresource=None,
                patch_type=PatchType.MERGE,
                body=f'{{"metadata":{{"uid":"{OBJECT_UID}"}},"spec":{{"maxReplicas":8,"minReplicas":2}}}}',
                changes=(),
            ),
            before="object",
        ),
    )


def test_bounds_that_are_reversed_are_refused_in_plain_words():
    """Equal bounds are fine; a least above the most is refused at its place before anybody is asked."""
    HPA_BOUNDS.build({"object": an_autoscaler()}, TARGET, HPA.resource, wanting(4, 4), OCCASION)

    with pytest.raises(Unplannable) as refused:
        HPA_BOUNDS.build({"object": an_autoscaler()}, TARGET, HPA.resource, wanting(5, 4), OCCASION)

    assert (refused.value.code, refused.value.field, refused.value.sentence) == (
        "bounds_reversed",
        "/action/parameters/min_replicas",
        "min_replicas is more than max_replicas.",
    )


def test_the_changes_are_the_bounds_that_change():
    """One that stays as it is is no change; the target as a whole is what the dry run answered."""
    before, after = an_autoscaler(), an_autoscaler(most=8)

    assert HPA_BOUNDS.reviewed(before, after, a_mac) == (Change(path="/spec/maxReplicas", before=4, after=8),)
    assert HPA_BOUNDS.becomes({"object": before}, after) is after


@pytest.mark.parametrize(
    ("least", "most", "current", "risk", "blast"),
    [
        (1, 8, 3, Risk.LOW, "no pod more or fewer at once"),
        (4, 4, 3, Risk.LOW, "1 pod more at once"),
        (5, 8, 3, Risk.LOW, "2 pods more at once"),
        (1, 3, 3, Risk.MEDIUM, "no pod more or fewer at once"),
        (1, 1, 3, Risk.MEDIUM, "2 pods fewer at once"),
    ],
)
def test_what_new_bounds_put_at_stake(least, most, current, risk, blast):
    """A bound that is lowered is medium risk, since pods may go; what comes or goes at once is counted."""
    seen = {"object": an_autoscaler(current=current)}

    assert HPA_BOUNDS.stake(seen, wanting(least, most)) == Assessment(risk=risk, findings=(), blast=blast)


def test_a_lowered_least_is_medium_risk():
    """Fewer pods may be kept while it is quiet."""
    assert HPA_BOUNDS.stake({"object": an_autoscaler(least=2)}, wanting(1, 4)).risk is Risk.MEDIUM


def test_what_the_card_says_of_an_autoscaler_that_is_off_or_blind():
    """At 0 it does nothing, whatever its bounds; where it has not counted, nobody knows how many pods come or go."""
    unknown = "how many pods come or go at once cannot be told: the autoscaler has not counted them"

    off = HPA_BOUNDS.stake({"object": saying(ABLE, OFF, current=0)}, wanting(3, 8))
    blind = HPA_BOUNDS.stake({"object": {**an_autoscaler(), "status": None}}, wanting(3, 8))

    assert (off.findings, off.blast) == (("It is off: its workload runs no pod.",), "no pod more or fewer at once")
    assert (blind.findings, blind.blast) == ((), unknown)


def test_who_may_set_the_bounds_back_is_a_finding():
    """KEDA makes the autoscaler from an object of its own, and a GitOps tool applies it again: each is said once."""
    hpa = an_autoscaler()
    hpa["metadata"]["ownerReferences"] = [{"kind": "ScaledObject", "name": "checkout", "controller": True}]
    hpa["metadata"]["managedFields"] = [
        {"manager": "kubectl-edit", "fieldsV1": {"f:spec": {"f:minReplicas": {}, "f:maxReplicas": {}}}}
    ]

    assert HPA_BOUNDS.stake({"object": hpa}, wanting(2, 8)).findings == (
        "It belongs to the ScaledObject checkout: the operator that made it from that may set the change back.",
        "The field that this changes was last set by kubectl, which may apply its own again.",
    )


def test_the_change_in_one_line():
    """What the card's title says, before and after; a bound that stays is in both."""
    assert HPA_BOUNDS.summary(bound(2, 8)) == "Set HorizontalPodAutoscaler checkout 1–4 → 2–8 pods in shop"
    assert HPA_BOUNDS.summary(bound(1, 8)) == "Set HorizontalPodAutoscaler checkout 1–4 → 1–8 pods in shop"


@pytest.mark.parametrize(
    ("version", "least", "most", "landed"),
    [
        ("100", 1, 4, Landed.NOT_APPLIED),
        ("100", 2, 8, Landed.NOT_APPLIED),
        ("101", 2, 8, Landed.APPLIED),
        ("101", 1, 4, Landed.CANNOT_TELL),
        ("101", 2, 4, Landed.CANNOT_TELL),
    ],
    ids=["untouched", "as wanted all along", "there", "only its status moved, or it was set back", "half of it"],
)
def test_what_a_read_back_proves(version, least, most, landed):
    """T-EXE-07's kind: without a generation only the untouched version proves that nothing landed; else it cannot be told."""
    seen = an_autoscaler(least=least, most=most)
    seen["metadata"]["resourceVersion"] = version

    assert HPA_BOUNDS.evidence_of(bound(), BASELINE, seen) is landed


def test_another_object_of_the_same_name_proves_nothing():
    """Somebody deleted it and made it again: whether the write had landed before cannot be told."""
    seen = an_autoscaler(least=2, most=8)
    seen["metadata"]["uid"] = "another"

    assert HPA_BOUNDS.evidence_of(bound(), BASELINE, seen) is Landed.CANNOT_TELL


def test_our_writes_bear_our_mark():
    """The field manager tells whose write it was; it is any writer's to choose, and proves nothing by itself."""
    seen = an_autoscaler()
    assert not HPA_BOUNDS.marked(bound(), seen)

    seen["metadata"]["managedFields"] = [{"manager": "kubectl"}, {"manager": field_manager(ESCALATION)}]

    assert HPA_BOUNDS.marked(bound(), seen)


@pytest.mark.parametrize(
    ("seen", "effect", "sentence"),
    [
        (saying(ABLE, current=2), Effect.VERIFIED, "2 pods, within the bounds."),
        (saying(ABLE, current=8), Effect.VERIFIED, "8 pods, within the bounds."),
        (saying(ABLE, current=1), Effect.IN_PROGRESS, "1 pod still, fewer than the least."),
        (saying(ABLE, current=9), Effect.IN_PROGRESS, "9 pods still, more than the most."),
        (
            saying(ABLE, OFF, current=0),
            Effect.VERIFIED,
            "The bounds are set; the autoscaler is off, since its workload runs no pod.",
        ),
        (saying(), Effect.IN_PROGRESS, "The autoscaler has counted no pods yet."),
        (
            saying(condition("AbleToScale", "False", "FailedGetScale")),
            Effect.IN_PROGRESS,
            "The autoscaler has counted no pods yet.",
        ),
    ],
)
def test_when_it_is_done(seen, effect, sentence):
    """Done once the number of pods that the autoscaler counted last is within the bounds, both ends included."""
    found = HPA_BOUNDS.yardstick.progress(bound(), seen)

    assert (found.effect, found.sentence) == (effect, sentence)


def test_what_is_being_deleted_is_never_done():
    """Somebody has asked for its end: its bounds will hold nothing."""
    seen = saying(ABLE)
    seen["metadata"]["deletionTimestamp"] = "2026-11-20T12:00:00Z"

    assert HPA_BOUNDS.yardstick.progress(bound(), seen).sentence == "It is being deleted."


def test_bounds_that_somebody_else_has_set_are_undone():
    """Who did it is told as far as the object says, and never by a name that is not plain."""
    seen = saying(ABLE, least=3)
    assert HPA_BOUNDS.yardstick.progress(bound(), seen) == Progress(
        effect=Effect.UNDONE, sentence="Somebody else has set the bounds to 3–8 pods since."
    )

    seen["metadata"]["managedFields"] = [{"manager": "keda-operator", "fieldsV1": {"f:spec": {"f:minReplicas": {}}}}]

    sentence = HPA_BOUNDS.yardstick.progress(bound(), seen).sentence
    assert sentence == "KEDA has set the bounds to 3–8 pods since."


def test_it_is_told_that_something_moves():
    """Waiting is not progress: only another number, or another instant of scaling, is a move."""
    first = saying(ABLE, current=9)
    later = saying(ABLE, current=9)
    later["status"]["lastScaleTime"] = "2026-11-20T12:00:00Z"

    paces = [HPA_BOUNDS.yardstick.progress(bound(), one).pace for one in (first, first, later)]

    assert paces == ["9/0/", "9/0/", "9/0/2026-11-20T12:00:00Z"]


@pytest.mark.parametrize(
    ("conditions", "sentence"),
    [
        ((), ""),
        ((ABLE,), ""),
        ((condition("ScalingActive", "False", "FailedGetResourceMetric"),), ""),
        (
            (condition("AbleToScale", "False", "FailedGetScale"),),
            "It cannot read how many pods its workload has: that may be gone.",
        ),
        (
            (condition("AbleToScale", "False", "FailedUpdateScale"),),
            "The cluster does not let it set its workload's number of pods.",
        ),
        (
            (ABLE, condition("ScalingActive", "False", "AmbiguousSelector")),
            "Another autoscaler aims at the same pods, so it does nothing.",
        ),
        (
            (condition("AbleToScale", "False", "NewInALaterRelease"),),
            "The autoscaler gives the reason NewInALaterRelease.",
        ),
        (
            (condition("AbleToScale", "False", "<!channel>"),),
            "The autoscaler gives the reason that is not a plain word.",
        ),
    ],
)
def test_why_it_does_not_move(conditions, sentence):
    """Its own conditions tell, in our words; that it gets no metrics keeps it from no bound."""
    assert HPA_BOUNDS.yardstick.standstill(saying(*conditions), (), ()) == sentence
    assert not HPA_BOUNDS.yardstick.looks_around


def test_its_accounts_reach_autoscalers_alone():
    """T-EXE-04: get and patch of autoscalers for planner and executor, get for the observer, and no workload."""
    rule = AccessRule(group="autoscaling", resource="horizontalpodautoscalers", verbs=("get", "patch"))

    assert (HPA_BOUNDS.planner_rules, HPA_BOUNDS.executor_rules) == ((rule,), (rule,))


def test_its_fence_lets_the_two_numbers_change_and_nothing_else():
    """The rest of the object, its metrics and its target above all, stays as it is; the numbers stay within our bounds."""
    (fence,) = HPA_BOUNDS.fences

    assert [expression for expression, _ in fence.expressions] == [
        same_but("", "metadata", "spec"),
        same_but("metadata", "managedFields"),
        same_but("spec", "minReplicas", "maxReplicas"),
        (
            "object.spec.?minReplicas.orValue(1) >= 1 && object.spec.?minReplicas.orValue(1) <= object.spec.maxReplicas"
            " && object.spec.maxReplicas <= 1000"
        ),
        keeps_owners((("f:spec", "f:minReplicas"), ("f:spec", "f:maxReplicas"))),
    ]


def test_its_canary_is_off():
    """What the fence is tried on aims at a Deployment without pods, so that the autoscaler leaves it alone."""
    assert HPA_BOUNDS.trial.canary is not None
    assert json.dumps(HPA_BOUNDS.trial.canary("it"), sort_keys=True) == (
        '{"maxReplicas": 1, "minReplicas": 1, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "it"}}'
    )
