"""Open the book: every table of the first release, and the rows that exist once.

Revision: 0001, the first. Runs on an empty database, so there is no previous release to serve meanwhile.
"""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
NUMBER = sa.BigInteger()
SERIAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def text(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, TEXT, nullable=null)


def number(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, NUMBER, nullable=null, autoincrement=False)


instant = number  # microseconds of UTC


def flag(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Boolean(), nullable=False)


def octets(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.LargeBinary(), nullable=False)


def key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=op.f(f"pk_{table}"))


def refers(table: str, columns: Iterable[str], to: str, remote: Iterable[str]) -> sa.ForeignKeyConstraint:
    mine = list(columns)
    return sa.ForeignKeyConstraint(mine, [f"{to}.{one}" for one in remote], name=op.f(f"fk_{table}_{'_'.join(mine)}"))


def unique(table: str, *columns: str) -> sa.UniqueConstraint:
    return sa.UniqueConstraint(*columns, name=op.f(f"uq_{table}_{'_'.join(columns)}"))


def check(table: str, name: str, condition: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(condition, name=op.f(f"ck_{table}_{name}"))


def known(table: str, column: str, *words: str) -> sa.CheckConstraint:
    listed = ", ".join(f"'{word}'" for word in words)
    return check(table, f"{column}_known", f"{column} IN ({listed})")


def index(table: str, *columns: str, name: str | None = None, where: str | None = None, unique: bool = False) -> None:
    condition = None if where is None else sa.text(where)
    op.create_index(
        op.f(name or f"ix_{table}_{'_'.join(columns)}"),
        table,
        list(columns),
        unique=unique,
        sqlite_where=condition,
        postgresql_where=condition,
    )


def upgrade() -> None:
    make_pauses()
    make_grounds()
    make_escalations()
    make_executions()
    make_audit()
    make_delivery()
    op.execute("INSERT INTO gate (id, epoch) VALUES (1, 0)")
    op.execute("INSERT INTO clock_floor (id, at) VALUES (1, 0)")


def make_pauses() -> None:
    op.create_table("gate", number("id"), number("epoch"), key("gate", "id"), check("gate", "one_row", "id = 1"))
    op.create_table(
        "clock_floor", number("id"), instant("at"), key("clock_floor", "id"), check("clock_floor", "one_row", "id = 1")
    )
    op.create_table(
        "pauses",
        text("id"),
        text("scope"),
        text("by"),
        instant("engaged_at"),
        number("engaged_epoch"),
        instant("ask_at", null=True),
        instant("asked_at", null=True),
        instant("ended_at", null=True),
        number("ended_epoch", null=True),
        number("revision"),
        text("channels"),
        key("pauses", "id"),
        check("pauses", "ended_whole", "(ended_at IS NULL) = (ended_epoch IS NULL)"),
    )
    index("pauses", "engaged_at", name="ix_pauses_open", where="ended_epoch IS NULL")
    index("pauses", "ended_epoch")
    op.create_table(
        "resume_consents",
        text("pause"),
        text("person"),
        text("account"),
        instant("at"),
        key("resume_consents", "pause", "person"),
        refers("resume_consents", ["pause"], "pauses", ["id"]),
    )


def make_grounds() -> None:
    op.create_table(
        "agent_tokens",
        text("id"),
        text("hash"),
        text("kind"),
        text("holder"),
        text("environments"),
        text("namespaces"),
        instant("created_at"),
        text("created_by"),
        instant("expires_at"),
        instant("revoked_at", null=True),
        number("revision"),
        key("agent_tokens", "id"),
        unique("agent_tokens", "hash"),
        known("agent_tokens", "kind", "agent", "alertmanager"),
    )
    op.create_table(
        "policy_versions", text("version"), text("text"), instant("first_loaded_at"), key("policy_versions", "version")
    )
    op.create_table("plans", text("fingerprint"), octets("bound"), text("evidence"), key("plans", "fingerprint"))
    op.create_table(
        "alerts",
        text("id"),
        text("token"),
        text("environment"),
        text("channel"),
        text("fingerprint"),
        instant("starts_at"),
        text("state"),
        number("revision"),
        instant("seen_at"),
        instant("resolved_at", null=True),
        key("alerts", "id"),
        refers("alerts", ["token"], "agent_tokens", ["id"]),
        unique("alerts", "token", "fingerprint", "starts_at"),
        known("alerts", "state", "firing", "resolved"),
    )


def make_escalations() -> None:
    op.create_table(
        "escalations",
        text("id"),
        text("agent"),
        text("environment"),
        text("action"),
        text("on_behalf_of", null=True),
        text("idempotency_key", null=True),
        text("body_hash"),
        text("token", null=True),
        text("channel"),
        text("state"),
        number("revision"),
        instant("asked_at"),
        instant("deadline", null=True),
        text("policy", null=True),
        text("ruling", null=True),
        text("fingerprint", null=True),
        text("effect_key", null=True),
        text("render_hash", null=True),
        flag("shown_whole"),
        text("breaches"),
        text("confidence", null=True),
        text("refusal", null=True),
        instant("valid_until", null=True),
        instant("decided_at", null=True),
        text("decided_by"),
        text("outcome_code", null=True),
        text("supersedes", null=True),
        text("superseded_by", null=True),
        number("chain"),
        instant("token_revoked_at", null=True),
        key("escalations", "id"),
        refers("escalations", ["token"], "agent_tokens", ["id"]),
        refers("escalations", ["policy"], "policy_versions", ["version"]),
        refers("escalations", ["fingerprint"], "plans", ["fingerprint"]),
        refers("escalations", ["supersedes"], "escalations", ["id"]),
        refers("escalations", ["superseded_by"], "escalations", ["id"]),
        unique("escalations", "agent", "idempotency_key"),
        known(
            "escalations",
            "state",
            "refused",
            "pending",
            "approved",
            "denied",
            "expired",
            "cancelled",
            "superseded",
        ),
        check(
            "escalations",
            "question_whole",
            "state = 'refused' OR (deadline IS NOT NULL AND ruling IS NOT NULL AND policy IS NOT NULL"
            " AND fingerprint IS NOT NULL AND render_hash IS NOT NULL)",
        ),
        check("escalations", "decided_once", "(state = 'pending') = (decided_at IS NULL)"),
    )
    index("escalations", "deadline", name="ix_escalations_pending_deadline", where="state = 'pending'")
    index(
        "escalations",
        "token",
        "id",
        name="ix_escalations_pending_token",
        where="state = 'pending' AND token_revoked_at IS NULL",
    )
    index("escalations", "agent", "state", "id")
    index("escalations", "agent", "id")
    op.create_table(
        "votes",
        text("id"),
        text("escalation"),
        text("person"),
        text("account"),
        text("answer"),
        text("via"),
        instant("at"),
        number("epoch"),
        text("fingerprint"),
        text("render_hash"),
        instant("authority_at", null=True),
        flag("remembered"),
        instant("voided_at", null=True),
        text("voided_why", null=True),
        key("votes", "id"),
        refers("votes", ["escalation"], "escalations", ["id"]),
        known("votes", "answer", "approve", "deny"),
        check("votes", "voided_whole", "(voided_at IS NULL) = (voided_why IS NULL)"),
    )
    index("votes", "escalation", "person", name="uq_votes_live", where="voided_at IS NULL", unique=True)


def make_executions() -> None:
    op.create_table(
        "executions",
        text("id"),
        text("escalation"),
        number("step"),
        text("state"),
        number("revision"),
        text("agent"),
        text("environment"),
        text("namespace"),
        text("cluster_uid"),
        text("object_uid"),
        text("fingerprint"),
        instant("valid_until"),
        instant("due_at"),
        instant("look_at", null=True),
        number("generation"),
        instant("lease_until", null=True),
        number("attempts"),
        number("rounds"),
        text("effect", null=True),
        instant("effect_deadline", null=True),
        text("reason", null=True),
        text("message"),
        key("executions", "id"),
        refers("executions", ["escalation"], "escalations", ["id"]),
        refers("executions", ["fingerprint"], "plans", ["fingerprint"]),
        unique("executions", "escalation", "step"),
        known(
            "executions",
            "state",
            "queued",
            "claimed",
            "armed",
            "sending",
            "applied",
            "rejected",
            "unknown",
            "voided",
            "abandoned",
        ),
        known("executions", "effect", "rolling", "verified", "failed_rollout", "timed_out"),
    )
    index("executions", "look_at", where="look_at IS NOT NULL")
    index("executions", "id", name="ix_executions_stoppable", where="state IN ('queued', 'claimed')")
    op.create_table(
        "attempts",
        text("execution"),
        number("number"),
        text("resource_version"),
        number("object_generation"),
        text("request_hash"),
        number("epoch"),
        instant("armed_at"),
        instant("sending_at", null=True),
        number("sends"),
        text("token_id", null=True),
        instant("token_expires_at", null=True),
        text("fate"),
        number("http_status", null=True),
        text("audit_id", null=True),
        key("attempts", "execution", "number"),
        refers("attempts", ["execution"], "executions", ["id"]),
        known(
            "attempts",
            "fate",
            "open",
            "applied",
            "not_sent",
            "not_landed",
            "rejected",
            "unknown",
            "never_landed",
        ),
    )
    op.create_table(
        "target_locks",
        text("cluster_uid"),
        text("object_uid"),
        text("execution", null=True),
        key("target_locks", "cluster_uid", "object_uid"),
        refers("target_locks", ["execution"], "executions", ["id"]),
    )


def make_audit() -> None:
    op.create_table("streams", text("name"), number("last"), key("streams", "name"))
    op.create_table(
        "events",
        sa.Column("id", SERIAL, sa.Identity(always=True), nullable=False),
        text("stream"),
        number("sequence"),
        octets("body"),
        text("hash"),
        number("written_in", null=True),
        key("events", "id"),
        unique("events", "stream", "sequence"),
    )
    index("events", "written_in", where="written_in IS NOT NULL")
    op.create_table(
        "seals",
        number("number"),
        text("stream"),
        number("sequence"),
        text("chain"),
        key("seals", "number"),
        unique("seals", "stream", "sequence"),
        refers("seals", ["stream", "sequence"], "events", ["stream", "sequence"]),
    )
    op.create_table(
        "untrusted_texts",
        text("stream"),
        number("sequence"),
        text("name"),
        text("subject"),
        text("salt", null=True),
        text("text", null=True),
        key("untrusted_texts", "stream", "sequence", "name"),
        refers("untrusted_texts", ["stream", "sequence"], "events", ["stream", "sequence"]),
    )
    index("untrusted_texts", "subject")


def make_delivery() -> None:
    op.create_table(
        "cards",
        text("subject"),
        text("channel"),
        text("kind"),
        flag("closed"),
        number("wanted"),
        number("shown"),
        text("thread_ts", null=True),
        instant("posting_at", null=True),
        number("failures"),
        instant("retry_at", null=True),
        number("refused_at", null=True),
        number("thread_failures"),
        instant("thread_retry_at", null=True),
        number("epoch"),
        key("cards", "subject", "channel"),
        known("cards", "kind", "request", "pause", "alert"),
    )
    index("cards", "subject", "channel", name="ix_cards_behind", where="shown < wanted")
    index("cards", "epoch", name="ix_cards_waiting", where="kind = 'request' AND NOT closed")
    op.create_table(
        "message_refs",
        text("channel"),
        text("ts"),
        text("subject"),
        instant("known_at"),
        instant("lost_at", null=True),
        key("message_refs", "channel", "ts"),
        refers("message_refs", ["subject", "channel"], "cards", ["subject", "channel"]),
    )
    index("message_refs", "subject", "channel")
    op.create_table(
        "thread_lines",
        text("stream"),
        number("sequence"),
        text("channel"),
        text("subject"),
        text("ts", null=True),
        instant("done_at", null=True),
        key("thread_lines", "stream", "sequence", "channel"),
        refers("thread_lines", ["stream", "sequence"], "events", ["stream", "sequence"]),
        refers("thread_lines", ["subject", "channel"], "cards", ["subject", "channel"]),
    )
    index("thread_lines", "subject", "channel", name="ix_thread_lines_waiting", where="done_at IS NULL")
    op.create_table(
        "digests",
        text("week"),
        text("channel"),
        number("first"),
        number("last"),
        instant("begun_at"),
        instant("posted_at", null=True),
        text("ts", null=True),
        key("digests", "week", "channel"),
    )


def downgrade() -> None:
    for table in (
        "digests",
        "thread_lines",
        "message_refs",
        "cards",
        "untrusted_texts",
        "seals",
        "events",
        "streams",
        "target_locks",
        "attempts",
        "executions",
        "votes",
        "escalations",
        "alerts",
        "plans",
        "policy_versions",
        "agent_tokens",
        "resume_consents",
        "pauses",
        "clock_floor",
        "gate",
    ):
        op.drop_table(table)
