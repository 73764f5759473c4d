"""Writes: one noun into its row, on condition that nobody was faster.

A new noun is inserted. A changed one is written over the revision before it, and only from a state that may precede it: a
person's answer only while the deadline is ahead, a lease only from a worker whose lease has lapsed. Judged in the court
already, these conditions hold here once more, in the statement that writes, because that statement is where two writers
meet. A row that is not there to be written, or a key that is taken, is a :class:`~approvals.errors.Clash`. The unit of work
(:mod:`models.store.unit_of_work`) sends them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Table, and_, bindparam, insert, or_, update

from approvals.errors import Clash
from approvals.identity.tokens import Token
from approvals.workflow.alert import Alert, AlertGroup
from approvals.workflow.execution import Attempt, Execution, Fate, Phase
from approvals.workflow.monitor import RefusedDeliveries
from approvals.workflow.pause import Consent, Pause
from approvals.workflow.request import BoundKey, Request, State, question_key
from approvals.workflow.votes import Vote
from models.engine.columns import INSTANT, NUMBER, TEXT
from models.engine.prepared import Prepared
from models.engine.statements import insert_or_renew
from models.store.mapping import (
    ALERT,
    ALERT_GROUP,
    ATTEMPT,
    BOUND_KEY,
    CONSENT,
    EXECUTION,
    PAUSE,
    REFUSED_DELIVERIES,
    REQUEST,
    TOKEN,
    VOTE,
    N,
    RowShape,
)
from models.store.tables import (
    agent_tokens,
    alert_groups,
    alerts,
    attempts,
    escalations,
    executions,
    idempotency_keys,
    pauses,
    refused_deliveries,
    resume_consents,
    votes,
)

MOVES: Final[Mapping[Table, frozenset[str]]] = {
    agent_tokens: frozenset({"revoked_at", "revision"}),
    alert_groups: frozenset({"state", "revision", "firing", "total", "cut", "resolved_at"}),
    alerts: frozenset({"state", "revision", "starts_at", "ended_at", "resolved_at"}),
    attempts: frozenset({"sending_at", "sends", "token_id", "token_expires_at", "fate", "http_status", "audit_id"}),
    escalations: frozenset(
        {
            "state",
            "revision",
            "valid_until",
            "decided_at",
            "decided_by",
            "outcome_code",
            "superseded_by",
            "token_revoked_at",
        }
    ),
    executions: frozenset(
        {
            "state",
            "revision",
            "due_at",
            "look_at",
            "setbacks",
            "generation",
            "lease_until",
            "leader",
            "attempts",
            "rounds",
            "waits",
            "effect",
            "doubted",
            "effect_deadline",
            "landed_at",
            "pace",
            "watched_until",
            "watch_at",
            "reason",
            "message",
            "compared",
            "drift",
        }
    ),
    pauses: frozenset({"ask_at", "asked_at", "ended_at", "ended_epoch", "revision"}),
    refused_deliveries: frozenset({"codes", "last_at", "revision"}),
    resume_consents: frozenset({"account", "at"}),
    votes: frozenset({"voided_at", "voided_why"}),
}
"""The columns that may change after the insert; what is not named here is fixed, and the database's rights say so too."""

_NOW: Final = bindparam("the_now", type_=INSTANT)
_BEFORE: Final = bindparam("the_revision", type_=NUMBER)
_ID: Final = bindparam("the_id", type_=TEXT)
_GENERATION: Final = bindparam("the_generation", type_=NUMBER)


def _moves(table: Table, *conditions: ColumnElement[bool]) -> Prepared:
    return Prepared(update(table).where(*conditions), keys=MOVES[table])


def _over_revision(table: Table, *conditions: ColumnElement[bool]) -> Prepared:
    return _moves(table, table.c.id == _ID, table.c.revision == _BEFORE, *conditions)


_PENDING_IN_TIME: Final = and_(escalations.c.state == State.PENDING.value, escalations.c.deadline > _NOW)
_WAS_APPROVED: Final = escalations.c.state == State.APPROVED.value
_IS_FLAGGED: Final = and_(
    _WAS_APPROVED,
    escalations.c.token_revoked_at.is_(None),
    bindparam("the_flag", type_=INSTANT).is_not(None),
)
"""An approved one stays approved in one write only: the one that says that its token was revoked."""

