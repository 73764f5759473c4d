"""Canonical bytes are RFC 8785's: one value, one encoding; an independent library agrees, and nothing else is taken for one."""

import json
from enum import IntEnum, StrEnum
from types import MappingProxyType

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from approvals.canonical import LARGEST, NotCanonical, TooLarge, Value, decode, encode, hash_of, tagged, tagged_hash
from tests.approvals.strategies import VALUES

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]))
EDGES = "\u007f\u0080\u07ff\u0800\ud7ff\ue000\ufb33\uffff\U00010000\U0001f600\U0010ffff"
"""Where the number of bytes or of UTF-16 units of a character changes."""

KEYS = st.text(st.one_of(st.sampled_from(EDGES), st.characters(exclude_categories=["Cs"])), max_size=3)


class Colour(StrEnum):
    """Text that is more than text."""

    RED = "red"


class Size(IntEnum):
    """A number that is more than a number."""

    LARGE = 3


@pytest.mark.parametrize(
    ("value", "data"),
    [
        (None, b"null"),
        (False, b"false"),
        (True, b"true"),
        (0, b"0"),
        (-17, b"-17"),
        ("", b'""'),
        ("né", '"né"'.encode()),
        ('"\\/\b\f\n\r\t\x00\x1f\x7f\u2028', b'"\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u001f\x7f\xe2\x80\xa8"'),
        ([], b"[]"),
        ([1, [None]], b"[1,[null]]"),
        ((1, "a"), b'[1,"a"]'),
        ({}, b"{}"),
        ({"b": 1, "a": "x", "é": None}, '{"a":"x","b":1,"é":null}'.encode()),
        (LARGEST, b"9007199254740991"),
        (-LARGEST, b"-9007199254740991"),
        (MappingProxyType({"b": Colour.RED, "a": Size.LARGE}), b'{"a":3,"b":"red"}'),
        ({Colour.RED: [MappingProxyType({})]}, b'{"red":[{}]}'),
    ],
)
def test_the_bytes_are_those_that_the_format_page_states(value, data):
    """Auditors verify from the written format, so every production of it is held fast here."""
    assert encode(value) == data


def test_keys_stand_in_the_order_of_their_utf_16_units():
    """The RFC's own example: a face outside of 16 bits goes before a Hebrew letter within, whatever their code points say."""
    keys = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]

    assert list(json.loads(encode({"in": dict.fromkeys(keys, 0)}))["in"]) == [
        "\r",
        "1",
        "\u0080",
        "\u00f6",
        "\u20ac",
        "\U0001f600",
        "\ufb33",
    ]


@given(st.one_of(VALUES, st.recursive(st.none(), lambda inner: st.dictionaries(KEYS, inner, max_size=5))))
def test_an_independent_library_writes_the_same_bytes(value):
    """What Countersign hashes is RFC 8785's form by the word of others, too: any text, any keys, any nesting."""
    assert encode(value) == rfc8785.dumps(value)


def test_where_one_field_ends_is_part_of_the_bytes():
    """T-AUD-09: actor ``a`` with action ``bc`` is not actor ``ab`` with action ``c``."""
    assert encode(["a", "bc"]) != encode(["ab", "c"])
    assert encode({"actor": "a", "action": "bc"}) != encode({"actor": "ab", "action": "c"})


@given(st.dictionaries(KEYS, st.integers(0, 9), max_size=6))
def test_the_order_in_which_keys_were_put_in_is_no_matter(mapping):
    """The same mapping has the same bytes, whatever order it was built in and whichever kind of mapping it is."""
    assert encode(dict(reversed(mapping.items()))) == encode(mapping) == encode(MappingProxyType(mapping))


def nested(depth: int, innermost: Value = None) -> Value:
    """Return lists inside one another, *depth* of them around the innermost value."""
    value = innermost
    for _ in range(depth):
        value = [value]
    return value


