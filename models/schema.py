"""Schema: which revision the code needs, and which one a database is at. The service asks here; Alembic is not loaded."""

from typing import Final

from sqlalchemy import inspect, text

from models.database import Database

REVISION: Final = "0001"
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
