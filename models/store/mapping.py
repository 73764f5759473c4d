"""Mapping: a row as a noun and back, and nothing else.

A :class:`RowShape` is derived from the noun's own types: what an engine can hold goes into its column as it is, whatever is
nested goes in as the JSON text of its facts. Columns that are only there to be queried (an execution's ``look_at``, say) are
no part of a noun; the writer adds them. A round trip gives an equal noun: a property test holds that for each shape.
"""

import json
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from types import NoneType, UnionType
from typing import Any, Final, Generic, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from sqlalchemy import Column, Select, Table, select

from approvals.canonical import Value
from approvals.change.plan import Evidence
from approvals.errors import Garbled
from approvals.facts import facts_of, noun_of, plain_of
from approvals.identity.tokens import Token
from approvals.workflow.alert import Alert, AlertGroup
from approvals.workflow.execution import Attempt, Execution
from approvals.workflow.monitor import RefusedDeliveries
from approvals.workflow.pause import Consent, Pause
from approvals.workflow.request import BoundKey, Request
from approvals.workflow.votes import Vote
from models.engine.prepared import Prepared
from models.store import tables

N = TypeVar("N")
Converter = Callable[[Any], Any]

_AS_IT_IS: Final = frozenset({str, int, bool, bytes, datetime})


def json_of(value: object) -> str:
    """Return a nested value as the JSON text of its facts, keys sorted."""
    return json.dumps(facts_of(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def facts_in(text: str) -> Value:
    """Return the facts that :func:`json_of` wrote."""
    return cast("Value", json.loads(text))


class garbled:  # noqa: N801 - read as a word of a ``with``; a class costs a fifth of a generator's context, and rows are many
    """Turn whatever a broken value makes a reader raise into :class:`Garbled`: this row cannot be read, others can."""

    def __init__(self, table: str) -> None:
        """Keep the name of the *table* for the sentence."""
        self._table = table

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Tell what happened, if it did."""
        if isinstance(error, Exception):
            raise Garbled(f"A row of {self._table} cannot be read ({type(error).__name__}).") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Field:
    name: str
    write: Converter | None
    """None where the value goes in as it is."""
    read: Converter | None


class RowShape(Generic[N]):
    """How one kind of noun lies in its table."""

    def __init__(self, noun: type[N], table: Table) -> None:
        """Derive the shape from the noun's fields; each has a column of its name."""
        hints = get_type_hints(noun)
        self._noun = noun
        self._fields = tuple(_field(one.name, hints[one.name]) for one in fields(cast("Any", noun)))
        self.table = table
        self.columns: tuple[Column[Any], ...] = tuple(table.c[one.name] for one in self._fields)
        """The noun's columns in the order of its fields: what a statement selects."""

    def select(self) -> Select[Any]:
        """Return the statement that selects every such noun, to be narrowed."""
        return select(*self.columns)

    def prepared(self, statement: Select[Any]) -> Prepared:
        """Return *statement*, a narrowed :meth:`select`, ready to be sent."""
        return Prepared(statement, columns=self.columns)

    def row_of(self, noun: N, *, only: Container[str] | None = None) -> dict[str, Any]:
        """Return the values of the noun's columns, or of those named in *only*."""
        return {
            one.name: value if one.write is None or value is None else one.write(value)
            for one in self._fields
            if only is None or one.name in only
            for value in (getattr(noun, one.name),)
        }

    def noun_of(self, row: Sequence[Any]) -> N:
        """Return the noun of a row that was selected by :attr:`columns`.

        Raises:
            Garbled: A value is none that this version knows.
        """
        with garbled(self.table.name):
            return self._noun(
                **{
                    one.name: value if one.read is None or value is None else one.read(value)
                    for one, value in zip(self._fields, row, strict=True)
                }
            )


def _field(name: str, hint: Any) -> _Field:
    kind = plain_of(_without_none(hint))
    if kind in _AS_IT_IS:
        return _Field(name=name, write=None, read=None)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return _Field(name=name, write=_word, read=kind)
    return _Field(name=name, write=json_of, read=_reader(kind))


def _without_none(hint: Any) -> Any:
    if get_origin(hint) not in {Union, UnionType}:
        return hint
    kinds = [kind for kind in get_args(hint) if kind is not NoneType]
    return kinds[0] if len(kinds) == 1 else hint


def _word(value: StrEnum) -> str:
    return value.value


_REMEMBERED: Final = 256
"""How many nested values of a kind are kept read: rulings repeat, and nouns never change, so one may serve many."""


def _reader(kind: Any) -> Converter:
    @lru_cache(_REMEMBERED)
    def read(text: str) -> Any:
        return noun_of(kind, facts_in(text))

    return read


ALERT: Final = RowShape(Alert, tables.alerts)
ALERT_GROUP: Final = RowShape(AlertGroup, tables.alert_groups)
ATTEMPT: Final = RowShape(Attempt, tables.attempts)
BOUND_KEY: Final = RowShape(BoundKey, tables.idempotency_keys)
CONSENT: Final = RowShape(Consent, tables.resume_consents)
EXECUTION: Final = RowShape(Execution, tables.executions)
PAUSE: Final = RowShape(Pause, tables.pauses)
REFUSED_DELIVERIES: Final = RowShape(RefusedDeliveries, tables.refused_deliveries)
REQUEST: Final = RowShape(Request, tables.escalations)
TOKEN: Final = RowShape(Token, tables.agent_tokens)
VOTE: Final = RowShape(Vote, tables.votes)

SHAPES: Final[Mapping[type[Any], RowShape[Any]]] = {
    Alert: ALERT,
    AlertGroup: ALERT_GROUP,
    Attempt: ATTEMPT,
    BoundKey: BOUND_KEY,
    Consent: CONSENT,
    Execution: EXECUTION,
    Pause: PAUSE,
    RefusedDeliveries: REFUSED_DELIVERIES,
    Request: REQUEST,
    Token: TOKEN,
    Vote: VOTE,
}


def evidence_text(evidence: Evidence) -> str:
    """Return a plan's evidence as it is stored."""
    return json_of(evidence)


def evidence_of(text: str) -> Evidence:
    """Return the evidence that :func:`evidence_text` wrote."""
    return cast("Evidence", _EVIDENCE(text))


_EVIDENCE: Final = _reader(Evidence)
