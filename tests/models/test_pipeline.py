"""The pipeline: what goes to PostgreSQL in one trip gives what separate trips would, and fails like the first that failed."""

import psycopg
import pytest
from psycopg.errors import DivisionByZero, UniqueViolation

from models.engine import pipeline
from models.engine.pipeline import MOST_TAUGHT, PipelinedResult, Session, numbered, send
from tests.fixtures.postgres import PostgresServer

pytestmark = pytest.mark.postgres

INSERT = (
    "INSERT INTO held VALUES (%(id)s::VARCHAR, %(octets)s, %(flag)s, %(number)s::BIGINT) RETURNING octets, flag, number"
)
HELD = "SELECT id FROM held WHERE id LIKE '50%%' OR id = %(id)s::VARCHAR ORDER BY id"


@pytest.fixture
def driver(postgres_server: PostgresServer):
    """A connection of the driver's, with a table of its own."""
    connection = psycopg.connect(f"{postgres_server._conninfo()}", prepare_threshold=None)
    connection.execute("CREATE TEMPORARY TABLE held (id TEXT PRIMARY KEY, octets BYTEA, flag BOOL, number BIGINT)")
    connection.commit()
    yield connection
    connection.close()


def row(name: str, octets: bytes | None = b"\x00\xff", flag: bool | None = True, number: int | None = -(2**60)):
    """Return the insert of one row."""
    return INSERT, {"id": name, "octets": octets, "flag": flag, "number": number}


def test_names_become_numbers():
    """A value that is named twice has one number; a per cent sign that was doubled for the driver is one again."""
    found = numbered("SELECT %(a)s, %(b)s, %(a)s LIKE '%%x'")

    assert (found.sql, found.names) == (b"SELECT $1, $2, $1 LIKE '%x'", ("a", "b"))


@pytest.mark.parametrize("times", [1, 2])
def test_each_sees_what_those_before_it_did(driver, times):
    """Values arrive as they were given, nothing at all included; answers come in order, of statements known or not yet known."""
    session = Session()

    for turn in range(times):
        found = send(
            driver, session, [row(f"50-{turn}"), row(f"n-{turn}", None, None, None), (HELD, {"id": f"n-{turn}"})]
        )
        driver.commit()
        assert found == [
            PipelinedResult(count=1, rows=[(b"\x00\xff", True, -(2**60))]),
            PipelinedResult(count=1, rows=[(None, None, None)]),
            PipelinedResult(count=turn + 2, rows=[*((f"50-{one}",) for one in range(turn + 1)), (f"n-{turn}",)]),
        ]


def test_it_begins_a_transaction_as_the_driver_would(driver):
    """What was sent is not there before the driver commits, and gone when it rolls back; what was taught stays known."""
    session = Session()

    send(driver, session, [row("a")])
    driver.rollback()
    send(driver, session, [row("b")])
    driver.commit()

    assert driver.execute("SELECT id FROM held").fetchall() == [("b",)]
    assert len(session.known) == 1


def test_a_commit_can_go_along(driver):
    """After it the driver has nothing to commit."""
    send(driver, Session(), [row("a"), ("COMMIT", {})])

    assert driver.pgconn.transaction_status == psycopg.pq.TransactionStatus.IDLE
    driver.rollback()
    assert driver.execute("SELECT id FROM held").fetchall() == [("a",)]


def test_the_first_failure_is_told_and_nothing_after_it_happens(driver):
    """The connection is good for another transaction; what was taught in vain is taught again under another name."""
    session = Session()

    with pytest.raises(UniqueViolation) as error:
        send(driver, session, [row("a"), row("a"), ("SELECT 1 / 0", {})])
    driver.rollback()

    assert error.value.diag.table_name == "held"
    assert send(driver, session, [row("a")])[0].count == 1
    with pytest.raises(DivisionByZero):
        send(driver, session, [("SELECT 1 / 0", {}), row("b")])


def test_a_value_that_the_server_would_not_take_is_refused_before_anything_is_sent(driver):
    """A NUL is no text to PostgreSQL."""
    with pytest.raises(psycopg.DataError):
        send(driver, Session(), [row("a"), row("b\0")])

    assert driver.pgconn.transaction_status == psycopg.pq.TransactionStatus.IDLE


def test_a_server_keeps_so_many_statements_and_no_more(driver):
    """At the limit everything is forgotten, here and there, and taught anew."""
    session = Session()
    for number in range(MOST_TAUGHT + 1):
        send(driver, session, [(f"SELECT {number}", {})])

    kept = driver.execute("SELECT count(*) FROM pg_prepared_statements").fetchone()
    assert (kept, len(session.known)) == ((1,), 1)


def test_what_breaks_off_in_the_middle_leaves_no_connection(driver, monkeypatch):
    """An answer that is still on its way must never be taken for that to the next question: the connection is closed."""

    def interrupted(connection: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "_received", interrupted)
    with pytest.raises(KeyboardInterrupt):
        send(driver, Session(), [row("a")])

    assert driver.closed


def test_a_server_that_hangs_up_is_the_drivers_error(driver):
    """As for any other statement, so that the pool throws the connection away."""
    with pytest.raises(psycopg.OperationalError):
        send(driver, Session(), [("SELECT pg_terminate_backend(pg_backend_pid())", {}), ("SELECT 1", {})])

    assert driver.closed
