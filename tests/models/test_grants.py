"""What the restricted PostgreSQL role may do: add, and change what the code changes. Nothing else."""

import pytest
from sqlalchemy import Connection, create_engine, text

from approvals.errors import Unavailable
from models.schema.grants import CHANGES
from models.schema.migrate import upgrade
from models.store.tables import metadata
from tests.fixtures.postgres import RESTRICTED, PostgresDatabase
from tests.models.records import ask, with_grounds

pytestmark = pytest.mark.postgres


def rights_of(connection: Connection) -> dict[str, set[str]]:
    """Return by table what the role that is connected may do with the whole of it."""
    found = {}
    for table in metadata.tables:
        found[table] = {
            right
            for right in ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")
            if connection.execute(text(f"SELECT has_table_privilege('{table}', '{right}')")).scalar_one()
        }
    return found


def changeable(connection: Connection) -> dict[str, set[str]]:
    """Return by table the columns that the role that is connected may change."""
    asked = "SELECT has_column_privilege('{}', '{}', 'UPDATE')"
    return {
        name: {
            column.name
            for column in table.columns
            if connection.execute(text(asked.format(name, column.name))).scalar_one()
        }
        for name, table in metadata.tables.items()
    }


def test_the_service_may_add_and_change_what_it_changes(postgres_store):
    """Nothing is deleted anywhere; rows that exist once are not added to; only named columns change."""
    with postgres_store.reading() as reading:
        rights, columns = rights_of(reading.connection), changeable(reading.connection)

    once = {"gate", "clock_floor"}
    assert rights == {name: {"SELECT"} | (set() if name in once else {"INSERT"}) for name in metadata.tables}
    assert columns == {name: set(CHANGES.get(table, ())) for name, table in metadata.tables.items()}


@pytest.mark.parametrize(
    "forgery",
    [
        "UPDATE events SET body = ''",
        "DELETE FROM events",
        "UPDATE seals SET chain = ''",
        "DELETE FROM seals",
        "UPDATE plans SET bound = ''",
        "UPDATE escalations SET fingerprint = 'other'",
        "UPDATE escalations SET deadline = 9999999999999999",
        "UPDATE votes SET answer = 'approve'",
        "UPDATE policy_versions SET text = ''",
        "DELETE FROM escalations",
        "TRUNCATE events CASCADE",
        "UPDATE alembic_version SET version_num = '9999'",
        "CREATE TABLE mine (id int)",
    ],
)
def test_a_forgery_is_refused_by_the_database(postgres_store, forgery):
    """Whatever got hold of the service's connection cannot rewrite what people saw or what was written down (I5)."""
    with_grounds(postgres_store)
    ask(postgres_store)

    with pytest.raises(Unavailable) as refused, postgres_store.writing() as uow:
        uow.connection.execute(text(forgery))

    assert "permission denied" in str(refused.value.__cause__)


def test_rights_are_given_anew_with_each_upgrade(empty_postgres: PostgresDatabase):
    """What a role was given beside the upgrade, the next upgrade takes back."""
    upgrade(empty_postgres.owner_url, restricted_role=RESTRICTED)
    owner = create_engine(empty_postgres.owner_url)
    with owner.begin() as connection:
        connection.execute(text(f"GRANT ALL ON events TO {RESTRICTED}"))
        connection.execute(text(f"GRANT UPDATE (deadline) ON escalations TO {RESTRICTED}"))
    owner.dispose()

    upgrade(empty_postgres.owner_url, restricted_role=RESTRICTED)

    restricted = create_engine(empty_postgres.restricted_url)
    with restricted.connect() as connection:
        rights, columns = rights_of(connection), changeable(connection)
    restricted.dispose()
    assert (rights["events"], "deadline" in columns["escalations"]) == ({"SELECT", "INSERT"}, False)
