"""Watch on: when a change landed, what was last known of its pods, and until when its effect is looked at after its end.

Revision: 0010. The previous release still serves meanwhile: it leaves the new columns at their defaults, and follows what
landed under it as before.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
INSTANTS = ("landed_at", "watched_until", "watch_at")
WATCHED = sa.text("watch_at IS NOT NULL")
INDEXES = {"ix_executions_watch": ["watch_at"], "ix_executions_watched_target": ["cluster_uid", "object_uid"]}


def upgrade() -> None:
    for name in INSTANTS:
        op.add_column("executions", sa.Column(name, sa.BigInteger(), nullable=True))
    op.add_column("executions", sa.Column("pace", TEXT, nullable=False, server_default=""))
    for name, columns in INDEXES.items():
        op.create_index(name, "executions", columns, sqlite_where=WATCHED, postgresql_where=WATCHED)


def downgrade() -> None:
    for name in INDEXES:
        op.drop_index(name, "executions")
    for name in (*INSTANTS, "pace"):
        op.drop_column("executions", name)
