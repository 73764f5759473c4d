"""The migrated tables are the tables of the code, on both engines, and a migration can be taken back."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import CheckConstraint, create_engine, inspect, text

from models.engine.database import Database, open_database
from models.schema.migrate import check, downgrade, migration_config, upgrade
from models.schema.revision import REVISION, current, is_current, lack
from models.store.mapping import json_of
from models.store.tables import metadata
from tests.builders import NOON, a_ruling
from tests.fixtures.postgres import PostgresDatabase
from tests.fixtures.stores import a_store


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The owner's address of an empty database, on each engine in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.db'}"
    found: PostgresDatabase = request.getfixturevalue("empty_postgres")
    return found.owner_url


@pytest.fixture
def empty(empty_url: str) -> Iterator[Database]:
    """An empty database, reached as its owner; SQLite's is an empty file, since a missing one is not opened."""
    if empty_url.startswith("sqlite:///"):
        Path(empty_url.removeprefix("sqlite:///")).touch()
    database = open_database(empty_url)
    yield database
    database.close()


def tables_of(database: Database) -> set[str]:
    """Return the names of the tables that are there, Alembic's own left out."""
    with database.reading() as connection:
        return set(inspect(connection).get_table_names()) - {"alembic_version"}


def checks_of(database: Database) -> dict[str, set[str]]:
    """Return by table the names of the check constraints that are there."""
    with database.reading() as connection:
        asked = inspect(connection)
        return {name: {str(one["name"]) for one in asked.get_check_constraints(name)} for name in metadata.tables}


def test_a_schema_that_only_says_it_is_current_is_found_out(empty_url, empty):
    """A database made before a revision was changed bears its number all the same: what it lacks is named."""
    upgrade(empty_url)
    lacking = [lack(empty)]
    with empty.writing() as connection:
        connection.execute(text("ALTER TABLE policy_versions RENAME COLUMN text TO words"))
    lacking.append(lack(empty))
    with empty.writing() as connection:
        connection.execute(text("DROP TABLE clock_floor"))
    lacking.append(lack(empty))

    assert (is_current(empty), lacking) == (True, [None, "policy_versions", "clock_floor"])


def test_up_down_and_up_again(empty_url, empty):
    """What a migration makes its reverse removes, and it can be made again."""
    seen = [(current(empty), is_current(empty), tables_of(empty))]
    for step in (upgrade, downgrade, upgrade):
        step(empty_url)
        seen.append((current(empty), is_current(empty), tables_of(empty)))

    everything = set(metadata.tables)
    assert seen == [
        (None, False, set()),
        (REVISION, True, everything),
        (None, False, set()),
        (REVISION, True, everything),
    ]


def test_upgrading_twice_changes_nothing(empty_url, empty):
    """Running the upgrade on a database that is current leaves it as it is, rows included."""
    upgrade(empty_url)
    upgrade(empty_url)

    assert is_current(empty)


def test_what_was_asked_before_gets_its_place(empty_url, empty):
    """A row of the release before is found by the namespace of its target; one that cannot be read hinders no upgrade."""
    upgrade(empty_url, revision="0005")
    row = """INSERT INTO escalations (id, agent, environment, action, body_hash, channel, state, revision, asked_at,
        shown_whole, breaches, decided_at, decided_by, chain)
        VALUES ('{}', 'scaler', 'prod-eu-1', '{}', 'b', '', 'refused', 1, 0, false, '[]', 0, '[]', 1)"""
    with empty.writing() as connection:
        target = (
            """{"parameters":{},"target":{"kind":"Deployment","name":"checkout","namespace":"shop"},"verb":"scale"}"""
        )
        for name, action in (("esc_1", target), ("esc_2", "broken")):
            connection.exec_driver_sql(row.format(name, action))

    upgrade(empty_url)

    with empty.reading() as connection:
        found = connection.execute(text("SELECT id, namespace FROM escalations ORDER BY id")).all()
    assert [tuple(one) for one in found] == [("esc_1", "shop"), ("esc_2", "")]


