"""Ask once: keys of idempotency that stand for a question asked under another, and one pending question an effect.

Revision: 0005, after 0004. The previous release goes on beside it: it fills none of what is added, and nothing of it is required.
Questions of before have no question key, so that several of one effect may end as they began.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def text(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, TEXT, nullable=null)


def upgrade() -> None:
    op.add_column("escalations", text("question_key", null=True))
    op.create_index(
        op.f("uq_escalations_question"),
        "escalations",
        ["question_key"],
        unique=True,
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index(op.f("ix_escalations_effect_key_asked_at"), "escalations", ["effect_key", "asked_at"])
    op.create_table(
        "idempotency_keys",
        text("agent"),
        text("key"),
        text("escalation"),
        text("body_hash"),
        sa.Column("bound_at", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.PrimaryKeyConstraint("agent", "key", name=op.f("pk_idempotency_keys")),
        sa.ForeignKeyConstraint(
            ["escalation"], ["escalations.id"], name=op.f("fk_idempotency_keys_escalation_escalations")
        ),
    )


def downgrade() -> None:
    op.drop_table("idempotency_keys")
    op.drop_index("ix_escalations_effect_key_asked_at", "escalations")
    op.drop_index("uq_escalations_question", "escalations")
    op.drop_column("escalations", "question_key")
