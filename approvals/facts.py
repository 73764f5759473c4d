"""Facts: a noun as plain values and back, the one form that audit events, stored columns and hashes share.

An instant becomes RFC 3339 text in UTC with six decimals, a duration whole microseconds, an exact decimal
its text, an enumeration its value. The way back is typed by the noun itself, so a round trip gives an equal noun.
"""

import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from functools import cache
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
    if type(noun) in _PLAIN:
        return cast("Value", noun)
    match noun:
        case StrEnum():
            return noun.value
        case datetime():
            return instant_text(noun)
        case timedelta():
            return noun // _MICROSECOND
        case Decimal():
            return str(noun)
        case list() | tuple():
            return [facts_of(item) for item in noun]
        case frozenset():
            return sorted(str(item) for item in noun)
        case Mapping():
            return {str(key): facts_of(value) for key, value in noun.items()}
        case _:
            return _facts_of_noun(noun)


def _facts_of_noun(noun: object) -> Value:
    if is_dataclass(noun) and not isinstance(noun, type):
        return {name: facts_of(getattr(noun, name)) for name in _names(type(noun))}
    raise TypeError(f"{type(noun).__name__} has no plain form")


def noun_of(kind: type[N], facts: Value) -> N:
    """Return the *kind* of noun whose facts these are.

    Raises:
        ValueError, TypeError, KeyError: They are not the facts of one.
    """
    return cast("N", _build(kind, facts))


def plain_of(kind: Any) -> Any:
    """Return the type that *kind* is at run time: of a name of ours for a text, the text."""
    return kind.__supertype__ if isinstance(kind, NewType) else kind


@cache
def _names(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(cast("Any", kind)))


@cache
def _may_lack(kind: type) -> frozenset[str]:
    return frozenset(field.name for field in fields(cast("Any", kind)) if field.metadata.get("added"))


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _build(kind: Any, facts: Any) -> Any:
    kind = plain_of(kind)
    origin = get_origin(kind)
    if origin in {Union, types.UnionType}:
        return _build_union(get_args(kind), facts)
    if origin is tuple:
        return tuple(_build(get_args(kind)[0], item) for item in _taken(list, facts))
    if origin is frozenset:
        return frozenset(_build(get_args(kind)[0], item) for item in _taken(list, facts))
    if origin is not None:  # the mappings
        inner = get_args(kind)[1]
        return {key: _build(inner, value) for key, value in _taken(dict, facts).items()}
    return _build_plain(kind, facts)


def _build_union(kinds: tuple[Any, ...], facts: Any) -> Any:
    """Return the noun of the first kind in the union that takes these facts; kinds are tried as declared."""
    if facts is None and type(None) in kinds:
        return None
    wanted = [plain_of(kind) for kind in kinds if kind is not type(None)]
    for kind in wanted:
        if isinstance(facts, dict) == is_dataclass(kind) and (is_dataclass(kind) or _fits(kind, facts)):
            return _build(kind, facts)
    raise TypeError(f"none of {wanted} takes {type(facts).__name__}")


def _fits(kind: Any, facts: Any) -> bool:
    if kind in {bool, int, str}:
        return type(facts) is kind
    return True


def _build_plain(kind: Any, facts: Any) -> Any:
    if is_dataclass(kind):
        return _build_noun(cast("type", kind), facts)
    if kind is datetime:
        return instant_of(facts)
    if kind is timedelta:
        return timedelta(microseconds=_taken(int, facts))
    if kind is Decimal:
        return _decimal(_taken(str, facts))
    if issubclass(kind, StrEnum):
        return kind(facts)
    return _taken(kind, facts)


def _build_noun(kind: type, facts: Any) -> Any:
    hints, may_lack = _hints(kind), _may_lack(kind)
    return kind(
        **{name: _build(hints[name], facts[name]) for name in _names(kind) if name in facts or name not in may_lack}
    )


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise ValueError("no exact decimal") from error


def _taken(kind: Any, facts: Any) -> Any:
    """Return *facts*, which must be of exactly that type: a text is no list of its letters, and a bool no number."""
    if type(facts) is not kind:
        raise TypeError(f"{kind.__name__} expected, not {type(facts).__name__}")
    return facts
