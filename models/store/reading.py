"""Reading: what can be asked of the store. Every method is one statement, prepared once, over an index that fits it."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, Final, assert_never, cast

from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, func, literal_column, or_, select, union_all
from typing_extensions import override

from approvals.audit.events import facts_of_body
from approvals.change.plan import JsonObject
from approvals.errors import Garbled
from approvals.identity.names import Channel
from approvals.identity.tokens import Token
from approvals.ports.reading import Reading
from approvals.ports.rows import AskerState, EffectAsked, EventText, HeldBack, Page, Question, StoredPlan
from approvals.workflow.alert import Alert, AlertGroup
from approvals.workflow.execution import Attempt, Execution
from approvals.workflow.monitor import RefusedDeliveries
from approvals.workflow.pause import Consent, Pause, Scope, ScopeKind
from approvals.workflow.request import FORM, Request
from approvals.workflow.votes import Vote
from models.engine.columns import INSTANT, NUMBER, TEXT
from models.engine.prepared import Asked, Prepared, QueryResult, together
from models.store.clock import StoreClock
from models.store.mapping import (
    ALERT,
    ALERT_GROUP,
    ATTEMPT,
    CONSENT,
    EXECUTION,
    PAUSE,
    REFUSED_DELIVERIES,
    REQUEST,
    TOKEN,
    VOTE,
    N,
    RowShape,
    evidence_of,
    garbled,
)
from models.store.tables import (
    Precedence,
    agent_tokens,
    alert_groups,
    alerts,
    attempts,
    cards,
    escalations,
    events,
    executions,
    gate,
    idempotency_keys,
    images,
    pauses,
    plans,
    policy_versions,
    refused_deliveries,
    resume_consents,
    untrusted_texts,
    votes,
)

PENDING: Final = escalations.c.state == literal_column("'pending'")
"""Spelt out, never a parameter: only so does either engine see that the partial index fits."""

STOPPABLE: Final = executions.c.state.in_([literal_column("'queued'"), literal_column("'claimed'")])
"""Likewise; as one piece of text SQLite is given ``... = 1``, and does not see it."""

_NOW: Final = bindparam("now", type_=INSTANT)
_LIMIT: Final = bindparam("limit", type_=NUMBER)

_KEY: Final = bindparam("key", type_=TEXT)
_AGENT: Final = bindparam("agent", type_=TEXT)
_SINCE: Final = bindparam("since", type_=INSTANT)

EPOCH: Final = Prepared(select(gate.c.epoch), columns=[gate.c.epoch])
OPEN_PAUSES: Final = PAUSE.prepared(PAUSE.select().where(pauses.c.ended_epoch.is_(None)).order_by(pauses.c.engaged_at))
_PAUSES_SINCE: Final = PAUSE.prepared(
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
                .where(votes.c.escalation == _KEY, votes.c.voided_at.is_(None))
                .scalar_subquery(),
                select(gate.c.epoch).scalar_subquery() - _SLACK,
            ),
        )
    )
    .order_by(pauses.c.engaged_at, pauses.c.id)
)
_RESUMES_DUE: Final = Prepared(
    select(pauses.c.id)
    .where(pauses.c.ended_epoch.is_(None), pauses.c.asked_at.is_(None), pauses.c.ask_at <= _NOW)
    .order_by(pauses.c.ask_at)
    .limit(_LIMIT)
)
_PAUSE: Final = PAUSE.prepared(PAUSE.select().where(pauses.c.id == _KEY))
_CONSENTS: Final = CONSENT.prepared(
    CONSENT.select().where(resume_consents.c.pause == _KEY).order_by(resume_consents.c.at)
)
_REQUEST: Final = REQUEST.prepared(REQUEST.select().where(escalations.c.id == _KEY))
_KEY_USE: Final = and_(idempotency_keys.c.agent == _AGENT, idempotency_keys.c.key == _KEY)
_BODY_UNDER_KEY: Final = func.coalesce(
    select(idempotency_keys.c.body_hash).where(_KEY_USE).scalar_subquery(), escalations.c.body_hash
).label("body_under_key")
_OLDER: Final = escalations.alias("older")
REQUEST_BY_KEY: Final = (
    REQUEST.select()
    .add_columns(_BODY_UNDER_KEY)
    .where(
        escalations.c.id
        == func.coalesce(
            select(idempotency_keys.c.escalation).where(_KEY_USE).scalar_subquery(),
            # What was asked before keys had a table of their own.
            select(_OLDER.c.id).where(_OLDER.c.agent == _AGENT, _OLDER.c.idempotency_key == _KEY).scalar_subquery(),
        )
    )
)
_REQUEST_BY_KEY: Final = Prepared(REQUEST_BY_KEY, columns=[*REQUEST.columns, escalations.c.body_hash])
QUESTION_ASKED: Final = REQUEST.select().where(PENDING, escalations.c.question_key == _KEY)
_QUESTION_ASKED: Final = REQUEST.prepared(QUESTION_ASKED)
MOST_EARLIER: Final = 20
"""How many earlier requests of one effect are looked at: more than a card or an answer names."""
SAME_EFFECT: Final = (
    REQUEST.select()
    .where(escalations.c.effect_key == _KEY, or_(escalations.c.asked_at > _SINCE, escalations.c.decided_at > _SINCE))
    .order_by(escalations.c.asked_at.desc())
    .limit(MOST_EARLIER)
)
_SAME_EFFECT: Final = REQUEST.prepared(SAME_EFFECT)
_PAGE: Final = (
    REQUEST.select()
    .where(escalations.c.agent == _AGENT, escalations.c.id < bindparam("cursor", type_=TEXT))
    .order_by(escalations.c.id.desc())
    .limit(_LIMIT)
)
_REQUESTS_OF: Final = REQUEST.prepared(_PAGE)
MOST_PASSED: Final = 5_000
"""How many of an agent's requests one page looks past that lie outside of where it is narrowed to: some milliseconds (I13)."""

