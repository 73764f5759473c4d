"""JSON Schema, as far as our OpenAPI document uses it: what in a value breaks a schema, and values that a schema allows.

A keyword that is not known here is an error, so that nothing in the document goes unchecked.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

_TYPES: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
    "null": lambda value: value is None,
}
_FORMATS = {"date-time": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")}
_CHECKS: dict[str, Callable[[Any, Any], bool]] = {
    "type": lambda value, wanted: _TYPES[wanted](value),
    "enum": lambda value, wanted: value in wanted,
    "const": lambda value, wanted: value == wanted and type(value) is type(wanted),
    "pattern": lambda value, wanted: not isinstance(value, str) or re.search(wanted, value) is not None,
    "minLength": lambda value, wanted: not isinstance(value, str) or len(value) >= wanted,
    "maxLength": lambda value, wanted: not isinstance(value, str) or len(value) <= wanted,
    "minimum": lambda value, wanted: not _TYPES["number"](value) or value >= wanted,
    "maximum": lambda value, wanted: not _TYPES["number"](value) or value <= wanted,
    "maxItems": lambda value, wanted: not isinstance(value, list) or len(value) <= wanted,
    "maxProperties": lambda value, wanted: not isinstance(value, dict) or len(value) <= wanted,
    "format": lambda value, wanted: not isinstance(value, str) or _FORMATS[wanted].fullmatch(value) is not None,
}
_SILENT = {"title", "description", "default", "discriminator", "properties", "required", "additionalProperties"}
_NESTED = {"$ref", "anyOf", "oneOf", "items", "propertyNames"}


def faults(value: Any, schema: Mapping[str, Any], document: Mapping[str, Any], path: str = "") -> list[str]:
    """Return where *value* breaks *schema*, in the words of the schema."""
    unknown = schema.keys() - _CHECKS.keys() - _SILENT - _NESTED
    if unknown:
        raise NotImplementedError(f"the document uses {unknown}")
    return [
        *(
            f"{path}: {key} {schema[key]}"
            for key in schema.keys() & _CHECKS.keys()
            if not _CHECKS[key](value, schema[key])
        ),
        *_faults_inside(value, schema, document, path),
    ]


def _faults_inside(value: Any, schema: Mapping[str, Any], document: Mapping[str, Any], path: str) -> Iterator[str]:
    if "$ref" in schema:
        yield from faults(value, resolved(schema, document), document, path)
    for key in schema.keys() & {"anyOf", "oneOf"}:
        if all(faults(value, one, document, path) for one in schema[key]):
            yield f"{path}: none of {key}"
    if isinstance(value, list) and "items" in schema:
        for place, item in enumerate(value):
            yield from faults(item, schema["items"], document, f"{path}/{place}")
    if isinstance(value, dict):
        yield from _faults_in_object(value, schema, document, path)


def _faults_in_object(
    value: dict[str, Any], schema: Mapping[str, Any], document: Mapping[str, Any], path: str
) -> Iterator[str]:
    properties, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    for name in set(schema.get("required", ())) - value.keys():
        yield f"{path}/{name}: missing"
    for name, inner in value.items():
        if name in properties:
            yield from faults(inner, properties[name], document, f"{path}/{name}")
        elif others is False:
            yield f"{path}/{name}: unknown"
        elif isinstance(others, dict):
            yield from faults(inner, others, document, f"{path}/{name}")


def resolved(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return *schema*, or what it refers to."""
    while "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        schema = document["components"]["schemas"][name]
    return schema


_TEXT = st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"])
"""Neither blanks alone, which the document cannot forbid, nor NUL and halves of characters, which are no text."""


def values(schema: Mapping[str, Any], document: Mapping[str, Any]) -> SearchStrategy[Any]:
    """Return a strategy for values that *schema* allows, the shortest and the longest among them."""
    schema = resolved(schema, document)
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return st.one_of([values(one, document) for one in schema[key]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "const" in schema:
        return st.just(schema["const"])
    return _OF_TYPE[schema["type"]](schema, document)


def _texts(schema: Mapping[str, Any], document: Mapping[str, Any]) -> SearchStrategy[Any]:
    least, most = schema.get("minLength", 0), schema.get("maxLength", 20)
    if "pattern" in schema:
        return st.from_regex(schema["pattern"], fullmatch=True).filter(lambda text: len(text) <= most)
    return st.text(_TEXT, min_size=least, max_size=min(most, 30)) | st.text(_TEXT, min_size=1, max_size=1).map(
        lambda char: char * most
    )


def _objects(schema: Mapping[str, Any], document: Mapping[str, Any]) -> SearchStrategy[Any]:
    fields = {name: values(inner, document) for name, inner in schema["properties"].items()}
    required = {name: fields.pop(name) for name in schema.get("required", ())}
    return st.fixed_dictionaries(required, optional=fields)


def _whole_numbers(schema: Mapping[str, Any], document: Mapping[str, Any]) -> SearchStrategy[Any]:
    return st.integers(schema.get("minimum", -(10**18)), schema.get("maximum", 10**18))


def _numbers(schema: Mapping[str, Any], document: Mapping[str, Any]) -> SearchStrategy[Any]:
    return st.integers(schema.get("minimum", -999) * 1000, schema.get("maximum", 999) * 1000).map(lambda n: n / 1000)


def _lists(schema: Mapping[str, Any], document: Mapping[str, Any]) -> SearchStrategy[Any]:
    most = schema.get("maxItems", 3)
    return st.lists(values(schema["items"], document), max_size=2) | st.lists(
        values(schema["items"], document), min_size=most, max_size=most
    )


def _nothing(schema: Mapping[str, Any], document: Mapping[str, Any]) -> SearchStrategy[Any]:
    return st.none()


_OF_TYPE: dict[str, Callable[[Mapping[str, Any], Mapping[str, Any]], SearchStrategy[Any]]] = {
    "string": _texts,
    "integer": _whole_numbers,
    "number": _numbers,
    "array": _lists,
    "object": _objects,
    "null": _nothing,
}
