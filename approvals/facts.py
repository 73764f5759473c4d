"""Facts: a noun as plain values and back, the one form that audit events, stored columns and hashes share.

An instant becomes RFC 3339 text in UTC with six decimals, a duration whole microseconds, an exact decimal
its text, an enumeration its value. The way back is typed by the noun itself, so a round trip gives an equal noun.
"""

import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from functools import cache, partial
from types import MappingProxyType
from typing import Any, Final, NewType, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from approvals.canonical import Value

N = TypeVar("N")

ADDED: Final[Mapping[str, bool]] = MappingProxyType({"added": True})
"""Metadata of a field with a default that the first release did not have: facts from before may lack it, and no other field."""

_MICROSECOND = timedelta(microseconds=1)
_PLAIN = frozenset({type(None), bool, int, str})
"""What most leaves are, by far: told by one look, before anything else is asked."""


def instant_text(at: datetime) -> str:
    """Return *at*, an aware instant, as RFC 3339 text in UTC with microseconds, such as ``2026-11-21T09:00:00.000000Z``."""
    if at.tzinfo is None:
        raise ValueError("an instant needs a zone")
    return at.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def instant_of(text: str) -> datetime:
    """Return the aware instant that :func:`instant_text` wrote."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)


def facts_of(noun: object) -> Value:
    """Return *noun*, or anything nested in one, as plain values.

    Raises:
        TypeError: It holds something that has no plain form, such as a float.
    """
    kind: Any = type(noun)
    return cast("Value", noun) if kind in _PLAIN else _writer(kind)(noun)


def noun_of(kind: type[N], facts: Value) -> N:
    """Return the *kind* of noun whose facts these are.

    Raises:
        ValueError, TypeError, KeyError: They are not the facts of one.
    """
    return cast("N", _reader(cast("Any", kind))(facts))


def plain_of(kind: Any) -> Any:
    """Return the type that *kind* is at run time: of a name of ours for a text, the text."""
    return kind.__supertype__ if isinstance(kind, NewType) else kind


# What a type's values look like is worked out once. A decision writes and reads some hundred values, and asking each one anew
# what it is took a quarter of its time.


@cache
def _writer(kind: type) -> Callable[[Any], Value]:
    """Return what makes facts of a noun of exactly that type."""
    if issubclass(kind, StrEnum):
        return _text_of_member
    if issubclass(kind, datetime):
        return instant_text
    if issubclass(kind, timedelta):
        return _microseconds
    if issubclass(kind, Decimal):
        return str
    if issubclass(kind, list | tuple):
        return _list_of
    if issubclass(kind, frozenset):
        return _sorted_texts
    if issubclass(kind, Mapping):
        return _object_of
    if is_dataclass(kind):
        return partial(_facts_of_noun, _names(kind))
    raise TypeError(f"{kind.__name__} has no plain form")


def _text_of_member(member: StrEnum) -> Value:
    return member.value


def _microseconds(duration: timedelta) -> Value:
    return duration // _MICROSECOND


def _list_of(items: Iterable[object]) -> Value:
    return [facts_of(item) for item in items]


def _sorted_texts(items: frozenset[object]) -> Value:
    return sorted(str(item) for item in items)


def _object_of(entries: Mapping[object, object]) -> Value:
    return {str(key): facts_of(value) for key, value in entries.items()}


def _facts_of_noun(names: tuple[str, ...], noun: object) -> Value:
    facts: dict[str, Value] = {}
    for name in names:
        value = getattr(noun, name)
        kind: Any = type(value)
        facts[name] = value if kind in _PLAIN else _writer(kind)(value)
    return facts


@cache
def _names(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(cast("Any", kind)))


@cache
def _reader(kind: Any) -> Callable[[Any], Any]:
    """Return what makes a noun of that kind of its facts. What a noun holds is looked at when the first one is made."""
    kind = plain_of(kind)
    origin = get_origin(kind)
    if origin in {Union, types.UnionType}:
        return _union_reader(get_args(kind))
    if origin is not None:
        return _container_reader(origin, get_args(kind))
    if is_dataclass(kind):
        return partial(_noun_from, cast("type", kind))
    if kind is datetime:
        return instant_of
    if kind is timedelta:
        return _duration
    if kind is Decimal:
        return _decimal
    if issubclass(kind, StrEnum):
        return cast("Callable[[Any], Any]", kind)
    return partial(_taken, kind)


def _container_reader(origin: Any, kinds: tuple[Any, ...]) -> Callable[[Any], Any]:
    if origin is tuple:
        item = _reader(kinds[0])
        return lambda facts: tuple(map(item, _taken(list, facts)))
    if origin is frozenset:
        item = _reader(kinds[0])
        return lambda facts: frozenset(map(item, _taken(list, facts)))
    inner = _reader(kinds[1])  # of a mapping
    return lambda facts: {key: inner(value) for key, value in _taken(dict, facts).items()}


def _union_reader(kinds: tuple[Any, ...]) -> Callable[[Any], Any]:
    """Return what makes the noun of the first kind in the union that takes the facts; kinds are tried as declared."""
    wanted = [plain_of(kind) for kind in kinds if kind is not type(None)]
    readers = [(_reader(kind), is_dataclass(kind), kind if kind in {bool, int, str} else None) for kind in wanted]
    takes_none = type(None) in kinds

    def read(facts: Any) -> Any:
        if facts is None and takes_none:
            return None
        for reader, is_noun, exactly in readers:
            if isinstance(facts, dict) == is_noun and (exactly is None or type(facts) is exactly):
                return reader(facts)
        raise TypeError(f"none of {wanted} takes {type(facts).__name__}")

    return read


@cache
def _members(kind: type) -> tuple[tuple[str, Callable[[Any], Any], bool], ...]:
    """Return, for each field of a noun, its name, what reads it, and whether facts from before may lack it."""
    hints = get_type_hints(kind)
    return tuple(
        (field.name, _reader(hints[field.name]), bool(field.metadata.get("added")))
        for field in fields(cast("Any", kind))
    )


def _noun_from(kind: type, facts: Any) -> Any:
    return kind(**{name: read(facts[name]) for name, read, may_lack in _members(kind) if not may_lack or name in facts})


def _duration(facts: Any) -> timedelta:
    return timedelta(microseconds=_taken(int, facts))


def _decimal(facts: Any) -> Decimal:
    try:
        return Decimal(_taken(str, facts))
    except InvalidOperation as error:
        raise ValueError("no exact decimal") from error


def _taken(kind: Any, facts: Any) -> Any:
    """Return *facts*, which must be of exactly that type: a text is no list of its letters, and a bool no number."""
    if type(facts) is not kind:
        raise TypeError(f"{kind.__name__} expected, not {type(facts).__name__}")
    return facts
