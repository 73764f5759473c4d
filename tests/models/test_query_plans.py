"""What the hot questions cost: an index that fits, however long the history, and few statements."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pytest
from sqlalchemy import Connection, Executable, event, insert
from sqlalchemy.dialects import postgresql, sqlite

import models.prepared
import models.reading
import models.unit_of_work
from approvals.request import Answer, State
from models.cards import TASKS
from models.mapping import REQUEST
from models.prepared import Answer as Given
from models.prepared import Asked, together
from models.reading import (
    AGENT_IN_PLAY,
    DUE_AGAIN,
    DUE_EXECUTIONS,
    OVERDUE,
    PLACE_IN_PLAY,
    QUESTION_ASKED,
    QUESTIONS_UNDER,
    REVOKED_WITH_QUESTIONS,
    SAME_EFFECT,
    STOPPABLE_UNDER_REVOKED,
)
from models.redraws import OLDER
from models.sealer import Sealer
from models.store import SqlStore
from models.tables import Subject, cards, escalations
from models.unit_of_work import STOPPABLE_EXECUTIONS
from tests.builders import BORIS, CHANNEL, MINUTE, a_policy, a_rule, an_asking
from tests.models.records import a_question, now_of, with_grounds
from tests.world import FixedPolicies, World

MANY = 3000


def crowd(store: SqlStore) -> None:
    """Fill the store with questions: as many decided as pending, none due."""
    with_grounds(store)
    now = now_of(store)
    request, plan = a_question(now)
    rows = []
    for number in range(MANY):
        state = State.PENDING if number % 2 else State.DENIED
        one = replace(
            request,
            id=f"esc_{number:026d}",
            idempotency_key=None,
            state=state,
            decided_at=None if state is State.PENDING else now,
            deadline=now + number * MINUTE,
        )
        rows.append(REQUEST.row_of(one) | {"policy": a_policy().version, "namespace": "shop"})
    with store.writing() as uow:
        uow.save_plan(plan)
        uow.connection.execute(insert(escalations), rows)


def sqlite_plan(store: SqlStore, statement: Executable) -> str:
    """Return how SQLite goes about *statement*."""
    compiled = str(statement.compile(dialect=sqlite.dialect()))  # type: ignore[attr-defined]
    values = (0,) * compiled.count("?")
    with store.database.reading() as connection:
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", values).all()
    return " / ".join(str(row.detail) for row in rows)


def generic_plan(store: SqlStore, statement: Executable) -> str:
    """Return how PostgreSQL goes about *statement* once it plans it without looking at the values: after five runs."""
    compiled = statement.compile(dialect=postgresql.psycopg.dialect())  # type: ignore[attr-defined]
    places = {"now": "$1", "epoch": "$1", "limit": "$2", "key": "$3"}
    spelt_out = {name: repr(value) for name, value in compiled.params.items() if value is not None}
    given = spelt_out | places | {f"{name}_1": place for name, place in places.items()}
    prepared = re.sub(r"%\((\w+)\)s(::\w+)?", lambda found: given[found[1]], str(compiled))
    with store.writing() as uow:
        run(uow.connection, "SET LOCAL plan_cache_mode = force_generic_plan")
        run(uow.connection, f"PREPARE question (bigint, bigint, text) AS {prepared}")
        plan = run(uow.connection, "EXPLAIN EXECUTE question (0, 100, '')")
        run(uow.connection, "DEALLOCATE question")
    return "\n".join(plan)


def run(connection: Connection, statement: str) -> list[str]:
    """Run one statement as it stands and return the first column of what it gives."""
    found = connection.exec_driver_sql(statement)
    return [str(row[0]) for row in found] if found.returns_rows else []


SWEEPS = {
    "overdue": (OVERDUE, "ix_escalations_pending_deadline"),
    "due": (DUE_EXECUTIONS, "ix_executions_due"),
    "due again": (DUE_AGAIN, "ix_executions_due_again"),
    "revoked tokens with questions": (REVOKED_WITH_QUESTIONS, "ix_escalations_pending_token"),
    "questions under one": (QUESTIONS_UNDER, "ix_escalations_pending_token"),
    "cards that a pause makes stale": (OLDER, "ix_cards_waiting"),
    "what can be stopped under one": (STOPPABLE_UNDER_REVOKED, "ix_executions_stoppable"),
}
EFFECTS = {
    "the same question": (QUESTION_ASKED, "uq_escalations_question"),
    "the same effect": (SAME_EFFECT, "ix_escalations_effect_key_asked_at"),
}
PAUSES = {
    "what a pause stops": (STOPPABLE_EXECUTIONS, "ix_executions_stoppable"),
    "what an agent has in play": (AGENT_IN_PLAY, "ix_escalations_agent_state_id"),
    "what a place has in play": (PLACE_IN_PLAY, "ix_escalations_pending_place"),
}


@pytest.mark.parametrize(
    ("question", "index"), (SWEEPS | PAUSES | EFFECTS).values(), ids=(SWEEPS | PAUSES | EFFECTS).keys()
)
def test_a_sweep_walks_its_own_index_on_sqlite(sqlite_store, question, index):
    """A tick, or a pause, looks at what is due and at nothing else, and sorts nothing."""
    crowd(sqlite_store)

    plan = sqlite_plan(sqlite_store, question)

    assert f"INDEX {index}" in plan
    assert "B-TREE" not in plan
    assert "SCAN escalations" not in plan.replace("SCAN escalations USING", "")


@pytest.mark.postgres
@pytest.mark.parametrize(("question", "index"), SWEEPS.values(), ids=SWEEPS.keys())
def test_a_sweep_walks_its_own_index_on_postgresql(postgres_store, question, index):
    """So it stays after five runs, when the plan is made without the values (75 ms at a million rows otherwise)."""
    crowd(postgres_store)

    plan = generic_plan(postgres_store, question)

    assert f"Index Scan using {index}" in plan.replace("Only ", "")
    assert "Sort" not in plan
    assert "Seq Scan on escalations" not in plan


def shelf(store: SqlStore) -> None:
    """Fill the store with cards that show their subject as it is."""
    row = {
        "channel": CHANNEL,
        "kind": Subject.REQUEST.value,
        "closed": True,
        "wanted": 3,
        "shown": 3,
        "thread_ts": "1.1",
    }
    row |= {"failures": 0, "thread_failures": 0, "epoch": 1}
    with store.writing() as uow:
        uow.connection.execute(insert(cards), [row | {"subject": f"esc_{number:026d}"} for number in range(MANY)])


def test_the_relay_looks_at_what_is_behind_on_sqlite(sqlite_store):
    """A step sorts what has to be shown, and reads no card that shows its subject as it is."""
    shelf(sqlite_store)

    plan = sqlite_plan(sqlite_store, TASKS)

    assert "SCAN cards USING INDEX ix_cards_behind" in plan


@pytest.mark.postgres
def test_the_relay_looks_at_what_is_behind_on_postgresql(postgres_store):
    """The same there."""
    shelf(postgres_store)

    plan = generic_plan(postgres_store, TASKS)

    assert "Index Scan on ix_cards_behind" in plan
    assert "Seq Scan on cards" not in plan


@pytest.fixture
def statements_of(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[[], object]], int]]:
    """Counts how often an act has to wait for the store's database: SQLite once a statement, BEGIN and COMMIT left out."""
    sent: list[str] = []
    prepared = together

    def note_prepared(connection: Connection, asked: Sequence[Asked]) -> list[Given]:
        sent.extend("asked" for _ in (asked if store.database.is_sqlite else asked[:1]))
        return prepared(connection, asked)

    def note(connection: object, cursor: object, statement: str, *rest: object) -> None:
        if not statement.startswith("BEGIN"):
            sent.append(statement)

    engines = {*store.database.readers.values(), *store.database.writers.values()}
    for user in (models.prepared, models.reading, models.unit_of_work):
        monkeypatch.setattr(user, "together", note_prepared)
    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)

    def count(act: Callable[[], object]) -> int:
        sent.clear()
        act()
        return len(sent)

    yield count
    for engine in engines:
        event.remove(engine, "before_cursor_execute", note)


