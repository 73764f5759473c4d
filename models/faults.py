"""Faults: an engine's errors, translated into ours where they are met, so that no one else knows a driver's moods.

Whatever says that the store cannot be reached, is too busy or lost the connection is :class:`~approvals.errors.Unavailable`:
never a yes, and asking again later is fine. A commit whose reply was lost is among them; whoever asks again finds its own
work by its own id. A row that a constraint refuses is a fault of ours, told without what was in the row. What remains, a
broken file or a missing right, is no answer to a caller and goes up as it is.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import exc

from approvals.errors import Unavailable

_TAKEN: Final = frozenset({"SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY", "23505"})
"""What SQLite and PostgreSQL call it."""


class Inconsistent(RuntimeError):
    """A row was refused by a constraint that holds whatever the code does: a fault of ours, never a caller's."""


@contextmanager
def translated() -> Iterator[None]:
    """Turn what the engine raises in the block into our refusals, each chained to its cause.

    Raises:
        Unavailable: The store cannot be reached or is too busy.
        Inconsistent: A constraint refused a row.
    """
    try:
        yield
    except exc.IntegrityError as error:
        # Unchained: PostgreSQL's own words quote the whole row, and with it what people and agents wrote (I12).
        raise Inconsistent(_refused_by(error)) from None
    except (exc.OperationalError, exc.InterfaceError, exc.TimeoutError) as error:
        raise Unavailable("The store cannot be reached or is too busy; try again in a moment.") from error
    except exc.DBAPIError as error:
        if not error.connection_invalidated:
            raise
        raise Unavailable("The connection to the store was lost; try again in a moment.") from error


def is_taken(error: exc.IntegrityError) -> bool:
    """Tell whether a row was refused because its key is taken, and not because a foreign key or a check failed."""
    # Asked by attribute, so that a service on SQLite need not load PostgreSQL's driver.
    cause = error.orig
    return bool({getattr(cause, "sqlite_errorname", None), getattr(cause, "sqlstate", None)} & _TAKEN)


def _refused_by(error: exc.IntegrityError) -> str:
    """Return which constraint refused a row. SQLite's message names only that; PostgreSQL's parts are picked singly."""
    told = getattr(error.orig, "diag", None)
    if told is None:
        return str(error.orig)
    return f"{told.table_name}: {told.constraint_name or told.column_name}"
