"""Schema: which revision the code needs, and which one a database is at. The service asks here; Alembic is not loaded."""

from typing import Final

from sqlalchemy import false, inspect, select, text

from models.engine.database import Database
from models.engine.faults import WrongSchema
from models.store.tables import metadata

REVISION: Final = "0018"
"""The newest revision under ``migrations/versions``; a test holds the two together."""

_AT: Final = text("SELECT version_num FROM alembic_version")


def current(database: Database) -> str | None:
    """Return the revision that the database is at; None where it was never migrated.

    Raises:
        approvals.errors.Unavailable: It cannot be reached.
    """
    with database.reading() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        found = connection.execute(_AT).scalar_one_or_none()
    return None if found is None else str(found)


def is_current(database: Database) -> bool:
    """Tell whether the database is at the revision that this code needs."""
    return current(database) == REVISION


def lack(database: Database) -> str | None:
    """Return the name of a table that is not as this code needs it, if there is one: a revision's number may say too much.

    Raises:
        approvals.errors.Unavailable: The database cannot be reached.
    """
    looked_at = None
    try:
        with database.reading() as connection:
            for table in metadata.sorted_tables:
                looked_at = table.name
                connection.execute(select(table).where(false()))
    except WrongSchema:
        return looked_at
    return None
