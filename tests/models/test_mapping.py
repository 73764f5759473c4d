"""A row and back: nothing of a noun is lost, whatever it holds."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.change.action import Target
from approvals.change.plan import Evidence
from approvals.facts import plain_of
from approvals.policy.clauses import Clause
from models.engine.columns import TEXT
from models.engine.database import open_database
from models.store.mapping import SHAPES, RowShape, evidence_of, evidence_text

PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20),
    int: st.integers(-(2**63), 2**63 - 1),
    bool: st.booleans(),
    datetime: st.datetimes(min_value=datetime(1970, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - given its zone beside it
    timedelta: st.timedeltas(),
    Decimal: st.decimals(allow_nan=False, allow_infinity=False, places=4),
    NoneType: st.none(),
    Target: st.builds(Target, kind=st.just("Deployment"), namespace=st.just("shop"), name=st.just("checkout")),
}


def anything(kind: Any) -> st.SearchStrategy[Any]:
    """Return a strategy for values of *kind*, derived from its types."""
    kind = plain_of(kind)
    if kind in PLAIN:
        return PLAIN[kind]
    origin, inner = get_origin(kind), get_args(kind)
    if origin in {Union, UnionType}:
        return st.one_of([anything(one) for one in inner])
    if origin is tuple:
        return st.lists(anything(inner[0]), max_size=2).map(tuple)
    if origin is frozenset:
        return st.frozensets(anything(inner[0]), max_size=2)
    if origin is not None and issubclass(origin, Mapping):
        return st.dictionaries(anything(str), anything(inner[1]), max_size=2)
    if issubclass(kind, StrEnum):
        return st.sampled_from(kind)
    assert isinstance(kind, type), kind
    assert is_dataclass(kind), kind
    if kind is Clause:
        leaf = nouns(kind, children=st.just(()))
        return st.recursive(
            leaf, lambda inner: nouns(kind, children=st.lists(inner, max_size=2).map(tuple)), max_leaves=3
        )
    return nouns(kind)


def nouns(kind: type[Any], **instead: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return a strategy for a *kind* of noun, with some fields drawn otherwise."""
    hints = get_type_hints(kind)
    names = (field.name for field in fields(kind))
    return st.builds(kind, **{name: anything(hints[name]) for name in names if name not in instead}, **instead)


@pytest.mark.parametrize("kind", SHAPES, ids=lambda kind: kind.__name__)
def test_a_round_trip_gives_an_equal_noun(kind):
    """A noun that was made a row of is, read back, the same noun."""
    shape: RowShape[Any] = SHAPES[kind]

    @given(noun=anything(kind))
    def holds(noun: Any) -> None:
        row = shape.row_of(noun)
        assert shape.noun_of(tuple(row.values())) == noun

    holds()


@pytest.mark.parametrize("kind", SHAPES, ids=lambda kind: kind.__name__)
def test_a_row_holds_what_its_columns_hold(kind):
    """Whatever is nested is text by the time it reaches its column; nothing else is."""
    shape: RowShape[Any] = SHAPES[kind]

    @given(noun=anything(kind))
    def holds(noun: Any) -> None:
        for column, value in zip(shape.columns, shape.row_of(noun).values(), strict=True):
            assert value is None or isinstance(value, column.type.python_type)
            assert column.type is not TEXT or value is None or type(value) is str

    holds()


@given(seen=anything(Evidence))
def test_evidence_is_read_back_as_it_was_written(seen):
    """A plan's evidence survives its text."""
    assert evidence_of(evidence_text(seen)) == seen


def test_only_two_engines_are_known():
    """Any other engine's address is refused before anything is opened (I18)."""
    with pytest.raises(ValueError, match="SQLite or PostgreSQL, not mysql"):
        open_database("mysql://root@127.0.0.1/x")
