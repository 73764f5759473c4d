"""The framed encoding: what :mod:`approvals.canonical` was before it became RFC 8785. Read, and never written any more.

Databases hold what was written in it: plans, and the events of the chain that ``countersign db upgrade`` sealed. So it is read,
and checked, for as long as such a database may be there. It is length-framed and typed, so no two different values share bytes.

::

    none            n
    false, true     f  t
    integer         i<decimal>;
    text            s<number of UTF-8 bytes>:<bytes>
    list            l<number of items>:<items>
    mapping         m<number of entries>:<key as text><value> ...     keys in the order of their UTF-8 bytes

Integers lie within 127 bits and a sign, and values nest at most 64 deep, so that reading hostile bytes is cheap and every
value that can be written can be read.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from approvals.canonical import NotCanonical, Value, hash_of

_MOST_BITS: Final = 127
_LONGEST_NUMBER: Final = len(str(-(2**_MOST_BITS)))
_DEEPEST: Final = 64

_LISTS: Final = (list, tuple)
_MAPPINGS: Final = (dict, Mapping)
"""The one that most are first: asking what else is a mapping takes longer than all the rest."""


def is_framed(data: bytes) -> bool:
    """Tell whether *data* is a mapping in this encoding, by its first byte: an object of RFC 8785 begins with another."""
    return data[:1] == b"m"


def encode(value: Value) -> bytes:
    """Return the canonical bytes of *value*.

    Raises:
        NotCanonical: It holds a type outside the grammar (a float, say), text that is not valid Unicode or too large an
            integer, or it nests too deep.
    """
    parts: list[bytes] = []
    _write(value, parts, 0)
    return b"".join(parts)


def decode(data: bytes) -> Value:
    """Return the value whose canonical bytes are *data*.

    Raises:
        NotCanonical: *data* is not exactly one value in canonical form.
    """
    value, end = _read(data, 0, 0)
    if end != len(data) or encode(value) != data:
        raise NotCanonical("the bytes are not one value in canonical form")
    return value


def tagged(tag: str, *parts: bytes) -> bytes:
    """Return *tag* and *parts*, each framed by its length."""
    return b"".join(b"%d:%s" % (len(part), part) for part in (tag.encode(), *parts))


def tagged_hash(tag: str, *parts: bytes) -> str:
    """Return the hash of *parts* under a domain *tag*."""
    return hash_of(tagged(tag, *parts))


def _write(value: Value, parts: list[bytes], depth: int) -> None:
    _check_depth(depth)
    if isinstance(value, str):  # First, because most are.
        parts.append(_text(value))
    elif value is None:
        parts.append(b"n")
    elif isinstance(value, bool):
        parts.append(b"t" if value else b"f")
    elif isinstance(value, int):
        parts.append(_integer(value))
    elif isinstance(value, _LISTS):
        parts.append(b"l%d:" % len(value))
        for inner in value:
            _write(inner, parts, depth + 1)
    elif isinstance(value, _MAPPINGS):
        parts.append(b"m%d:" % len(value))
        for key in _in_order(value):
            parts.append(_text(key))
            _write(value[key], parts, depth + 1)
    else:
        raise NotCanonical(f"{type(value).__name__} has no canonical form")


def _check_depth(depth: int) -> None:
    if depth > _DEEPEST:
        raise NotCanonical(f"a value nests more than {_DEEPEST} deep")


def _integer(value: int) -> bytes:
    if value.bit_length() > _MOST_BITS:
        raise NotCanonical(f"an integer has more than {_MOST_BITS} bits")
    return b"i%d;" % value


def _in_order(keys: Iterable[object]) -> list[str]:
    """Return the keys in the order of their UTF-8 bytes, which is that of their characters."""
    found: list[str] = []
    for key in keys:
        if not isinstance(key, str):
            raise NotCanonical("a key must be text")
        found.append(key)
    found.sort()
    return found


def _text(value: str) -> bytes:
    try:
        data = value.encode()
    except UnicodeEncodeError as error:
        raise NotCanonical("text holds a lone surrogate") from error
    return b"s%d:%s" % (len(data), data)


def _read(data: bytes, at: int, depth: int) -> tuple[Value, int]:
    _check_depth(depth)
    match data[at : at + 1]:
        case b"n":
            return None, at + 1
        case b"f":
            return False, at + 1
        case b"t":
            return True, at + 1
        case b"i":
            return _read_number(data, at + 1, b";")
        case b"s":
            return _read_text(data, at)
        case b"l":
            return _read_list(data, at, depth)
        case b"m":
            return _read_mapping(data, at, depth)
        case _:
            raise NotCanonical(f"no value starts at byte {at}")


def _read_number(data: bytes, at: int, end: bytes) -> tuple[int, int]:
    stop = data.find(end, at, at + _LONGEST_NUMBER + 1)
    if stop == -1:
        raise NotCanonical(f"a number at byte {at} does not end")
    try:
        return int(data[at:stop]), stop + 1
    except ValueError as error:
        raise NotCanonical(f"no number at byte {at}") from error


def _read_text(data: bytes, at: int) -> tuple[str, int]:
    length, start = _read_number(data, at + 1, b":")
    if length < 0 or start + length > len(data):
        raise NotCanonical(f"the text at byte {at} is cut off")
    try:
        return data[start : start + length].decode(), start + length
    except UnicodeDecodeError as error:
        raise NotCanonical(f"the text at byte {at} is not UTF-8") from error


def _read_list(data: bytes, at: int, depth: int) -> tuple[list[Value], int]:
    count, at = _read_number(data, at + 1, b":")
    items: list[Value] = []
    for _ in range(count):
        item, at = _read(data, at, depth + 1)
        items.append(item)
    return items, at


def _read_mapping(data: bytes, at: int, depth: int) -> tuple[dict[str, Value], int]:
    count, at = _read_number(data, at + 1, b":")
    entries: dict[str, Value] = {}
    for _ in range(count):
        key, at = _read(data, at, depth + 1)
        if not isinstance(key, str):
            raise NotCanonical(f"a key before byte {at} is not text")
        entries[key], at = _read(data, at, depth + 1)
    return entries, at
