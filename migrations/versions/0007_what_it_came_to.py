"""What it came to: what a target was to look like as a whole, and in what it is otherwise than approved.

Revision: 0007. The previous release still serves meanwhile: it leaves the new columns at their defaults, and never writes the
new words.
"""

import re

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
LATER = ("differs", "undone")
KNOWN = re.compile(r"effect IN \(([^)]*)\)")


def upgrade() -> None:
    op.create_table(
        "images",
        sa.Column("hash", TEXT, nullable=False, autoincrement=False),
        sa.Column("image", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_images")),
    )
    # Spelt out: a column that refers may be added on SQLite, a constraint by itself may not.
    kind = "TEXT" if is_sqlite() else 'TEXT COLLATE "C"'
    op.execute(f"ALTER TABLE attempts ADD COLUMN image {kind} CONSTRAINT fk_attempts_image REFERENCES images (hash)")
    op.add_column("executions", sa.Column("compared", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("executions", sa.Column("drift", TEXT, nullable=False, server_default=sa.text("'[]'")))
    know([*known(), *LATER])


def downgrade() -> None:
    op.execute("UPDATE executions SET effect = 'failed_rollout' WHERE effect IN ('differs', 'undone')")
    know([word for word in known() if word not in LATER])
    op.drop_column("executions", "drift")
    op.drop_column("executions", "compared")
    op.drop_column("attempts", "image")
    op.drop_table("images")


def is_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"


def known() -> list[str]:
    """Return the effects that the table knows now: more than one revision adds to them."""
    if is_sqlite():
        asked = "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = 'executions'"
        found = KNOWN.search(op.get_bind().exec_driver_sql(asked).scalar_one())
        if found is None:
            raise RuntimeError("the table executions is not as the revision before made it")
        return [word.strip(" '") for word in found[1].split(",")]
    asked = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'ck_executions_effect_known'"
    return re.findall(r"'(\w+)'", op.get_bind().exec_driver_sql(asked).scalar_one())


def know(words: list[str]) -> None:
    """Have the table know these effects and no others."""
    condition = f"effect IN ({', '.join(repr(word) for word in words)})"
    if not is_sqlite():
        op.drop_constraint(op.f("ck_executions_effect_known"), "executions", type_="check")
        op.create_check_constraint(op.f("ck_executions_effect_known"), "executions", condition)
        return
    # SQLite changes no constraint; where the rows stay as they are its own way is to write the schema. Making the table anew
    # would take every row and every reference along.
    tell = op.get_bind().exec_driver_sql
    before = f"effect IN ({', '.join(repr(word) for word in known())})"
    version = tell("PRAGMA schema_version").scalar_one()
    tell("PRAGMA writable_schema = ON")
    tell(
        "UPDATE sqlite_master SET sql = replace(sql, ?, ?) WHERE type = 'table' AND name = 'executions'",
        (before, condition),
    )
    tell(f"PRAGMA schema_version = {version + 1}")
    tell("PRAGMA writable_schema = OFF")
