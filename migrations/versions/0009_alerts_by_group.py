"""Alerts by group: one card a group, an alert told apart by what its sender keeps; and what monitors were refused.

Revision: 0009, after 0008. The previous release goes on beside it: what is added may be missing. Each alert of before becomes a
group of its own, under the id by which its card is known. Of several rows of one alert, which two tokens made of it, one stays;
it has resolved if any of them has, and the cards of the others are drawn as resolved.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def text(name: str) -> sa.Column[Any]:
    return sa.Column(name, TEXT, nullable=False)


def number(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), nullable=null, autoincrement=False)


instant = number  # microseconds of UTC


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


SAME = "same.environment = alerts.environment AND same.fingerprint = alerts.fingerprint AND same.starts_at = alerts.starts_at"
IS_DOUBLE = (
    "EXISTS (SELECT 1 FROM alerts AS same WHERE " + SAME + " AND (same.seen_at < alerts.seen_at"  # noqa: S608 - words of this file
    " OR (same.seen_at = alerts.seen_at AND same.id < alerts.id)))"
)
LATER = (
    "EXISTS (SELECT 1 FROM alerts AS later WHERE later.environment = alerts.environment"
    " AND later.fingerprint = alerts.fingerprint AND later.starts_at > alerts.starts_at)"
)
STEPS = (
    # Over is over, whichever token said so.
    (
        "UPDATE alerts SET state = 'resolved', revision = revision + 1, resolved_at ="  # noqa: S608 - words of this file
        f" (SELECT MIN(same.resolved_at) FROM alerts AS same WHERE {SAME} AND same.state = 'resolved')"
        f" WHERE state = 'firing' AND EXISTS (SELECT 1 FROM alerts AS same WHERE {SAME} AND same.state = 'resolved')"
    ),
    # A double ends here, and so does what burnt before it burnt again: nothing else would ever end it.
    (
        "UPDATE alerts SET state = 'resolved', revision = revision + 1, resolved_at = seen_at"  # noqa: S608 - words of this file
        f" WHERE state = 'firing' AND ({IS_DOUBLE} OR {LATER})"
    ),
    (
        "INSERT INTO alert_groups (id, environment, channel, key, state, revision, firing, total, cut, opened_at, resolved_at)"  # noqa: S608 - words of this file
        " SELECT id, environment, channel, 'alert:' || id, state, 1, CASE WHEN state = 'firing' THEN 1 ELSE 0 END,"
        f" CASE WHEN {IS_DOUBLE} THEN 0 ELSE 1 END, '{{}}', seen_at, resolved_at FROM alerts"
    ),
    # As of itself, so that what is updated does not change what is a double.
    "CREATE TEMPORARY TABLE doubles AS SELECT id FROM alerts WHERE " + IS_DOUBLE,  # noqa: S608 - words of this file
    "UPDATE alerts SET alert_group = id WHERE id NOT IN (SELECT id FROM doubles)",
    "DROP TABLE doubles",
    (
        "UPDATE cards SET wanted = wanted + 1, closed = (SELECT state = 'resolved' FROM alert_groups WHERE id = cards.subject)"
        " WHERE kind = 'alert' AND subject IN (SELECT id FROM alert_groups)"
    ),
)


def upgrade() -> None:
    op.create_table(
        "alert_groups",
        text("id"),
        text("environment"),
        text("channel"),
        text("key"),
        text("state"),
        number("revision"),
        number("firing"),
        number("total"),
        text("cut"),
        instant("opened_at"),
        instant("resolved_at", null=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_groups")),
        sa.CheckConstraint("state IN ('firing', 'resolved')", name=op.f("ck_alert_groups_state_known")),
    )
    index("alert_groups", "environment", "key", name="uq_alert_groups_open", where="state = 'firing'", unique=True)
    # In the engines' own words: a column that refers to a table is more than the tool takes on for SQLite.
    collation = ' COLLATE "C"' if op.get_bind().dialect.name == "postgresql" else ""
    op.execute(
        f"ALTER TABLE alerts ADD COLUMN alert_group TEXT{collation}"
        " CONSTRAINT fk_alerts_alert_group_alert_groups REFERENCES alert_groups (id)"
    )
    op.add_column("alerts", instant("ended_at", null=True))
    for step in STEPS:
        op.execute(step)
    index(
        "alerts",
        "environment",
        "fingerprint",
        "starts_at",
        name="uq_alerts_time",
        where="alert_group IS NOT NULL",
        unique=True,
    )
    index(
        "alerts",
        "environment",
        "fingerprint",
        name="uq_alerts_burning",
        where="state = 'firing' AND alert_group IS NOT NULL",
        unique=True,
    )
    index("alerts", "alert_group", "state", "starts_at")
    make_refused_deliveries()


def make_refused_deliveries() -> None:
    op.create_table(
        "refused_deliveries",
        text("id"),
        text("environment"),
        text("monitor"),
        text("channel"),
        text("follows"),
        text("token"),
        text("codes"),
        instant("since"),
        instant("last_at"),
        number("revision"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refused_deliveries")),
        sa.ForeignKeyConstraint(["token"], ["agent_tokens.id"], name=op.f("fk_refused_deliveries_token_agent_tokens")),
        sa.UniqueConstraint(
            "environment",
            "monitor",
            "channel",
            "follows",
            name=op.f("uq_refused_deliveries_environment_monitor_channel_follows"),
        ),
    )
    index("refused_deliveries", "environment", "monitor", "channel", "since")
    index("refused_deliveries", "last_at")


def downgrade() -> None:
    op.drop_table("refused_deliveries")
    for name in ("uq_alerts_time", "uq_alerts_burning", "ix_alerts_alert_group_state_starts_at"):
        op.drop_index(name, "alerts")
    if op.get_bind().dialect.name == "postgresql":
        op.drop_column("alerts", "alert_group")
    else:
        with op.batch_alter_table("alerts") as alerts:
            alerts.drop_column("alert_group")
    op.drop_column("alerts", "ended_at")
    op.drop_table("alert_groups")
