"""Looks into a world's books, for tests of use cases: one request's execution, start records and events."""

from typing import Any, NamedTuple

from sqlalchemy import create_engine, text

from approvals.audit.events import PAUSE_STREAM, request_stream
from approvals.workflow.execution import Attempt, Execution, Phase, Reason
from approvals.workflow.request import Request
from models.audit.book import AuditBook
from tests.fixtures.postgres import OWNER
from tests.world import World


class Stands(NamedTuple):
    """Where an execution stands, in short."""

    state: Phase
    reason: Reason | None
    message: str


def execution_of(world: World, request: Request) -> Execution:
    """Return the request's execution."""
    with world.store.reading() as reading:
        found = reading.execution_of(request.id)
    assert found is not None, "it was never queued"
    return found


def attempt_of(world: World, request: Request) -> Attempt:
    """Return the newest start record of the request's execution."""
    with world.store.reading() as reading:
        found = reading.last_attempt(execution_of(world, request).id)
    assert found is not None, "it was never armed"
    return found


def stands(world: World, request: Request) -> Stands:
    """Return where the request's execution stands."""
    execution = execution_of(world, request)
    return Stands(execution.state, execution.reason, execution.message)


def votes_on(world: World, request: Request) -> dict[str, str]:
    """Return the live answers on a request, by account."""
    with world.store.reading() as reading:
        return {vote.account: vote.answer.value for vote in reading.votes(request.id)}


def story(world: Any, subject: Request | str = PAUSE_STREAM) -> list[tuple[str, str, dict[str, Any]]]:
    """Return the events of a request, or of a stream, in order: kind, actor and data."""
    stream = subject if isinstance(subject, str) else request_stream(subject.id)
    told = AuditBook(world.store.database).story(stream)
    return [(one.record.kind, one.record.actor, dict(one.record.data)) for one in told]


def kinds(world: World, subject: Request | str = PAUSE_STREAM) -> list[str]:
    """Return what happened to a request, or in a stream, in order."""
    return [kind for kind, _, _ in story(world, subject)]


def held_targets(world: Any) -> list[str]:
    """Return the executions that hold a target."""
    with world.store.database.reading() as connection:
        rows = connection.execute(text("SELECT execution FROM target_locks WHERE execution IS NOT NULL"))
        return [row.execution for row in rows]


def lines_to_tell(world: Any) -> int:
    """Return how many lines wait to be told in threads."""
    with world.store.database.reading() as connection:
        return int(connection.execute(text("SELECT count(*) FROM thread_lines")).scalar_one())


def wanted_of(world: Any, request: Request) -> int:
    """Return how often the request's card was to be drawn so far."""
    with world.store.database.reading() as connection:
        wanted = text("SELECT wanted FROM cards WHERE subject = :subject")
        return int(connection.execute(wanted, {"subject": request.id}).scalar_one())


def tamper(world: Any, statement: str, **values: object) -> None:
    """Change the tables behind everybody's back, as the database's owner: the product's own role may not."""
    database = world.store.database
    engine = create_engine(database.url if database.is_sqlite else database.url.set(username=OWNER))
    try:
        with engine.begin() as connection:
            connection.execute(text(statement), values)
    finally:
        engine.dispose()
