"""Where a target is: the namespace of each escalation's target in a column, so that a place can be looked up by index.

Revision: 0006. The release before it inserts escalations without it: they get the empty text, which is no namespace's name, and
are found by their agent all the same.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
INDEX = "ix_escalations_pending_place"
PENDING = sa.text("state = 'pending'")
FILL = {
    "sqlite": "UPDATE escalations SET namespace = json_extract(action, '$.target.namespace')"
    " WHERE json_valid(action) AND json_extract(action, '$.target.namespace') IS NOT NULL",
    "postgresql": """UPDATE escalations SET namespace = coalesce(substring(action from '"namespace":"([^"]*)"'), '')""",
}
"""What cannot be read stays empty: no upgrade hangs on one broken row."""


def upgrade() -> None:
    op.add_column("escalations", sa.Column("namespace", TEXT, nullable=False, server_default=""))
    op.execute(FILL[op.get_context().dialect.name])
    op.create_index(INDEX, "escalations", ["environment", "namespace"], sqlite_where=PENDING, postgresql_where=PENDING)


def downgrade() -> None:
    op.drop_index(INDEX, "escalations")
    op.drop_column("escalations", "namespace")
