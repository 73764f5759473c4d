"""What is asked about pauses, the epoch and what is in play."""

from typing import Any, Final

from sqlalchemy import ColumnElement, Select, bindparam, func, literal_column, or_, select

from models.engine.columns import NUMBER, TEXT
from models.engine.prepared import Prepared
from models.store.mapping import (
    CONSENT,
    PAUSE,
)
from models.store.queries.values import AGENT, ENVIRONMENT, KEY, LIMIT, NOW, PENDING
from models.store.tables import (
    escalations,
    executions,
    gate,
    pauses,
    policy_versions,
    resume_consents,
    votes,
)

EPOCH: Final = Prepared(select(gate.c.epoch), columns=[gate.c.epoch])


OPEN_PAUSES: Final = PAUSE.prepared(PAUSE.select().where(pauses.c.ended_epoch.is_(None)).order_by(pauses.c.engaged_at))


PAUSES_SINCE: Final = PAUSE.prepared(
    PAUSE.select()
    .where(or_(pauses.c.ended_epoch.is_(None), pauses.c.ended_epoch > bindparam("after", type_=NUMBER)))
    .order_by(pauses.c.engaged_at, pauses.c.id)
)


_SLACK: Final = 64
"""How many epochs back ended pauses are looked at where nobody has answered yet: more than can end while these rows are read. One
that need not have been looked at does no harm."""


PAUSES_ABOUT: Final = PAUSE.prepared(
    PAUSE.select()
    .where(
        or_(
            pauses.c.ended_epoch.is_(None),
            pauses.c.ended_epoch
            > func.coalesce(
                select(func.min(votes.c.epoch))
                .where(votes.c.escalation == KEY, votes.c.voided_at.is_(None))
                .scalar_subquery(),
                select(gate.c.epoch).scalar_subquery() - _SLACK,
            ),
        )
    )
    .order_by(pauses.c.engaged_at, pauses.c.id)
)


RESUMES_DUE: Final = Prepared(
    select(pauses.c.id)
    .where(pauses.c.ended_epoch.is_(None), pauses.c.asked_at.is_(None), pauses.c.ask_at <= NOW)
    .order_by(pauses.c.ask_at)
    .limit(LIMIT)
)


PAUSE_CALLED: Final = PAUSE.prepared(PAUSE.select().where(pauses.c.id == KEY))


CONSENTS: Final = CONSENT.prepared(
    CONSENT.select().where(resume_consents.c.pause == KEY).order_by(resume_consents.c.at)
)


POLICY_TEXT: Final = Prepared(select(policy_versions.c.text).where(policy_versions.c.version == KEY))


_UNDER_WAY: Final = executions.c.look_at.is_not(None)


def _in_play(waiting: tuple[ColumnElement[bool], ...], under_way: tuple[ColumnElement[bool], ...]) -> Select[Any]:
    """Return the question for one request that waits and one execution that is not over, null where there is none."""
    return select(
        select(escalations.c.id).where(PENDING, *waiting).limit(_ONE).scalar_subquery(),
        select(executions.c.id).where(_UNDER_WAY, *under_way).limit(_ONE).scalar_subquery(),
    )


NAMESPACE: Final = bindparam("namespace", type_=TEXT)


_ONE: Final[ColumnElement[int]] = literal_column("1")


AGENT_IN_PLAY: Final = Prepared(_in_play((escalations.c.agent == AGENT,), (executions.c.agent == AGENT,)))


PLACE_IN_PLAY: Final = Prepared(
    _in_play(
        (escalations.c.environment == ENVIRONMENT, escalations.c.namespace == NAMESPACE),
        (executions.c.environment == ENVIRONMENT, executions.c.namespace == NAMESPACE),
    )
)


ANYTHING_IN_PLAY: Final = Prepared(_in_play((), ()))


WAITING: Final = Prepared(
    select(
        select(func.count()).where(PENDING).scalar_subquery(),
        select(func.count()).where(_UNDER_WAY).scalar_subquery(),
        select(func.count()).where(_UNDER_WAY, executions.c.state == literal_column("'unknown'")).scalar_subquery(),
    )
)
