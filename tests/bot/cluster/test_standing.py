"""Standing: the admission policies of a cluster, compared with the generated ones word by word."""

from copy import deepcopy

import pytest

from approvals.identity.accounts import Installation
from bot.cluster.rights.fences import fences
from bot.cluster.rights.standing import fallen

GENERATED = fences(Installation(name="acme"))
POLICY = "the admission policy countersign-acme-tokens"
BINDING = "the binding of the admission policy countersign-acme-tokens"


def _fallen(change=None, *, kind="ValidatingAdmissionPolicy"):
    found = deepcopy(GENERATED)
    if change is not None:
        (one,) = [one for one in found if (one["kind"], one["metadata"]["name"]) == (kind, "countersign-acme-tokens")]
        change(one, found)
    return fallen(
        policies=[one for one in found if one["kind"] == "ValidatingAdmissionPolicy"],
        bindings=[one for one in found if one["kind"] == "ValidatingAdmissionPolicyBinding"],
        generated=GENERATED,
    )


def test_the_generated_ones_stand():
    """What others have beside them is nobody's concern: it can only refuse more."""
    assert _fallen() == ()
    assert _fallen(lambda one, found: found.append({**one, "metadata": {"name": "theirs"}, "spec": {}})) == ()


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"failurePolicy": "Ignore"}, "failurePolicy"),
        ({"paramKind": {"apiVersion": "v1", "kind": "ConfigMap"}}, "paramKind"),
        ({"validations": []}, "validations"),
        ({"matchConditions": [], "matchConstraints": {}}, "matchConditions, matchConstraints"),
        ({"somethingNew": 1}, "somethingNew"),
    ],
)
def test_a_policy_that_differs_is_told_by_its_fields(change, fields):
    """Also in a field that nobody here has heard of."""
    assert _fallen(lambda one, _: one["spec"].update(change)) == (
        f"{POLICY} is not the generated one (it differs in {fields})",
    )


@pytest.mark.parametrize(
    "change",
    [
        {"validationActions": ["Warn"]},
        {"matchResources": {"namespaceSelector": {}}},
        {"paramRef": {"name": "x", "parameterNotFoundAction": "Allow"}},
        {"policyName": "another"},
    ],
)
def test_a_binding_that_differs_is_told_by_its_fields(change):
    """A binding can spare anything that its policy refuses."""
    assert _fallen(lambda one, _: one["spec"].update(change), kind="ValidatingAdmissionPolicyBinding") == (
        f"{BINDING} is not the generated one (it differs in {next(iter(change))})",
    )


def test_what_is_gone_or_going_does_not_stand():
    """Without its binding a policy refuses nothing."""
    binding = "ValidatingAdmissionPolicyBinding"

    assert _fallen(lambda one, found: found.remove(one)) == (f"{POLICY} is missing",)
    assert _fallen(lambda one, found: found.remove(one), kind=binding) == (f"{BINDING} is missing",)
    assert _fallen(lambda one, _: one["metadata"].update(deletionTimestamp="now")) == (f"{POLICY} is being deleted",)
    assert _fallen(lambda one, _: one.pop("spec"), kind=binding) == (
        f"{BINDING} is not the generated one (it differs in policyName, validationActions)",
    )
