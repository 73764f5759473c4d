"""What both encodings keep, the one that is written and the one of before that is read: one value, one form of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals import canonical, framed
from approvals.canonical import NotCanonical, Value
from tests.approvals.strategies import VALUES, values_up_to
from tests.approvals.test_framed import WIDEST


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """One encoding, the values it takes, and bytes that are nearly its own."""

    encode: Callable[[Value], bytes]
    decode: Callable[[bytes], Value]
    values: st.SearchStrategy[Value]
    garbled: st.SearchStrategy[bytes]


JSON_LIKE = st.text('[]{}",:01eE.-ntfalsu\\', max_size=12).map(str.encode)
ENCODINGS = {
    "RFC 8785": Encoding(
        encode=canonical.encode,
        decode=canonical.decode,
        values=VALUES,
        garbled=st.one_of(st.binary(max_size=12), JSON_LIKE),
    ),
    "framed": Encoding(
        encode=framed.encode, decode=framed.decode, values=values_up_to(WIDEST), garbled=st.binary(max_size=12)
    ),
}
each = pytest.mark.parametrize("encoding", ENCODINGS.values(), ids=ENCODINGS)


def typed(value: Value) -> object:
    """Return *value* so that comparing tells ``1`` from ``True``, and the order of keys does not matter."""
    if isinstance(value, Mapping):
        return "object", frozenset((key, typed(inner)) for key, inner in value.items())
    if isinstance(value, list):
        return "list", tuple(typed(inner) for inner in value)
    return type(value).__name__, value


@each
@given(data=st.data())
def test_what_is_written_is_read_back(encoding, data):
    """Decoding the bytes of a value gives that value, types included."""
    value = data.draw(encoding.values)

    assert typed(encoding.decode(encoding.encode(value))) == typed(value)


@each
@given(data=st.data())
def test_two_values_never_share_bytes(encoding, data):
    """T-AUD-09: equal bytes mean equal values, so a hash speaks of exactly one."""
    one, other = data.draw(encoding.values), data.draw(encoding.values)

    assert (encoding.encode(one) == encoding.encode(other)) == (typed(one) == typed(other))


@each
@given(data=st.data())
def test_any_bytes_are_either_refused_or_the_encoding_of_what_they_mean(encoding, data):
    """Nothing but the canonical form of a value is read as one."""
    garbled = data.draw(encoding.garbled)

    try:
        value = encoding.decode(garbled)
    except NotCanonical:
        return
    assert encoding.encode(value) == garbled


@each
@given(data=st.data())
def test_a_changed_byte_is_never_the_same_value(encoding, data):
    """T-AUD-01: flip any byte of an encoding, and it is another value or none."""
    value = data.draw(encoding.values)
    encoded = bytearray(encoding.encode(value))
    place = data.draw(st.integers(0, len(encoded) - 1))
    encoded[place] ^= data.draw(st.integers(1, 255))

    try:
        changed = encoding.decode(bytes(encoded))
    except NotCanonical:
        return
    assert typed(changed) != typed(value)
