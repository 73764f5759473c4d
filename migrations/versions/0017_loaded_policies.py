"""Loaded policies: which version each process has, so that all rule by what every one of them allows until they agree.

Revision: 0017. The release before it neither reads nor writes the table.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "loaded_policies",
        sa.Column("process", TEXT, nullable=False),
        sa.Column("version", TEXT, nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False, autoincrement=False),  # microseconds of UTC
        sa.PrimaryKeyConstraint("process", name=op.f("pk_loaded_policies")),
        sa.ForeignKeyConstraint(
            ["version"], ["policy_versions.version"], name=op.f("fk_loaded_policies_version_policy_versions")
        ),
    )


def downgrade() -> None:
    op.drop_table("loaded_policies")