def test_a_decision_takes_few_statements(store, statements_of):
    """What each answer costs is counted, so that nobody makes it dearer unawares.

    On PostgreSQL these are round trips: what authority is asked for; the lock; what a judgement rests on, read under it; the
    writes and the places in the trail; the trail and the commit. On SQLite they are statements.
    """
    quorum = a_policy(rules=(a_rule(asking=an_asking(quorum=2)),))
    world = World(store=store, policies=FixedPolicies(quorum)).settled()
    request, other = world.pending("key-1"), world.pending("key-2")

    counts = {
        "first of two": statements_of(lambda: world.answers(request)),
        "second of two": statements_of(lambda: world.answers(request, BORIS)),
        "denial": statements_of(lambda: world.answers(other, answer=Answer.DENY)),
    }

    if store.database.is_sqlite:
        assert counts == {"first of two": 15, "second of two": 16, "denial": 15}
    else:
        assert counts == {"first of two": 5, "second of two": 5, "denial": 5}


def test_an_escalation_takes_few_trips(store, statements_of):
    """How its agent stands; gate and pauses; the effect's past; the writes and the place in the trail; trail and commit."""
    world = World(store=store, policies=FixedPolicies(a_policy())).settled()

    count = statements_of(lambda: world.pending("key-1"))

    assert count == (16 if store.database.is_sqlite else 5)


def test_an_idle_second_of_the_sealer_takes_few_statements(store, statements_of):
    """Where nothing was written, one look on SQLite, which disturbs no writer, and three statements on PostgreSQL."""
    sealer = Sealer(store.database)
    sealer.seal()

    assert statements_of(sealer.seal) == (1 if store.database.is_sqlite else 3)