_REQUEST_FROM: Final[Mapping[State, Prepared]] = {
    State.PENDING: _over_revision(escalations, _PENDING_IN_TIME),
    State.APPROVED: _over_revision(escalations, or_(_PENDING_IN_TIME, _IS_FLAGGED)),
    State.DENIED: _over_revision(escalations, or_(_PENDING_IN_TIME, _WAS_APPROVED)),
    State.CANCELLED: _over_revision(escalations, or_(_PENDING_IN_TIME, _WAS_APPROVED)),
    State.EXPIRED: _over_revision(
        escalations, escalations.c.state == State.PENDING.value, escalations.c.deadline <= _NOW
    ),
    State.SUPERSEDED: _over_revision(escalations, _WAS_APPROVED),
}
"""For each state, the write that leads to it from a state that may precede it. Nothing leads to a refusal."""

_IS_LEFT_BEHIND: Final = and_(
    executions.c.state == Phase.CLAIMED.value,
    executions.c.leader > 0,
    executions.c.leader < bindparam("the_leader", type_=NUMBER),
)
"""An earlier leader has claimed it and done no more; that one's own writes are fenced by now."""

_EXECUTION_MOVES: Final = _over_revision(
    executions,
    or_(
        executions.c.generation == _GENERATION,
        and_(
            executions.c.generation == _GENERATION - 1,
            or_(executions.c.lease_until.is_(None), executions.c.lease_until <= _NOW, _IS_LEFT_BEHIND),
        ),
    ),
)
_REVISED: Final[Mapping[type, tuple[RowShape[Any], Prepared]]] = {
    Pause: (PAUSE, _over_revision(pauses, pauses.c.ended_epoch.is_(None))),
    Token: (TOKEN, _over_revision(agent_tokens, agent_tokens.c.revoked_at.is_(None))),
    Alert: (ALERT, _over_revision(alerts)),
    AlertGroup: (ALERT_GROUP, _over_revision(alert_groups)),
    RefusedDeliveries: (REFUSED_DELIVERIES, _over_revision(refused_deliveries)),
}
_VOTE_FALLS: Final = _moves(votes, votes.c.id == _ID, votes.c.voided_at.is_(None))
_ATTEMPT_MOVES: Final = _moves(
    attempts,
    attempts.c.execution == _ID,
    attempts.c.number == bindparam("the_number", type_=NUMBER),
    attempts.c.request_hash == bindparam("the_hash", type_=TEXT),
)
_CONSENT: Final = Prepared(insert_or_renew(resume_consents), keys=resume_consents.c.keys())


def _new(shape: RowShape[Any], *more: str) -> Prepared:
    return Prepared(insert(shape.table), keys=[*(column.name for column in shape.columns), *more])


_INSERTS: Final = {
    agent_tokens: _new(TOKEN),
    alert_groups: _new(ALERT_GROUP),
    alerts: _new(ALERT),
    attempts: _new(ATTEMPT),
    escalations: _new(REQUEST, "policy", "namespace", "question_key"),
    executions: _new(EXECUTION, "look_at", "setbacks", "watch_at"),
    idempotency_keys: _new(BOUND_KEY),
    pauses: _new(PAUSE),
    refused_deliveries: _new(REFUSED_DELIVERIES),
    votes: _new(VOTE),
}


def in_writing_order(nouns: Iterable[object]) -> list[object]:
    """Return *nouns* so that what refers comes after what it refers to, and a vote falls before the next one is cast.

    It is also the order in which rows are locked: request, vote, execution, attempt.
    """
    return sorted(nouns, key=_rank)


def _rank(noun: object) -> int:
    match noun:
        case Alert() | Consent() | Request():
            return 1
        case BoundKey():
            return 2
        case Vote():
            return 3 if noun.voided_at is None else 2
        case Execution():
            return 4
        case Attempt():
            return 5
        case _:
            return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """What writes one noun."""

    statement: Prepared
    values: Mapping[str, Any]
    is_sole: bool = True
    """Whether it has to meet one row exactly; otherwise somebody was faster."""

    def check(self, count: int) -> None:
        """Return if *count* rows are as many as it had to meet.

        Raises:
            Clash: They are not.
        """
        if self.is_sole and count != 1:
            raise Clash("Somebody was faster.")


