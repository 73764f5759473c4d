"""What is asked about tokens, and about what was asked with revoked ones."""

from typing import Any, Final

from sqlalchemy import ColumnElement, Select, literal_column, select

from models.engine.prepared import Prepared
from models.store.mapping import (
    TOKEN,
)
from models.store.queries.executions import STOPPABLE
from models.store.queries.values import KEY, LIMIT, PENDING
from models.store.tables import (
    agent_tokens,
    escalations,
    executions,
)


def _questions_under(token: ColumnElement[str]) -> Select[Any]:
    """Return the question for the pending requests under one token, as a range of one in the order of tokens.

    Only this index gives that order. Asked for as equal, PostgreSQL expects so many that reading the whole table looks like
    the quickest way to the first of them, and as a rule there is none.
    """
    return (
        select(escalations.c.id)
        .where(
            PENDING,
            escalations.c.token_revoked_at.is_(None),
            escalations.c.token >= token,
            escalations.c.token <= token,
        )
        .order_by(escalations.c.token, escalations.c.id)
    )


_A_QUESTION: Final = _questions_under(agent_tokens.c.id).limit(literal_column("1")).scalar_subquery()


REVOKED_WITH_QUESTIONS: Final = Prepared(
    select(agent_tokens.c.id).where(agent_tokens.c.revoked_at.is_not(None), _A_QUESTION.is_not(None))
)


QUESTIONS_UNDER: Final = Prepared(_questions_under(KEY).limit(LIMIT))


_ITS_REVOKED_TOKEN: Final = (
    select(agent_tokens.c.id)
    .join(escalations, escalations.c.token == agent_tokens.c.id)
    .where(
        escalations.c.id == executions.c.escalation,
        escalations.c.state == literal_column("'approved'"),
        escalations.c.token_revoked_at.is_(None),
        agent_tokens.c.revoked_at.is_not(None),
    )
    .scalar_subquery()
)


STOPPABLE_UNDER_REVOKED: Final = Prepared(
    select(executions.c.escalation)
    .where(STOPPABLE, _ITS_REVOKED_TOKEN.is_not(None))
    .order_by(executions.c.id)
    .limit(LIMIT)
)


TOKEN_BY_HASH: Final = TOKEN.prepared(TOKEN.select().where(agent_tokens.c.hash == KEY))


TOKEN_CALLED: Final = TOKEN.prepared(TOKEN.select().where(agent_tokens.c.id == KEY))


TOKENS: Final = TOKEN.prepared(TOKEN.select().order_by(agent_tokens.c.created_at, agent_tokens.c.id))
