"""Writes: one noun into its row, on condition that nobody was faster.

A new noun is inserted. A changed one is written over the revision before it, and only from a state that may precede it: a
person's answer only while the deadline is ahead, a lease only from a worker whose lease has lapsed. Judged in the court
already, these conditions hold here once more, in the statement that writes, because that statement is where two writers
meet. A row that is not there to be written, or a key that is taken, raises :class:`~approvals.errors.Clash`.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Table, and_, bindparam, exc, insert, or_, update

from approvals.alert import Alert
from approvals.errors import Clash
from approvals.execution import Attempt, Execution, Fate
from approvals.pause import Consent, Pause
from approvals.request import Request, State, Vote
from approvals.tokens import Token
from models.columns import INSTANT, NUMBER, TEXT
from models.faults import is_taken
from models.mapping import ALERT, ATTEMPT, CONSENT, EXECUTION, PAUSE, REQUEST, TOKEN, VOTE, N, Shape
from models.prepared import Prepared
from models.tables import agent_tokens, alerts, attempts, escalations, executions, pauses, resume_consents, votes

MOVES: Final[Mapping[Table, frozenset[str]]] = {
    agent_tokens: frozenset({"revoked_at", "revision"}),
    alerts: frozenset({"state", "revision", "resolved_at"}),
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
            "generation",
            "lease_until",
            "attempts",
            "rounds",
            "effect",
            "effect_deadline",
            "reason",
            "message",
        }
    ),
    pauses: frozenset({"asked_at", "ended_at", "ended_epoch", "revision"}),
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

_EXECUTION_MOVES: Final = _over_revision(
    executions,
    or_(
        executions.c.generation == _GENERATION,
        and_(
            executions.c.generation == _GENERATION - 1,
            or_(executions.c.lease_until.is_(None), executions.c.lease_until <= _NOW),
        ),
    ),
)
_PAUSE_MOVES: Final = _over_revision(pauses, pauses.c.ended_epoch.is_(None))
_TOKEN_MOVES: Final = _over_revision(agent_tokens, agent_tokens.c.revoked_at.is_(None))
_ALERT_MOVES: Final = _over_revision(alerts)
_VOTE_FALLS: Final = _moves(votes, votes.c.id == _ID, votes.c.voided_at.is_(None))
_ATTEMPT_MOVES: Final = _moves(
    attempts,
    attempts.c.execution == _ID,
    attempts.c.number == bindparam("the_number", type_=NUMBER),
    attempts.c.request_hash == bindparam("the_hash", type_=TEXT),
)
_CONSENT_RENEWED: Final = _moves(
    resume_consents, resume_consents.c.pause == _ID, resume_consents.c.person == bindparam("the_person", type_=TEXT)
)


def _new(shape: Shape[Any], *more: str) -> Prepared:
    return Prepared(insert(shape.table), keys=[*(column.name for column in shape.columns), *more])


_INSERTS: Final = {
    agent_tokens: _new(TOKEN),
    alerts: _new(ALERT),
    attempts: _new(ATTEMPT),
    escalations: _new(REQUEST, "policy"),
    executions: _new(EXECUTION, "look_at"),
    pauses: _new(PAUSE),
    resume_consents: _new(CONSENT),
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
        case Vote():
            return 3 if noun.voided_at is None else 2
        case Execution():
            return 4
        case Attempt():
            return 5
        case _:
            return 0


def write(connection: Connection, noun: object, *, now: datetime) -> None:
    """Write one noun.

    Raises:
        Clash: It is not at the revision before, its state does not lead there, or its key is taken.
    """
    match noun:
        case Request():
            _write_request(connection, noun, now)
        case Vote():
            _write_vote(connection, noun)
        case Execution():
            _write_execution(connection, noun, now)
        case Attempt():
            _write_attempt(connection, noun)
        case Pause():
            _write_revised(connection, PAUSE, noun, _PAUSE_MOVES)
        case Token():
            _write_revised(connection, TOKEN, noun, _TOKEN_MOVES)
        case Alert():
            _write_revised(connection, ALERT, noun, _ALERT_MOVES)
        case Consent():
            _write_consent(connection, noun)
        case _:
            raise TypeError(f"{type(noun).__name__} is not kept in a row")


def _write_request(connection: Connection, request: Request, now: datetime) -> None:
    if request.revision == 1:
        policy = None if request.ruling is None else request.ruling.policy
        _insert(connection, escalations, REQUEST.row_of(request) | {"policy": policy})
        return
    keys = {
        "the_id": request.id,
        "the_revision": request.revision - 1,
        "the_now": now,
        "the_flag": request.token_revoked_at,
    }
    _move(connection, _REQUEST_FROM[request.state], _moving(REQUEST, request) | keys)


def _write_vote(connection: Connection, vote: Vote) -> None:
    if vote.voided_at is None:
        _insert(connection, votes, VOTE.row_of(vote))
    else:
        _move(connection, _VOTE_FALLS, _moving(VOTE, vote) | {"the_id": vote.id})


def _write_execution(connection: Connection, execution: Execution, now: datetime) -> None:
    look_at = {"look_at": None if execution.is_over else execution.due_at}
    if execution.revision == 1:
        _insert(connection, executions, EXECUTION.row_of(execution) | look_at)
        return
    keys = {
        "the_id": execution.id,
        "the_revision": execution.revision - 1,
        "the_generation": execution.generation,
        "the_now": now,
    }
    _move(connection, _EXECUTION_MOVES, _moving(EXECUTION, execution) | look_at | keys)


def _write_attempt(connection: Connection, attempt: Attempt) -> None:
    if _is_start_record(attempt):
        _insert(connection, attempts, ATTEMPT.row_of(attempt))
        return
    keys = {"the_id": attempt.execution, "the_number": attempt.number, "the_hash": attempt.request_hash}
    _move(connection, _ATTEMPT_MOVES, _moving(ATTEMPT, attempt) | keys)


def _is_start_record(attempt: Attempt) -> bool:
    return attempt.fate is Fate.OPEN and attempt.sends == 0


def _write_revised(connection: Connection, shape: Shape[Any], noun: Pause | Token | Alert, statement: Prepared) -> None:
    if noun.revision == 1:
        _insert(connection, shape.table, shape.row_of(noun))
    else:
        _move(connection, statement, _moving(shape, noun) | {"the_id": noun.id, "the_revision": noun.revision - 1})


def _write_consent(connection: Connection, consent: Consent) -> None:
    """Write one person's agreement; given again, it is renewed. The pause's row, which is locked, is what writers meet at."""
    keys = {"the_id": consent.pause, "the_person": consent.person}
    if _CONSENT_RENEWED.run(connection, _moving(CONSENT, consent) | keys) == 0:
        _insert(connection, resume_consents, CONSENT.row_of(consent))


def _insert(connection: Connection, table: Table, row: Mapping[str, Any]) -> None:
    try:
        _INSERTS[table].run(connection, row)
    except exc.IntegrityError as error:
        if not is_taken(error):
            raise
        raise Clash("Somebody was faster.") from error


def _move(connection: Connection, statement: Prepared, values: Mapping[str, Any]) -> None:
    if statement.run(connection, values) != 1:
        raise Clash("Somebody was faster.")


def _moving(shape: Shape[N], noun: N) -> dict[str, Any]:
    return shape.row_of(noun, only=MOVES[shape.table])
