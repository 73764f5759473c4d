"""What is asked about executions, attempts, plans and the texts beside the trail."""

from typing import Final

from sqlalchemy import and_, bindparam, literal_column, or_, select

from models.engine.columns import NUMBER, TEXT
from models.engine.prepared import Prepared
from models.store.mapping import (
    ATTEMPT,
    EXECUTION,
)
from models.store.queries.values import KEY, LIMIT, NOW
from models.store.tables import (
    attempts,
    escalations,
    events,
    executions,
    images,
    plans,
    untrusted_texts,
)

STOPPABLE: Final = executions.c.state.in_([literal_column("'queued'"), literal_column("'claimed'")])
"""Likewise; as one piece of text SQLite is given ``... = 1``, and does not see it."""


EXECUTION_OF: Final = EXECUTION.prepared(EXECUTION.select().where(executions.c.escalation == KEY))


EXECUTION_CALLED: Final = EXECUTION.prepared(EXECUTION.select().where(executions.c.id == KEY))


_DUE: Final = (
    select(executions.c.id)
    .where(executions.c.look_at <= NOW, or_(executions.c.lease_until.is_(None), executions.c.lease_until <= NOW))
    .order_by(executions.c.look_at)
    .limit(LIMIT)
)


DUE_EXECUTIONS: Final = Prepared(_DUE.where(executions.c.setbacks == literal_column("0")))


DUE_AGAIN: Final = Prepared(_DUE.where(executions.c.setbacks > literal_column("0")))


LEFT_BEHIND: Final = Prepared(
    select(executions.c.id)
    .where(
        STOPPABLE,
        executions.c.state == literal_column("'claimed'"),
        executions.c.setbacks == literal_column("0"),
        executions.c.leader > literal_column("0"),
        executions.c.leader < bindparam("leader", type_=NUMBER),
    )
    .order_by(executions.c.id)
    .limit(LIMIT)
)


WATCHES_DUE: Final = Prepared(
    select(executions.c.id).where(executions.c.watch_at <= NOW).order_by(executions.c.watch_at).limit(LIMIT)
)


SETBACKS: Final = Prepared(select(executions.c.setbacks).where(executions.c.id == KEY))


ON_OBJECT: Final = (
    EXECUTION.select()
    .where(
        executions.c.cluster_uid == bindparam("cluster_uid", type_=TEXT),
        executions.c.object_uid == bindparam("object_uid", type_=TEXT),
        executions.c.look_at.is_not(None),
    )
    .order_by(executions.c.id)
)


UNDER_WAY_ON: Final = EXECUTION.prepared(ON_OBJECT)


LAST_ATTEMPT: Final = ATTEMPT.prepared(
    ATTEMPT.select().where(attempts.c.execution == KEY).order_by(attempts.c.number.desc()).limit(1)
)


PLAN_COLUMNS: Final = (plans.c.fingerprint, plans.c.bound, plans.c.evidence)


PLAN: Final = Prepared(select(*PLAN_COLUMNS).where(plans.c.fingerprint == KEY), columns=PLAN_COLUMNS)


PLAN_OF: Final = Prepared(
    select(*PLAN_COLUMNS)
    .join(escalations, escalations.c.fingerprint == plans.c.fingerprint)
    .where(escalations.c.id == KEY),
    columns=PLAN_COLUMNS,
)


IMAGE: Final = Prepared(select(images.c.image).where(images.c.hash == KEY))


TEXTS: Final = Prepared(
    select(untrusted_texts.c.name, untrusted_texts.c.text)
    .where(untrusted_texts.c.subject == KEY, untrusted_texts.c.text.is_not(None))
    .order_by(untrusted_texts.c.sequence)
)


_SAID_COLUMNS: Final = (events.c.body, untrusted_texts.c.name, untrusted_texts.c.text)


SAID: Final = Prepared(
    select(*_SAID_COLUMNS)
    .join(
        untrusted_texts,
        and_(untrusted_texts.c.stream == events.c.stream, untrusted_texts.c.sequence == events.c.sequence),
    )
    .where(untrusted_texts.c.subject == KEY, untrusted_texts.c.text.is_not(None))
    .order_by(events.c.id, untrusted_texts.c.name),
    columns=_SAID_COLUMNS,
)