_PLACES_OF: Final = select(escalations.c.id, escalations.c.environment, escalations.c.namespace).order_by(
    escalations.c.id.desc()
)
_REQUESTS_CALLED: Final = (
    REQUEST.select().where(escalations.c.id.in_(bindparam("ids", expanding=True))).order_by(escalations.c.id.desc())
)
_REQUESTS_OF_IN: Final = REQUEST.prepared(_PAGE.where(escalations.c.state == bindparam("state", type_=TEXT)))
_PENDING_COUNT: Final = Prepared(select(func.count()).where(escalations.c.agent == _AGENT, PENDING))
# Without ORDER BY PostgreSQL turned to a plan over the whole table after five runs: 75 ms at a million rows.
OVERDUE: Final = (
    select(escalations.c.id)
    .where(PENDING, escalations.c.deadline <= _NOW)
    .order_by(escalations.c.deadline)
    .limit(_LIMIT)
)
_OVERDUE: Final = Prepared(OVERDUE)
_OTHERWISE: Final = escalations.c.form != bindparam("form", type_=NUMBER)
ASKED_OTHERWISE: Final = union_all(
    select(escalations.c.id).where(PENDING, _OTHERWISE),
    select(escalations.c.id)
    .join(executions, executions.c.escalation == escalations.c.id)
    .where(
        executions.c.look_at.is_not(None),
        literal_column("executions.state IN ('queued', 'claimed', 'armed')"),
        escalations.c.state == literal_column("'approved'"),
        _OTHERWISE,
    ),
).limit(_LIMIT)
_ASKED_OTHERWISE: Final = Prepared(ASKED_OTHERWISE, columns=[escalations.c.id])


