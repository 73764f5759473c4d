"""The policy in force: one row that names the version which the leader has put in force last. Every process looks at it.

It moves to a file that the leader has loaded later than the row was moved last, and never back to an older one: a leader that
began with a file of yesterday does not undo what was put in force since.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, select, update

from models.engine.columns import INSTANT, TEXT
from models.engine.statements import insert_unless_taken
from models.store.store import SqlStore
from models.store.tables import policy_in_force, policy_versions

_ROW: Final = select(policy_in_force.c.version, policy_in_force.c.moved_at, policy_versions.c.text).join(
    policy_versions, policy_versions.c.version == policy_in_force.c.version
)
_FIRST: Final = insert_unless_taken(policy_in_force)
_MOVE: Final = (
    update(policy_in_force)
    .where(
        policy_in_force.c.version != bindparam("the_version", type_=TEXT),
        policy_in_force.c.moved_at < bindparam("the_loading", type_=INSTANT),
    )
    .values(version=bindparam("the_version", type_=TEXT), moved_at=bindparam("the_instant", type_=INSTANT))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """What the row says."""

    version: str
    moved_at: datetime
    text: str
    """The version's whole text."""


class PolicyInForce:
    """The row."""

    def __init__(self, store: SqlStore) -> None:
        """Keep the store whose row it is; whoever moves it gives one that works under the leader's lease."""
        self._store = store

    def look(self) -> InForce | None:
        """Return what the row says; None where no leader has put any version in force yet."""
        with self._store.reading() as reading:
            row = reading.connection.execute(_ROW).one_or_none()
        return None if row is None else InForce(version=row.version, moved_at=row.moved_at, text=row.text)

    def move(self, version: str, loaded_at: datetime) -> bool:
        """Put *version*, which is on record, in force, if its file was loaded later than the row was moved last.

        Args:
            version: Of the leader's file.
            loaded_at: When the leader loaded it, by the store's clock.

        Returns:
            Whether it came into force just now.
        """
        with self._store.writing() as uow:
            first = {"id": 1, "version": version, "moved_at": uow.now}
            if uow.connection.execute(_FIRST, first).rowcount == 1:
                return True
            moved = {"the_version": version, "the_loading": loaded_at, "the_instant": uow.now}
            return uow.connection.execute(_MOVE, moved).rowcount == 1