NO_FORM = {
    "a float": 1.0,
    "not a number": float("nan"),
    "bytes": b"bytes",
    "a set": {1, 2},
    "an object in a list": [object()],
    "a float in a mapping": {"a": 0.5},
    "a float in another kind of mapping": MappingProxyType({"a": 0.5}),
    "a number as key": {1: "a"},
    "none as key": {"a": {None: 1}},
    "a lone surrogate": "\ud800",
    "a lone surrogate as key": {"\udfff": 1},
    "a lone surrogate beside a face": {"\udfff": "\U0001f600"},
    "too deep": nested(65),
    "too deep and empty": nested(65, {}),
    "too deep in a mapping": {"a": nested(64)},
    "too deep in another kind of mapping": MappingProxyType({"a": nested(64)}),
}

TOO_LARGE = {
    "by one": LARGEST + 1,
    "by one below": -LARGEST - 1,
    "huge": 10**5000,
    "in a list": ["a", [LARGEST + 1]],
    "in another kind of mapping": MappingProxyType({"a": LARGEST + 1}),
}


@pytest.mark.parametrize("value", NO_FORM.values(), ids=NO_FORM.keys())
def test_what_has_no_canonical_form_is_refused(value):
    """A float, a lone surrogate or too deep a value never reaches a hash, and a key is text or nothing."""
    with pytest.raises(NotCanonical):
        encode(value)


@pytest.mark.parametrize("value", TOO_LARGE.values(), ids=TOO_LARGE.keys())
def test_a_number_that_some_readers_would_change_is_refused(value):
    """Beyond 2^53 - 1 a reader that keeps numbers as doubles takes two for one; so none is ever hashed."""
    with pytest.raises(TooLarge):
        encode(value)


@pytest.mark.parametrize(
    "value", [nested(64), nested(64, []), nested(63, {"a": None})], ids=["lists", "empty", "object"]
)
def test_the_deepest_value_is_read_back(value):
    """Everything that can be written can be read: both ends stop at the same depth."""
    assert decode(encode(value)) == value


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x",
        b"nullnull",
        b" null",
        b"null\n",
        b"\xef\xbb\xbfnull",
        b"01",
        b"-0",
        b"+1",
        b"1.0",
        b"1e2",
        b"NaN",
        b"-Infinity",
        b"9007199254740992",
        b"1" * 5000,
        b'"',
        b'"\xff"',
        b'"\\u0061"',
        b'"\\/"',
        b'"\\u001F"',
        b'"\x01"',
        b'"\\ud83d\\ude00"',
        b'"\\ud800"',
        "null".encode("utf-16"),
        b"[",
        b"[1, 2]",
        b'{"a":1,"a":1}',
        b'{"b":1,"a":2}',
        '{"\ufb33":1,"\U0001f600":2}'.encode(),
        b"[" * 66 + b"]" * 66,
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
    ids=lambda data: f"{data[:24]!r} of {len(data)}",
)
def test_bytes_that_are_no_value_in_canonical_form_are_refused(data):
    """Cut off, doubled, unordered, padded, otherwise escaped or endlessly nested bytes are refused, never half understood."""
    with pytest.raises(NotCanonical):
        decode(data)


@given(st.dictionaries(ANY_TEXT.filter(lambda key: key != "tag"), VALUES, max_size=3))
def test_a_hash_is_that_of_one_object_with_its_tag_a_member(members):
    """What is hashed says what it is; whatever kind it is of, it is hashed by the same rule."""
    data = tagged("countersign/test/1", members)

    assert decode(data) == {**members, "tag": "countersign/test/1"}
    assert tagged_hash("countersign/test/1", a=1) == hash_of(b'{"a":1,"tag":"countersign/test/1"}')


def test_the_tag_is_ours_alone():
    """No member can stand in for the tag, so an object of one kind is never taken for one of another."""
    with pytest.raises(NotCanonical):
        tagged("t", {"tag": "t"})
