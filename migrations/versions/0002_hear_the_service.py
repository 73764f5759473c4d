"""Hear the service: one row that a running service renews, so that another process can tell how it is and whether it lives.

Revision: 0002. The release before it neither reads nor writes the table.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def instant(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), nullable=null, autoincrement=False)  # microseconds of UTC


def upgrade() -> None:
    op.create_table(
        "heartbeats",
        sa.Column("process", TEXT, nullable=False),
        instant("started_at"),
        instant("seen_at"),
        instant("stopped_at", null=True),
        sa.Column("legs", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("process", name=op.f("pk_heartbeats")),
    )


def downgrade() -> None:
    op.drop_table("heartbeats")
