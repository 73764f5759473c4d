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
from models.mapping import ALERT, ATTEMPT, CONSENT, EXECUTION, PAUSE, REQUEST, TOKEN, VOTE, Shape
from models.tables import agent_tokens, alerts, attempts, escalations, executions, pauses, resume_consents, votes

MOVES: Final[Mapping[Table, frozenset[str]]] = {
    agent_tokens: frozenset({"revoked_at", "revision"}),
    alerts: frozenset({"state", "revision", "resolved_at"}),
    attempts: frozenset({"sending_at", "sends", "token_id", "token_expires_at", "fate", "http_status", "audit_id"}),
    escalations: frozenset(
        {"state", "revision", "valid_until", "decided_at", "decided_by", "outcome_code", "superseded_by"}
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


def _moves(table: Table, *conditions: ColumnElement[bool]) -> Any:
    return update(table).where(*conditions)


def _over_revision(table: Table, *conditions: ColumnElement[bool]) -> Any:
    return _moves(table, table.c.id == _ID, table.c.revision == _BEFORE, *conditions)


_PENDING_IN_TIME: Final = and_(escalations.c.state == State.PENDING.value, escalations.c.deadline > _NOW)
_WAS_APPROVED: Final = escalations.c.state == State.APPROVED.value

_REQUEST_FROM: Final[Mapping[State, Any]] = {
    State.PENDING: _over_revision(escalations, _PENDING_IN_TIME),
    State.APPROVED: _over_revision(escalations, _PENDING_IN_TIME),
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
        executions.c.generation == bindparam("the_generation"),
        and_(
            executions.c.generation == bindparam("the_generation") - 1,
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
    attempts.c.number == bindparam("the_number"),
    attempts.c.request_hash == bindparam("the_hash"),
)
_CONSENT_RENEWED: Final = _moves(
    resume_consents, resume_consents.c.pause == _ID, resume_consents.c.person == bindparam("the_person")
)
_INSERTS: Final = {
    shape.table: insert(shape.table) for shape in (ALERT, ATTEMPT, CONSENT, EXECUTION, PAUSE, REQUEST, TOKEN, VOTE)
}


def in_writing_order(nouns: Iterable[object]) -> list[object]:
    """Return *nouns* so that what refers comes after what it refers to, and a vote falls before the next one is cast.

    It is also the order in which rows are locked: request, vote, execution, attempt.
    """
    return sorted(nouns, key=_rank)


def _rank(noun: object) -> int:
    match noun:
        case Token() | Pause():
            return 0
        case Alert() | Consent() | Request():
            return 1
        case Vote():
            return 3 if noun.voided_at is None else 2
        case Execution():
            return 4
        case Attempt():
            return 5
        case _:
            raise TypeError(f"{type(noun).__name__} is not kept in a row")


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
    row = REQUEST.row_of(request)
    if request.revision == 1:
        _insert(connection, escalations, row | {"policy": None if request.ruling is None else request.ruling.policy})
        return
    statement = _REQUEST_FROM[request.state]
    _move(connection, escalations, statement, row, the_id=request.id, the_revision=request.revision - 1, the_now=now)


def _write_vote(connection: Connection, vote: Vote) -> None:
    row = VOTE.row_of(vote)
    if vote.voided_at is None:
        _insert(connection, votes, row)
    else:
        _move(connection, votes, _VOTE_FALLS, row, the_id=vote.id)


def _write_execution(connection: Connection, execution: Execution, now: datetime) -> None:
    row = EXECUTION.row_of(execution) | {"look_at": None if execution.is_over else execution.due_at}
    if execution.revision == 1:
        _insert(connection, executions, row)
        return
    _move(
        connection,
        executions,
        _EXECUTION_MOVES,
        row,
        the_id=execution.id,
        the_revision=execution.revision - 1,
        the_generation=execution.generation,
        the_now=now,
    )


def _write_attempt(connection: Connection, attempt: Attempt) -> None:
    row = ATTEMPT.row_of(attempt)
    if _is_start_record(attempt):
        _insert(connection, attempts, row)
        return
    keys = {"the_id": attempt.execution, "the_number": attempt.number, "the_hash": attempt.request_hash}
    _move(connection, attempts, _ATTEMPT_MOVES, row, **keys)


def _is_start_record(attempt: Attempt) -> bool:
    return attempt.fate is Fate.OPEN and attempt.sends == 0


def _write_revised(connection: Connection, shape: Shape[Any], noun: Pause | Token | Alert, statement: Any) -> None:
    row = shape.row_of(noun)
    if noun.revision == 1:
        _insert(connection, shape.table, row)
    else:
        _move(connection, shape.table, statement, row, the_id=noun.id, the_revision=noun.revision - 1)


def _write_consent(connection: Connection, consent: Consent) -> None:
    """Write one person's agreement; given again, it is renewed. The pause's row, which is locked, is what writers meet at."""
    row = CONSENT.row_of(consent)
    keys = {"the_id": consent.pause, "the_person": consent.person}
    if connection.execute(_CONSENT_RENEWED, _moving(resume_consents, row) | keys).rowcount == 0:
        _insert(connection, resume_consents, row)


def _insert(connection: Connection, table: Table, row: Mapping[str, Any]) -> None:
    try:
        connection.execute(_INSERTS[table], row)
    except exc.IntegrityError as error:
        if not is_taken(error):
            raise
        raise Clash("Somebody was faster.") from error


def _move(connection: Connection, table: Table, statement: Any, row: Mapping[str, Any], **keys: Any) -> None:
    if connection.execute(statement, _moving(table, row) | keys).rowcount != 1:
        raise Clash("Somebody was faster.")


def _moving(table: Table, row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in MOVES[table]}