def test_an_effect_is_called_what_fits_any_change(empty_url, empty):
    """Every row of the release before bears the new word, whatever else stands in it, and the old one where it is taken back."""
    upgrade(empty_url, revision="0011")
    told = (None, "rolling", "verified", "failed_rollout", "timed_out", "overtaken", "differs", "undone")
    with empty.writing() as connection:
        connection.exec_driver_sql("INSERT INTO plans (fingerprint, bound, evidence) VALUES ('f', 'b', '{}')")
        for number, effect in enumerate(told):
            connection.exec_driver_sql(
                f"""INSERT INTO escalations (id, agent, environment, action, body_hash, channel, state, revision, asked_at,
                shown_whole, breaches, decided_at, decided_by, chain)
                VALUES ('esc_{number}', 'scaler', 'prod-eu-1', '{{}}', 'b', '', 'refused', 1, 0, false, '[]', 0, '[]', 1)"""
            )
            word = "NULL" if effect is None else f"'{effect}'"
            connection.exec_driver_sql(
                f"""INSERT INTO executions (id, escalation, step, state, revision, agent, environment, namespace,
                cluster_uid, object_uid, fingerprint, valid_until, due_at, generation, attempts, rounds, effect, message)
                VALUES ('exe_{number}', 'esc_{number}', 0, 'applied', 1, 'scaler', 'prod-eu-1', 'shop', 'c', 'o', 'f', 0, 0,
                0, 0, 0, {word}, '')"""
            )

    def effects() -> list[str | None]:
        with empty.reading() as connection:
            return list(connection.execute(text("SELECT effect FROM executions ORDER BY id")).scalars())

    upgrade(empty_url)
    after = effects()
    downgrade(empty_url, revision="0011")

    assert after == [None, "in_progress", "verified", "failed", "timed_out", "overtaken", "differs", "undone"]
    assert effects() == list(told)


def test_the_migrated_tables_are_those_of_the_code(empty_url, empty):
    """No column, key, index or reference is in one and not in the other; nor is any check."""
    upgrade(empty_url)

    check(empty_url)

    expected = {
        name: {str(one.name) for one in table.constraints if isinstance(one, CheckConstraint)}
        for name, table in metadata.tables.items()
    }
    assert checks_of(empty) == expected


def test_a_check_means_the_same_in_both(tmp_path):
    """The conditions are the same texts, not only the same names: made from the code and by the migration alike."""
    migrated, made = f"sqlite:///{tmp_path / 'migrated.db'}", f"sqlite:///{tmp_path / 'made.db'}"
    upgrade(migrated)
    engine = create_engine(made)
    metadata.create_all(engine)
    engine.dispose()

    assert conditions(migrated) == conditions(made)


def conditions(url: str) -> dict[str, dict[str, str]]:
    """Return the text of each check and of each partial index's condition, by table and name."""
    engine = create_engine(url)
    asked = inspect(engine)
    found = {}
    for name in metadata.tables:
        checks = {str(one["name"]): one["sqltext"] for one in asked.get_check_constraints(name)}
        partial = {
            str(one["name"]): str(one.get("dialect_options", {}).get("sqlite_where")) for one in asked.get_indexes(name)
        }
        found[name] = checks | partial
    engine.dispose()
    return found


def test_questions_of_before_stay_as_they_were(empty_url, empty):
    """Several open questions of one effect outlive the upgrade: none is lost or joined to another, and keys find theirs."""
    upgrade(empty_url, revision="0005")
    with empty.writing() as connection:
        for statement in BEFORE:
            connection.exec_driver_sql(statement)
    upgrade(empty_url)
    store = a_store(empty)

    with store.reading() as reading:
        found = [reading.standing("scaler", f"key-{number}") for number in (1, 2)]

    assert [(one.asked and one.asked.id, one.body_hash) for one in found] == [("esc_1", "body-1"), ("esc_2", "body-2")]
    with store.reading() as reading:
        assert reading.effect_asked("e", "q", since=NOON).question is None


TOKEN = "'tok', 'hash', 'agent', 'scaler', '[]', '[]', 0, 'os:olga', 9, NULL, 1"
ACTION = json.dumps(
    {"verb": "restart", "target": {"kind": "Deployment", "namespace": "a", "name": "b"}, "parameters": {}}
)
QUESTION = (
    "INSERT INTO escalations (id, agent, environment, action, idempotency_key, body_hash, token, channel, state, revision,"
    " asked_at, deadline, policy, ruling, fingerprint, effect_key, render_hash, shown_whole, breaches, decided_by, chain)"
    f" VALUES ('esc_{{0}}', 'scaler', 'e', '{ACTION}', 'key-{{0}}', 'body-{{0}}', 'tok', 'T:C', 'pending', 1,"
    f" 0, 9, 'v', '{json_of(a_ruling())}', 'f', 'same', 'r', true, '[]', '[]', 1)"
)
BEFORE = (
    f"INSERT INTO agent_tokens VALUES ({TOKEN})",
    "INSERT INTO policy_versions VALUES ('v', '', 0)",
    "INSERT INTO plans VALUES ('f', '', '{}')",
    *(QUESTION.replace("{0}", number) for number in "12"),
)


def test_the_code_needs_the_newest_revision():
    """Who adds a revision has to say that the code needs it."""
    scripts = ScriptDirectory.from_config(migration_config())

    assert scripts.get_current_head() == REVISION


def test_the_service_does_not_load_alembic():
    """Whether a database is current is asked without the tool that migrates it: it would cost every process memory."""
    loaded = "models.store.store, models.schema.revision, models.outbox.cards, models.audit.sealer"
    program = f"import {loaded}, sys; print('alembic' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=os.environ)

    assert done.stdout.strip() == "False"
