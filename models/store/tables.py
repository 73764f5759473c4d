"""Tables: every table there is, and what the engine itself holds true about it.

What must hold whatever the code does is a constraint here: one live vote a person, one execution a step, states from the
known list, an instant of an end only together with its epoch. How a row becomes a noun is :mod:`models.store.mapping`; the
migrations build these tables and import nothing from here, and a test holds the two against each other.

Foreign keys are everywhere except out of ``events``: an event must stand even where what it tells of is gone.
"""

from enum import IntEnum, StrEnum
from typing import Final

from sqlalchemy import (
    CheckConstraint,
    Column,
    ColumnElement,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    MetaData,
    Table,
    UniqueConstraint,
    literal_column,
)

from approvals.identity.tokens import TokenKind
from approvals.verbs.verb import Effect
from approvals.workflow.alert import AlertState
from approvals.workflow.execution import Fate, Phase
from approvals.workflow.request import Answer, State
from models.engine.columns import SERIAL, flag, instant, number, octets, text

NAMING: Final = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}

metadata: Final = MetaData(naming_convention=NAMING)


def _known(column: str, values: type[StrEnum | IntEnum]) -> CheckConstraint:
    """Return the constraint that *column* holds one of the stored values, or nothing where it may be empty."""
    listed = ", ".join(repr(value.value) for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=f"{column}_known")


