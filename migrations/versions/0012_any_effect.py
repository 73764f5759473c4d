"""Any effect: how far a change is, in words that fit what is no rollout, too.

Revision: 0012. The release before it knows other words: it must not serve any more. One that does all the same cannot store what
it finds, so what it has sent is read back by this one.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

NAME = "ck_executions_effect_known"
BEFORE = ("rolling", "verified", "failed_rollout", "timed_out", "overtaken", "differs", "undone")
AFTER = ("in_progress", "verified", "failed", "timed_out", "overtaken", "differs", "undone")


def upgrade() -> None:
    rename(BEFORE, AFTER)


def downgrade() -> None:
    rename(AFTER, BEFORE)


def rename(old: tuple[str, ...], new: tuple[str, ...]) -> None:
    """Have the table know the words *new* where it knew *old*, and every row bear them."""
    if op.get_bind().dialect.name != "sqlite":
        op.drop_constraint(op.f(NAME), "executions", type_="check")
        reword(old, new)
        op.create_check_constraint(op.f(NAME), "executions", condition(new))
        return
    # SQLite changes no constraint; where the rows stay as they are its own way is to write the schema. Making the table anew
    # would take every row and every reference along.
    tell = op.get_bind().exec_driver_sql
    tell("PRAGMA ignore_check_constraints = ON")
    reword(old, new)
    tell("PRAGMA ignore_check_constraints = OFF")
    version = tell("PRAGMA schema_version").scalar_one()
    tell("PRAGMA writable_schema = ON")
    changed = tell(
        "UPDATE sqlite_master SET sql = replace(sql, ?, ?) WHERE type = 'table' AND name = 'executions' AND instr(sql, ?) > 0",
        (condition(old), condition(new), condition(old)),
    )
    if changed.rowcount != 1:
        raise RuntimeError("the table executions is not as the revision before made it")
    tell(f"PRAGMA schema_version = {version + 1}")
    tell("PRAGMA writable_schema = OFF")


def reword(old: tuple[str, ...], new: tuple[str, ...]) -> None:
    words = sa.text("UPDATE executions SET effect = :after WHERE effect = :before")
    for before, after in zip(old, new, strict=True):
        if before != after:
            op.get_bind().execute(words, {"before": before, "after": after})


def condition(words: tuple[str, ...]) -> str:
    return f"effect IN ({', '.join(repr(word) for word in words)})"
