"""What the hot questions cost: an index that fits, however long the history, and few statements."""

import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
from sqlalchemy import Connection, Executable, event, insert
from sqlalchemy.dialects import postgresql, sqlite

import models.engine.prepared
import models.store.reading
import models.store.unit_of_work
from approvals.identity.names import EscalationId
from approvals.workflow.request import Answer, State
from models.audit.sealer import Sealer
from models.engine.database import open_database
from models.engine.prepared import Asked, QueryResult, together
from models.outbox.card_queries import FIRST_TO_POST, FIRST_TO_REDRAW, NEXT_TO_POST, NEXT_TO_REDRAW, UNSEEN
from models.outbox.cards import Cards
from models.outbox.redraws import OLDER
from models.store.mapping import REQUEST
from models.store.queries.alerts import ALERTS_IN, LAST_ALERT, LAST_REFUSED, OPEN_GROUP
from models.store.queries.executions import DUE_AGAIN, DUE_EXECUTIONS, LEFT_BEHIND, UNDER_WAY_ON, WATCHES_DUE
from models.store.queries.operation import AGENT_IN_PLAY, PLACE_IN_PLAY
from models.store.queries.requests import HELD_BACK, OVERDUE, QUESTION_ASKED, REQUEST_BY_KEY, SAME_EFFECT
from models.store.queries.revocations import QUESTIONS_UNDER, REVOKED_WITH_QUESTIONS, STOPPABLE_UNDER_REVOKED
from models.store.store import SqlStore
from models.store.tables import Precedence, Subject, cards, escalations
from models.store.unit_of_work import STOPPABLE_EXECUTIONS
from tests.builders import BORIS, CHANNEL, MINUTE, a_policy, a_rule, an_asking
from tests.fixtures.postgres import PostgresDatabase, PostgresServer
from tests.fixtures.stores import a_store, emptied
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
            id=EscalationId(f"esc_{number:026d}"),
            idempotency_key=None,
            state=state,
            decided_at=None if state is State.PENDING else now,
            deadline=now + number * MINUTE,
        )
        rows.append(REQUEST.row_of(one) | {"policy": a_policy().version, "namespace": "shop"})
    with store.writing() as uow:
        uow.save_plan(plan)
        uow.connection.execute(insert(escalations), rows)


@pytest.fixture(scope="module")
def crowded_sqlite(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlStore]:
    """A store on SQLite with a crowd in it, in which nobody writes: its plans are asked for, one after the other."""
    path = shutil.copy(sqlite_template, tmp_path_factory.mktemp("crowd") / "countersign.db")
    with crowded(f"sqlite:///{path}") as store:
        yield store


@pytest.fixture(scope="module")
def crowded_postgres(postgres_server: PostgresServer, migrated_postgres: PostgresDatabase) -> Iterator[SqlStore]:
    """The same on PostgreSQL, in a database of its own."""
    own = postgres_server.create_database(template=emptied(postgres_server, migrated_postgres).name)
    with crowded(own.restricted_url) as store:
        yield store
    postgres_server.drop_database(own)