_SHOWN_AT: Final = Prepared(
    select(func.min(cards.c.shown_at)).where(cards.c.subject == _KEY), columns=[cards.c.shown_at]
)
_PERHAPS_SHOWN: Final = select(cards.c.subject).where(
    cards.c.subject.in_(bindparam("keys", expanding=True)),
    or_(cards.c.shown_at.is_not(None), cards.c.posting_at.is_not(None)),
)
HELD_BACK: Final = select(func.count(), func.min(cards.c.made_at)).where(
    literal_column("shown < wanted AND thread_ts IS NULL"),
    cards.c.precedence == literal_column(str(Precedence.INFORMATION.value)),
    cards.c.channel == bindparam("channel", type_=TEXT),
    cards.c.subject != _KEY,
)
_HELD_BACK: Final = Prepared(HELD_BACK, columns=[cards.c.wanted, cards.c.made_at])


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
REVOKED_WITH_QUESTIONS: Final = select(agent_tokens.c.id).where(
    agent_tokens.c.revoked_at.is_not(None), _A_QUESTION.is_not(None)
)
_REVOKED_WITH_QUESTIONS: Final = Prepared(REVOKED_WITH_QUESTIONS)
QUESTIONS_UNDER: Final = _questions_under(_KEY).limit(_LIMIT)
_QUESTIONS_UNDER: Final = Prepared(QUESTIONS_UNDER)
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
STOPPABLE_UNDER_REVOKED: Final = (
    select(executions.c.escalation)
    .where(STOPPABLE, _ITS_REVOKED_TOKEN.is_not(None))
    .order_by(executions.c.id)
    .limit(_LIMIT)
)
_STOPPABLE_UNDER_REVOKED: Final = Prepared(STOPPABLE_UNDER_REVOKED)
VOTES: Final = VOTE.prepared(
    VOTE.select().where(votes.c.escalation == _KEY, votes.c.voided_at.is_(None)).order_by(votes.c.at, votes.c.id)
)
_EXECUTION_OF: Final = EXECUTION.prepared(EXECUTION.select().where(executions.c.escalation == _KEY))
_EXECUTION: Final = EXECUTION.prepared(EXECUTION.select().where(executions.c.id == _KEY))
_DUE: Final = (
    select(executions.c.id)
    .where(executions.c.look_at <= _NOW, or_(executions.c.lease_until.is_(None), executions.c.lease_until <= _NOW))
    .order_by(executions.c.look_at)
    .limit(_LIMIT)
)
DUE_EXECUTIONS: Final = _DUE.where(executions.c.setbacks == literal_column("0"))
DUE_AGAIN: Final = _DUE.where(executions.c.setbacks > literal_column("0"))
WATCHES_DUE: Final = (
    select(executions.c.id).where(executions.c.watch_at <= _NOW).order_by(executions.c.watch_at).limit(_LIMIT)
)
_WATCHES_DUE: Final = Prepared(WATCHES_DUE)
_DUE_EXECUTIONS: Final = Prepared(DUE_EXECUTIONS)
_DUE_AGAIN: Final = Prepared(DUE_AGAIN)
_SETBACKS: Final = Prepared(select(executions.c.setbacks).where(executions.c.id == _KEY))
UNDER_WAY_ON: Final = (
    EXECUTION.select()
    .where(
        executions.c.cluster_uid == bindparam("cluster_uid", type_=TEXT),
        executions.c.object_uid == bindparam("object_uid", type_=TEXT),
        executions.c.look_at.is_not(None),
    )
    .order_by(executions.c.id)
)
_UNDER_WAY_ON: Final = EXECUTION.prepared(UNDER_WAY_ON)
_LAST_ATTEMPT: Final = ATTEMPT.prepared(
    ATTEMPT.select().where(attempts.c.execution == _KEY).order_by(attempts.c.number.desc()).limit(1)
)
_PLAN_COLUMNS: Final = (plans.c.fingerprint, plans.c.bound, plans.c.evidence)
_PLAN: Final = Prepared(select(*_PLAN_COLUMNS).where(plans.c.fingerprint == _KEY), columns=_PLAN_COLUMNS)
_PLAN_OF: Final = Prepared(
    select(*_PLAN_COLUMNS)
    .join(escalations, escalations.c.fingerprint == plans.c.fingerprint)
    .where(escalations.c.id == _KEY),
    columns=_PLAN_COLUMNS,
)
_IMAGE: Final = Prepared(select(images.c.image).where(images.c.hash == _KEY))
_TEXTS: Final = Prepared(
    select(untrusted_texts.c.name, untrusted_texts.c.text)
    .where(untrusted_texts.c.subject == _KEY, untrusted_texts.c.text.is_not(None))
    .order_by(untrusted_texts.c.sequence)
)
_SAID_COLUMNS: Final = (events.c.body, untrusted_texts.c.name, untrusted_texts.c.text)
_SAID: Final = Prepared(
    select(*_SAID_COLUMNS)
    .join(
        untrusted_texts,
        and_(untrusted_texts.c.stream == events.c.stream, untrusted_texts.c.sequence == events.c.sequence),
    )
    .where(untrusted_texts.c.subject == _KEY, untrusted_texts.c.text.is_not(None))
    .order_by(events.c.id, untrusted_texts.c.name),
    columns=_SAID_COLUMNS,
)
_TOKEN_BY_HASH: Final = TOKEN.prepared(TOKEN.select().where(agent_tokens.c.hash == _KEY))
_TOKEN: Final = TOKEN.prepared(TOKEN.select().where(agent_tokens.c.id == _KEY))
_TOKENS: Final = TOKEN.prepared(TOKEN.select().order_by(agent_tokens.c.created_at, agent_tokens.c.id))
_IN_A_GROUP: Final[ColumnElement[bool]] = literal_column("alert_group IS NOT NULL")
"""Spelt out as in the index: a double of before groups is on no card and is never the last time that it burnt."""
_ENVIRONMENT: Final = bindparam("environment", type_=TEXT)
LAST_ALERT: Final = (
    ALERT.select()
    .where(alerts.c.environment == _ENVIRONMENT, alerts.c.fingerprint == _KEY, _IN_A_GROUP)
    .order_by(alerts.c.starts_at.desc())
    .limit(1)
)
_LAST_ALERT: Final = ALERT.prepared(LAST_ALERT)
OPEN_GROUP: Final = ALERT_GROUP.select().where(
    alert_groups.c.environment == _ENVIRONMENT, alert_groups.c.key == _KEY, literal_column("state = 'firing'")
)
_OPEN_GROUP: Final = ALERT_GROUP.prepared(OPEN_GROUP)
_GROUP: Final = ALERT_GROUP.prepared(ALERT_GROUP.select().where(alert_groups.c.id == _KEY))
ALERTS_IN: Final = (
    ALERT.select()
    .where(alerts.c.alert_group == _KEY)
    .order_by(alerts.c.state, alerts.c.starts_at.desc(), alerts.c.id)
    .limit(_LIMIT)
)
_ALERTS_IN: Final = ALERT.prepared(ALERTS_IN)
LAST_REFUSED: Final = (
    REFUSED_DELIVERIES.select()
    .where(
        refused_deliveries.c.environment == _ENVIRONMENT,
        refused_deliveries.c.monitor == bindparam("monitor", type_=TEXT),
        refused_deliveries.c.channel == bindparam("channel", type_=TEXT),
    )
    .order_by(refused_deliveries.c.since.desc())
    .limit(1)
)
_LAST_REFUSED: Final = REFUSED_DELIVERIES.prepared(LAST_REFUSED)
_REFUSED_CALLED: Final = REFUSED_DELIVERIES.prepared(REFUSED_DELIVERIES.select().where(refused_deliveries.c.id == _KEY))
_REFUSED_LATELY: Final = REFUSED_DELIVERIES.prepared(
    REFUSED_DELIVERIES.select()
    .where(refused_deliveries.c.last_at > _SINCE)
    .order_by(refused_deliveries.c.last_at.desc())
    .limit(_LIMIT)
)
_POLICY_TEXT: Final = Prepared(select(policy_versions.c.text).where(policy_versions.c.version == _KEY))

