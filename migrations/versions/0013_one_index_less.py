"""One index less: what is due is found by two indexes since 0003, and nothing is looked up by the one that they replaced.

Revision: 0013. The previous release still serves meanwhile: its questions fit the other two.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

INDEX = "ix_executions_look_at"
ROWS = sa.text("look_at IS NOT NULL")


def upgrade() -> None:
    op.drop_index(INDEX, "executions")


def downgrade() -> None:
    op.create_index(INDEX, "executions", ["look_at"], sqlite_where=ROWS, postgresql_where=ROWS)
