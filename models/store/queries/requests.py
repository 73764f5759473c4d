"""What is asked about requests and their votes."""

from typing import Final

from sqlalchemy import and_, bindparam, func, literal_column, or_, select, union_all

from models.engine.columns import NUMBER, TEXT
from models.engine.prepared import Prepared
from models.store.mapping import (
    REQUEST,
    VOTE,
)
from models.store.queries.values import AGENT, KEY, LIMIT, NOW, PENDING, SINCE
from models.store.tables import (
    Precedence,
    cards,
    escalations,
    executions,
    idempotency_keys,
    votes,
)

REQUEST_CALLED: Final = REQUEST.prepared(REQUEST.select().where(escalations.c.id == KEY))


_KEY_USE: Final = and_(idempotency_keys.c.agent == AGENT, idempotency_keys.c.key == KEY)


_BODY_UNDER_KEY: Final = func.coalesce(
    select(idempotency_keys.c.body_hash).where(_KEY_USE).scalar_subquery(), escalations.c.body_hash
).label("body_under_key")


_OLDER: Final = escalations.alias("older")


REQUEST_BY_KEY: Final = Prepared(
    REQUEST.select()
    .add_columns(_BODY_UNDER_KEY)
    .where(
        escalations.c.id
        == func.coalesce(
            select(idempotency_keys.c.escalation).where(_KEY_USE).scalar_subquery(),
            # What was asked before keys had a table of their own.
            select(_OLDER.c.id).where(_OLDER.c.agent == AGENT, _OLDER.c.idempotency_key == KEY).scalar_subquery(),
        )
    ),
    columns=[*REQUEST.columns, escalations.c.body_hash],
)


QUESTION_ASKED: Final = REQUEST.prepared(REQUEST.select().where(PENDING, escalations.c.question_key == KEY))


MOST_EARLIER: Final = 20
"""How many earlier requests of one effect are looked at: more than a card or an answer names."""


SAME_EFFECT: Final = REQUEST.prepared(
    REQUEST.select()
    .where(escalations.c.effect_key == KEY, or_(escalations.c.asked_at > SINCE, escalations.c.decided_at > SINCE))
    .order_by(escalations.c.asked_at.desc())
    .limit(MOST_EARLIER)
)


_PAGE: Final = (
    REQUEST.select()
    .where(escalations.c.agent == AGENT, escalations.c.id < bindparam("cursor", type_=TEXT))
    .order_by(escalations.c.id.desc())
    .limit(LIMIT)
)


REQUESTS_OF: Final = REQUEST.prepared(_PAGE)


MOST_PASSED: Final = 5_000
"""How many of an agent's requests one page looks past that lie outside of where it is narrowed to: some milliseconds (I13)."""


PLACES_OF: Final = select(escalations.c.id, escalations.c.environment, escalations.c.namespace).order_by(
    escalations.c.id.desc()
)


REQUESTS_CALLED: Final = (
    REQUEST.select().where(escalations.c.id.in_(bindparam("ids", expanding=True))).order_by(escalations.c.id.desc())
)


REQUESTS_OF_IN: Final = REQUEST.prepared(_PAGE.where(escalations.c.state == bindparam("state", type_=TEXT)))


PENDING_COUNT: Final = Prepared(select(func.count()).where(escalations.c.agent == AGENT, PENDING))


# Without ORDER BY PostgreSQL turned to a plan over the whole table after five runs: 75 ms at a million rows.
OVERDUE: Final = Prepared(
    select(escalations.c.id).where(PENDING, escalations.c.deadline <= NOW).order_by(escalations.c.deadline).limit(LIMIT)
)


_OTHERWISE: Final = escalations.c.form != bindparam("form", type_=NUMBER)


ASKED_OTHERWISE: Final = Prepared(
    union_all(
        select(escalations.c.id).where(PENDING, _OTHERWISE),
        select(escalations.c.id)
        .join(executions, executions.c.escalation == escalations.c.id)
        .where(
            executions.c.look_at.is_not(None),
            literal_column("executions.state IN ('queued', 'claimed', 'armed')"),
            escalations.c.state == literal_column("'approved'"),
            _OTHERWISE,
        ),
    ).limit(LIMIT),
    columns=[escalations.c.id],
)


SHOWN_AT: Final = Prepared(select(func.min(cards.c.shown_at)).where(cards.c.subject == KEY), columns=[cards.c.shown_at])


PERHAPS_SHOWN: Final = select(cards.c.subject).where(
    cards.c.subject.in_(bindparam("keys", expanding=True)),
    or_(cards.c.shown_at.is_not(None), cards.c.posting_at.is_not(None)),
)


HELD_BACK: Final = Prepared(
    select(func.count(), func.min(cards.c.made_at)).where(
        literal_column("shown < wanted AND thread_ts IS NULL"),
        cards.c.precedence == literal_column(str(Precedence.INFORMATION.value)),
        cards.c.channel == bindparam("channel", type_=TEXT),
        cards.c.subject != KEY,
    ),
    columns=[cards.c.wanted, cards.c.made_at],
)


VOTES: Final = VOTE.prepared(
    VOTE.select().where(votes.c.escalation == KEY, votes.c.voided_at.is_(None)).order_by(votes.c.at, votes.c.id)
)
