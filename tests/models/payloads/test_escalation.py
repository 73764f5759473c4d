"""An agent's body becomes exactly the noun it describes, or is refused with the place and the kind of its fault."""

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from approvals.change.action import ProposedAction, Target
from approvals.errors import Malformed
from approvals.identity.names import Account
from approvals.verbs.parameter import WholeNumber
from approvals.verbs.registry import REGISTRY
from approvals.workflow.escalation import Attachment, Breach, Escalation, Justification
from models.payloads import EscalationPayload, escalation_of, read
from models.payloads.escalation import LARGEST_BODY
from models.payloads.strict_json import parse
from tests.models.payloads.values import values_of

TARGET = {"kind": "Deployment", "namespace": "shop", "name": "checkout"}
SCALE = {"verb": "scale", "target": TARGET, "parameters": {"replicas": 6}}
FULL: dict[str, Any] = {
    "environment": "prod-eu-1",
    "action": SCALE,
    "rationale": "p99 is 4.1 s against an objective of 1 s",
    "breaches": [{"limit": "cluster-cpu", "observed": 0.87, "ceiling": 0.8}],
    "evidence": [{"title": "p99", "text": "4.1 s"}],
    "confidence": 0.8,
    "on_behalf_of": "T0123:U0123",
    "timeout_seconds": 900,
}
LEAST = {
    "environment": "demo",
    "action": {"verb": "restart", "target": TARGET, "parameters": {}},
    "rationale": "It leaks.",
}


def escalation_from(body):
    """Return the noun that *body*, a dict, becomes as an agent's request."""
    payload = read(EscalationPayload, parse(json.dumps(body).encode()))
    return escalation_of(payload, agent="scaler", key="key-1", body_hash="f" * 64)


def refusal_of(body):
    """Return code, pointer and sentence of the refusal of *body*."""
    with pytest.raises(Malformed) as caught:
        escalation_from(body)
    return caught.value.code, caught.value.field, caught.value.sentence


def test_a_full_body_becomes_the_noun():
    """Every field of the body arrives in the noun, exactly: decimals stay decimals, seconds become a duration."""
    assert escalation_from(FULL) == Escalation(
        agent="scaler",
        environment="prod-eu-1",
        action=ProposedAction(
            verb="scale",
            target=Target(kind="Deployment", namespace="shop", name="checkout"),
            parameters={"replicas": 6},
        ),
        justification=Justification(
            rationale="p99 is 4.1 s against an objective of 1 s",
            breaches=(Breach(limit="cluster-cpu", observed=Decimal("0.87"), ceiling=Decimal("0.8")),),
            attachments=(Attachment(title="p99", text="4.1 s"),),
            confidence=Decimal("0.8"),
        ),
        on_behalf_of=Account("T0123:U0123"),
        timeout=timedelta(minutes=15),
        idempotency_key="key-1",
        body_hash="f" * 64,
    )


def test_the_least_body_is_enough():
    """Environment, action and rationale suffice; null means absent where absence is allowed."""
    least = escalation_from(LEAST)

    assert least == Escalation(
        agent="scaler",
        environment="demo",
        action=ProposedAction(
            verb="restart", target=Target(kind="Deployment", namespace="shop", name="checkout"), parameters={}
        ),
        justification=Justification(rationale="It leaks."),
        idempotency_key="key-1",
        body_hash="f" * 64,
    )
    assert escalation_from(LEAST | {"confidence": None, "on_behalf_of": None, "timeout_seconds": None}) == least


def action(**changes):
    """Return a full body whose action differs by *changes*."""
    return FULL | {"action": SCALE | changes}


def target(**changes):
    """Return a full body whose target differs by *changes*."""
    return action(target=TARGET | changes)


def without(body, *names):
    """Return *body* without some fields."""
    return {name: value for name, value in body.items() if name not in names}


