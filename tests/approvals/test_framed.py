"""The framed encoding of before: what it wrote is read, and nothing else is taken for it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.canonical import NotCanonical, Value
from approvals.framed import decode, encode, is_framed, tagged_hash
from tests.approvals.strategies import values_up_to

WIDEST = 2**127 - 1
VALUES = values_up_to(WIDEST)


@pytest.mark.parametrize(
    ("value", "data"),
    [
        (None, b"n"),
        (False, b"f"),
        (True, b"t"),
        (0, b"i0;"),
        (-17, b"i-17;"),
        ("", b"s0:"),
        ("né", "s3:né".encode()),
        ([], b"l0:"),
        ([1, [None]], b"l2:i1;l1:n"),
        ((1, "a"), b"l2:i1;s1:a"),
        ({}, b"m0:"),
        ({"b": 1, "a": "x", "é": None}, "m3:s1:as1:xs1:bi1;s2:én".encode()),
        (WIDEST, b"i170141183460469231731687303715884105727;"),
        (-WIDEST, b"i-170141183460469231731687303715884105727;"),
    ],
)
def test_the_bytes_are_those_that_the_format_page_states(value, data):
    """Auditors verify from the written format, so every production of it is held fast here."""
    assert encode(value) == data


def test_where_one_field_ends_is_part_of_the_bytes():
    """T-AUD-09: actor ``a`` with action ``bc`` is not actor ``ab`` with action ``c``."""
    assert encode(["a", "bc"]) != encode(["ab", "c"])
    assert encode({"actor": "a", "action": "bc"}) != encode({"actor": "ab", "action": "c"})


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.integers(0, 9), max_size=6))
def test_the_order_in_which_keys_were_put_in_is_no_matter(mapping):
    """The same mapping has the same bytes, whatever order it was built in."""
    assert encode(dict(reversed(mapping.items()))) == encode(mapping)


def nested(depth: int) -> Value:
    """Return lists inside one another, *depth* of them around a none."""
    value: Value = None
    for _ in range(depth):
        value = [value]
    return value


NO_FORM = {
    "a float": 1.0,
    "bytes": b"bytes",
    "a set": {1, 2},
    "an object in a list": [object()],
    "a float in a mapping": {"a": 0.5},
    "a number as key": {1: "a"},
    "none as key": {"a": {None: 1}},
    "a lone surrogate": "\ud800",
    "a lone surrogate as key": {"\udfff": 1},
    "too large": WIDEST + 1,
    "too small": -WIDEST - 1,
    "huge": 10**5000,
    "too deep": nested(65),
    "too deep in a mapping": {"a": nested(64)},
}


@pytest.mark.parametrize("value", NO_FORM.values(), ids=NO_FORM.keys())
def test_what_has_no_canonical_form_is_refused(value):
    """A float, a lone surrogate, too large a number or too deep a value never reaches a hash."""
    with pytest.raises(NotCanonical):
        encode(value)


def test_the_deepest_value_is_read_back():
    """Everything that can be written can be read: both ends stop at the same depth."""
    assert decode(encode(nested(64))) == nested(64)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x",
        b"nn",
        b"i",
        b"i;",
        b"i1",
        b"i01;",
        b"i-0;",
        b"i+1;",
        b"i 1;",
        b"i1_0;",
        "i\uff11;".encode(),
        b"i170141183460469231731687303715884105728;",
        b"i" + b"1" * 5000 + b";",
        b"s",
        b"s1:",
        b"s2:a",
        b"s-1:a",
        b"s01:a",
        b"s1:ab",
        b"s1:\xff",
        b"sa:",
        b"l1:",
        b"l2:n",
        b"l-1:",
        b"l99999999999999:n",
        b"m1:",
        b"m1:s1:a",
        b"m1:i1;n",
        b"m1:nn",
        b"m2:s1:bns1:an",
        b"m2:s1:ans1:an",
        b"l1:" * 65 + b"n",
        b"l1:" * 100_000 + b"n",
        b"m1:s1:a" * 100_000 + b"n",
    ],
    ids=lambda data: f"{data[:24]!r} of {len(data)}",
)
def test_bytes_that_are_no_value_in_canonical_form_are_refused(data):
    """Cut off, doubled, unordered, padded or endlessly nested bytes are refused as such, never half understood."""
    with pytest.raises(NotCanonical):
        decode(data)


def test_a_tagged_hash_frames_the_tag_and_every_part():
    """A part cannot lend a byte to its neighbour or to the tag: what is hashed is ``1:t1:a2:bc``."""
    assert tagged_hash("t", b"a", b"bc") == "902ea2faf305a58e3341cf1f1deb3455a011fb1475aa81efd0ac28a72d975958"
    assert len({tagged_hash("t", b"a", b"bc"), tagged_hash("t", b"ab", b"c"), tagged_hash("ta", b"bc")}) == 3


def test_its_mappings_are_told_by_their_first_byte():
    """What a database holds is one of two forms, and the first byte says which."""
    assert [is_framed(data) for data in (encode({}), b"{}", b"", encode([]))] == [True, False, False, False]