@contextmanager
def crowded(url: str) -> Iterator[SqlStore]:
    """Give a store over the empty database at *url*, with a crowd in it."""
    with closing(open_database(url)) as database:
        store = a_store(database)
        crowd(store)
        yield store


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
    places = {"now": "$1", "epoch": "$1", "leader": "$1", "limit": "$2", "key": "$3"}
    places |= {"before": "$1", "precedence": "$2", "channel": "$3", "agent": "$3"}
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
    "overdue": (OVERDUE.statement, "ix_escalations_pending_deadline"),
    "due": (DUE_EXECUTIONS.statement, "ix_executions_due"),
    "due again": (DUE_AGAIN.statement, "ix_executions_due_again"),
    "watched": (WATCHES_DUE.statement, "ix_executions_watch"),
    "revoked tokens with questions": (REVOKED_WITH_QUESTIONS.statement, "ix_escalations_pending_token"),
    "questions under one": (QUESTIONS_UNDER.statement, "ix_escalations_pending_token"),
    "cards that a pause makes stale": (OLDER, "ix_cards_waiting"),
    "what can be stopped under one": (STOPPABLE_UNDER_REVOKED.statement, "ix_executions_stoppable"),
}
EFFECTS = {
    "the same question": (QUESTION_ASKED.statement, "uq_escalations_question"),
    "the same effect": (SAME_EFFECT.statement, "ix_escalations_effect_key_asked_at"),
}
PAUSES = {
    "left behind by an earlier leader": (LEFT_BEHIND.statement, "ix_executions_stoppable"),
    "what a pause stops": (STOPPABLE_EXECUTIONS, "ix_executions_stoppable"),
    "what an agent has in play": (AGENT_IN_PLAY.statement, "ix_escalations_agent_state_id"),
    "what a place has in play": (PLACE_IN_PLAY.statement, "ix_escalations_pending_place"),
}


@pytest.mark.parametrize(
    ("question", "index"), (SWEEPS | PAUSES | EFFECTS).values(), ids=(SWEEPS | PAUSES | EFFECTS).keys()
)
def test_a_sweep_walks_its_own_index_on_sqlite(crowded_sqlite, question, index):
    """A tick, or a pause, looks at what is due and at nothing else, and sorts nothing."""
    plan = sqlite_plan(crowded_sqlite, question)

    assert f"INDEX {index}" in plan
    assert "B-TREE" not in plan
    assert "SCAN escalations" not in plan.replace("SCAN escalations USING", "")


@pytest.mark.postgres
@pytest.mark.parametrize(("question", "index"), SWEEPS.values(), ids=SWEEPS.keys())
def test_a_sweep_walks_its_own_index_on_postgresql(crowded_postgres, question, index):
    """So it stays after five runs, when the plan is made without the values (75 ms at a million rows otherwise)."""
    plan = generic_plan(crowded_postgres, question)

    assert f"Index Scan using {index}" in plan.replace("Only ", "")
    assert "Sort" not in plan
    assert "Seq Scan on escalations" not in plan


@pytest.mark.postgres
def test_what_is_left_behind_is_found_among_what_waits_on_postgresql(crowded_postgres):
    """Each half second the leader asks for it: only what is queued or claimed is looked at, and that is little to sort."""
    statement: Any = LEFT_BEHIND.statement
    plan = generic_plan(crowded_postgres, statement)

    assert "ix_executions_stoppable" in plan
    assert "Seq Scan" not in plan


ONES = {
    "the question under a key": (REQUEST_BY_KEY.statement, "sqlite_autoindex_idempotency_keys_1"),
    "what is under way on a target": (UNDER_WAY_ON.statement, "ix_executions_target"),
    "the last time of an alert": (LAST_ALERT.statement, "uq_alerts_time"),
    "the open group": (OPEN_GROUP.statement, "uq_alert_groups_open"),
    "the alerts of a group": (ALERTS_IN.statement, "ix_alerts_alert_group_state_starts_at"),
    "what a monitor was refused": (LAST_REFUSED.statement, "ix_refused_deliveries_environment_monitor_channel_since"),
}


@pytest.mark.parametrize(("question", "index"), ONES.values(), ids=ONES.keys())
def test_what_is_asked_of_one_reads_no_other(sqlite_store, question, index):
    """A call, a start or a delivery looks its own rows up, however many others there are."""
    plan = sqlite_plan(sqlite_store, question)

    assert f"INDEX {index}" in plan
    assert "SCAN" not in plan.replace("SCALAR", "")


SHOWN, TO_POST, TO_REDRAW = range(3)