NAME = "^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$"
LABEL = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
ACCOUNT = "^[TE][A-Z0-9]{2,20}:[UW][A-Z0-9]{2,20}$"
FAULTS = {
    "a list": ([FULL], "wrong_type", "", "It must be an object."),
    "null": (None, "wrong_type", "", "It must be an object."),
    "no rationale": (without(FULL, "rationale"), "missing_field", "/rationale", "This field is required."),
    "an unknown field": (FULL | {"approved": True}, "unknown_field", "/approved", "There is no such field."),
    "a name in other letters": (
        without(FULL, "rationale") | {"Rationale": "x"},
        "missing_field",
        "/rationale",
        "This field is required.",
    ),
    "an environment in capitals": (
        FULL | {"environment": "Prod"},
        "wrong_format",
        "/environment",
        f"It must match {LABEL}.",
    ),
    "an environment with a line break": (
        FULL | {"environment": "prod\n"},
        "wrong_format",
        "/environment",
        f"It must match {LABEL}.",
    ),
    "an environment as number": (FULL | {"environment": 1}, "wrong_type", "/environment", "It must be a text."),
    "an action as text": (FULL | {"action": "scale"}, "wrong_type", "/action", "It must be an object."),
    "no verb": (FULL | {"action": without(SCALE, "verb")}, "missing_field", "/action/verb", "This field is required."),
    "an unknown verb": (
        action(verb="delete"),
        "unknown_verb",
        "/action/verb",
        "There is no such verb; the verbs are 'hpa_bounds', 'restart', 'scale'.",
    ),
    "a verb as number": (action(verb=5), "wrong_type", "/action/verb", "It must be a text."),
    "a verb as list": (action(verb=["scale"]), "wrong_type", "/action/verb", "It must be a text."),
    "an unknown field of the action": (
        action(scale=1),
        "unknown_field",
        "/action/scale",
        "There is no such field.",
    ),
    "an unknown kind": (
        target(kind="Pod"),
        "unknown_kind",
        "/action/target/kind",
        "It must be 'Deployment' or 'StatefulSet'.",
    ),
    "a kind as list": (target(kind=["Deployment"]), "wrong_type", "/action/target/kind", "It must be a text."),
    "a path as name": (target(name="../pods"), "wrong_format", "/action/target/name", f"It must match {NAME}."),
    "a look-alike letter": (
        target(name="\u0441heckout"),
        "wrong_format",
        "/action/target/name",
        f"It must match {NAME}.",
    ),
    "a name too long": (
        target(name="a" * 254),
        "too_long",
        "/action/target/name",
        "It may have 253 characters at most.",
    ),
    "a namespace with a dot": (
        target(namespace="kube.system"),
        "wrong_format",
        "/action/target/namespace",
        f"It must match {LABEL}.",
    ),
    "no parameters": (
        FULL | {"action": without(SCALE, "parameters")},
        "missing_field",
        "/action/parameters",
        "This field is required.",
    ),
    "no replicas": (action(parameters={}), "missing_field", "/action/parameters/replicas", "This field is required."),
    "replicas as text": (
        action(parameters={"replicas": "6"}),
        "wrong_type",
        "/action/parameters/replicas",
        "It must be a whole number.",
    ),
    "replicas as true": (
        action(parameters={"replicas": True}),
        "wrong_type",
        "/action/parameters/replicas",
        "It must be a whole number.",
    ),
    "replicas with a fraction": (
        action(parameters={"replicas": 6.0}),
        "wrong_type",
        "/action/parameters/replicas",
        "It must be a whole number.",
    ),
    "too many replicas": (
        action(parameters={"replicas": 1001}),
        "out_of_range",
        "/action/parameters/replicas",
        "It must be 1000 at most.",
    ),
    "less than no replicas": (
        action(parameters={"replicas": -1}),
        "out_of_range",
        "/action/parameters/replicas",
        "It must be 0 at least.",
    ),
    "an unknown parameter": (
        action(parameters={"replicas": 6, "force": True}),
        "unknown_field",
        "/action/parameters/force",
        "There is no such field.",
    ),
    "a parameter of another verb": (
        action(verb="restart"),
        "unknown_field",
        "/action/parameters/replicas",
        "There is no such field.",
    ),
    "no words": (FULL | {"rationale": ""}, "too_short", "/rationale", "It must not be empty."),
    "no words but spaces": (FULL | {"rationale": " \u00a0\n"}, "too_short", "/rationale", "It must not be empty."),
    "evidence without a text": (
        FULL | {"evidence": [{"title": "p99", "text": "\t"}]},
        "too_short",
        "/evidence/0/text",
        "It must not be empty.",
    ),
    "too many words": (
        FULL | {"rationale": "x" * 4001},
        "too_long",
        "/rationale",
        "It may have 4000 characters at most.",
    ),
    "eleven breaches": (
        FULL | {"breaches": FULL["breaches"] * 11},
        "too_long",
        "/breaches",
        "It may have 10 entries at most.",
    ),
    "a breach in text": (
        FULL | {"breaches": [{"limit": "cpu", "observed": "0.9", "ceiling": 1}]},
        "wrong_type",
        "/breaches/0/observed",
        "It must be a number.",
    ),
    "eleven pieces of evidence": (
        FULL | {"evidence": FULL["evidence"] * 11},
        "too_long",
        "/evidence",
        "It may have 10 entries at most.",
    ),
    "evidence that is no list": (FULL | {"evidence": {}}, "wrong_type", "/evidence", "It must be a list."),
    "evidence with a link": (
        FULL | {"evidence": [{"title": "a", "text": "b"}, {"title": "a", "text": "b", "url": "http://x"}]},
        "unknown_field",
        "/evidence/1/url",
        "There is no such field.",
    ),
    "a long title": (
        FULL | {"evidence": [{"title": "a" * 151, "text": "b"}]},
        "too_long",
        "/evidence/0/title",
        "It may have 150 characters at most.",
    ),
    "more than sure": (FULL | {"confidence": 1.01}, "out_of_range", "/confidence", "It must be 1 at most."),
    "less than unsure": (FULL | {"confidence": -0.01}, "out_of_range", "/confidence", "It must be 0 at least."),
    "confidence as text": (FULL | {"confidence": "0.8"}, "wrong_type", "/confidence", "It must be a number."),
    "confidence as true": (FULL | {"confidence": True}, "wrong_type", "/confidence", "It must be a number."),
    "on behalf of a name": (
        FULL | {"on_behalf_of": "U0123"},
        "wrong_format",
        "/on_behalf_of",
        f"It must match {ACCOUNT}.",
    ),
    "on behalf of an operator": (
        FULL | {"on_behalf_of": "os:root"},
        "wrong_format",
        "/on_behalf_of",
        f"It must match {ACCOUNT}.",
    ),
    "no time": (FULL | {"timeout_seconds": 0}, "out_of_range", "/timeout_seconds", "It must be 1 at least."),
    "more than a day": (
        FULL | {"timeout_seconds": 86401},
        "out_of_range",
        "/timeout_seconds",
        "It must be 86400 at most.",
    ),
    "time with a fraction": (
        FULL | {"timeout_seconds": 900.5},
        "wrong_type",
        "/timeout_seconds",
        "It must be a whole number.",
    ),
    "time as text": (
        FULL | {"timeout_seconds": "900"},
        "wrong_type",
        "/timeout_seconds",
        "It must be a whole number.",
    ),
}