_UNDER_WAY: Final = executions.c.look_at.is_not(None)


def _in_play(waiting: tuple[ColumnElement[bool], ...], under_way: tuple[ColumnElement[bool], ...]) -> Select[Any]:
    """Return the question for one request that waits and one execution that is not over, null where there is none."""
    return select(
        select(escalations.c.id).where(PENDING, *waiting).limit(_ONE).scalar_subquery(),
        select(executions.c.id).where(_UNDER_WAY, *under_way).limit(_ONE).scalar_subquery(),
    )


_NAMESPACE: Final = bindparam("namespace", type_=TEXT)
_ONE: Final[ColumnElement[int]] = literal_column("1")
AGENT_IN_PLAY: Final = _in_play((escalations.c.agent == _AGENT,), (executions.c.agent == _AGENT,))
PLACE_IN_PLAY: Final = _in_play(
    (escalations.c.environment == _ENVIRONMENT, escalations.c.namespace == _NAMESPACE),
    (executions.c.environment == _ENVIRONMENT, executions.c.namespace == _NAMESPACE),
)
_ANYTHING_IN_PLAY: Final = Prepared(_in_play((), ()))
_AGENT_IN_PLAY: Final = Prepared(AGENT_IN_PLAY)
_PLACE_IN_PLAY: Final = Prepared(PLACE_IN_PLAY)
_WAITING: Final = Prepared(
    select(
        select(func.count()).where(PENDING).scalar_subquery(),
        select(func.count()).where(_UNDER_WAY).scalar_subquery(),
        select(func.count()).where(_UNDER_WAY, executions.c.state == literal_column("'unknown'")).scalar_subquery(),
    )
)

_AFTER_ALL: Final = "~"
"""Sorts after every id: where a listing begins that has no cursor."""