def writes_of(noun: object, *, now: datetime) -> list[Write]:
    """Return what writes one noun and, of a new request, its idempotency key: a key stands for one question, for ever."""
    written = [write_of(noun, now=now)]
    if isinstance(noun, Request) and noun.revision == 1 and noun.idempotency_key is not None:
        key = BoundKey(
            agent=noun.agent,
            key=noun.idempotency_key,
            escalation=noun.id,
            body_hash=noun.body_hash,
            bound_at=noun.asked_at,
        )
        written.append(write_of(key, now=now))
    return written


def write_of(noun: object, *, now: datetime) -> Write:
    """Return what writes one noun.

    It meets no row where the noun is not at the revision before or its state does not lead there; where its key is taken, the
    engine refuses it.
    """
    match noun:
        case Request():
            return _request(noun, now)
        case BoundKey():
            return _insert(idempotency_keys, BOUND_KEY.row_of(noun))
        case Vote():
            return _vote(noun)
        case Execution():
            return _execution(noun, now)
        case Attempt():
            return _attempt(noun)
        case Pause() | Token() | Alert() | AlertGroup() | RefusedDeliveries():
            return _revised(noun)
        case Consent():
            # Given again, it is renewed. The pause's row, which is locked, is what writers meet at.
            return Write(statement=_CONSENT, values=CONSENT.row_of(noun))
        case _:
            raise TypeError(f"{type(noun).__name__} is not kept in a row")


def _request(request: Request, now: datetime) -> Write:
    if request.revision == 1:
        policy = None if request.ruling is None else request.ruling.policy
        more = {
            "policy": policy,
            "namespace": request.action.target.namespace,
            "question_key": _question_key(request),
        }
        return _insert(escalations, REQUEST.row_of(request) | more)
    keys = {
        "the_id": request.id,
        "the_revision": request.revision - 1,
        "the_now": now,
        "the_flag": request.token_revoked_at,
    }
    return Write(statement=_REQUEST_FROM[request.state], values=_moving(REQUEST, request) | keys)


def _question_key(request: Request) -> str | None:
    """Return the key of the question; None for what was refused before a plan was made, and never was one."""
    if request.effect_key is None:
        return None
    account = request.on_behalf_of
    person = account if account is None or request.ruling is None else request.ruling.people.person_of(account)
    return question_key(agent=request.agent, on_behalf_of=person, effect_key=request.effect_key)


def _vote(vote: Vote) -> Write:
    if vote.voided_at is None:
        return _insert(votes, VOTE.row_of(vote))
    return Write(statement=_VOTE_FALLS, values=_moving(VOTE, vote) | {"the_id": vote.id})


def _execution(execution: Execution, now: datetime) -> Write:
    look_at = {
        "look_at": None if execution.is_over else execution.due_at,
        "watch_at": execution.due_at if execution.is_watched else None,
        "setbacks": 0,
    }
    if execution.revision == 1:
        return _insert(executions, EXECUTION.row_of(execution) | look_at)
    keys = {
        "the_id": execution.id,
        "the_revision": execution.revision - 1,
        "the_generation": execution.generation,
        "the_leader": execution.leader,
        "the_now": now,
    }
    return Write(statement=_EXECUTION_MOVES, values=_moving(EXECUTION, execution) | look_at | keys)


def _attempt(attempt: Attempt) -> Write:
    if _is_start_record(attempt):
        return _insert(attempts, ATTEMPT.row_of(attempt))
    keys = {"the_id": attempt.execution, "the_number": attempt.number, "the_hash": attempt.request_hash}
    return Write(statement=_ATTEMPT_MOVES, values=_moving(ATTEMPT, attempt) | keys)


def _is_start_record(attempt: Attempt) -> bool:
    return attempt.fate is Fate.OPEN and attempt.sends == 0


def _revised(noun: Pause | Token | Alert | AlertGroup | RefusedDeliveries) -> Write:
    shape, statement = _REVISED[type(noun)]
    if noun.revision == 1:
        return _insert(shape.table, shape.row_of(noun))
    keys = {"the_id": noun.id, "the_revision": noun.revision - 1}
    return Write(statement=statement, values=_moving(shape, noun) | keys)


def _insert(table: Table, row: Mapping[str, Any]) -> Write:
    return Write(statement=_INSERTS[table], values=row)


def _moving(shape: RowShape[N], noun: N) -> dict[str, Any]:
    return shape.row_of(noun, only=MOVES[shape.table])