@pytest.mark.parametrize(("body", "code", "field", "sentence"), FAULTS.values(), ids=FAULTS.keys())
def test_every_fault_has_its_code_place_and_sentence(body, code, field, sentence):
    """Nothing is converted, cut or passed over: each fault is refused by a stable code and its JSON pointer."""
    assert refusal_of(body) == (code, field, sentence)


@pytest.mark.parametrize(
    "body",
    [
        FULL | {"rationale": "x" * 4000, "breaches": FULL["breaches"] * 10, "evidence": FULL["evidence"] * 10},
        FULL | {"confidence": 0, "timeout_seconds": 1},
        FULL | {"confidence": 1, "timeout_seconds": 86400},
        action(parameters={"replicas": 0}),
        action(parameters={"replicas": 1000}),
        target(name="a" * 253),
    ],
    ids=["most", "least numbers", "most numbers", "no replicas", "most replicas", "longest name"],
)
def test_the_bounds_include_their_ends(body):
    """What is exactly at a limit is taken."""
    escalation_from(body)


def test_the_longest_body_fits_through_the_door():
    """Every field at its longest, each letter a six-byte escape, stays below the size the door reads."""
    longest = FULL | {
        "rationale": "й" * 4000,
        "breaches": FULL["breaches"] * 10,
        "evidence": [{"title": "й" * 150, "text": "й" * 3000}] * 10,
    }

    escalation_from(longest)
    assert len(json.dumps(longest)) < LARGEST_BODY


