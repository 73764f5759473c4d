"""Canonical bytes: one value, one encoding, so that a hash of it means something.

The encoding is RFC 8785, the JSON Canonicalization Scheme, so anybody's tools can make and check it: no blanks, keys in the
order of their UTF-16 units, text in UTF-8 with the shortest escapes. Of its numbers only whole ones within plus or minus
2^53 - 1 are taken, those that every reader of JSON keeps exactly, so no floating-point number can enter a hash. Values nest at
most 64 deep.

A hash is the SHA-256 of one such object. The object says what it is: its member ``tag`` names the kind of hash and its version,
so an object of one kind is never taken for one of another. The tags are listed for auditors in ``docs/audit-format.md``.
"""

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Final, NoReturn, TypeAlias

Value: TypeAlias = "bool | int | str | Sequence[Value] | Mapping[str, Value] | None"

LARGEST: Final = 2**53 - 1
"""The largest whole number, either way: beyond it readers that keep numbers as doubles take two numbers for one."""

DEEPEST: Final = 64
"""How deep values nest at most, so that reading hostile bytes is cheap and what can be written can be read."""

_LONG: Final = len(str(LARGEST))
"""Digits: a whole number with fewer is none that is too large."""

_LISTS: Final = frozenset({list, tuple})
_NESTING: Final = _LISTS | {dict}
_LEAVES: Final = frozenset({str, bool, type(None)})
_TEXTS: Final = frozenset({str})
_BEYOND_16_BITS: Final = (b"\xf0", b"\xf1", b"\xf2", b"\xf3", b"\xf4")
"""The first bytes of characters of more than 16 bits. Only with one of them can the order of UTF-16 units differ from that of
characters, which is Python's."""


def _encoder(*, sort_keys: bool) -> json.JSONEncoder:
    return json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":"), sort_keys=sort_keys)


_SORTING: Final = _encoder(sort_keys=True)
_KEEPING: Final = _encoder(sort_keys=False)
_QUOTED: Final = json.encoder.encode_basestring


class NotCanonical(ValueError):
    """A value has no canonical form, or bytes are not the canonical form of any value."""


class TooLarge(NotCanonical):
    """A whole number lies beyond :data:`LARGEST`."""


def encode(value: Value) -> bytes:
    """Return the canonical bytes of *value*.

    Raises:
        TooLarge: It holds a whole number beyond :data:`LARGEST`.
        NotCanonical: It holds another type (a float, say) or text that is not valid Unicode, or it nests too deep.
    """
    try:
        if _is_plain(value):
            data = _SORTING.encode(value).encode()
            if not any(first in data for first in _BEYOND_16_BITS) or _has_ascii_keys(value):
                return data
        return _KEEPING.encode(_in_order(value)).encode()
    except UnicodeEncodeError as error:
        raise NotCanonical("text holds a lone surrogate") from error


def decode(data: bytes) -> Value:
    """Return the value whose canonical bytes are *data*.

    Raises:
        NotCanonical: *data* is not exactly one value in canonical form.
    """
    try:
        value: Value = _READER.decode(data.decode())
    except NotCanonical:
        raise
    except (ValueError, RecursionError) as error:
        raise NotCanonical("the bytes are no JSON text") from error
    if _encode_again(value, data) != data:
        raise NotCanonical("the bytes are not one value in canonical form")
    return value


def _encode_again(value: Value, data: bytes) -> bytes:
    """Return the canonical bytes of what was read from *data*, if *data* has that form; else other bytes.

    The reader makes plain types alone and has held every number against :data:`LARGEST`, so only depth is left to look at. Text
    with fewer brackets than that cannot nest deeper. A lone surrogate stood there as an escape, and comes out otherwise.
    """
    if any(first in data for first in _BEYOND_16_BITS):
        return encode(value)
    if data.count(b"[") + data.count(b"{") > DEEPEST:
        _check_depth(value)
    return _SORTING.encode(value).encode(errors="surrogatepass")


