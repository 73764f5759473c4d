"""Under which policy: each card knows the policy version under which it was last looked at, so that another draws it again.

Revision: 0004. The release before it neither reads nor writes the column.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("cards", sa.Column("policy", TEXT, nullable=True))


def downgrade() -> None:
    op.drop_column("cards", "policy")