def test_parameters_come_from_the_registry():
    """OpenAPI shows for each verb exactly its kinds and its parameters with their bounds, and nothing else is taken."""
    schema = TypeAdapter(EscalationPayload).json_schema()
    shown = {}
    for branch in schema["properties"]["action"]["oneOf"]:
        action_shape = schema["$defs"][branch["$ref"].rpartition("/")[2]]
        parts = {
            name: schema["$defs"][action_shape["properties"][name]["$ref"].rpartition("/")[2]]
            for name in ("target", "parameters")
        }
        bounds = {
            name: (shape["minimum"], shape["maximum"], shape["description"])
            for name, shape in parts["parameters"]["properties"].items()
        }
        kind = parts["target"]["properties"]["kind"]
        kinds = tuple(kind.get("enum") or [kind["const"]])
        shown[action_shape["properties"]["verb"]["const"]] = (kinds, bounds)

    assert shown == {
        verb.name: (
            tuple(kind.name for kind in verb.kinds),
            {
                one.name: (one.least, one.most, one.description)
                for one in verb.parameters
                if isinstance(one, WholeNumber)
            },
        )
        for verb in REGISTRY
    }
    assert all(shape.get("additionalProperties") is False for shape in schema["$defs"].values())


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30).filter(str.strip)
DECIMALS = st.decimals(-1000, 1000, places=3)
NAMES = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)


@st.composite
def actions(draw):
    """An action that some verb of the registry takes."""
    verb = draw(st.sampled_from(REGISTRY))
    kind = draw(st.sampled_from([kind.name for kind in verb.kinds]))
    parameters = {parameter.name: draw(values_of(parameter)) for parameter in verb.parameters}
    return ProposedAction(
        verb=verb.name, target=Target(kind=kind, namespace=draw(NAMES), name=draw(NAMES)), parameters=parameters
    )


ESCALATIONS = st.builds(
    Escalation,
    agent=st.just("scaler"),
    environment=NAMES,
    action=actions(),
    justification=st.builds(
        Justification,
        rationale=WORDS,
        breaches=st.lists(st.builds(Breach, limit=NAMES, observed=DECIMALS, ceiling=DECIMALS), max_size=3).map(tuple),
        attachments=st.lists(st.builds(Attachment, title=WORDS, text=WORDS), max_size=3).map(tuple),
        confidence=st.none() | st.decimals(0, 1, places=3),
    ),
    on_behalf_of=st.none() | st.from_regex(r"T[A-Z0-9]{2,10}:U[A-Z0-9]{2,10}", fullmatch=True),
    timeout=st.none() | st.integers(1, 86400).map(lambda seconds: timedelta(seconds=seconds)),
    idempotency_key=st.just("key-1"),
    body_hash=st.just("f" * 64),
)


def body_of(escalation):
    """Return an escalation as its agent would send it: the way back, written only here."""
    body = {
        "environment": escalation.environment,
        "action": {
            "verb": escalation.action.verb,
            "target": {
                "kind": escalation.action.target.kind,
                "namespace": escalation.action.target.namespace,
                "name": escalation.action.target.name,
            },
            "parameters": dict(escalation.action.parameters),
        },
        "rationale": escalation.justification.rationale,
        "breaches": [
            {"limit": breach.limit, "observed": breach.observed, "ceiling": breach.ceiling}
            for breach in escalation.justification.breaches
        ],
        "evidence": [{"title": piece.title, "text": piece.text} for piece in escalation.justification.attachments],
        "confidence": escalation.justification.confidence,
        "on_behalf_of": escalation.on_behalf_of,
        "timeout_seconds": escalation.timeout and int(escalation.timeout.total_seconds()),
    }
    return {name: value for name, value in body.items() if value is not None}


def decimals_as_numbers(value):
    """Return *value* for json.dumps; the decimals drawn here have at most seven digits, so floats print them exactly."""
    return float(value)


@given(ESCALATIONS)
def test_a_round_trip_over_the_wire_changes_nothing(escalation):
    """What an agent sends is what the court sees, to the last digit."""
    sent = json.dumps(body_of(escalation), default=decimals_as_numbers).encode()

    got = escalation_of(read(EscalationPayload, parse(sent)), agent="scaler", key="key-1", body_hash="f" * 64)

    assert got == escalation
