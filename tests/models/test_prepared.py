"""Statements that the driver sends: their values and rows go through the columns' types, their errors are the toolkit's."""

from datetime import timedelta

import pytest
from sqlalchemy import exc, insert, literal, select, text

from approvals.errors import Unavailable
from models.engine.columns import INSTANT
from models.engine.prepared import MOST_ROWS, Prepared, insert_of
from models.store.tables import clock_floor, streams
from tests.builders import NOON

_FLOOR = Prepared(select(clock_floor.c.at, literal(NOON, INSTANT)), columns=[clock_floor.c.at, clock_floor.c.at])


def test_values_go_through_their_types(store):
    """What is held in the statement is written, and what is found is read, as the column's type says."""
    with store.reading() as reading:
        ((floor, held),) = _FLOOR.rows(reading.connection)

    assert (floor.tzinfo is not None, held - floor > timedelta(0), held) == (True, True, NOON)


def test_many_rows_are_inserted_in_order(store):
    """However many there are, all of them arrive; none is no statement at all."""
    rows = [{"name": f"stream-{number:03d}", "last": number} for number in range(2 * MOST_ROWS + 1)]
    many = insert_of(streams, "name", "last")

    with store.writing() as uow:
        many.run(uow.connection, [])
        many.run(uow.connection, rows)

    with store.reading() as reading:
        found = Prepared(select(streams.c.name, streams.c.last).order_by(streams.c.name)).rows(reading.connection)
    assert [tuple(row) for row in found] == [(row["name"], row["last"]) for row in rows]


@pytest.mark.parametrize("way", ["rows", "run"])
def test_an_error_is_the_toolkits_own(store, way):
    """Whichever way a statement went, a refusal by the engine is told as the toolkit would, without the values (I12)."""
    taken = Prepared(
        insert(streams).returning(streams.c.last) if way == "rows" else insert(streams), keys=["name", "last"]
    )

    def twice() -> None:
        with store.database.writers["normal"].begin() as connection:
            for _ in range(2):
                getattr(taken, way)(connection, {"name": "hunter2", "last": 1})

    with pytest.raises(exc.IntegrityError) as error:
        twice()

    assert "INSERT INTO streams" in str(error.value.statement)
    assert error.value.params is None


@pytest.mark.postgres
def test_a_broken_connection_is_not_used_again(postgres_store):
    """A server that hangs up in the middle of a unit is unavailable, and the next unit gets another connection."""
    hang_up = Prepared(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    with pytest.raises(Unavailable), postgres_store.writing() as uow:
        hang_up.rows(uow.connection)
    with postgres_store.writing() as uow:
        epoch = uow.raise_epoch()

    assert epoch == 1
