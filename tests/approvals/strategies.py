"""Strategies: any noun at all, derived from its types; and plans, changes and values as they can occur."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from hypothesis import settings
from hypothesis import strategies as st

from approvals.canonical import LARGEST, Value
from approvals.change.action import Target
from approvals.facts import plain_of
from approvals.policy.clauses import Clause

FEW = settings(max_examples=40)
"""For examples that are whole nouns: drawing one is most of the work."""

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
INSTANTS = st.datetimes(
    min_value=datetime(1970, 1, 1),  # noqa: DTZ001 - given its zone beside it
    max_value=datetime(2200, 1, 1),  # noqa: DTZ001 - given its zone beside it
    timezones=st.just(UTC),
)
TARGETS = st.builds(
    Target,
    kind=st.sampled_from(["Deployment", "StatefulSet"]),
    namespace=st.sampled_from(["shop", "pay"]),
    name=st.sampled_from(["checkout", "cart.v2"]),
)

_PLAIN: Mapping[Any, st.SearchStrategy[Any]] = {
    NoneType: st.none(),
    bool: st.booleans(),
    int: st.integers(-LARGEST, LARGEST),
    str: TEXTS,
    datetime: INSTANTS,
    timedelta: st.timedeltas(timedelta(days=-100_000), timedelta(days=100_000)),
    Decimal: st.decimals(allow_nan=False, allow_infinity=False, places=3),
    Target: TARGETS,
}


def anything(kind: Any) -> st.SearchStrategy[Any]:
    """Return a strategy for values of *kind*, a noun or the type of one of its fields."""
    kind = plain_of(kind)
    if kind in _PLAIN:
        return _PLAIN[kind]
    origin, inner = get_origin(kind), get_args(kind)
    if origin in {Union, UnionType}:
        return st.one_of([anything(one) for one in inner])
    if origin is tuple:
        return st.lists(anything(inner[0]), max_size=2).map(tuple)
    if origin is frozenset:
        return st.frozensets(anything(inner[0]), max_size=2)
    if origin is not None:  # the mappings
        return st.dictionaries(TEXTS, anything(inner[1]), max_size=2)
    if issubclass(kind, StrEnum):
        return st.sampled_from(kind)
    if not isinstance(kind, type) or not is_dataclass(kind):
        raise TypeError(f"no strategy for {kind}")
    return _clauses() if kind is Clause else _nouns(kind)


def _nouns(kind: type[Any], **instead: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return a strategy for a *kind* of noun, with some fields drawn otherwise."""
    hints = get_type_hints(kind)
    names = (field.name for field in fields(kind))
    return st.builds(kind, **{name: anything(hints[name]) for name in names if name not in instead}, **instead)


def _clauses() -> st.SearchStrategy[Clause]:
    """Return a strategy for trees of clauses, the one noun that is made of its own kind."""
    return st.recursive(
        _nouns(Clause, children=st.just(())),
        lambda inner: _nouns(Clause, children=st.lists(inner, max_size=2).map(tuple)),
        max_leaves=3,
    )


def values_up_to(largest: int) -> st.SearchStrategy[Value]:
    """Return a strategy for plain values whose whole numbers are at most that large, either way."""
    atoms: st.SearchStrategy[Value] = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-largest, largest),
        st.text(st.characters(exclude_categories=["Cs"])),
    )
    return st.recursive(
        atoms,
        lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
        max_leaves=8,
    )


VALUES = values_up_to(LARGEST)
"""Whatever has a canonical form."""
