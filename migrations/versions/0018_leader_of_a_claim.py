"""Leader of a claim: under which generation of the leader's lease an execution was claimed, so that the next one goes on at once.

Revision: 0018. What the release before it claims has none, and keeps its own lease's minute.
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("executions", sa.Column("leader", sa.BigInteger(), nullable=False, server_default=sa.text("0")))


def downgrade() -> None:
    with op.batch_alter_table("executions") as batch:
        batch.drop_column("leader")
