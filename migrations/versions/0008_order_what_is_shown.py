"""Order what is shown: whose card it is, by when it is due, since when it stands, and what goes first.

The previous release adds cards without these columns while it still serves: they begin as what is neither first nor last. What is
there already is filled in, so that questions nobody has seen go before everything else from the first step on.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
NUMBER = sa.BigInteger()
ORDER = ["precedence", "channel", "agent", "due_at", "subject"]
ADDED = ("precedence", "agent", "due_at", "made_at", "shown_at")

FILL = (
    """
    UPDATE cards SET
      agent = (SELECT agent FROM escalations WHERE id = cards.subject),
      due_at = (SELECT COALESCE(deadline, asked_at) FROM escalations WHERE id = cards.subject),
      made_at = (SELECT asked_at FROM escalations WHERE id = cards.subject),
      precedence = CASE WHEN thread_ts IS NULL AND NOT closed THEN 2
                        WHEN thread_ts IS NOT NULL AND closed AND shown < wanted THEN 1
                        ELSE 3 END
    WHERE EXISTS (SELECT 1 FROM escalations WHERE id = cards.subject)
    """,
    """
    UPDATE cards SET
      due_at = (SELECT engaged_at FROM pauses WHERE id = cards.subject),
      made_at = (SELECT engaged_at FROM pauses WHERE id = cards.subject),
      precedence = 0
    WHERE EXISTS (SELECT 1 FROM pauses WHERE id = cards.subject)
    """,
    """
    UPDATE cards SET
      due_at = (SELECT seen_at FROM alerts WHERE id = cards.subject),
      made_at = (SELECT seen_at FROM alerts WHERE id = cards.subject),
      precedence = 4
    WHERE EXISTS (SELECT 1 FROM alerts WHERE id = cards.subject)
    """,
    """
    UPDATE cards SET shown_at = (
      SELECT MIN(known_at) FROM message_refs
      WHERE message_refs.subject = cards.subject AND message_refs.channel = cards.channel
    )
    """,
)


def index(name: str, columns: list[str], where: str) -> None:
    op.create_index(op.f(name), "cards", columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def upgrade() -> None:
    op.add_column("cards", sa.Column("precedence", NUMBER, nullable=False, server_default="3"))
    op.add_column("cards", sa.Column("agent", TEXT, nullable=False, server_default=""))
    op.add_column("cards", sa.Column("due_at", NUMBER, nullable=False, server_default="0"))
    op.add_column("cards", sa.Column("made_at", NUMBER, nullable=False, server_default="0"))
    op.add_column("cards", sa.Column("shown_at", NUMBER, nullable=True))
    for statement in FILL:
        op.execute(sa.text(statement))
    op.drop_index("ix_cards_behind", "cards")
    index("ix_cards_to_post", ORDER, "shown < wanted AND thread_ts IS NULL")
    index("ix_cards_to_redraw", ORDER, "shown < wanted AND thread_ts IS NOT NULL")


def downgrade() -> None:
    op.drop_index("ix_cards_to_redraw", "cards")
    op.drop_index("ix_cards_to_post", "cards")
    index("ix_cards_behind", ["subject", "channel"], "shown < wanted")
    for column in reversed(ADDED):
        op.drop_column("cards", column)
