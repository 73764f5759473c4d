"""Strict JSON: bytes from outside as plain values, with one reading only, or a refusal that says which rule they break.

Python's own reader keeps the last of two equal keys, takes ``NaN``, runs out of stack on deep nesting and lets lone
surrogates through, which break hashing and storage later: each is a way to show a checker one thing and a program
another. What a value means is :mod:`models.payloads`; how many bytes are read at all is decided by the door, before it
calls here. Everything takes time linear in the number of bytes.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from itertools import accumulate
from typing import Any, Final

from approvals.errors import Malformed

DEEPEST: Final = 32
"""How many brackets may be open at once; what we read needs four."""

MOST_KEYS: Final = 1000
"""How many keys an object may have: ten times what any shape of ours has, and few enough to say no to one by one."""

MOST_DIGITS: Final = 19
"""How many digits a whole number may have: as many as a 64-bit one, and far below where Python's own reader fails."""

LONGEST_FRACTION: Final = 40
"""How many characters a number with a fraction or an exponent may have; a double needs 24 at most."""

LEAST_EXPONENT: Final = -30
"""The power of ten of the first digit of the smallest number taken; below it nobody measures anything."""

_UTF8_BOM: Final = b"\xef\xbb\xbf"
_NOT_BRACKETS: Final = re.compile(r'(?:[^\[\]{}"]++|"[^"\\]*+(?:\\.[^"\\]*+)*+"?)++', re.DOTALL)
"""All that neither opens nor closes. Possessive, and a string without an end runs on, so that nothing is read twice."""

STEP: Final = {"[": 1, "{": 1, "]": -1, "}": -1}
"""How each bracket changes the number of those that are open."""
_MASKED: Final = "\\\\"
"""An escaped backslash: what follows it looks like an escape, and is none."""

_SUSPECT: Final = re.compile(
    r"\\u(?:0000"
    r"|[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    r"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2}\\u)[dD][c-fC-F][0-9a-fA-F]{2})"
)
"""An escape that is NUL, or half of a surrogate pair without the other half beside it."""

_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")
_LONGEST_NAME_SHOWN: Final = 64

_SENTENCES: Final = {
    "bom": "The body starts with a byte order mark; plain UTF-8 has none.",
    "not_utf8": "The body is not UTF-8.",
    "nul": "The body holds a NUL character.",
    "too_deep": f"The body nests deeper than {DEEPEST} levels.",
    "too_many_keys": f"An object has more than {MOST_KEYS} keys.",
    "duplicate_key": "The same key is given twice in one object.",
    "not_a_number": "NaN and Infinity are not JSON.",
    "number_too_large": f"A number is too large, too small or too long: {MOST_DIGITS} digits are the most.",
    "lone_surrogate": "A text holds half of a surrogate pair, which is no character.",
}


class Unreadable(Malformed):
    """The bytes are no JSON that has one reading: a fault of syntax (400); one of shape is plain Malformed (422)."""

    code = "not_json"


@dataclass(frozen=True, slots=True)
class _Flaw:
    """Stands in the parsed tree where something is not taken, until the walk finds it and knows its place."""

    code: str
    key: str | None = None


class _Found(Exception):
    """A flaw was met while walking the tree; ``steps`` is its path from the inside out."""

    def __init__(self, code: str, *steps: str | int) -> None:
        super().__init__(code)
        self.code = code
        self.steps: list[str | int] = list(steps)


def parse(data: bytes, *, any_text: bool = False) -> object:
    """Return the value that *data* holds: dicts, lists, str, int, bool, None, and Decimal for a number with a fraction.

    Args:
        data: The bytes.
        any_text: Whether texts, though no keys, may hold what cannot be stored: an escaped NUL, half of a surrogate pair. Whoever
            keeps them sees to that; it is for words that must not be refused for what they are made of.

    Raises:
        Unreadable: With the code ``bom``, ``not_utf8``, ``nul``, ``too_deep`` or ``not_json``; or, with the JSON pointer
            of the culprit, ``duplicate_key``, ``too_many_keys``, ``not_a_number``, ``number_too_large``,
            ``lone_surrogate`` or, for an escaped one, ``nul``.
    """
    text = _text_of(data)
    if any(open_brackets > DEEPEST for open_brackets in accumulate(map(STEP.__getitem__, brackets_of(text)))):
        raise _refusal("too_deep")
    reading = _Reading()
    try:
        value = reading.decode(text)
    except json.JSONDecodeError as error:
        raise Unreadable(f"The body is not JSON; see line {error.lineno}, column {error.colno}.") from error
    if not reading.flawed and _MASKED not in text and not _SUSPECT.search(text):
        # What cannot be stored comes by an escape alone: NUL and lone surrogates were refused where they stand as such. So most
        # bodies need no look at each value, which took longer than reading them.
        return value
    try:
        _walk(value, any_text=any_text)
    except _Found as found:
        raise _refusal(found.code, pointer(reversed(found.steps))) from None
    return value


