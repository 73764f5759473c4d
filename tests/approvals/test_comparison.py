"""Comparisons: whether a target is as planned as a whole, and what may be said of a difference."""

from dataclasses import replace
from typing import Any

import pytest

from approvals.change.image import MOST_CHANGES, image_of
from approvals.change.plan import Change
from approvals.workflow.comparison import Comparison, compare, departures, drift_between
from tests.builders import a_change, a_mac, a_plan, a_preview, a_step, a_workload

IMAGE = "/spec/template/spec/containers/[web]/image"
LABEL = "/metadata/labels/team"


def seen(*, replicas: int = 6, image: str = "shop/checkout:1", generation: int = 5, **metadata: Any) -> dict[str, Any]:
    """Return the target after it was scaled from 3, at generation 4, to 6."""
    workload = a_workload(replicas=replicas)
    workload["metadata"] |= {"generation": generation, **metadata}
    workload["spec"]["template"]["spec"]["containers"][0]["image"] = image
    return workload


def compared(now: dict[str, Any], *, is_ours: bool = True, step: tuple[Change, ...] = (a_change(),)) -> Comparison:
    """Return how it compares with the image of what was planned."""
    image = image_of(seen(), mac=a_mac)
    return compare(image, now, step=step, generation_before=4, is_ours=is_ours, mac=a_mac)


NEW_IMAGE = Change(path=IMAGE, before="shop/checkout:1", after="shop/checkout:2")


def test_what_is_as_planned_has_no_differences():
    """However far the server has moved its own fields."""
    assert compared(seen(generation=9)).is_as_planned


@pytest.mark.parametrize(
    ("generation", "is_ours", "with_it"),
    [(5, True, True), (6, True, False), (5, False, False), (4, True, False)],
    ids=["nobody else can have", "somebody wrote since", "perhaps not ours at all", "not even ours"],
)
def test_a_difference_is_ours_only_where_nobody_else_can_have_written(generation, is_ours, with_it):
    """One write since the dry run, and known to be ours: else it may have come since, and nobody is blamed."""
    found = compared(seen(image="shop/checkout:2", generation=generation), is_ours=is_ours)

    assert found == Comparison(differences=(NEW_IMAGE,), came_with_it=with_it)
    assert not found.is_as_planned


def test_a_label_raises_no_generation_so_it_may_have_come_since():
    """Whoever sets one leaves no trace in the generation."""
    found = compared(seen(labels={"app": "checkout", "team": "shop"}))

    assert found == Comparison(differences=(Change(path=LABEL, before=None, after="shop"),), came_with_it=False)


@pytest.mark.parametrize("manager", ["kube-controller-manager", "keda-operator"])
def test_an_autoscalers_number_is_no_difference_of_another_change(manager):
    """A restart has nothing to do with it; of a scale it is the very thing, and somebody else's number is one anywhere."""
    fields: dict[str, Any] = {"f:spec": {"f:replicas": {}}}
    moved = seen(replicas=9, managedFields=[{"manager": manager, "fieldsV1": fields}])
    by_hand = seen(replicas=9, managedFields=[{"manager": "kubectl", "fieldsV1": fields}])
    number = Change(path="/spec/replicas", before=6, after=9)

    assert compared(moved, step=()).differences == ()
    assert compared(moved).differences == (number,)
    assert compared(by_hand, step=()).differences == (number,)


def test_what_is_beside_the_planned_fields():
    """What becomes of those themselves is the effect's to tell."""
    found = compared(seen(replicas=9, image="shop/checkout:2"))

    assert found.beside((a_change(),)).differences == (NEW_IMAGE,)


def test_a_bounded_number_of_differences_is_told():
    """The rest are counted."""
    many = Comparison(differences=(NEW_IMAGE,) * (MOST_CHANGES + 1))

    assert many.told == (NEW_IMAGE,) * MOST_CHANGES
    assert Comparison(is_unlike=True).is_as_planned is False


@pytest.mark.parametrize(
    ("came", "otherwise"),
    [
        ((a_change(),), ()),
        ((a_change(after=7),), (a_change(before=6, after=7),)),
        ((), (a_change(before=6, after=3),)),
        ((a_change(), NEW_IMAGE), (NEW_IMAGE,)),
    ],
    ids=["as planned", "another value", "no change", "something beside it"],
)
def test_what_a_write_came_to_otherwise(came, otherwise):
    """Approved against actual, of each field that either names."""
    assert departures((a_change(),), came) == otherwise


@pytest.mark.parametrize(
    ("step", "drift"),
    [
        (a_step(), ()),
        (a_step(changes=(a_change(before=4),)), (a_change(before=3, after=4),)),
        (a_step(changes=(a_change(after=7),)), (a_change(before=6, after=7),)),
        (a_step(changes=()), (a_change(),)),
        (a_step(changes=(a_change(), NEW_IMAGE)), (NEW_IMAGE,)),
        (a_step(uid="another"), (Change(path="/metadata/uid", before=a_step().uid, after="another"),)),
    ],
    ids=[
        "the same",
        "another number now",
        "another number then",
        "done by somebody",
        "something beside it",
        "another object",
    ],
)
def test_in_what_a_target_has_drifted(step, drift):
    """What people saw against what is there, before anything was written."""
    assert drift_between(a_plan().bound, a_preview(steps=(step,))) == drift


def test_another_cluster_is_a_drift():
    """Whatever its objects are called."""
    now = replace(a_preview(), cluster_uid="another")

    assert [one.path for one in drift_between(a_plan().bound, now)] == ["/cluster"]
