"""Grants: what the restricted PostgreSQL role may do, which everything but a migration runs as.

It may add to the audit trail and to what was approved, never change it; nothing is ever deleted. Where rows change, only those
columns may that the code changes (:data:`models.store.writes.MOVES`): a fingerprint or a deadline cannot be rewritten, whatever
got hold of the connection. The upgrade gives these rights as the owner, in its own transaction.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from sqlalchemy import Connection, Table, text

from models.store import tables
from models.store.writes import MOVES

_PRESENTATION: Final = (
    "precedence",
    "shown_at",
    "closed",
    "wanted",
    "shown",
    "thread_ts",
    "posting_at",
    "failures",
    "retry_at",
    "refused_at",
    "thread_failures",
    "thread_retry_at",
    "epoch",
    "policy",
)

CHANGES: Final[Mapping[Table, Iterable[str]]] = {
    **MOVES,
    tables.cards: _PRESENTATION,
    tables.clock_floor: ("at",),
    tables.digests: ("first", "last", "begun_at", "posted_at", "ts"),
    tables.gate: ("epoch",),
    tables.leases: ("holder", "generation", "held_until"),
    tables.heartbeats: ("started_at", "seen_at", "stopped_at", "legs"),
    tables.loaded_policies: ("version", "seen_at"),
    tables.message_refs: ("lost_at",),
    tables.policy_in_force: ("version", "moved_at"),
    tables.streams: ("last",),
    tables.target_locks: ("execution",),
    tables.thread_lines: ("ts", "done_at"),
}
"""What may change, by table; a table that is not named is only ever added to."""

_ONE_ROW: Final = frozenset({tables.gate, tables.clock_floor})


def grant_to(connection: Connection, role: str) -> None:
    """Give *role* its rights, having taken back whatever it had before.

    Args:
        connection: The owner's, in a transaction.
        role: The name of a role that exists and owns nothing.
    """
    name = _quoted(connection, role)
    connection.execute(text(f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {name}"))
    connection.execute(text(f"GRANT USAGE ON SCHEMA public TO {name}"))
    connection.execute(text(f"GRANT SELECT ON alembic_version TO {name}"))
    for table in tables.metadata.sorted_tables:
        connection.execute(
            text(f"GRANT {', '.join(_rights(connection, table))} ON {_quoted(connection, table.name)} TO {name}")
        )


def _rights(connection: Connection, table: Table) -> Iterable[str]:
    rights = ["SELECT"]
    if table not in _ONE_ROW:
        rights.append("INSERT")
    if changing := sorted(CHANGES.get(table, ())):
        rights.append(f"UPDATE ({', '.join(_quoted(connection, column) for column in changing)})")
    return rights


def _quoted(connection: Connection, name: str) -> str:
    preparer: Any = connection.dialect.identifier_preparer
    return str(preparer.quote_identifier(name))
