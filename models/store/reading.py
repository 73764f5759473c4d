"""Reading: what can be asked of the store. Every method is one statement, prepared once, over an index that fits it."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, Final, assert_never, cast

from sqlalchemy import Connection, Select, func, select
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
from models.store.queries.alerts import (
    ALERTS_IN,
    GROUP,
    LAST_ALERT,
    LAST_REFUSED,
    OPEN_GROUP,
    REFUSED_CALLED,
    REFUSED_LATELY,
)
from models.store.queries.executions import (
    DUE_AGAIN,
    DUE_EXECUTIONS,
    EXECUTION_CALLED,
    EXECUTION_OF,
    IMAGE,
    LAST_ATTEMPT,
    LEFT_BEHIND,
    PLAN,
    PLAN_OF,
    SAID,
    SETBACKS,
    TEXTS,
    UNDER_WAY_ON,
    WATCHES_DUE,
)
from models.store.queries.operation import (
    AGENT_IN_PLAY,
    ANYTHING_IN_PLAY,
    CONSENTS,
    EPOCH,
    OPEN_PAUSES,
    PAUSE_CALLED,
    PAUSES_SINCE,
    PLACE_IN_PLAY,
    POLICY_TEXT,
    RESUMES_DUE,
    WAITING,
)
from models.store.queries.requests import (
    ASKED_OTHERWISE,
    HELD_BACK,
    MOST_PASSED,
    OVERDUE,
    PENDING_COUNT,
    PERHAPS_SHOWN,
    PLACES_OF,
    QUESTION_ASKED,
    REQUEST_BY_KEY,
    REQUEST_CALLED,
    REQUESTS_CALLED,
    REQUESTS_OF,
    REQUESTS_OF_IN,
    SAME_EFFECT,
    SHOWN_AT,
    VOTES,
)
from models.store.queries.revocations import (
    QUESTIONS_UNDER,
    REVOKED_WITH_QUESTIONS,
    STOPPABLE_UNDER_REVOKED,
    TOKEN_BY_HASH,
    TOKEN_CALLED,
    TOKENS,
)
from models.store.tables import (
    escalations,
)

_AFTER_ALL: Final = "~"
"""Sorts after every id: where a listing begins that has no cursor."""


class SqlReading(Reading):
    """What can be asked within one transaction; implements :class:`approvals.ports.reading.Reading`."""

    def __init__(self, connection: Connection, clock: StoreClock, *, leader: int = 0) -> None:
        """Ask over *connection*, which is in a transaction.

        Args:
            connection: In a transaction.
            clock: Of the store.
            leader: The generation of the leader's lease that whoever asks works under; 0 for none.
        """
        self._connection = connection
        self.clock = clock
        self._leader = leader
        self._now: datetime | None = None

    @property
    def connection(self) -> Connection:
        """Where it is asked."""
        return self._connection

    @property
    @override
    def leader(self) -> int:
        """The generation of the leader's lease that whoever asks works under; 0 for none."""
        return self._leader

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
        return self._all(PAUSE, PAUSES_SINCE, after=ended_after)

    @override
    def pause(self, pause_id: str) -> Pause | None:
        """Return one pause, open or not."""
        return self._one(PAUSE, PAUSE_CALLED, key=pause_id)

    @override
    def consents(self, pause_id: str) -> tuple[Consent, ...]:
        """Return the agreements to end one pause so far."""
        return self._all(CONSENT, CONSENTS, key=pause_id)

    @override
    def request(self, request_id: str) -> Request | None:
        """Return one request."""
        return self._one(REQUEST, REQUEST_CALLED, key=request_id)

    @override
    def question(self, request_id: str) -> Question | None:
        """Return one request with its votes and its plan, in one trip."""
        key = {"key": request_id}
        found, live, planned = self._along((REQUEST_CALLED, key), (VOTES, key), (PLAN_OF, key))
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
            asked_in = PLACES_OF.where(escalations.c.agent == agent, escalations.c.id < (cursor or _AFTER_ALL))
            if state is not None:
                asked_in = asked_in.where(escalations.c.state == state)
            ids, end = self._ids_in(asked_in, limit + 1, environments, namespaces)
            called = self.connection.execute(REQUESTS_CALLED, {"ids": ids[:limit]})
            return Page(
                requests=_readable(REQUEST, (tuple(row) for row in called)),
                next_cursor=ids[limit - 1] if len(ids) > limit else end,
            )
        asked = {"agent": agent, "cursor": cursor or _AFTER_ALL, "limit": limit + 1}
        statement, more = (REQUESTS_OF, {}) if state is None else (REQUESTS_OF_IN, {"state": state})
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
            (REQUEST_BY_KEY, asker | {"key": key}), (PENDING_COUNT, asker), (OPEN_PAUSES, {})
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
            (QUESTION_ASKED, {"key": question_key}), (SAME_EFFECT, {"key": effect_key, "since": since})
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
        return self._readable(REQUEST, SAME_EFFECT, key=effect_key, since=since)

    @override
    def overdue(self, *, limit: int) -> tuple[str, ...]:
        """Return the ids of pending requests whose deadline is not after :attr:`now`, most overdue first."""
        return tuple(one for (one,) in OVERDUE.rows(self.connection, {"now": self.now, "limit": limit}))

    @override
    def asked_otherwise(self, *, limit: int) -> tuple[str, ...]:
        """Return the ids of requests that were asked in another form than this release's and of which nothing was sent."""
        found = ASKED_OTHERWISE.rows(self.connection, {"form": FORM, "limit": limit})
        return tuple(one for (one,) in found)

    @override
    def is_in_play(self, scope: Scope) -> bool:
        """Tell whether something in *scope* waits for an answer, or was approved and is not over: by index, decoding nothing."""
        environment, _, namespace = scope.name.partition("/")
        match scope.kind:
            case ScopeKind.ALL:
                found = ANYTHING_IN_PLAY.rows(self.connection)
            case ScopeKind.AGENT:
                found = AGENT_IN_PLAY.rows(self.connection, {"agent": scope.name})
            case ScopeKind.NAMESPACE:
                found = PLACE_IN_PLAY.rows(self.connection, {"environment": environment, "namespace": namespace})
            case _:
                assert_never(scope.kind)
        ((waiting, under_way),) = found
        return waiting is not None or under_way is not None

    @override
    def resumes_due(self, *, limit: int) -> tuple[str, ...]:
        """Return the ids of open pauses whose duration is over and whose resume was not asked for, longest due first."""
        return tuple(one for (one,) in RESUMES_DUE.rows(self.connection, {"now": self.now, "limit": limit}))

    @override
    def asked_with_revoked_tokens(self, *, limit: int) -> tuple[str, ...]:
        """Return the ids of open requests whose token is revoked and that do not say so yet, at most *limit* of them.

        Approved ones, which may start any moment, come first. Where no token is revoked or all is said, it is two looks.
        """
        found = [one for (one,) in STOPPABLE_UNDER_REVOKED.rows(self.connection, {"limit": limit})]
        for (token,) in REVOKED_WITH_QUESTIONS.rows(self.connection):
            left = {"key": token, "limit": limit - len(found)}
            found += [one for (one,) in QUESTIONS_UNDER.rows(self.connection, left)]
        return tuple(found)

    @override
    def votes(self, request_id: str) -> tuple[Vote, ...]:
        """Return the live votes on one request, oldest first."""
        (answer,) = self._along((VOTES, {"key": request_id}))
        return tuple(VOTE.noun_of(row) for row in answer.rows)

    @override
    def execution_of(self, request_id: str) -> Execution | None:
        """Return the execution of one request, if it was approved."""
        return self._one(EXECUTION, EXECUTION_OF, key=request_id)

    @override
    def execution(self, execution_id: str) -> Execution | None:
        """Return one execution."""
        return self._one(EXECUTION, EXECUTION_CALLED, key=execution_id)

    @override
    def due_executions(self, *, limit: int) -> tuple[str, ...]:
        """Return the ids of executions a worker should look at now: due, and not leased to another.

        First those whose last look could be finished, then the others, then what has ended and is watched on, each the longest
        due first.
        """
        first = DUE_EXECUTIONS.rows(self.connection, {"now": self.now, "limit": limit})
        again = DUE_AGAIN.rows(self.connection, {"now": self.now, "limit": limit - len(first)})
        late = WATCHES_DUE.rows(self.connection, {"now": self.now, "limit": limit - len(first) - len(again)})
        return tuple(one for (one,) in (*first, *again, *late))

    @override
    def left_behind(self, *, limit: int) -> tuple[str, ...]:
        """Return the ids of executions that an earlier leader has merely claimed, and whose last look could be finished."""
        if self._leader == 0:
            return ()
        return tuple(one for (one,) in LEFT_BEHIND.rows(self.connection, {"leader": self._leader, "limit": limit}))

    @override
    def setbacks(self, execution_id: str) -> int:
        """Return how many looks in a row at one execution could not be finished; zero where there is none."""
        return next((int(count) for (count,) in SETBACKS.rows(self.connection, {"key": execution_id})), 0)

    @override
    def under_way_on(self, cluster_uid: str, object_uid: str) -> tuple[Execution, ...]:
        """Return what is not over on one target, oldest first."""
        return self._all(EXECUTION, UNDER_WAY_ON, cluster_uid=cluster_uid, object_uid=object_uid)

    @override
    def last_attempt(self, execution_id: str) -> Attempt | None:
        """Return the newest start record of one execution."""
        return self._one(ATTEMPT, LAST_ATTEMPT, key=execution_id)

    @override
    def plan(self, fingerprint: str) -> StoredPlan | None:
        """Return one stored plan: the bytes as they lie there; whether they still hash to it is the caller's to check."""
        return next((_stored_plan(row) for row in PLAN.rows(self.connection, {"key": fingerprint})), None)

    @override
    def image(self, hashed: str) -> bytes | None:
        """Return one stored image, as it lies there: whether it still hashes to *hashed* is the caller's to check."""
        return next((bytes(image) for (image,) in IMAGE.rows(self.connection, {"key": hashed})), None)

    @override
    def texts(self, subject: str) -> Mapping[str, str]:
        """Return the free texts that stand beside a subject's events, by name, the newest of each; erased ones are left out."""
        return dict(TEXTS.rows(self.connection, {"key": subject}))

    @override
    def said(self, subject: str) -> tuple[EventText, ...]:
        """Return all of them, oldest first, each with who said it on which occasion."""
        return tuple(_said(*row) for row in SAID.rows(self.connection, {"key": subject}))

    @override
    def shown_at(self, request_id: str) -> datetime | None:
        """Return when a card of one request first stood in its channel, as far as is known; None where none did."""
        ((shown,),) = SHOWN_AT.rows(self.connection, {"key": request_id})
        return cast("datetime | None", shown)

    @override
    def perhaps_shown(self, request_ids: Sequence[str]) -> frozenset[str]:
        """Return those among *request_ids* of which a card stood in its channel, or may have: a post's reply was lost."""
        found = self.connection.execute(PERHAPS_SHOWN, {"keys": list(request_ids)})
        return frozenset(str(subject) for (subject,) in found)

    @override
    def held_back(self, channel: Channel, *, besides: str) -> HeldBack | None:
        """Return what only informs and waits to be posted in *channel*, *besides* one subject; None where nothing does."""
        ((count, since),) = HELD_BACK.rows(self.connection, {"channel": channel, "key": besides})
        return HeldBack(count=int(count), since=since) if count else None

    @override
    def token_by_hash(self, hashed: str) -> Token | None:
        """Return the token with that hash."""
        (answer,) = self._along((TOKEN_BY_HASH, {"key": hashed}))
        return next((TOKEN.noun_of(row) for row in answer.rows), None)

    @override
    def token(self, token_id: str) -> Token | None:
        """Return one token, good or not."""
        return self._one(TOKEN, TOKEN_CALLED, key=token_id)

    @override
    def tokens(self) -> tuple[Token, ...]:
        """Return all tokens, oldest first."""
        return self._all(TOKEN, TOKENS)

    @override
    def last_alert(self, environment: str, fingerprint: str) -> Alert | None:
        """Return the last time that an alert burnt, told apart by what its sender keeps."""
        return self._one(ALERT, LAST_ALERT, environment=environment, key=fingerprint)

    @override
    def open_alert_group(self, environment: str, key: str) -> AlertGroup | None:
        """Return the group of alerts with that key that has not resolved."""
        return self._one(ALERT_GROUP, OPEN_GROUP, environment=environment, key=key)

    @override
    def alert_group(self, group_id: str) -> AlertGroup | None:
        """Return one group of alerts by its id."""
        return self._one(ALERT_GROUP, GROUP, key=group_id)

    @override
    def alerts_in(self, group_id: str, *, limit: int) -> tuple[Alert, ...]:
        """Return alerts of one group, at most *limit*: those that burn first, the latest start first.

        Those that cannot be read are left out.
        """
        return self._readable(ALERT, ALERTS_IN, key=group_id, limit=limit)

    @override
    def last_refused(self, environment: str, monitor: str, channel: Channel) -> RefusedDeliveries | None:
        """Return what one monitor was refused last, as it is told in *channel*."""
        return self._one(REFUSED_DELIVERIES, LAST_REFUSED, environment=environment, monitor=monitor, channel=channel)

    @override
    def refused_deliveries(self, refused_id: str) -> RefusedDeliveries | None:
        """Return one row of refused deliveries by its id."""
        return self._one(REFUSED_DELIVERIES, REFUSED_CALLED, key=refused_id)

    @override
    def refused_lately(self, *, since: datetime, limit: int) -> tuple[RefusedDeliveries, ...]:
        """Return what monitors were refused after *since*, the latest first; what cannot be read is left out."""
        return self._readable(REFUSED_DELIVERIES, REFUSED_LATELY, since=since, limit=limit)

    @override
    def policy_text(self, version: str) -> str | None:
        """Return the text of a policy version that was once loaded."""
        return next((str(text) for (text,) in POLICY_TEXT.rows(self.connection, {"key": version})), None)

    def waiting(self) -> dict[str, int]:
        """Return how much waits, by name."""
        ((pending, under_way, unknown),) = WAITING.rows(self.connection)
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
