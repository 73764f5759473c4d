"""Policy in force: which version the leader has put in force last, so that a process with another file knows.

Revision: 0016. The release before it neither reads nor writes the table.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "policy_in_force",
        sa.Column("id", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("version", TEXT, nullable=False),
        sa.Column("moved_at", sa.BigInteger(), nullable=False, autoincrement=False),  # microseconds of UTC
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_in_force")),
        sa.ForeignKeyConstraint(
            ["version"], ["policy_versions.version"], name=op.f("fk_policy_in_force_version_policy_versions")
        ),
        sa.CheckConstraint("id = 1", name=op.f("ck_policy_in_force_one_row")),
    )


def downgrade() -> None:
    op.drop_table("policy_in_force")
