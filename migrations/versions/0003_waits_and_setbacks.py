"""Waits and setbacks: an execution that cannot go on waits without an event a look, and a newer change may overtake a watch.

Revision: 0003. The previous release still serves meanwhile: it leaves the new columns at their defaults, and never writes the
new word.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TABLE = "executions"
EFFECTS = ("rolling", "verified", "failed_rollout", "timed_out")
OVERTAKEN = "overtaken"
INDEXES = {
    "ix_executions_due": (("look_at",), "look_at IS NOT NULL AND setbacks = 0"),
    "ix_executions_due_again": (("look_at",), "look_at IS NOT NULL AND setbacks > 0"),
    "ix_executions_target": (("cluster_uid", "object_uid"), "look_at IS NOT NULL"),
}


def upgrade() -> None:
    for column in ("setbacks", "waits"):
        op.add_column(TABLE, sa.Column(column, sa.BigInteger(), nullable=False, server_default=sa.text("0")))
    op.add_column(TABLE, sa.Column("doubted", sa.Boolean(), nullable=False, server_default=sa.false()))
    know(EFFECTS, (*EFFECTS, OVERTAKEN))
    for name, (columns, rows) in INDEXES.items():
        where = sa.text(rows)
        op.create_index(name, TABLE, list(columns), sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    op.execute(f"UPDATE {TABLE} SET effect = 'timed_out' WHERE effect = '{OVERTAKEN}'")  # noqa: S608 - words of this file
    for name in INDEXES:
        op.drop_index(name, TABLE)
    know((*EFFECTS, OVERTAKEN), EFFECTS)
    for column in ("setbacks", "waits", "doubted"):
        op.drop_column(TABLE, column)


def know(before: tuple[str, ...], after: tuple[str, ...]) -> None:
    """Have the table know the words *after* where it knew *before*."""
    old, new = condition(before), condition(after)
    if op.get_bind().dialect.name == "sqlite":
        # SQLite changes no constraint. Its own way where the rows stay as they are is to write the schema; making the table
        # anew would take every row and every reference along.
        tell = op.get_bind().exec_driver_sql
        version = tell("PRAGMA schema_version").scalar_one()
        tell("PRAGMA writable_schema = ON")
        changed = tell(
            "UPDATE sqlite_master SET sql = replace(sql, ?, ?) WHERE type = 'table' AND name = ? AND instr(sql, ?) > 0",
            (old, new, TABLE, old),
        )
        if changed.rowcount != 1:
            raise RuntimeError(f"the table {TABLE} is not as the revision before made it")
        tell(f"PRAGMA schema_version = {version + 1}")
        tell("PRAGMA writable_schema = OFF")
        return
    op.drop_constraint(op.f("ck_executions_effect_known"), TABLE, type_="check")
    op.create_check_constraint(op.f("ck_executions_effect_known"), TABLE, new)


def condition(words: tuple[str, ...]) -> str:
    listed = ", ".join(f"'{word}'" for word in words)
    return f"effect IN ({listed})"