def _check_depth(value: Value) -> None:
    """Refuse what was read if it nests too deep."""
    level: list[Any] = [value]
    for _ in range(DEEPEST):
        level = [
            inner
            for container in level
            for inner in (container.values() if type(container) is dict else container)
            if type(inner) in _NESTING
        ]
        if not level:
            return
    if any(level):
        raise NotCanonical(f"a value nests more than {DEEPEST} deep")


def tagged(tag: str, members: Mapping[str, Value]) -> bytes:
    """Return the canonical bytes of one object: *members*, none of which is called ``tag``, and *tag* beside them."""
    if "tag" in members:
        raise NotCanonical("the tag is no member's to give")
    return encode({**members, "tag": tag})


def quoted(text: str) -> str:
    """Return the canonical form of one text, for objects that are made so often that they are written out."""
    return _QUOTED(text)


def hash_of(data: bytes) -> str:
    """Return the SHA-256 of *data*, as 64 lower-case hex digits."""
    return sha256(data).hexdigest()


def tagged_hash(tag: str, **members: Value) -> str:
    """Return the hash of the object of these *members* and its *tag*."""
    return hash_of(tagged(tag, members))


def _is_plain(value: Value) -> bool:
    """Tell whether *value* is made of exactly the types that Python's own encoder writes in canonical form, given sorted keys.

    Each container is looked at as a whole, since asking each value in turn takes several times as long as encoding it.
    """
    level: list[Any] = [[value]]
    for _ in range(DEEPEST + 1):
        below: list[Any] = []
        if not all(_holds_plain(container, below) for container in level):
            return False
        if not below:
            return True
        level = below
    if any(level):
        raise NotCanonical(f"a value nests more than {DEEPEST} deep")
    return True


def _holds_plain(container: Any, below: list[Any]) -> bool:
    """Tell the same of what one container holds, and add the containers in it to *below*."""
    if type(container) is dict:
        if not _TEXTS.issuperset(map(type, container)):
            return False
        container = container.values()
    if _LEAVES.issuperset(map(type, container)):
        return True
    for one in container:
        kind = type(one)
        if kind in _NESTING:
            below.append(one)
        elif kind is int:
            _check_number(one)
        elif kind not in _LEAVES:
            return False
    return True


def _has_ascii_keys(value: Value) -> bool:
    """Tell whether all keys in *value*, which is plain, are ASCII: then Python's order of them is that of UTF-16 units.

    Every card holds a picture of more than 16 bits, and none has a key that does.
    """
    level: list[Any] = [value]
    while level:
        below: list[Any] = []
        for container in level:
            if type(container) is dict:
                if not all(map(str.isascii, container)):
                    return False
                container = container.values()  # noqa: PLW2901 - what it holds, either way
            elif type(container) not in _LISTS:
                continue
            below += container
        level = below
    return True


def _check_number(number: int) -> None:
    if not -LARGEST <= number <= LARGEST:
        raise TooLarge("a whole number lies beyond 2^53 - 1")


def _in_order(value: Value, depth: int = 0) -> Any:
    """Return *value* made of plain types alone, its keys in the order of their UTF-16 units."""
    if depth > DEEPEST:
        raise NotCanonical(f"a value nests more than {DEEPEST} deep")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        _check_number(value)
        return int(value)
    if isinstance(value, list | tuple):
        return [_in_order(inner, depth + 1) for inner in value]
    if isinstance(value, Mapping):
        return {str.__str__(key): _in_order(value[key], depth + 1) for key in sorted(value, key=_units)}
    raise NotCanonical(f"{type(value).__name__} has no canonical form")


def _units(key: object) -> bytes:
    """Return the UTF-16 units of a key, in the order of which keys stand."""
    if not isinstance(key, str):
        raise NotCanonical("a key must be text")
    return key.encode("utf-16-be", errors="surrogatepass")


def _refused(text: str) -> NoReturn:
    raise NotCanonical(f"{text[:20]} is no whole number")


def _whole(text: str) -> int:
    number = int(text)
    if len(text) >= _LONG:
        _check_number(number)
    return number


_READER: Final = json.JSONDecoder(parse_float=_refused, parse_constant=_refused, parse_int=_whole)