class SqlReading(Reading):
    """What can be asked within one transaction; implements :class:`approvals.ports.reading.Reading`."""

    def __init__(self, connection: Connection, clock: StoreClock) -> None:
        """Ask over *connection*, which is in a transaction."""
        self._connection = connection
        self.clock = clock
        self._now: datetime | None = None

    @property
    def connection(self) -> Connection:
        """Where it is asked."""
        return self._connection

    @property
    @override
    def now(self) -> datetime:
        """The store's instant: the same for the whole unit, taken when first asked for."""
        if self._now is None:
            self._now = self.clock.now(self.connection)
        return self._now

    @override
    def epoch(self) -> int:
        """Return the pause epoch."""
        (answer,) = self._along((EPOCH, {}))
        ((epoch,),) = answer.rows
        return int(epoch)

    @override
    def pauses(self, *, ended_after: int | None = None) -> tuple[Pause, ...]:
        """Return the open pauses and, if asked, those that ended in an epoch above *ended_after*."""
        if ended_after is None:
            (answer,) = self._along((OPEN_PAUSES, {}))
            return tuple(PAUSE.noun_of(row) for row in answer.rows)
        return self._all(PAUSE, _PAUSES_SINCE, after=ended_after)

    @override
    def pause(self, pause_id: str) -> Pause | None:
        """Return one pause, open or not."""
        return self._one(PAUSE, _PAUSE, key=pause_id)

    @override
    def consents(self, pause_id: str) -> tuple[Consent, ...]:
        """Return the agreements to end one pause so far."""
        return self._all(CONSENT, _CONSENTS, key=pause_id)

    @override
    def request(self, request_id: str) -> Request | None:
        """Return one request."""
        return self._one(REQUEST, _REQUEST, key=request_id)

    @override
    def question(self, request_id: str) -> Question | None:
        """Return one request with its votes and its plan, in one trip."""
        key = {"key": request_id}
        found, live, planned = self._along((_REQUEST, key), (VOTES, key), (_PLAN_OF, key))
        for row in found.rows:
            return Question(
                now=self.now,
                request=REQUEST.noun_of(row),
                votes=tuple(VOTE.noun_of(vote) for vote in live.rows),
                plan=next((_stored_plan(one) for one in planned.rows), None),
            )
        return None

    @override
    def requests_of(
        self,
        agent: str,
        *,
        state: str | None,
        limit: int,
        cursor: str | None,
        environments: frozenset[str] = frozenset(),
        namespaces: frozenset[str] = frozenset(),
    ) -> Page:
        """Return an agent's requests, newest first, at most *limit* of them; their ids sort by time.

        Rows that cannot be read are left out. Narrowed to some places, it looks past so many others and no more. So the page may
        be short, and its cursor goes on.
        """
        if environments or namespaces:
            asked_in = _PLACES_OF.where(escalations.c.agent == agent, escalations.c.id < (cursor or _AFTER_ALL))
            if state is not None:
                asked_in = asked_in.where(escalations.c.state == state)
            ids, end = self._ids_in(asked_in, limit + 1, environments, namespaces)
            called = self.connection.execute(_REQUESTS_CALLED, {"ids": ids[:limit]})
            return Page(
                requests=_readable(REQUEST, (tuple(row) for row in called)),
                next_cursor=ids[limit - 1] if len(ids) > limit else end,
            )
        asked = {"agent": agent, "cursor": cursor or _AFTER_ALL, "limit": limit + 1}
        statement, more = (_REQUESTS_OF, {}) if state is None else (_REQUESTS_OF_IN, {"state": state})
        rows = statement.rows(self.connection, asked | more)
        found = _readable(REQUEST, rows[:limit])
        return Page(requests=found, next_cursor=str(rows[limit - 1][0]) if len(rows) > limit else None)

    def _ids_in(
        self, asked: Select[Any], limit: int, environments: frozenset[str], namespaces: frozenset[str]
    ) -> tuple[list[str], str | None]:
        """Return the first *limit* ids of *asked* in some places; and where to go on, where one look does not see them all."""
        seen = asked.limit(MOST_PASSED).subquery()
        places = [
            column.in_(sorted(names))
            for column, names in ((seen.c.environment, environments), (seen.c.namespace, namespaces))
            if names
        ]
        inside = select(seen.c.id).where(*places).order_by(seen.c.id.desc()).limit(limit)
        count, last = self.connection.execute(select(func.count(), func.min(seen.c.id))).one()
        ids = list(self.connection.scalars(inside))
        further = asked.where(escalations.c.id < last).limit(1) if count == MOST_PASSED else None
        after = None if further is None else self.connection.scalar(further)
        return ids, None if after is None else _between(str(last), str(after))

    @override
    def standing(self, agent: str, key: str | None) -> AskerState:
        """Return how *agent* stands just before it asks under an idempotency key: in one trip."""
        asker = {"agent": agent}
        earlier, pending, paused = self._along(
            (_REQUEST_BY_KEY, asker | {"key": key}), (_PENDING_COUNT, asker), (OPEN_PAUSES, {})
        )
        ((count,),) = pending.rows
        found = next(((REQUEST.noun_of(row[:-1]), str(row[-1])) for row in earlier.rows), None)
        return AskerState(
            now=self.now,
            asked=None if found is None else found[0],
            body_hash=None if found is None else found[1],
            pending=int(count),
            pauses=tuple(PAUSE.noun_of(row) for row in paused.rows),
        )

    @override
    def effect_asked(self, effect_key: str, question_key: str, *, since: datetime) -> EffectAsked:
        """Return what was asked for one effect, in one trip: the pending question, and what :meth:`same_effect` gives."""
        waiting, lately = self._along(
            (_QUESTION_ASKED, {"key": question_key}), (_SAME_EFFECT, {"key": effect_key, "since": since})
        )
        return EffectAsked(
            question=next((REQUEST.noun_of(row) for row in waiting.rows), None),
            lately=_readable(REQUEST, lately.rows),
        )

    @override
    def same_effect(self, effect_key: str, *, since: datetime) -> tuple[Request, ...]:
        """Return the latest requests of one effect that were asked or decided after *since*, newest first, 20 at most.

        Those that cannot be read are left out.
        """
        return self._readable(REQUEST, _SAME_EFFECT, key=effect_key, since=since)

    @override
    def overdue(self, *, limit: int) -> tuple[str, ...]:
        """Return the ids of pending requests whose deadline is not after :attr:`now`, most overdue first."""
        return tuple(one for (one,) in _OVERDUE.rows(self.connection, {"now": self.now, "limit": limit}))

    @override
    def asked_otherwise(self, *, limit: int) -> tuple[str, ...]:
        """Return the ids of requests that were asked in another form than this release's and of which nothing was sent."""
        found = _ASKED_OTHERWISE.rows(self.connection, {"form": FORM, "limit": limit})
        return tuple(one for (one,) in found)

    @override
    def is_in_play(self, scope: Scope) -> bool:
        """Tell whether something in *scope* waits for an answer, or was approved and is not over: by index, decoding nothing."""
        environment, _, namespace = scope.name.partition("/")
        match scope.kind:
            case ScopeKind.ALL:
                found = _ANYTHING_IN_PLAY.rows(self.connection)
            case ScopeKind.AGENT:
                found = _AGENT_IN_PLAY.rows(self.connection, {"agent": scope.name})
            case ScopeKind.NAMESPACE:
                found = _PLACE_IN_PLAY.rows(self.connection, {"environment": environment, "namespace": namespace})
            case _:
                assert_never(scope.kind)
        ((waiting, under_way),) = found
        return waiting is not None or under_way is not None

    @override
    def resumes_due(self, *, limit: int) -> tuple[str, ...]:
        """Return the ids of open pauses whose duration is over and whose resume was not asked for, longest due first."""
        return tuple(one for (one,) in _RESUMES_DUE.rows(self.connection, {"now": self.now, "limit": limit}))

    @override
    def asked_with_revoked_tokens(self, *, limit: int) -> tuple[str, ...]:
        """Return the ids of open requests whose token is revoked and that do not say so yet, at most *limit* of them.

        Approved ones, which may start any moment, come first. Where no token is revoked or all is said, it is two looks.
        """
        found = [one for (one,) in _STOPPABLE_UNDER_REVOKED.rows(self.connection, {"limit": limit})]
        for (token,) in _REVOKED_WITH_QUESTIONS.rows(self.connection):
            left = {"key": token, "limit": limit - len(found)}
            found += [one for (one,) in _QUESTIONS_UNDER.rows(self.connection, left)]
        return tuple(found)

    @override
    def votes(self, request_id: str) -> tuple[Vote, ...]:
        """Return the live votes on one request, oldest first."""
        (answer,) = self._along((VOTES, {"key": request_id}))
        return tuple(VOTE.noun_of(row) for row in answer.rows)

    @override
    def execution_of(self, request_id: str) -> Execution | None:
        """Return the execution of one request, if it was approved."""
        return self._one(EXECUTION, _EXECUTION_OF, key=request_id)

    @override
    def execution(self, execution_id: str) -> Execution | None:
        """Return one execution."""
        return self._one(EXECUTION, _EXECUTION, key=execution_id)

    @override
    def due_executions(self, *, limit: int) -> tuple[str, ...]:
        """Return the ids of executions a worker should look at now: due, and not leased to another.

        First those whose last look could be finished, then the others, then what has ended and is watched on, each the longest
        due first.
        """
        first = _DUE_EXECUTIONS.rows(self.connection, {"now": self.now, "limit": limit})
        again = _DUE_AGAIN.rows(self.connection, {"now": self.now, "limit": limit - len(first)})
        late = _WATCHES_DUE.rows(self.connection, {"now": self.now, "limit": limit - len(first) - len(again)})
        return tuple(one for (one,) in (*first, *again, *late))

    @override
    def setbacks(self, execution_id: str) -> int:
        """Return how many looks in a row at one execution could not be finished; zero where there is none."""
        return next((int(count) for (count,) in _SETBACKS.rows(self.connection, {"key": execution_id})), 0)

    @override
    def under_way_on(self, cluster_uid: str, object_uid: str) -> tuple[Execution, ...]:
        """Return what is not over on one target, oldest first."""
        return self._all(EXECUTION, _UNDER_WAY_ON, cluster_uid=cluster_uid, object_uid=object_uid)

    @override
    def last_attempt(self, execution_id: str) -> Attempt | None:
        """Return the newest start record of one execution."""
        return self._one(ATTEMPT, _LAST_ATTEMPT, key=execution_id)

    @override
    def plan(self, fingerprint: str) -> StoredPlan | None:
        """Return one stored plan: the bytes as they lie there; whether they still hash to it is the caller's to check."""
        return next((_stored_plan(row) for row in _PLAN.rows(self.connection, {"key": fingerprint})), None)

    @override
    def image(self, hashed: str) -> bytes | None:
        """Return one stored image, as it lies there: whether it still hashes to *hashed* is the caller's to check."""
        return next((bytes(image) for (image,) in _IMAGE.rows(self.connection, {"key": hashed})), None)

    @override
    def texts(self, subject: str) -> Mapping[str, str]:
        """Return the free texts that stand beside a subject's events, by name, the newest of each; erased ones are left out."""
        return dict(_TEXTS.rows(self.connection, {"key": subject}))

    @override
    def said(self, subject: str) -> tuple[EventText, ...]:
        """Return all of them, oldest first, each with who said it on which occasion."""
        return tuple(_said(*row) for row in _SAID.rows(self.connection, {"key": subject}))

    @override
    def shown_at(self, request_id: str) -> datetime | None:
        """Return when a card of one request first stood in its channel, as far as is known; None where none did."""
        ((shown,),) = _SHOWN_AT.rows(self.connection, {"key": request_id})
        return cast("datetime | None", shown)

    @override
    def perhaps_shown(self, request_ids: Sequence[str]) -> frozenset[str]:
        """Return those among *request_ids* of which a card stood in its channel, or may have: a post's reply was lost."""
        found = self.connection.execute(_PERHAPS_SHOWN, {"keys": list(request_ids)})
        return frozenset(str(subject) for (subject,) in found)

    @override
    def held_back(self, channel: Channel, *, besides: str) -> HeldBack | None:
        """Return what only informs and waits to be posted in *channel*, *besides* one subject; None where nothing does."""
        ((count, since),) = _HELD_BACK.rows(self.connection, {"channel": channel, "key": besides})
        return HeldBack(count=int(count), since=since) if count else None

    @override
    def token_by_hash(self, hashed: str) -> Token | None:
        """Return the token with that hash."""
        (answer,) = self._along((_TOKEN_BY_HASH, {"key": hashed}))
        return next((TOKEN.noun_of(row) for row in answer.rows), None)

    @override
    def token(self, token_id: str) -> Token | None:
        """Return one token, good or not."""
        return self._one(TOKEN, _TOKEN, key=token_id)

    @override
    def tokens(self) -> tuple[Token, ...]:
        """Return all tokens, oldest first."""
        return self._all(TOKEN, _TOKENS)

    @override
    def last_alert(self, environment: str, fingerprint: str) -> Alert | None:
        """Return the last time that an alert burnt, told apart by what its sender keeps."""
        return self._one(ALERT, _LAST_ALERT, environment=environment, key=fingerprint)

    @override
    def open_alert_group(self, environment: str, key: str) -> AlertGroup | None:
        """Return the group of alerts with that key that has not resolved."""
        return self._one(ALERT_GROUP, _OPEN_GROUP, environment=environment, key=key)

    @override
    def alert_group(self, group_id: str) -> AlertGroup | None:
        """Return one group of alerts by its id."""
        return self._one(ALERT_GROUP, _GROUP, key=group_id)

    @override
    def alerts_in(self, group_id: str, *, limit: int) -> tuple[Alert, ...]:
        """Return alerts of one group, at most *limit*: those that burn first, the latest start first.

        Those that cannot be read are left out.
        """
        return self._readable(ALERT, _ALERTS_IN, key=group_id, limit=limit)

    @override
    def last_refused(self, environment: str, monitor: str, channel: Channel) -> RefusedDeliveries | None:
        """Return what one monitor was refused last, as it is told in *channel*."""
        return self._one(REFUSED_DELIVERIES, _LAST_REFUSED, environment=environment, monitor=monitor, channel=channel)

    @override
    def refused_deliveries(self, refused_id: str) -> RefusedDeliveries | None:
        """Return one row of refused deliveries by its id."""
        return self._one(REFUSED_DELIVERIES, _REFUSED_CALLED, key=refused_id)

    @override
    def refused_lately(self, *, since: datetime, limit: int) -> tuple[RefusedDeliveries, ...]:
        """Return what monitors were refused after *since*, the latest first; what cannot be read is left out."""
        return self._readable(REFUSED_DELIVERIES, _REFUSED_LATELY, since=since, limit=limit)

    @override
    def policy_text(self, version: str) -> str | None:
        """Return the text of a policy version that was once loaded."""
        return next((str(text) for (text,) in _POLICY_TEXT.rows(self.connection, {"key": version})), None)

    def waiting(self) -> dict[str, int]:
        """Return how much waits, by name."""
        ((pending, under_way, unknown),) = _WAITING.rows(self.connection)
        return {"requests pending": pending, "executions under way": under_way, "outcomes unknown": unknown}

    def _along(self, *asked: Asked, after: Sequence[Asked] = ()) -> list[QueryResult]:
        """Return what *asked* gives, all in one trip, and bring the instant along if nobody asked for it yet.

        Only for what is asked once every lock is held, or where there is none: *after* names locks that go first in the same
        trip. The instant is taken next, before anything is read.
        """
        connection = self.connection
        clock = [] if self._now is not None else [self.clock.question(connection)]
        answers = together(connection, [*after, *clock, *asked])
        if clock:
            self._now = self.clock.instant(connection, answers[len(after)])
        return answers[len(answers) - len(asked) :]

    def _one(self, shape: RowShape[N], statement: Prepared, **values: Any) -> N | None:
        return next((shape.noun_of(row) for row in statement.rows(self.connection, values)), None)

    def _readable(self, shape: RowShape[N], statement: Prepared, **values: Any) -> tuple[N, ...]:
        return _readable(shape, statement.rows(self.connection, values))

    def _all(self, shape: RowShape[N], statement: Prepared, **values: Any) -> tuple[N, ...]:
        return tuple(shape.noun_of(row) for row in statement.rows(self.connection, values))


def _between(upper: str, lower: str) -> str:
    """Return what sorts behind *lower* and not behind *upper*, and tells no more of either than it must: no hidden id."""
    differs = next(place for place, (one, other) in enumerate(zip(upper, lower, strict=True)) if one != other)
    return upper[: differs + 1].ljust(len(upper), "0")


def _readable(shape: RowShape[N], rows: Iterable[Any]) -> tuple[N, ...]:
    """Return the nouns of all rows that can be read: for whoever must not stop at one that cannot."""
    found: list[N] = []
    for row in rows:
        with suppress(Garbled):
            found.append(shape.noun_of(row))
    return tuple(found)


def _said(body: bytes, name: str, text: str) -> EventText:
    with garbled("events"):
        event = cast("JsonObject", facts_of_body(bytes(body)))
        return EventText(kind=event["kind"], actor=event["actor"], name=name, text=text)


def _stored_plan(row: Sequence[Any]) -> StoredPlan:
    fingerprint, bound, evidence = row
    with garbled("plans"):
        return StoredPlan(fingerprint=fingerprint, bound=bytes(bound), evidence=evidence_of(evidence))
