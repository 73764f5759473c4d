"""Each kind of parameter on the wire: described, taken and refused as the rules do."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.change.action import ProposedAction, Target
from approvals.errors import Malformed
from approvals.verbs.parameter import Choice, Switch, WholeNumber, Word
from approvals.verbs.registry import verb_called
from models.payloads import read
from models.payloads.escalation import action_of
from tests.builders import an_action
from tests.models.payloads.values import values_of

MIXED = replace(
    verb_called("restart"),
    name="mixed_kinds",
    parameters=(
        WholeNumber(name="number", least=1, most=3, description="How many."),
        Choice(name="mode", options=("slow", "fast"), description="How."),
        Word(name="reason", form="[a-z]+(-[a-z]+)?", longest=9, description="Why."),
        Switch(name="force", description="Whether."),
    ),
)
MIXED_ACTION = action_of(MIXED)
FITTING = {"number": 2, "mode": "slow", "reason": "too-small", "force": False}


def mixed(**parameters):
    """Return an action of a verb that has a parameter of each kind."""
    target = {"kind": "Deployment", "namespace": "shop", "name": "checkout"}
    return {"verb": "mixed_kinds", "target": target, "parameters": {**FITTING, **parameters}}


def test_each_kind_of_parameter_is_described_as_it_is_checked():
    """OpenAPI shows type, bounds, options and form from the verb itself; all have to be said, and no other is taken."""
    schema = MIXED_ACTION.model_json_schema()["$defs"]["MixedKindsParameters"]

    assert schema["properties"] == {
        "number": {"description": "How many.", "maximum": 3, "minimum": 1, "title": "Number", "type": "integer"},
        "mode": {"description": "How.", "enum": ["slow", "fast"], "title": "Mode", "type": "string"},
        "reason": {
            "description": "Why.",
            "maxLength": 9,
            "pattern": "^(?:[a-z]+(-[a-z]+)?)$",
            "title": "Reason",
            "type": "string",
        },
        "force": {"description": "Whether.", "title": "Force", "type": "boolean"},
    }
    assert (schema["required"], schema["additionalProperties"]) == (["number", "mode", "reason", "force"], False)


@given(st.fixed_dictionaries({parameter.name: values_of(parameter) for parameter in MIXED.parameters}))
def test_the_door_and_the_rules_take_the_same(parameters):
    """Whatever fits the parameters passes both checks, unchanged."""
    action = read(MIXED_ACTION, mixed(**parameters))

    assert action.parameters.model_dump() == parameters
    MIXED.check(ProposedAction(verb=MIXED.name, target=Target(**action.target.model_dump()), parameters=parameters))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("number", 4),
        ("number", True),
        ("mode", "Slow"),
        ("mode", 1),
        ("reason", "Too-small"),
        ("reason", "too-small\n"),
        ("reason", "too-smalls"),
        ("force", 0),
        ("force", "no"),
    ],
)
def test_the_door_and_the_rules_refuse_the_same(name, value):
    """What does not fit is refused at its place by both, so that neither relies on the other."""
    with pytest.raises(Malformed) as refused:
        read(MIXED_ACTION, mixed(**{name: value}))
    assert (refused.value.field or "").startswith(f"/parameters/{name}")
    with pytest.raises(Malformed) as refused:
        MIXED.check(an_action("mixed_kinds", **{**FITTING, name: value}))
    assert refused.value.field == f"/action/parameters/{name}"
