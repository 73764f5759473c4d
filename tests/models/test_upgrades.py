"""What an upgrade does with the rows of the release before, on both engines: nothing is lost, and each gets its place."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text

from models.engine.database import Database, open_database
from models.engine.faults import Inconsistent
from models.schema.migrate import downgrade, upgrade
from models.store.mapping import json_of
from tests.builders import a_ruling
from tests.fixtures.postgres import PostgresDatabase
from tests.fixtures.stores import a_store

FIRST = "0001"
ACTION = '{"parameters":{},"target":{"kind":"Deployment","name":"checkout","namespace":"shop"},"verb":"restart"}'


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The owner's address of a database of the first release, on each engine in turn."""
    if request.param == "sqlite":
        found = f"sqlite:///{tmp_path / 'first.db'}"
    else:
        server: PostgresDatabase = request.getfixturevalue("empty_postgres")
        found = server.owner_url
    upgrade(found, revision=FIRST)
    return found


@pytest.fixture
def first(url: str) -> Iterator[Database]:
    """That database, with one row of each kind in it and several alerts."""
    database = open_database(url)
    with database.writing() as connection:
        fill(connection)
    yield database
    database.close()


def add(connection: Connection, table: str, **values: Any) -> None:
    """Add one row."""
    places = ", ".join(f":{name}" for name in values)
    connection.execute(text(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({places})"), values)


def fill(connection: Connection) -> None:
    """Add what the first release may have left."""
    add(connection, "policy_versions", version="v", text="", first_loaded_at=0)
    add(connection, "plans", fingerprint="f", bound=b"{}", evidence="{}")
    for number in (1, 2):
        add_token(connection, f"tok_{number}")
    add_escalation(connection, "esc_1", state="pending", decided_at=None)
    add_escalation(connection, "esc_2", state="approved", decided_at=5)
    add_execution(connection, "exe_2", "esc_2")
    add_card(connection, "esc_1", "request")
    add_card(connection, "esc_2", "request", closed=True, thread_ts="1.2")
    add(connection, "message_refs", channel="T:C", ts="1.2", subject="esc_2", known_at=4)
    add(
        connection, "pauses", id="pause_1", scope='{"kind":"all","name":""}', by="os:olga", engaged_at=6, engaged_epoch=1,
        revision=1, channels="[]",
    )  # fmt: skip
    add_card(connection, "pause_1", "pause")
    for number, token, starts, state in ALERTS:
        add_alert(connection, f"alert_{number}", token=token, starts_at=starts, state=state, seen_at=starts + number)
        add_card(connection, f"alert_{number}", "alert", shown=1, thread_ts=f"2.{number}")


ALERTS = (
    (1, "tok_1", 10, "firing"),  # Burnt before it burnt again.
    (2, "tok_1", 20, "firing"),
    (3, "tok_2", 20, "resolved"),  # The same time, told of with another token: it is over.
    (4, "tok_1", 30, "firing"),
)


def add_token(connection: Connection, name: str) -> None:
    """Add one token."""
    add(
        connection, "agent_tokens", id=name, hash=name, kind="agent", holder="scaler", environments="[]", namespaces="[]",
        created_at=0, created_by="os:olga", expires_at=9, revision=1,
    )  # fmt: skip


def add_escalation(connection: Connection, name: str, *, state: str, decided_at: int | None) -> None:
    """Add one question."""
    add(
        connection, "escalations", id=name, agent="scaler", environment="e", action=ACTION, idempotency_key=name,
        body_hash="b", token="tok_1", channel="T:C", state=state, revision=1, asked_at=1, deadline=9, policy="v",
        ruling=json_of(a_ruling()), fingerprint="f", effect_key="same", render_hash="r", shown_whole=True, breaches="[]",
        decided_at=decided_at, decided_by="[]", chain=1,
    )  # fmt: skip


def add_execution(connection: Connection, name: str, escalation: str) -> None:
    """Add one execution that has its effect, and its start record."""
    add(
        connection, "executions", id=name, escalation=escalation, step=1, state="applied", revision=2, agent="scaler",
        environment="e", namespace="shop", cluster_uid="c", object_uid="o", fingerprint="f", valid_until=9, due_at=7,
        generation=1, attempts=1, rounds=0, effect="verified", message="",
    )  # fmt: skip
    add(
        connection, "attempts", execution=name, number=1, resource_version="1", object_generation=1, request_hash="h",
        epoch=0, armed_at=6, sends=1, fate="applied",
    )  # fmt: skip


def add_card(
    connection: Connection,
    subject: str,
    kind: str,
    *,
    closed: bool = False,
    shown: int = 0,
    thread_ts: str | None = None,
) -> None:
    """Add one card that is behind by a revision."""
    add(
        connection, "cards", subject=subject, channel="T:C", kind=kind, closed=closed, wanted=shown + 1, shown=shown,
        thread_ts=thread_ts, failures=0, thread_failures=0, epoch=0,
    )  # fmt: skip


def add_alert(connection: Connection, name: str, *, token: str, starts_at: int, state: str, seen_at: int) -> None:
    """Add one alert."""
    add(
        connection, "alerts", id=name, token=token, environment="e", channel="T:C", fingerprint="f", starts_at=starts_at,
        state=state, revision=1, seen_at=seen_at, resolved_at=40 if state == "resolved" else None,
    )  # fmt: skip


def rows(database: Database, asked: str) -> list[tuple[Any, ...]]:
    """Return what *asked* finds."""
    with database.reading() as connection:
        return [tuple(row) for row in connection.execute(text(asked))]


def test_cards_get_their_place_in_the_order(url, first):
    """An unseen question, an ended one whose buttons still show, a notice, and what informs: each as if it came today."""
    upgrade(url)

    found = rows(first, "SELECT subject, precedence, agent, due_at, made_at, shown_at FROM cards ORDER BY subject")
    assert found == [
        *((f"alert_{number}", 4, "", starts + number, starts + number, None) for number, _, starts, _ in ALERTS),
        ("esc_1", 2, "scaler", 9, 1, None),
        ("esc_2", 1, "scaler", 9, 1, 4),
        ("pause_1", 0, "", 6, 6, None),
    ]


def test_alerts_become_groups_of_their_own(url, first):
    """What burnt before it burnt again is over, so is each of two rows of one time if one of them is; one stays the alert."""
    upgrade(url)

    assert rows(first, "SELECT id, state, alert_group FROM alerts ORDER BY id") == [
        ("alert_1", "resolved", "alert_1"),
        ("alert_2", "resolved", "alert_2"),
        ("alert_3", "resolved", None),
        ("alert_4", "firing", "alert_4"),
    ]
    assert rows(first, "SELECT id, state, firing, total FROM alert_groups ORDER BY id") == [
        ("alert_1", "resolved", 0, 1),
        ("alert_2", "resolved", 0, 1),
        ("alert_3", "resolved", 0, 0),
        ("alert_4", "firing", 1, 1),
    ]


def test_nouns_of_the_first_release_are_read(url, first):
    """A question, its execution and its start record come back whole, what they lacked being what it was: nothing."""
    upgrade(url)

    with a_store(first).reading() as reading:
        request, execution = reading.request("esc_1"), reading.execution_of("esc_2")
        attempt = reading.last_attempt("exe_2")

    assert request is not None
    assert (request.id, request.action.target.namespace) == ("esc_1", "shop")
    assert execution is not None
    assert (execution.effect, execution.drift, execution.waits, execution.watched_until) == ("verified", (), 0, None)
    assert attempt is not None
    assert (attempt.fate, attempt.image) == ("applied", None)


def test_the_rows_outlive_the_way_back(url, first):
    """Taken back to the first release and upgraded again, every row is there."""
    counted = " UNION ALL ".join(
        f"SELECT '{name}', COUNT(*) FROM {name}"
        for name in ("alerts", "attempts", "cards", "escalations", "executions")
    )
    before = rows(first, counted)

    upgrade(url)
    downgrade(url, revision=FIRST)
    back = rows(first, counted)
    upgrade(url)

    assert (back, rows(first, counted)) == (before, before)


@pytest.mark.parametrize("precedence", [-1, 5])
def test_no_card_has_a_precedence_that_is_none(url, first, precedence):
    """Both engines refuse what the code could not read, and would set aside."""
    upgrade(url)

    with pytest.raises(Inconsistent), first.writing() as connection:
        connection.execute(text(f"UPDATE cards SET precedence = {precedence}"))