def brackets_of(text: str) -> str:
    """Return the brackets of *text*, in order, and none of those that stand in a string of it."""
    return _NOT_BRACKETS.sub("", text)


def pointer(steps: Iterator[str | int] | tuple[str | int, ...]) -> str:
    """Return the JSON pointer (RFC 6901) of *steps*; an overlong key, which only a stranger would send, is cut."""
    return "".join(f"/{_shortened(str(step)).replace('~', '~0').replace('/', '~1')}" for step in steps)


def _shortened(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME_SHOWN else f"{name[:_LONGEST_NAME_SHOWN]}..."


def _text_of(data: bytes) -> str:
    if data.startswith(_UTF8_BOM):
        raise _refusal("bom")
    if b"\0" in data[:2]:  # JSON starts with two ASCII characters, so this is UTF-16 or UTF-32
        raise _refusal("not_utf8")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise _refusal("not_utf8") from error
    if "\0" in text:
        raise _refusal("nul")
    return text


def _refusal(code: str, field: str | None = None) -> Unreadable:
    return Unreadable(_SENTENCES[code], code=code, field=field)


class _Reading(json.JSONDecoder):
    """Reads one text, and remembers whether it met anything that is not taken."""

    def __init__(self) -> None:
        super().__init__(
            object_pairs_hook=self._object,
            parse_int=self._whole,
            parse_float=self._fraction,
            parse_constant=self._constant,
        )
        self.flawed = False

    def _flaw(self, code: str, key: str | None = None) -> _Flaw:
        self.flawed = True
        return _Flaw(code, key)

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any] | _Flaw:
        entries = dict(pairs)
        if len(entries) != len(pairs):
            return self._flaw("duplicate_key", _first_twice(pairs))
        if len(entries) > MOST_KEYS:
            self.flawed = True
        return entries

    def _whole(self, digits: str) -> int | _Flaw:
        return int(digits) if len(digits.lstrip("-")) <= MOST_DIGITS else self._flaw("number_too_large")

    def _fraction(self, digits: str) -> Decimal | _Flaw:
        if len(digits) > LONGEST_FRACTION:
            return self._flaw("number_too_large")
        try:
            number = Decimal(digits)
        except InvalidOperation:  # an exponent beyond what Decimal itself holds
            return self._flaw("number_too_large")
        return number if LEAST_EXPONENT <= number.adjusted() < MOST_DIGITS else self._flaw("number_too_large")

    def _constant(self, name: str) -> _Flaw:
        del name  # NaN, Infinity or -Infinity
        return self._flaw("not_a_number")


def _first_twice(pairs: list[tuple[str, Any]]) -> str:
    """Return the key that comes a second time first."""
    met: set[str] = set()
    return next(key for key, _ in pairs if key in met or met.add(key))  # type: ignore[func-returns-value]


def _walk(value: object, *, any_text: bool) -> None:
    """Return if nothing in *value* is flawed; the nesting was bounded before, so this may recurse."""
    if type(value) is str:
        if not any_text:
            _check_text(value)
    elif type(value) is dict:
        _walk_object(value, any_text=any_text)
    elif type(value) is list:
        for place, item in enumerate(value):
            try:
                _walk(item, any_text=any_text)
            except _Found as found:
                found.steps.append(place)
                raise
    elif type(value) is _Flaw:
        raise _Found(value.code) if value.key is None else _Found(value.code, value.key)


def _walk_object(entries: dict[str, Any], *, any_text: bool) -> None:
    if len(entries) > MOST_KEYS:
        raise _Found("too_many_keys")
    for key, inner in entries.items():
        _check_text(key)
        try:
            _walk(inner, any_text=any_text)
        except _Found as found:
            found.steps.append(key)
            raise


def _check_text(text: str) -> None:
    if "\0" in text:
        raise _Found("nul")
    if not text.isascii() and _SURROGATE.search(text):
        raise _Found("lone_surrogate")
