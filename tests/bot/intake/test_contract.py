"""The OpenAPI document is true: what it allows is taken, what it forbids is not, and no path is left out of it.

That every answer is one that it names is checked by the client of all tests here (:mod:`tests.bot.intake.support`).
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from fastapi import FastAPI
from hypothesis import given, settings

from approvals.verbs.registry import REGISTRY
from bot.intake.contract import describe
from bot.intake.routes.escalations import body_hash_of
from models.payloads.escalation import LARGEST_BODY
from models.payloads.strict_json import parse
from tests.bot.intake.schemas import faults, resolved, values
from tests.bot.intake.support import ESCALATIONS, PROBLEM, Door, a_body

SHAPE = {
    "missing_field",
    "not_json",
    "out_of_range",
    "too_deep",
    "too_long",
    "too_short",
    "unknown_field",
    "unknown_kind",
    "unknown_value",
    "unknown_verb",
    "wrong_format",
    "wrong_type",
}
"""The codes by which a shape is refused; every other refusal is about what was asked for."""

DOCUMENT = describe(FastAPI())
"""The shapes alone, which need no running door."""


@dataclass(frozen=True)
class Sent:
    """A body; shown by its beginning, since the longest ones are long."""

    value: dict[str, Any]

    def __repr__(self) -> str:
        return f"Sent({json.dumps(self.value)[:500]})"


BODIES = values(DOCUMENT["components"]["schemas"]["EscalationPayload"], DOCUMENT).map(Sent)
"""Whatever the document allows. It is made once, because making it takes longer than a call."""


def _body_schema(door: Door) -> dict[str, Any]:
    schema: dict[str, Any] = door.contract["components"]["schemas"]["EscalationPayload"]
    return schema


def test_it_shows_the_very_shapes_that_are_read(shared_door):
    """What is served is made from the payloads."""
    assert shared_door.contract["components"] == DOCUMENT["components"]


def test_it_names_every_path_and_who_may_call_it(shared_door):
    """Seven paths, each with the kind of token that it asks for; /metrics speaks another language and is left out."""
    found = {
        (method, path): [next(iter(one)) for one in operation.get("security", ())]
        for path, operations in shared_door.contract["paths"].items()
        for method, operation in operations.items()
    }

    assert found == {
        ("post", "/v1/escalations"): ["agent"],
        ("get", "/v1/escalations"): ["agent"],
        ("get", "/v1/escalations/{escalation}"): ["agent"],
        ("post", "/v1/escalations/{escalation}/cancel"): ["agent"],
        ("post", "/v1/alerts/alertmanager"): ["monitor"],
        ("get", "/healthz"): [],
        ("get", "/readyz"): [],
    }


def _nodes(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _nodes(inner)


def test_every_reference_leads_somewhere_and_every_shape_is_referred_to(shared_door):
    """A generator of clients stops at a reference that leads nowhere, and makes a class of a shape that nobody sends."""
    document = shared_door.contract
    referred = {node["$ref"] for node in _nodes(document) if "$ref" in node}
    mapped = {ref for node in _nodes(document) for ref in node.get("discriminator", {}).get("mapping", {}).values()}

    assert referred | mapped == {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}


def test_every_path_names_its_own_defect(shared_door):
    """A 500 is an answer of ours like any other: a problem document."""
    assert {
        (method, path): operation["responses"].get("500", {}).get("content")
        for path, operations in shared_door.contract["paths"].items()
        for method, operation in operations.items()
    } == {
        (method, path): {PROBLEM: {"schema": {"$ref": "#/components/schemas/ProblemPayload"}}}
        for path, operations in shared_door.contract["paths"].items()
        for method in operations
    }


def _unbounded(schema: dict[str, Any], at: str) -> Iterator[str]:
    """Give where *schema* lets a text, a number or a list be of any length or size; references are looked at elsewhere."""
    if schema.keys() & {"enum", "const", "$ref"}:
        return
    for inner in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from _unbounded(inner, at)
    needed = _BOUNDS.get(schema.get("type", ""), set())
    if not needed <= schema.keys() and schema.get("format") != "date-time":
        yield at
    if "items" in schema:
        yield from _unbounded(schema["items"], f"{at}[]")
    for name, inner in schema.get("properties", {}).items():
        yield from _unbounded(inner, f"{at}.{name}")


_BOUNDS = {
    "string": {"maxLength"},
    "integer": {"minimum", "maximum"},
    "number": {"minimum", "maximum"},
    "array": {"maxItems"},
}


def test_everything_has_bounds(shared_door):
    """What is sent and what is answered says how long or large it may be, so that a caller can make room."""
    schemas = shared_door.contract["components"]["schemas"]
    unbounded = [place for name, schema in schemas.items() for place in _unbounded(schema, name)]
    for path, operations in shared_door.contract["paths"].items():
        for method, operation in operations.items():
            for one in operation.get("parameters", ()):
                unbounded += _unbounded(one["schema"], f"{method} {path} {one['name']}")

    assert unbounded == []


def test_it_names_every_parameter(shared_door):
    """Query and header parameters, with their bounds."""
    paths = shared_door.contract["paths"]
    listed = {one["name"]: one["schema"] for one in paths["/v1/escalations"]["get"]["parameters"]}
    shown = {one["name"]: one["schema"] for one in paths["/v1/escalations/{escalation}"]["get"]["parameters"]}
    (taken_back,) = paths["/v1/escalations/{escalation}/cancel"]["post"]["parameters"]
    (key,) = paths["/v1/escalations"]["post"]["parameters"]

    assert (listed["limit"]["minimum"], listed["limit"]["maximum"], listed["limit"]["default"]) == (1, 200, 50)
    assert listed.keys() == {"status", "limit", "cursor"}
    assert (shown["wait_seconds"]["minimum"], shown["wait_seconds"]["maximum"]) == (0, 60)
    assert shown.keys() == {"escalation", "after_version", "wait_seconds"}
    assert (taken_back["name"], taken_back["in"], taken_back["required"]) == ("escalation", "path", True)
    assert (
        taken_back["schema"]
        == shown["escalation"]
        == {"type": "string", "pattern": "^esc_[0-9A-Z]{26}$", "maxLength": 30}
    )
    assert (key["name"], key["in"], key["required"]) == ("Idempotency-Key", "header", True)
    assert key["schema"] == {"type": "string", "minLength": 1, "maxLength": 255}


@pytest.mark.parametrize("verb", REGISTRY, ids=lambda verb: verb.name)
def test_it_describes_each_verb_by_the_registry(shared_door, verb):
    """Kinds and parameters with their bounds come from the verb itself, so a new verb needs nothing here."""
    action = resolved(_body_schema(shared_door)["properties"]["action"], shared_door.contract)
    described = resolved({"$ref": action["discriminator"]["mapping"][verb.name]}, shared_door.contract)
    target = resolved(described["properties"]["target"], shared_door.contract)
    parameters = resolved(described["properties"]["parameters"], shared_door.contract)

    kinds = target["properties"]["kind"]
    assert set(kinds.get("enum", [kinds.get("const")])) == {kind.name for kind in verb.kinds}
    assert {
        name: (found["type"], found["minimum"], found["maximum"], found["description"])
        for name, found in parameters.get("properties", {}).items()
    } == {one.name: ("integer", one.least, one.most, one.description) for one in verb.parameters}
    assert parameters["additionalProperties"] is False
    assert set(parameters.get("required", ())) == {one.name for one in verb.parameters}


@settings(max_examples=60, deadline=None)
@given(sent=BODIES)
def test_what_it_allows_is_taken(shared_door: Door, sent):
    """Any body by the document is understood: taken on, or refused for what it asks for and not for how it says it."""
    body = json.dumps(sent.value).encode()
    assert faults(sent.value, _body_schema(shared_door), shared_door.contract) == []

    answer = shared_door.call("POST", ESCALATIONS, body, key=body_hash_of(parse(body)))

    assert answer.status in {200, 202, 403, 409, 422, 429}
    assert answer.status < 400 or answer.code not in SHAPE, answer


@pytest.mark.parametrize("verb", REGISTRY, ids=lambda verb: verb.name)
@pytest.mark.parametrize("end", ["least", "most"])
def test_each_verb_is_taken_at_both_ends_of_its_parameters(shared_door, verb, end):
    """The bounds are included."""
    parameters = {one.name: getattr(one, end) for one in verb.parameters}
    target = {**a_body()["action"]["target"], "kind": verb.kinds[0].name}
    action = {"verb": verb.name, "target": target, "parameters": parameters}

    answer = shared_door.call("POST", ESCALATIONS, a_body(action=action), key=f"{verb.name} {end}")

    # A restart has no parameter, so the second one asks for what is asked already.
    assert answer.status == 202 or (verb.parameters, answer.status) == ((), 200)


def test_the_longest_body_that_it_allows_fits_in_however_it_is_written(shared_door):
    """Every field at its longest and every letter as an escape is still below the bound on size."""
    longest = a_body(
        rationale="é" * 4000,
        evidence=[{"title": "é" * 150, "text": "é" * 3000}] * 10,
        breaches=[{"limit": "cluster-cpu", "observed": 0.87, "ceiling": 0.8}] * 10,
        confidence=1,
        on_behalf_of="T0COUNTERSIGN:U0CHEN",
        timeout_seconds=86400,
    )
    text = json.dumps(longest).encode()
    assert len(text) < LARGEST_BODY

    answer = shared_door.call("POST", ESCALATIONS, text, key="longest")

    assert answer.status == 202


def _broken(schema, value, document):
    """Return what differs from *value* by one step over the edge of its schema."""
    schema = resolved(schema, document)
    found = []
    if schema.get("additionalProperties") is False:
        found.append({**value, "unheard_of": 1})
        found += [{name: one for name, one in value.items() if name != gone} for gone in schema["required"]]
    for name, inner in schema.get("properties", {}).items():
        wanted = next((one for one in inner.get("anyOf", ()) if one.get("type") != "null"), inner)
        if name in value:
            found += [{**value, name: one} for one in _over(resolved(wanted, document), value[name])]
    return found


def _over(schema, value):
    if "maximum" in schema:
        yield schema["maximum"] + 1
    if "minimum" in schema:
        yield schema["minimum"] - 1
    if "maxLength" in schema:
        yield "x" * (schema["maxLength"] + 1)
    if "minLength" in schema:
        yield ""
    if "maxItems" in schema:
        yield [value[0]] * (schema["maxItems"] + 1)
    if "pattern" in schema:
        yield "~"
    yield [value] if schema.get("type") != "array" else {"0": value}


def test_what_it_forbids_is_refused(shared_door):
    """One step over any edge of the document, in the body or in the action, is 422 with a code of shape."""
    whole = a_body(
        evidence=[{"title": "p99", "text": "4.1 s"}],
        breaches=[{"limit": "cluster-cpu", "observed": 0.87, "ceiling": 0.8}],
        confidence=0.5,
        on_behalf_of="T0COUNTERSIGN:U0CHEN",
        timeout_seconds=900,
    )
    document, schema = shared_door.contract, _body_schema(shared_door)
    action = resolved(schema["properties"]["action"], document)
    scale = resolved({"$ref": action["discriminator"]["mapping"]["scale"]}, document)
    wrong = _broken(schema, whole, document)
    wrong += [{**whole, "action": one} for one in _broken(scale, whole["action"], document)]
    wrong += [
        {**whole, "action": {**whole["action"], part: one}}
        for part in ("target", "parameters")
        for one in _broken(scale["properties"][part], whole["action"][part], document)
    ]

    answers = [(body, shared_door.call("POST", ESCALATIONS, body, key="forbidden")) for body in wrong]

    assert len(answers) > 35
    assert [body for body, answer in answers if answer.status != 422 or answer.code not in SHAPE] == []


def test_it_is_open_and_there_are_no_pages(shared_door):
    """Anybody may read the document; there is no page that would load scripts from elsewhere."""
    assert shared_door.call("GET", "/openapi.json", token=None).json == shared_door.contract
    assert [shared_door.call("GET", path, token=None).status for path in ("/docs", "/redoc")] == [404, 404]
