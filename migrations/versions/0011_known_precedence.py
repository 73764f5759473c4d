"""Known precedence: a card's precedence is one of those that the code knows, as every other stored word is.

Revision: 0011. The release before it writes no other.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

KNOWN = "{} IN (0, 1, 2, 3, 4)"
NAME = "ck_cards_precedence_known"
ORDER = ["precedence", "channel", "agent", "due_at", "subject"]
INDEXES = {
    "ix_cards_to_post": "shown < wanted AND thread_ts IS NULL",
    "ix_cards_to_redraw": "shown < wanted AND thread_ts IS NOT NULL",
}


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        make_anew(f" CONSTRAINT {NAME} CHECK ({KNOWN.format('anew')})")
    else:
        op.create_check_constraint(op.f(NAME), "cards", KNOWN.format("precedence"))


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        make_anew("")
    else:
        op.drop_constraint(op.f(NAME), "cards", type_="check")


def make_anew(constraint: str) -> None:
    """Have the column with this constraint or without one: SQLite adds no constraint to a column that is there."""
    for name in INDEXES:
        op.drop_index(name, "cards")
    op.execute(f"ALTER TABLE cards ADD COLUMN anew BIGINT DEFAULT '3' NOT NULL{constraint}")
    op.execute("UPDATE cards SET anew = precedence")
    op.drop_column("cards", "precedence")
    op.alter_column("cards", "anew", new_column_name="precedence")
    for name, rows in INDEXES.items():
        op.create_index(name, "cards", ORDER, sqlite_where=sa.text(rows))