def _partial(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """Return an index over the rows that *where* picks: small, however long the history grows.

    For PostgreSQL the condition is added by :mod:`models.schema.migrate`: naming it here loads all of that engine's drivers.
    """
    condition: ColumnElement[bool] = literal_column(where)
    return Index(name, *columns, unique=unique, sqlite_where=condition)


def _one_row() -> CheckConstraint:
    return CheckConstraint("id = 1", name="one_row")


gate = Table("gate", metadata, number("id", key=True), number("epoch"), _one_row())

clock_floor = Table("clock_floor", metadata, number("id", key=True), instant("at"), _one_row())

pauses = Table(
    "pauses",
    metadata,
    text("id", key=True),
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
    CheckConstraint("(ended_at IS NULL) = (ended_epoch IS NULL)", name="ended_whole"),
    _partial("ix_pauses_open", "engaged_at", where="ended_epoch IS NULL"),
    Index(None, "ended_epoch"),
)

resume_consents = Table(
    "resume_consents",
    metadata,
    text("pause", ForeignKey("pauses.id"), key=True),
    text("person", key=True),
    text("account"),
    instant("at"),
)

agent_tokens = Table(
    "agent_tokens",
    metadata,
    text("id", key=True),
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
    UniqueConstraint("hash"),
    _known("kind", TokenKind),
)

policy_versions = Table(
    "policy_versions", metadata, text("version", key=True), text("text"), instant("first_loaded_at")
)

policy_in_force = Table(
    "policy_in_force",
    metadata,
    number("id", key=True),
    text("version", ForeignKey("policy_versions.version")),
    instant("moved_at"),
    _one_row(),
)

loaded_policies = Table(
    "loaded_policies",
    metadata,
    text("process", key=True),
    text("version", ForeignKey("policy_versions.version")),
    instant("seen_at"),
)

plans = Table("plans", metadata, text("fingerprint", key=True), octets("bound"), text("evidence"))

escalations = Table(
    "escalations",
    metadata,
    text("id", key=True),
    text("agent"),
    text("environment"),
    text("namespace"),
    text("action"),
    text("on_behalf_of", null=True),
    text("idempotency_key", null=True),
    text("body_hash"),
    text("token", ForeignKey("agent_tokens.id"), null=True),
    text("channel"),
    text("state"),
    number("revision"),
    instant("asked_at"),
    instant("deadline", null=True),
    text("policy", ForeignKey("policy_versions.version"), null=True),
    text("ruling", null=True),
    text("fingerprint", ForeignKey("plans.fingerprint"), null=True),
    text("effect_key", null=True),
    text("question_key", null=True),
    text("render_hash", null=True),
    flag("shown_whole"),
    text("breaches"),
    text("confidence", null=True),
    text("refusal", null=True),
    instant("valid_until", null=True),
    instant("decided_at", null=True),
    text("decided_by"),
    text("outcome_code", null=True),
    text("supersedes", ForeignKey("escalations.id"), null=True),
    text("superseded_by", ForeignKey("escalations.id"), null=True),
    number("chain"),
    instant("token_revoked_at", null=True),
    number("form", default=1),
    UniqueConstraint("agent", "idempotency_key"),
    _known("state", State),
    CheckConstraint(
        "state = 'refused' OR (deadline IS NOT NULL AND ruling IS NOT NULL AND policy IS NOT NULL"
        " AND fingerprint IS NOT NULL AND render_hash IS NOT NULL)",
        name="question_whole",
    ),
    CheckConstraint("(state = 'pending') = (decided_at IS NULL)", name="decided_once"),
    _partial("ix_escalations_pending_deadline", "deadline", where="state = 'pending'"),
    _partial("ix_escalations_pending_token", "token", "id", where="state = 'pending' AND token_revoked_at IS NULL"),
    _partial("uq_escalations_question", "question_key", where="state = 'pending'", unique=True),
    _partial("ix_escalations_pending_place", "environment", "namespace", where="state = 'pending'"),
    Index(None, "agent", "state", "id"),
    Index(None, "agent", "id"),
    Index(None, "effect_key", "asked_at"),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    text("agent", key=True),
    text("key", key=True),
    text("escalation", ForeignKey("escalations.id")),
    text("body_hash"),
    instant("bound_at"),
)

alert_groups = Table(
    "alert_groups",
    metadata,
    text("id", key=True),
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
    _known("state", AlertState),
    _partial("uq_alert_groups_open", "environment", "key", where="state = 'firing'", unique=True),
)

alerts = Table(
    "alerts",
    metadata,
    text("id", key=True),
    text("token", ForeignKey("agent_tokens.id")),
    text("environment"),
    text("channel"),
    text("fingerprint"),
    instant("starts_at"),
    text("state"),
    number("revision"),
    instant("seen_at"),
    instant("resolved_at", null=True),
    text("alert_group", ForeignKey("alert_groups.id"), null=True),
    instant("ended_at", null=True),
    UniqueConstraint("token", "fingerprint", "starts_at"),
    _known("state", AlertState),
    _partial("uq_alerts_time", "environment", "fingerprint", "starts_at", where="alert_group IS NOT NULL", unique=True),
    _partial(
        "uq_alerts_burning",
        "environment",
        "fingerprint",
        where="state = 'firing' AND alert_group IS NOT NULL",
        unique=True,
    ),
    Index(None, "alert_group", "state", "starts_at"),
)

refused_deliveries = Table(
    "refused_deliveries",
    metadata,
    text("id", key=True),
    text("environment"),
    text("monitor"),
    text("channel"),
    text("follows"),
    text("token", ForeignKey("agent_tokens.id")),
    text("codes"),
    instant("since"),
    instant("last_at"),
    number("revision"),
    UniqueConstraint("environment", "monitor", "channel", "follows"),
    Index(None, "environment", "monitor", "channel", "since"),
    Index(None, "last_at"),
)

votes = Table(
    "votes",
    metadata,
    text("id", key=True),
    text("escalation", ForeignKey("escalations.id")),
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
    _known("answer", Answer),
    CheckConstraint("(voided_at IS NULL) = (voided_why IS NULL)", name="voided_whole"),
    _partial("uq_votes_live", "escalation", "person", where="voided_at IS NULL", unique=True),
)

executions = Table(
    "executions",
    metadata,
    text("id", key=True),
    text("escalation", ForeignKey("escalations.id")),
    number("step"),
    text("state"),
    number("revision"),
    text("agent"),
    text("environment"),
    text("namespace"),
    text("cluster_uid"),
    text("object_uid"),
    text("fingerprint", ForeignKey("plans.fingerprint")),
    instant("valid_until"),
    instant("due_at"),
    instant("look_at", null=True),
    number("setbacks"),
    number("generation"),
    instant("lease_until", null=True),
    number("leader", default=0),
    number("attempts"),
    number("rounds"),
    number("waits"),
    text("effect", null=True),
    flag("doubted"),
    instant("effect_deadline", null=True),
    instant("landed_at", null=True),
    text("pace"),
    instant("watched_until", null=True),
    instant("watch_at", null=True),
    text("reason", null=True),
    text("message"),
    flag("compared"),
    text("drift"),
    UniqueConstraint("escalation", "step"),
    _known("state", Phase),
    _known("effect", Effect),
    _partial("ix_executions_due", "look_at", where="look_at IS NOT NULL AND setbacks = 0"),
    _partial("ix_executions_due_again", "look_at", where="look_at IS NOT NULL AND setbacks > 0"),
    _partial("ix_executions_target", "cluster_uid", "object_uid", where="look_at IS NOT NULL"),
    _partial("ix_executions_watch", "watch_at", where="watch_at IS NOT NULL"),
    _partial("ix_executions_watched_target", "cluster_uid", "object_uid", where="watch_at IS NOT NULL"),
    _partial("ix_executions_stoppable", "id", where="state IN ('queued', 'claimed')"),
)

images = Table("images", metadata, text("hash", key=True), octets("image"))

attempts = Table(
    "attempts",
    metadata,
    text("execution", ForeignKey("executions.id"), key=True),
    number("number", key=True),
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
    text("image", ForeignKey("images.hash"), null=True),
    _known("fate", Fate),
)

target_locks = Table(
    "target_locks",
    metadata,
    text("cluster_uid", key=True),
    text("object_uid", key=True),
    text("execution", ForeignKey("executions.id"), null=True),
)

streams = Table("streams", metadata, text("name", key=True), number("last"))

events = Table(
    "events",
    metadata,
    Column("id", SERIAL, Identity(always=True), primary_key=True),
    text("stream"),
    number("sequence"),
    octets("body"),
    text("hash"),
    number("written_in", null=True),
    UniqueConstraint("stream", "sequence"),
    _partial("ix_events_written_in", "written_in", where="written_in IS NOT NULL"),
)

seals = Table(
    "seals",
    metadata,
    number("number", key=True),
    text("stream"),
    number("sequence"),
    text("chain"),
    UniqueConstraint("stream", "sequence"),
    ForeignKeyConstraint(["stream", "sequence"], ["events.stream", "events.sequence"]),
)

untrusted_texts = Table(
    "untrusted_texts",
    metadata,
    text("stream", key=True),
    number("sequence", key=True),
    text("name", key=True),
    text("subject"),
    text("salt", null=True),
    text("text", null=True),
    ForeignKeyConstraint(["stream", "sequence"], ["events.stream", "events.sequence"]),
    Index(None, "subject"),
)


class Subject(StrEnum):
    """What a card is about. Stored; never renamed."""

    REQUEST = "request"
    PAUSE = "pause"
    ALERT = "alert"


class Precedence(IntEnum):
    """Which card goes first where not all can go at once: the lower, the sooner. Stored; never renumbered."""

    NOTICE = 0
    """The notice of a pause: it says that everything has stopped."""
    BUTTONS = 1
    """A card whose buttons must go: its question has its outcome."""
    QUESTION = 2
    """A question that stands nowhere yet, so that nobody can answer it."""
    REST = 3
    """What is seen already and has moved on, and what ended before anybody saw it."""
    INFORMATION = 4
    """What asks nobody anything: it takes only what a rate of its own leaves it."""


_BEHIND_IN_ORDER: Final = ("precedence", "channel", "agent", "due_at", "subject")

cards = Table(
    "cards",
    metadata,
    text("subject", key=True),
    text("channel", key=True),
    text("kind"),
    number("precedence", default=Precedence.REST),
    text("agent", default=""),
    instant("due_at", default=0),
    instant("made_at", default=0),
    instant("shown_at", null=True),
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
    text("policy", null=True),
    _known("kind", Subject),
    _known("precedence", Precedence),
    _partial("ix_cards_to_post", *_BEHIND_IN_ORDER, where="shown < wanted AND thread_ts IS NULL"),
    _partial("ix_cards_to_redraw", *_BEHIND_IN_ORDER, where="shown < wanted AND thread_ts IS NOT NULL"),
    _partial("ix_cards_waiting", "epoch", where="kind = 'request' AND NOT closed"),
)

message_refs = Table(
    "message_refs",
    metadata,
    text("channel", key=True),
    text("ts", key=True),
    text("subject"),
    instant("known_at"),
    instant("lost_at", null=True),
    ForeignKeyConstraint(["subject", "channel"], ["cards.subject", "cards.channel"]),
    Index(None, "subject", "channel"),
)

thread_lines = Table(
    "thread_lines",
    metadata,
    text("stream", key=True),
    number("sequence", key=True),
    text("channel", key=True),
    text("subject"),
    text("ts", null=True),
    instant("done_at", null=True),
    ForeignKeyConstraint(["stream", "sequence"], ["events.stream", "events.sequence"]),
    ForeignKeyConstraint(["subject", "channel"], ["cards.subject", "cards.channel"]),
    _partial("ix_thread_lines_waiting", "subject", "channel", where="done_at IS NULL"),
)

digests = Table(
    "digests",
    metadata,
    text("week", key=True),
    text("channel", key=True),
    number("first"),
    number("last"),
    instant("begun_at"),
    instant("posted_at", null=True),
    text("ts", null=True),
)

heartbeats = Table(
    "heartbeats",
    metadata,
    text("process", key=True),
    instant("started_at"),
    instant("seen_at"),
    instant("stopped_at", null=True),
    text("legs"),
)

leases = Table("leases", metadata, text("name", key=True), text("holder"), number("generation"), instant("held_until"))
