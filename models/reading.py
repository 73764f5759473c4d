"""Reading: what can be asked of the store. Every method is one statement, prepared once, over an index that fits it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Executable, bindparam, func, literal_column, or_, select

from approvals.alert import Alert
from approvals.execution import Attempt, Execution
from approvals.pause import Consent, Pause
from approvals.ports import Page, StoredPlan
from approvals.request import Request, Vote
from approvals.tokens import Token
from models.clock import StoreClock
from models.columns import INSTANT, NUMBER
from models.mapping import ALERT, ATTEMPT, CONSENT, EXECUTION, PAUSE, REQUEST, TOKEN, VOTE, N, Shape, evidence_of
from models.tables import (
    agent_tokens,
    alerts,
    attempts,
    escalations,
    executions,
    gate,
    pauses,
    plans,
    policy_versions,
    resume_consents,
    untrusted_texts,
    votes,
)

PENDING: Final = escalations.c.state == literal_column("'pending'")
"""Spelt out, never a parameter: only so does either engine see that the partial index fits."""

_NOW: Final = bindparam("now", type_=INSTANT)
_LIMIT: Final = bindparam("limit", type_=NUMBER)

_EPOCH: Final = select(gate.c.epoch)
_OPEN_PAUSES: Final = select(*PAUSE.columns).where(pauses.c.ended_epoch.is_(None)).order_by(pauses.c.engaged_at)
_PAUSES_SINCE: Final = (
    select(*PAUSE.columns)
    .where(or_(pauses.c.ended_epoch.is_(None), pauses.c.ended_epoch > bindparam("after")))
    .order_by(pauses.c.engaged_at, pauses.c.id)
)
_PAUSE: Final = select(*PAUSE.columns).where(pauses.c.id == bindparam("key"))
_CONSENTS: Final = (
    select(*CONSENT.columns).where(resume_consents.c.pause == bindparam("key")).order_by(resume_consents.c.at)
)
_REQUEST: Final = select(*REQUEST.columns).where(escalations.c.id == bindparam("key"))
_REQUEST_BY_KEY: Final = select(*REQUEST.columns).where(
    escalations.c.agent == bindparam("agent"), escalations.c.idempotency_key == bindparam("key")
)
_REQUESTS_OF: Final = (
    select(*REQUEST.columns)
    .where(escalations.c.agent == bindparam("agent"), escalations.c.id < bindparam("cursor"))
    .order_by(escalations.c.id.desc())
    .limit(_LIMIT)
)
_REQUESTS_OF_IN: Final = _REQUESTS_OF.where(escalations.c.state == bindparam("state"))
_PENDING_COUNT: Final = select(func.count()).where(escalations.c.agent == bindparam("agent"), PENDING)
# Without ORDER BY PostgreSQL turned to a plan over the whole table after five runs: 75 ms at a million rows.
OVERDUE: Final = (
    select(escalations.c.id)
    .where(PENDING, escalations.c.deadline <= _NOW)
    .order_by(escalations.c.deadline)
    .limit(_LIMIT)
)
_VOTES: Final = (
    select(*VOTE.columns)
    .where(votes.c.escalation == bindparam("key"), votes.c.voided_at.is_(None))
    .order_by(votes.c.at, votes.c.id)
)
_EXECUTION_OF: Final = select(*EXECUTION.columns).where(executions.c.escalation == bindparam("key"))
_EXECUTION: Final = select(*EXECUTION.columns).where(executions.c.id == bindparam("key"))
DUE_EXECUTIONS: Final = (
    select(executions.c.id)
    .where(executions.c.look_at <= _NOW, or_(executions.c.lease_until.is_(None), executions.c.lease_until <= _NOW))
    .order_by(executions.c.look_at)
    .limit(_LIMIT)
)
_LAST_ATTEMPT: Final = (
    select(*ATTEMPT.columns).where(attempts.c.execution == bindparam("key")).order_by(attempts.c.number.desc()).limit(1)
)
_PLAN: Final = select(plans.c.bound, plans.c.evidence).where(plans.c.fingerprint == bindparam("key"))
_TEXTS: Final = (
    select(untrusted_texts.c.name, untrusted_texts.c.text)
    .where(untrusted_texts.c.subject == bindparam("key"), untrusted_texts.c.text.is_not(None))
    .order_by(untrusted_texts.c.sequence)
)
_TOKEN_BY_HASH: Final = select(*TOKEN.columns).where(agent_tokens.c.hash == bindparam("key"))
_TOKENS: Final = select(*TOKEN.columns).order_by(agent_tokens.c.created_at, agent_tokens.c.id)
_ALERT: Final = select(*ALERT.columns).where(
    alerts.c.token == bindparam("token"),
    alerts.c.fingerprint == bindparam("fingerprint"),
    alerts.c.starts_at == bindparam("starts_at", type_=INSTANT),
)
_ALERT_CALLED: Final = select(*ALERT.columns).where(alerts.c.id == bindparam("key"))
_POLICY_TEXT: Final = select(policy_versions.c.text).where(policy_versions.c.version == bindparam("key"))

_UNDER_WAY: Final = executions.c.look_at.is_not(None)
_WAITING: Final = select(
    select(func.count()).where(PENDING).scalar_subquery().label("pending"),
    select(func.count()).where(_UNDER_WAY).scalar_subquery().label("under_way"),
    select(func.count()).where(_UNDER_WAY, executions.c.state == "unknown").scalar_subquery().label("unknown"),
)

_AFTER_ALL: Final = "~"
"""Sorts after every id: where a listing begins that has no cursor."""


class SqlReading:
    """What can be asked within one transaction; implements :class:`approvals.ports.Reading`."""

    def __init__(self, connection: Connection, clock: StoreClock) -> None:
        """Ask over *connection*, which is in a transaction."""
        self.connection = connection
        self.clock = clock
        self._now: datetime | None = None

    @property
    def now(self) -> datetime:
        """The store's instant: the same for the whole unit, taken when first asked for."""
        if self._now is None:
            self._now = self.clock.now(self.connection)
        return self._now

    def epoch(self) -> int:
        """Return the pause epoch."""
        return int(self.connection.execute(_EPOCH).scalar_one())

    def pauses(self, *, ended_after: int | None = None) -> tuple[Pause, ...]:
        """Return the open pauses and, if asked, those that ended in an epoch above *ended_after*."""
        if ended_after is None:
            return self._all(PAUSE, _OPEN_PAUSES)
        return self._all(PAUSE, _PAUSES_SINCE, after=ended_after)

    def pause(self, pause_id: str) -> Pause | None:
        """Return one pause, open or not."""
        return self._one(PAUSE, _PAUSE, key=pause_id)

    def consents(self, pause_id: str) -> tuple[Consent, ...]:
        """Return the agreements to end one pause so far."""
        return self._all(CONSENT, _CONSENTS, key=pause_id)

    def request(self, request_id: str) -> Request | None:
        """Return one request."""
        return self._one(REQUEST, _REQUEST, key=request_id)

    def request_by_key(self, agent: str, key: str) -> Request | None:
        """Return the request that *agent* made under an idempotency key."""
        return self._one(REQUEST, _REQUEST_BY_KEY, agent=agent, key=key)

    def requests_of(self, agent: str, *, state: str | None, limit: int, cursor: str | None) -> Page:
        """Return an agent's requests, newest first, at most *limit* of them; their ids sort by time."""
        asked = {"agent": agent, "cursor": cursor or _AFTER_ALL, "limit": limit + 1}
        if state is None:
            found = self._all(REQUEST, _REQUESTS_OF, **asked)
        else:
            found = self._all(REQUEST, _REQUESTS_OF_IN, **asked, state=state)
        more = len(found) > limit
        return Page(requests=found[:limit], next_cursor=found[limit - 1].id if more else None)

    def pending_count(self, agent: str) -> int:
        """Return how many of an agent's requests wait for an answer."""
        return int(self.connection.execute(_PENDING_COUNT, {"agent": agent}).scalar_one())

    def overdue(self, *, limit: int) -> tuple[str, ...]:
        """Return the ids of pending requests whose deadline is not after :attr:`now`, most overdue first."""
        return tuple(self.connection.execute(OVERDUE, {"now": self.now, "limit": limit}).scalars())

    def votes(self, request_id: str) -> tuple[Vote, ...]:
        """Return the live votes on one request, oldest first."""
        return self._all(VOTE, _VOTES, key=request_id)

    def execution_of(self, request_id: str) -> Execution | None:
        """Return the execution of one request, if it was approved."""
        return self._one(EXECUTION, _EXECUTION_OF, key=request_id)

    def execution(self, execution_id: str) -> Execution | None:
        """Return one execution."""
        return self._one(EXECUTION, _EXECUTION, key=execution_id)

    def due_executions(self, *, limit: int) -> tuple[str, ...]:
        """Return the ids of executions a worker should look at now, the longest due first: due, and not leased to another."""
        return tuple(self.connection.execute(DUE_EXECUTIONS, {"now": self.now, "limit": limit}).scalars())

    def last_attempt(self, execution_id: str) -> Attempt | None:
        """Return the newest start record of one execution."""
        return self._one(ATTEMPT, _LAST_ATTEMPT, key=execution_id)

    def plan(self, fingerprint: str) -> StoredPlan | None:
        """Return one stored plan: the bytes as they lie there; whether they still hash to it is the caller's to check."""
        row = self.connection.execute(_PLAN, {"key": fingerprint}).one_or_none()
        if row is None:
            return None
        return StoredPlan(fingerprint=fingerprint, bound=bytes(row.bound), evidence=evidence_of(row.evidence))

    def texts(self, subject: str) -> Mapping[str, str]:
        """Return the free texts that stand beside a subject's events, by name, the newest of each; erased ones are left out."""
        return {row.name: row.text for row in self.connection.execute(_TEXTS, {"key": subject})}

    def token_by_hash(self, hashed: str) -> Token | None:
        """Return the token with that hash."""
        return self._one(TOKEN, _TOKEN_BY_HASH, key=hashed)

    def tokens(self) -> tuple[Token, ...]:
        """Return all tokens, oldest first."""
        return self._all(TOKEN, _TOKENS)

    def alert(self, token: str, fingerprint: str, starts_at: datetime) -> Alert | None:
        """Return one alert by what tells it apart."""
        return self._one(ALERT, _ALERT, token=token, fingerprint=fingerprint, starts_at=starts_at)

    def alert_called(self, alert_id: str) -> Alert | None:
        """Return one alert by its id."""
        return self._one(ALERT, _ALERT_CALLED, key=alert_id)

    def policy_text(self, version: str) -> str | None:
        """Return the text of a policy version that was once loaded."""
        found = self.connection.execute(_POLICY_TEXT, {"key": version}).scalar_one_or_none()
        return None if found is None else str(found)

    def waiting(self) -> dict[str, int]:
        """Return how much waits, by name."""
        row = self.connection.execute(_WAITING).one()
        return {"requests pending": row.pending, "executions under way": row.under_way, "outcomes unknown": row.unknown}

    def _one(self, shape: Shape[N], statement: Executable, **parameters: Any) -> N | None:
        row = self.connection.execute(statement, parameters).one_or_none()
        return None if row is None else shape.noun_of(row)

    def _all(self, shape: Shape[N], statement: Executable, **parameters: Any) -> tuple[N, ...]:
        return tuple(shape.noun_of(row) for row in self.connection.execute(statement, parameters))