def shelf(store: SqlStore, *, state: int = SHOWN, cards_of: int = MANY) -> None:
    """Fill the store with cards that show their subject as it is, or all of which wait for the same thing."""
    row = {
        "channel": CHANNEL,
        "kind": Subject.REQUEST.value,
        "precedence": Precedence.QUESTION.value if state == TO_POST else Precedence.REST.value,
        "agent": "scaler",
        "made_at": now_of(store),
        "closed": state == SHOWN,
        "wanted": 3,
        "shown": 3 if state == SHOWN else 0,
        "thread_ts": None if state == TO_POST else "1.1",
    }
    row |= {"failures": 0, "thread_failures": 0, "epoch": 1}
    due = now_of(store) + MINUTE
    with store.writing() as uow:
        uow.connection.execute(
            insert(cards),
            [row | {"subject": f"esc_{number:026d}", "due_at": due + number * MINUTE} for number in range(cards_of)],
        )


LOOKS = {
    **{f"queue to post {number}": (question, "ix_cards_to_post") for number, question in enumerate(NEXT_TO_POST)},
    "first to post": (FIRST_TO_POST, "ix_cards_to_post"),
    **{f"queue to redraw {number}": (question, "ix_cards_to_redraw") for number, question in enumerate(NEXT_TO_REDRAW)},
    "first to redraw": (FIRST_TO_REDRAW, "ix_cards_to_redraw"),
    "unseen": (UNSEEN, "ix_cards_to_post"),
    "held back": (HELD_BACK.statement, "ix_cards_to_post"),
}


@pytest.mark.parametrize(("question", "index"), LOOKS.values(), ids=LOOKS.keys())
def test_the_relay_walks_its_own_index_on_sqlite(sqlite_store, question, index):
    """A step reads no card that shows its subject as it is, and of what waits only what goes first."""
    shelf(sqlite_store)

    plan = sqlite_plan(sqlite_store, question)

    assert f"INDEX {index}" in plan
    assert ("B-TREE" in plan) == (
        question is UNSEEN
    )  # Over all channels and agents: it is looked at every five seconds.


@pytest.mark.postgres
@pytest.mark.parametrize(("question", "index"), LOOKS.values(), ids=LOOKS.keys())
def test_the_relay_walks_its_own_index_on_postgresql(postgres_store, question, index):
    """The same there."""
    shelf(postgres_store)

    plan = generic_plan(postgres_store, question)

    assert f"{index}" in plan
    assert "Seq Scan on cards" not in plan


@pytest.mark.slow
@pytest.mark.parametrize("state", [TO_POST, TO_REDRAW], ids=["to post", "to redraw"])
def test_a_look_costs_the_same_however_much_waits(sqlite_store, state):
    """A hundred thousand cards behind, as after a long outage or a pause over everything: a step reads twenty of them."""
    few, many = [], []
    shelf(sqlite_store, state=state, cards_of=100)
    behind = Cards(sqlite_store).behind
    for _ in range(20):
        started = perf_counter()
        assert len(behind(limit=20)) == 20
        few.append(perf_counter() - started)
    with sqlite_store.writing() as uow:
        uow.connection.execute(cards.delete())
    shelf(sqlite_store, state=state, cards_of=100_000)
    for _ in range(20):
        started = perf_counter()
        assert len(behind(limit=20)) == 20
        many.append(perf_counter() - started)

    assert min(many) < 3 * min(few)  # Sorting all of them was measured at more than a hundred times as much.


@pytest.fixture
def statements_of(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[[], object]], int]]:
    """Counts how often an act has to wait for the store's database: SQLite once a statement, BEGIN and COMMIT left out."""
    sent: list[str] = []
    prepared = together

    def note_prepared(connection: Connection, asked: Sequence[Asked]) -> list[QueryResult]:
        sent.extend("asked" for _ in (asked if store.database.is_sqlite else asked[:1]))
        return prepared(connection, asked)

    def note(connection: object, cursor: object, statement: str, *rest: object) -> None:
        if not statement.startswith("BEGIN"):
            sent.append(statement)

    engines = {*store.database.readers.values(), *store.database.writers.values()}
    for user in (models.engine.prepared, models.store.reading, models.store.unit_of_work):
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
