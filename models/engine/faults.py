"""Faults: an engine's errors, translated into ours where they are met, so that no one else knows a driver's moods.

Whatever says that the store cannot be reached, is too busy or lost the connection is :class:`~approvals.errors.Unavailable`:
never a yes, and asking again later is fine. A commit whose reply was lost is among them; whoever asks again finds its own
work by its own id. A row that a constraint refuses is a fault of ours, told without what was in the row. A table or column
that is not there, a broken file or a missing right is a fault of the installation, and no waiting mends it. Each of them is
unavailable to whoever asks: an outage of ours, and never the caller's fault.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import exc

from approvals.errors import Garbled, Unavailable
from models.engine.reaching import FILE_GONE, READ_ONLY, trouble_of

_TAKEN: Final = frozenset({"SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY", "23505"})
"""What SQLite and PostgreSQL call it."""


_BUSY: Final = "The store cannot be reached or is too busy; try again in a moment."

_BROKEN: Final = "The store does not do what was asked of it; the log has why."

_ABSENT: Final = frozenset({"42703", "42P01"})
"""A column or a table that PostgreSQL does not know."""

_ABSENT_ON_SQLITE: Final = re.compile(r"no such (table|column)|has no column named")
"""SQLite has one code for everything that a statement can have wrong."""


class Inconsistent(Garbled):
    """A row was refused by a constraint that holds whatever the code does: a fault of ours, never a caller's."""

    code = "inconsistent"


class WrongSchema(Unavailable):
    """A table or a column is not there: the database is not the one that this version needs."""

    code = "schema"


@contextmanager
def translated(place: str = "") -> Iterator[None]:
    """Turn what the engine raises in the block into our refusals, each chained to its cause.

    Operators are told *place*, where the database is; nobody else is.

    Raises:
        Unavailable: The store cannot be reached or is too busy.
        Inconsistent: So that is, because a constraint refused a row.
        WrongSchema: So that is, because a table or a column is not there.
    """
    try:
        yield
    except exc.IntegrityError as error:
        # Unchained: PostgreSQL's own words quote the whole row, and with it what people and agents wrote (I12).
        raise Inconsistent(_refused_by(error)) from None
    except exc.TimeoutError as error:
        raise Unavailable(_BUSY) from error
    except exc.DBAPIError as error:
        if _is_absent(error):
            raise WrongSchema(
                f"The database is not at this version's schema ({_first_line(error)}). Run: countersign db upgrade"
            ) from error
        if isinstance(error, exc.OperationalError | exc.InterfaceError):
            raise _told(_BUSY, error, place) from error
        if not error.connection_invalidated:
            raise _told(_BROKEN, error, place, code="store_broken") from error
        raise _told("The connection to the store was lost; try again in a moment.", error, place) from error


def file_gone(place: str) -> Unavailable:
    """Return what callers are told where a SQLite file was taken away while it was open, with what operators are told."""
    return Unavailable(_BUSY, cause=FILE_GONE.code, detail=FILE_GONE.detail(place))


def _told(sentence: str, error: exc.DBAPIError, place: str, *, code: str | None = None) -> Unavailable:
    """Return what callers are told, with what operators are told beside it."""
    trouble = trouble_of(error)
    if trouble is None:
        return Unavailable(sentence, code=code)
    return Unavailable(sentence, code=code, cause=trouble.code, detail=trouble.detail(place))


def is_taken(error: exc.IntegrityError) -> bool:
    """Tell whether a row was refused because its key is taken, and not because a foreign key or a check failed."""
    # Asked by attribute, so that a service on SQLite need not load PostgreSQL's driver.
    cause = error.orig
    return bool({getattr(cause, "sqlite_errorname", None), getattr(cause, "sqlstate", None)} & _TAKEN)


def is_demoted(error: exc.DBAPIError) -> bool:
    """Tell whether PostgreSQL took no write because the server is none's primary any more, or may not be written at all."""
    return getattr(error.orig, "sqlstate", None) == READ_ONLY


def _is_absent(error: exc.DBAPIError) -> bool:
    """Tell whether a statement named a table or a column that is not there."""
    if getattr(error.orig, "sqlstate", None) in _ABSENT:
        return True
    told = getattr(error.orig, "sqlite_errorname", None)
    return told == "SQLITE_ERROR" and _ABSENT_ON_SQLITE.search(str(error.orig)) is not None


def _first_line(error: exc.DBAPIError) -> str:
    """Return what the engine said, without the statement that PostgreSQL quotes below it."""
    return str(error.orig).partition("\n")[0]


def _refused_by(error: exc.IntegrityError) -> str:
    """Return which constraint refused a row. SQLite's message names only that; PostgreSQL's parts are picked singly."""
    told = getattr(error.orig, "diag", None)
    if told is None:
        return str(error.orig)
    return f"{told.table_name}: {told.constraint_name or told.column_name}"
