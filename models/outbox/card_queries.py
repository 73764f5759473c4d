"""What is asked of and written to the rows of cards. Which index each takes is tested."""

from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, bindparam, case, func, literal_column, or_, select, update

from models.engine.columns import INSTANT, NUMBER, TEXT
from models.engine.prepared import Prepared
from models.engine.statements import insert_unless_taken
from models.store.tables import Precedence, Subject, cards, message_refs

THIS_CARD: Final = (
    cards.c.subject == bindparam("the_subject", type_=TEXT),
    cards.c.channel == bindparam("the_channel", type_=TEXT),
)


_BEHIND: Final[ColumnElement[bool]] = literal_column("shown < wanted")
"""Spelt out as in the indexes, so that either engine sees that they fit; likewise the next two."""


_TO_POST: Final = and_(_BEHIND, literal_column("thread_ts IS NULL"))


_TO_REDRAW: Final = and_(_BEHIND, literal_column("thread_ts IS NOT NULL"))


_QUEUE: Final = (cards.c.precedence, cards.c.channel, cards.c.agent)


_TIME_HAS_COME: Final = and_(
    or_(cards.c.retry_at.is_(None), cards.c.retry_at <= bindparam("now", type_=INSTANT)),
    or_(cards.c.refused_at.is_(None), cards.c.refused_at < cards.c.wanted),
)


_THIS_QUEUE: Final = (
    cards.c.precedence == bindparam("precedence", type_=NUMBER),
    cards.c.channel == bindparam("channel", type_=TEXT),
    cards.c.agent == bindparam("agent", type_=TEXT),
)


COLUMNS: Final = tuple(cards.c)


def _next_queue(waiting: ColumnElement[bool]) -> tuple[Select[Any], ...]:
    """Return the questions for the first queue behind a given one, the first that finds one counts.

    So all queues are found without reading what waits in them. As one comparison of three columns, SQLite reads on from the
    beginning of the precedence: 27 ms at 100,000 cards.
    """
    precedence, channel, agent = _QUEUE
    at_precedence, in_channel, _ = _THIS_QUEUE
    after = (
        (at_precedence, in_channel, agent > bindparam("agent", type_=TEXT)),
        (at_precedence, channel > bindparam("channel", type_=TEXT)),
        (precedence > bindparam("precedence", type_=NUMBER),),
    )
    return tuple(select(*_QUEUE).where(waiting, *one).order_by(*_QUEUE).limit(literal_column("1")) for one in after)


def _first_of(waiting: ColumnElement[bool]) -> Select[Any]:
    """Return the question for what is due in one queue, the nearest deadline first."""
    return (
        select(*COLUMNS)
        .where(waiting, *_THIS_QUEUE, _TIME_HAS_COME)
        .order_by(cards.c.due_at, cards.c.subject)
        .limit(bindparam("limit", type_=NUMBER))
    )


NEXT_TO_POST: Final = _next_queue(_TO_POST)


FIRST_TO_POST: Final = _first_of(_TO_POST)


NEXT_TO_REDRAW: Final = _next_queue(_TO_REDRAW)


FIRST_TO_REDRAW: Final = _first_of(_TO_REDRAW)


LOOKS: Final = tuple(
    (tuple(Prepared(one, columns=_QUEUE) for one in queues), Prepared(first))
    for queues, first in ((NEXT_TO_POST, FIRST_TO_POST), (NEXT_TO_REDRAW, FIRST_TO_REDRAW))
)


BEFORE_ALL: Final = {"precedence": -1, "channel": "", "agent": ""}


REFS: Final = (
    select(message_refs.c.subject, message_refs.c.channel, message_refs.c.ts)
    .where(message_refs.c.subject.in_(bindparam("subjects", expanding=True)), message_refs.c.lost_at.is_(None))
    .order_by(message_refs.c.ts)
)


CHANGE: Final = update(cards).where(*THIS_CARD)


_REVISION: Final = bindparam("revision", type_=NUMBER)


_STANDS: Final = case(
    # What had its outcome while it was drawn may still show its buttons.
    (and_(cards.c.kind == Subject.REQUEST.value, cards.c.closed, cards.c.wanted > _REVISION), Precedence.BUTTONS.value),
    (cards.c.kind == Subject.REQUEST.value, Precedence.REST.value),
    else_=cards.c.precedence,
)
"""What goes before what from the moment on in which a card stands."""


SHOWN: Final = (
    update(cards)
    .where(*THIS_CARD, cards.c.shown < _REVISION)
    .values(shown=_REVISION, failures=0, retry_at=None, refused_at=None, precedence=_STANDS)
)


FIRST_SHOWN: Final = update(cards).where(*THIS_CARD, cards.c.shown_at.is_(None))


FAILED: Final = update(cards).where(*THIS_CARD).values(failures=cards.c.failures + 1)


AGAIN: Final = update(cards).where(*THIS_CARD).values(wanted=cards.c.wanted + 1)


NEW_REF: Final = insert_unless_taken(message_refs)


REF_LOST: Final = update(message_refs).where(
    message_refs.c.channel == bindparam("the_channel", type_=TEXT),
    message_refs.c.ts == bindparam("the_ts", type_=TEXT),
    message_refs.c.lost_at.is_(None),
)


KNOWN: Final = Prepared(
    select(message_refs.c.subject).where(
        message_refs.c.channel == bindparam("the_channel", type_=TEXT),
        message_refs.c.ts == bindparam("the_ts", type_=TEXT),
    )
)


CARD: Final = select(cards).where(*THIS_CARD).with_for_update()


_UNSEEN: Final = and_(
    _TO_POST,
    cards.c.precedence == literal_column(str(Precedence.QUESTION.value)),
    cards.c.shown_at.is_(None),
    cards.c.made_at <= bindparam("before", type_=INSTANT),
    cards.c.due_at > bindparam("now", type_=INSTANT),
)


UNSEEN: Final = (
    select(cards.c.subject, cards.c.channel, cards.c.due_at, cards.c.failures)
    .where(_UNSEEN)
    .order_by(cards.c.due_at)
    .limit(bindparam("limit", type_=NUMBER))
)


COUNT_UNSEEN: Final = select(func.count()).where(_UNSEEN)


BACKLOG: Final = select(
    func.count().label("behind"), func.coalesce(func.sum(case((cards.c.failures > 0, 1), else_=0)), 0).label("failing")
).where(_BEHIND)
