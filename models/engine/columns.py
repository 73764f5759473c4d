"""Column types that both engines treat alike, so that a row means the same wherever it is stored.

Instants are whole microseconds of UTC in an integer: they compare alike everywhere and lose nothing. Text sorts by its
bytes on both engines, because ids are made to sort by time and pages are cut by them. Nested values are the JSON text of
their facts (:mod:`approvals.facts`); they are read back whole and never queried into.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import BigInteger, Boolean, Column, Dialect, Integer, LargeBinary, Text
from sqlalchemy.types import TypeDecorator, TypeEngine
from typing_extensions import override

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def microseconds_of(at: datetime) -> int:
    """Return *at* as whole microseconds since 1970 in UTC.

    Raises:
        ValueError: It has no zone, so it is not an instant.
    """
    if at.tzinfo is None:
        raise ValueError("an instant needs a zone")
    return (at - EPOCH) // _MICROSECOND


def instant_at(microseconds: int) -> datetime:
    """Return the aware instant that :func:`microseconds_of` counted."""
    return EPOCH + timedelta(microseconds=microseconds)


class Instant(TypeDecorator[datetime]):
    """An aware instant, stored as microseconds; a naive one is refused before it reaches the database."""

    impl = BigInteger
    cache_ok = True

    @override
    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Return what is stored."""
        del dialect
        return None if value is None else microseconds_of(value)

    @override
    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        """Return what was stored."""
        del dialect
        return None if value is None else instant_at(value)


INSTANT: Final = Instant()
TEXT: Final = Text().with_variant(Text(collation="C"), "postgresql")
NUMBER: Final = BigInteger()
SERIAL: Final = BigInteger().with_variant(Integer, "sqlite")
"""A number that the engine hands out: SQLite does so only for its own INTEGER."""


def text(
    name: str, *constraints: Any, null: bool = False, key: bool = False, default: str | None = None
) -> Column[str]:
    """Return a column of text; the *default* is for rows that a previous release adds, which does not know the column."""
    return _column(name, TEXT, *constraints, null=null, key=key, default=default)


def number(
    name: str, *constraints: Any, null: bool = False, key: bool = False, default: int | None = None
) -> Column[int]:
    """Return a column of whole numbers, 64 bits; the *default* as for text."""
    return _column(name, NUMBER, *constraints, null=null, key=key, default=default)


def instant(name: str, *, null: bool = False, default: int | None = None) -> Column[datetime]:
    """Return a column of instants; the *default*, as for text, in microseconds."""
    return _column(name, INSTANT, null=null, default=default)


def flag(name: str) -> Column[bool]:
    """Return a column of yes or no."""
    return _column(name, Boolean())


def octets(name: str) -> Column[bytes]:
    """Return a column of bytes."""
    return _column(name, LargeBinary())


def _column(
    name: str,
    kind: TypeEngine[Any],
    *constraints: Any,
    null: bool = False,
    key: bool = False,
    default: str | int | None = None,
) -> Column[Any]:
    given = None if default is None else str(int(default)) if isinstance(default, int) else default
    return Column(name, kind, *constraints, nullable=null, primary_key=key, autoincrement=False, server_default=given)
