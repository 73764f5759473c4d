"""The policy in force: one row that names the version which the leader has put in force last, and a row for each process's own.

Every process looks at all of them, and rules by the strictest of what it finds until all have the same file. So no order in which
files come and processes start lets anything through that one of them forbids.

The row moves to a file that the leader has loaded later than the row was moved last. A file that was changed under a running
process was changed on purpose. One that a process began with may have been left behind on its machine: it comes into force only
when every process has it, those that were there lately included.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import bindparam, exists, func, or_, select, update

from models.engine.columns import INSTANT, TEXT, instant_at
from models.engine.statements import insert_or_renew, insert_unless_taken
from models.store.store import SqlStore
from models.store.tables import loaded_policies, policy_in_force, policy_versions

LIVE: Final = timedelta(seconds=15)
"""For how long after its last word a process counts as one that rules: three words."""

LATELY: Final = timedelta(minutes=5)
"""For how long a process that ended without a word keeps a file that others began with from coming into force: longer than a
supervisor takes to start it anew."""

_COUNTS: Final = or_(
    policy_versions.c.version.in_(select(policy_in_force.c.version)),
    policy_versions.c.version.in_(
        select(loaded_policies.c.version).where(loaded_policies.c.seen_at > bindparam("the_past", type_=INSTANT))
    ),
)
_OTHERS: Final = (
    select(policy_versions.c.version, policy_versions.c.text)
    .where(_COUNTS, policy_versions.c.version != bindparam("ours", type_=TEXT))
    .order_by(policy_versions.c.version)
)
_LIVING: Final = (
    select(func.count())
    .select_from(loaded_policies)
    .where(loaded_policies.c.seen_at > bindparam("the_past", type_=INSTANT))
)
_FIRST: Final = insert_unless_taken(policy_in_force)
_SAY: Final = insert_or_renew(loaded_policies)
_LEAVE: Final = (
    update(loaded_policies)
    .where(loaded_policies.c.process == bindparam("the_process", type_=TEXT))
    .values(seen_at=instant_at(0))
)
_VERSION: Final = bindparam("the_version", type_=TEXT)
_ANOTHER: Final = exists().where(
    loaded_policies.c.seen_at > bindparam("the_past", type_=INSTANT), loaded_policies.c.version != _VERSION
)


_MOVE: Final = (
    update(policy_in_force)
    .where(policy_in_force.c.version != _VERSION, policy_in_force.c.moved_at < bindparam("the_loading", type_=INSTANT))
    .values(version=_VERSION, moved_at=bindparam("the_instant", type_=INSTANT))
)
_MOVE_AGREED: Final = _MOVE.where(~_ANOTHER)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredVersion:
    """One version that counts, whole."""

    version: str
    text: str


class PolicyInForce:
    """The rows."""

    def __init__(self, store: SqlStore) -> None:
        """Keep the store whose rows they are; whoever moves the one in force gives one that works under the leader's lease."""
        self._store = store

    def others(self, ours: str) -> tuple[StoredVersion, ...]:
        """Return every version that counts besides *ours*: the one in force, and those of all processes that live."""
        with self._store.reading() as reading:
            asked = {"ours": ours, "the_past": reading.now - LIVE}
            rows = reading.connection.execute(_OTHERS, asked).all()
        return tuple(StoredVersion(version=row.version, text=row.text) for row in rows)

    def living(self) -> int:
        """Return how many processes have said lately which version they have."""
        with self._store.reading() as reading:
            return int(reading.connection.execute(_LIVING, {"the_past": reading.now - LIVE}).scalar_one())

    def say(self, process: str, version: str) -> None:
        """Write down that *process* has *version*, which is on record; it is said again every few seconds."""
        with self._store.writing() as uow:
            row = {"process": process, "version": version, "seen_at": uow.now}
            uow.connection.execute(_SAY, row)

    def leave(self, process: str) -> None:
        """Write down that *process* has ended in good order: what it had counts no more."""
        with self._store.writing() as uow:
            uow.connection.execute(_LEAVE, {"the_process": process})

    def move(self, version: str, loaded_at: datetime, *, is_changed: bool = False) -> bool:
        """Put *version*, which is on record, in force, if its file was loaded later than the row was moved last.

        Args:
            version: Of the leader's file.
            loaded_at: When the leader loaded it, by the store's clock.
            is_changed: Whether the file was changed while the leader ran; else every process has to have that version.

        Returns:
            Whether it came into force just now.
        """
        with self._store.writing() as uow:
            first = {"id": 1, "version": version, "moved_at": uow.now}
            if uow.connection.execute(_FIRST, first).rowcount == 1:
                return True
            moved = {"the_version": version, "the_loading": loaded_at, "the_instant": uow.now}
            if is_changed:
                return uow.connection.execute(_MOVE, moved).rowcount == 1
            return uow.connection.execute(_MOVE_AGREED, moved | {"the_past": uow.now - LATELY}).rowcount == 1
