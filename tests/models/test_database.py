"""How the two engines are set: durable, private, bounded."""

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event, Thread

import pytest
from sqlalchemy import exc, select, text, update

from approvals.errors import Unavailable
from approvals.masking import masked
from approvals.ports.store import Urgency
from models.engine import database as databases
from models.engine.database import address, open_database, place_of
from models.engine.faults import Inconsistent, WrongSchema, translated
from models.engine.prepared import Prepared
from models.schema.migrate import is_behind, upgrade
from models.store.leases import leases_of
from models.store.store import SqlStore
from models.store.tables import gate
from tests.fixtures.stores import a_store, readers_taken
from tests.models.records import now_of
from tests.waiting import wait_until


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("sqlite://", "has to be a file"),
        ("sqlite:///:memory:", "has to be a file"),
        ("sqlite:///file:x?uri=true", "has to be a file"),
        ("mysql://root@127.0.0.1/x", "SQLite or PostgreSQL, not mysql"),
        ("postgres://root@127.0.0.1/x", r"not postgres \(write postgresql://\)"),
        ("s3cret", "it is no address; it should be like sqlite:///countersign.db"),
        (" sqlite:///x.db", "it is no address"),
        ("://", "it is no address"),
        ("postgresql://u:s3cret@h:abc/x", "its port is not a number"),
        ("postgresql://[::1", "its port is not a number"),
        ("postgresql://u:s3cret@h:0/x", "its port is not between 1 and 65535"),
        ("postgresql://u:s3cret@h:65536/x", "its port is not between 1 and 65535"),
        ("postgresql://u:s3cret%00@h/x", "a character that no address can have"),
        ("postgresql://u:s3cret\x01@h/x", "a character that no address can have"),
        ("postgresql://u:s3cret\udcff@h/x", "a character that no address can have"),
        ("sqlite:///a%00b.db", "a character that no address can have"),
        ("sqlite:////", "is a folder; name a file in it"),
        ("sqlite:////dev/null", "/dev/null is no regular file"),
        ("sqlite:///x.db?mode=ro", "takes no options"),
        ("sqlite+aiosqlite:///x.db", r"another driver than ours \(pysqlite\); write sqlite://"),
        ("postgresql+asyncpg://u:s3cret@h/x", r"another driver than ours \(psycopg\); write postgresql://"),
        ("postgresql+psycopg2://u:s3cret@h/x", "another driver than ours"),
        ("postgresql://u:s3cret@/x?host=a,b,c&port=1,2", "host and port do not fit together"),
        ("sqlite:////no/such/folder/x.db", "there is no folder /no/such/folder; make it"),
    ],
)
def test_what_is_not_durable_or_not_known_is_refused(url, why):
    """A database that would forget, or that nobody tested, is refused before anything starts (I18)."""
    with pytest.raises(ValueError, match=why) as refused:
        open_database(url)
    assert "s3cret" not in "".join(traceback.format_exception(refused.value))


@pytest.mark.parametrize("database", ["pipe", "null"])
def test_what_is_no_regular_file_is_left_as_it_is(database, tmp_path):
    """A device closed to everybody else takes the whole machine down, and opening a pipe waits for ever."""
    special = tmp_path / "pipe"
    os.mkfifo(special, 0o644)
    (tmp_path / "null").symlink_to(special)

    for attempt in (open_database, upgrade):
        with pytest.raises(ValueError, match="is no regular file; name another one"):
            attempt(f"sqlite:///{tmp_path / database}")

    assert stat.S_IMODE(special.stat().st_mode) == 0o644


def take_the_lease(url: str) -> None:
    """Serve for a moment: on SQLite that counts the row of the lease."""
    with leases_of(url, holder="one") as leases:
        assert leases.take() is not None


@pytest.mark.parametrize("again", [open_database, upgrade, is_behind, take_the_lease])
def test_whatever_opens_the_file_again_keeps_the_locks_of_its_connections(again, tmp_path):
    """The system gives up every lock of a process on a file when the process closes it anywhere.

    Another process that leaves then takes itself for the last one and removes the log, and what we commit after that is lost.
    """
    url, log = f"sqlite:///{tmp_path / 'countersign.db'}", tmp_path / "countersign.db-wal"
    upgrade(url)
    database = open_database(url)
    try:
        with database.reading() as connection:
            connection.execute(select(gate.c.epoch)).one()
        again(url)
        come_and_go = (
            "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT * FROM gate'); c.close()"
        )
        subprocess.run([sys.executable, "-c", come_and_go, log.with_suffix(".db")], check=True, timeout=60)

        assert log.exists()
    finally:
        database.close()


def test_a_file_of_another_kind_is_left_as_it_is(tmp_path):
    """A wrong address may name anything: neither its rights nor its bytes are touched, by the service or a migration."""
    file = tmp_path / "notes.txt"
    file.write_text("no database, and longer than sixteen bytes")
    file.chmod(0o644)

    for attempt in (open_database, upgrade):
        with pytest.raises(ValueError, match="is no SQLite database; name another one"):
            attempt(f"sqlite:///{file}")

    assert (stat.S_IMODE(file.stat().st_mode), file.read_text()[:11]) == (0o644, "no database")


def test_without_its_driver_postgresql_is_refused_in_words(monkeypatch):
    """An installation for SQLite alone says what to install."""
    monkeypatch.setitem(sys.modules, "psycopg", None)

    for attempt in (open_database, upgrade):
        with pytest.raises(ValueError, match="driver cannot be loaded; install"):
            attempt("postgresql://u@127.0.0.1/x")


@pytest.mark.parametrize(
    ("url", "driver"),
    [
        ("sqlite:////srv/countersign.db", "sqlite+pysqlite"),
        ("postgresql://u@127.0.0.1/x", "postgresql+psycopg"),
        ("postgresql+psycopg://u@127.0.0.1/x", "postgresql+psycopg"),
    ],
)
def test_an_address_is_reached_by_our_driver(url, driver):
    """The driver that we are tested with is used, whether the address names it or none."""
    assert address(url).drivername == driver


def test_the_words_on_what_is_no_address_are_told_whole():
    """Everything that is told passes the filter of secrets, which must not take the example in it for one."""
    with pytest.raises(ValueError, match="it should be like") as refused:
        address("s3cret")

    assert masked(str(refused.value)) == str(refused.value)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("postgresql://u@h:5433/x", "x on h:5433"),
        ("postgresql:///x", "x on this machine:5432"),
        ("postgresql:///x?host=/run/pg&port=5433", "x on /run/pg:5433"),
        ("postgresql:///x?host=a:1&host=b:2", "x on a:1,b:2:5432"),
    ],
)
def test_where_a_database_is_said_to_be_is_where_it_is_looked_for(url, place):
    """A host that stands among the options is the host."""
    assert place_of(address(url)) == place


def test_a_sqlite_file_is_durable_and_private(sqlite_store, sqlite_url):
    """A commit waits for the disk, keys hold, readers cannot write, and nobody but its owner may read the file."""
    names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout", "query_only")
    with sqlite_store.writing() as uow:
        writer = [uow.connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in names]
        path = Path(str(sqlite_store.database.url.database))
        modes = {one.name: stat.S_IMODE(one.stat().st_mode) for one in path.parent.glob("countersign.db*")}
    with sqlite_store.reading() as reading:
        reader = [reading.connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in names]

    assert (writer, reader) == (["wal", 2, 1, 5000, 0], ["wal", 2, 1, 5000, 1])
    assert modes == dict.fromkeys(("countersign.db", "countersign.db-wal", "countersign.db-shm"), 0o600)


@pytest.mark.postgres
def test_postgresql_is_asked_with_bounds(postgres_store):
    """Every wait has an end, the isolation is what each use needs, and an operator sees who is connected.

    A writer that does nothing in its transaction is ended sooner than a pause waits for the locks that it may hold.
    """
    asked = (
        "transaction_isolation",
        "transaction_read_only",
        "statement_timeout",
        "lock_timeout",
        "idle_in_transaction_session_timeout",
        "application_name",
        "synchronous_commit",
    )
    found = {}
    with postgres_store.reading() as reading, postgres_store.writing() as uow:
        for who, connection in (("reader", reading.connection), ("writer", uow.connection)):
            found[who] = [connection.execute(text(f"SHOW {name}")).scalar_one() for name in asked]

    rest = ["countersign", "off"]  # The test server does not wait for the disk; ours decides it.
    assert found == {
        "reader": ["repeatable read", "on", "10s", "5s", "10s", *rest],
        "writer": ["read committed", "off", "10s", "5s", "3s", *rest],
    }


_EPOCH = Prepared(select(gate.c.epoch))
_FORGE = Prepared(update(gate).values(epoch=7))


def test_a_single_question_is_answered_by_what_is_committed(store):
    """Asked again over the same connection it sees what was committed in between: it is no part of a snapshot."""
    answers = []
    with store.database.asking() as connection:
        answers.append(_EPOCH.rows(connection)[0][0])
    with store.writing() as uow:
        uow.raise_epoch()
    with store.database.asking() as connection:
        answers.append(_EPOCH.rows(connection)[0][0])
    with store.reading() as reading:
        after = reading.epoch()

    assert (answers, after) == ([0, 1], 1)


def test_who_may_only_ask_cannot_write(store):
    """Neither a reader nor a single question changes anything, whatever statement somebody passes there one day."""
    for way in (store.database.reading, store.database.asking):
        with pytest.raises((exc.DBAPIError, Unavailable)), way() as connection:
            _FORGE.run(connection, {})
    with store.reading() as reading:
        assert reading.epoch() == 0


@pytest.mark.postgres
def test_a_reader_has_its_snapshot_again_after_a_single_question(postgres_store):
    """Both share connections: the one that just answered a question gives the next reader one snapshot."""
    with postgres_store.database.asking() as connection:
        _EPOCH.rows(connection)
    with postgres_store.reading() as reading:
        before = reading.epoch()
        with postgres_store.writing() as uow:
            uow.raise_epoch()
        during = reading.epoch()

    assert (before, during) == (0, 0)


def test_a_busy_file_is_unavailable(sqlite_store, sqlite_url, monkeypatch):
    """Where another process keeps the write lock, a writer is told to try again; nothing is half done."""
    monkeypatch.setattr(databases, "PATIENCE", 0.05)
    impatient = a_store(open_database(sqlite_url))
    other = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(Unavailable) as refused, impatient.writing():
        pass
    other.close()
    with impatient.writing() as uow:
        epoch = uow.raise_epoch()
    impatient.database.close()

    assert (refused.value.code, refused.value.cause_code, epoch) == ("unavailable", "locked", 1)
    assert refused.value.for_operators == (
        f"The database {sqlite_url.removeprefix('sqlite:///')} cannot be used: another process holds its lock. "
        "Find who has it open, such as a shell of sqlite3 or a backup, and end that."
    )


@pytest.mark.parametrize("instead", [None, "a copy"])
def test_a_file_that_was_taken_away_while_open_is_used_no_more(sqlite_store, sqlite_url, instead):
    """Open connections would go on with it, unseen by whoever pauses from elsewhere; back in its place it is used again."""
    file = Path(sqlite_url.removeprefix("sqlite:///"))
    away = file.with_name("away.db")
    with sqlite_store.writing() as uow:
        uow.raise_epoch()
    file.rename(away)
    if instead is not None:
        shutil.copy(away, file)

    refusals = set()
    for way in (sqlite_store.reading, sqlite_store.writing, sqlite_store.database.asking):
        with pytest.raises(Unavailable) as refused, way():
            pass
        refusals.add((refused.value.code, refused.value.cause_code, refused.value.for_operators))
    away.rename(file)

    with sqlite_store.reading() as reading:
        assert reading.epoch() == 1
    words = (
        f"The database {file} cannot be used: the file that was opened is there no more, or another one is in its place. "
        "Stop serve, put the right file there, and start serve again."
    )
    assert refusals == {("unavailable", "file_gone", words)}


def test_what_was_written_into_a_file_taken_away_meanwhile_is_no_success(sqlite_store, sqlite_url):
    """The check before the commit, too: nobody is told that something stands which the next process will not find."""
    file = Path(sqlite_url.removeprefix("sqlite:///"))
    away = file.with_name("away.db")

    def write() -> None:
        with sqlite_store.writing() as uow:
            uow.raise_epoch()
            file.rename(away)

    with pytest.raises(Unavailable):
        write()
    away.rename(file)

    with sqlite_store.reading() as reading:
        assert reading.epoch() == 0


def test_a_database_that_is_not_there_is_unavailable():
    """A server that cannot be reached is no fault of the caller's: try again (I18)."""
    store = a_store(open_database("postgresql://nobody:s3cret@127.0.0.1:1/none"))

    with pytest.raises(Unavailable) as refused, store.reading():
        pass

    assert refused.value.sentence == "The store cannot be reached or is too busy; try again in a moment."
    assert refused.value.for_operators == (
        "The database none on 127.0.0.1:1 cannot be used: nothing listens there (connection refused). "
        "See that PostgreSQL runs, and check host and port."
    )
    assert "s3cret" not in "".join(traceback.format_exception(refused.value))


@pytest.mark.parametrize(
    ("url", "cause"),
    [
        ("postgresql://u:s3cret@no-such-host.invalid/x", "dns"),
        ("postgresql://u:s3cret@127.0.0.1:1/x?sslmode=banana", "option"),
        ("postgresql://u:s3cret@127.0.0.1:1/x?nosuch=1", "option"),
        ("postgresql:///x?host=/no/such/folder", "refused"),
        ("postgresql:///?service=no_such_service", "service"),
    ],
)
def test_each_way_of_not_being_reached_has_its_cause(url, cause):
    """An operator is told which it is; each has another cure, and none shows the password."""
    store = a_store(open_database(url))

    with pytest.raises(Unavailable) as refused, store.reading():
        pass

    assert (refused.value.cause_code, "s3cret" in refused.value.for_operators) == (cause, False)


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"database": "no_such_database"}, "no_such_database"),
        ({"username": "no_such_role"}, "no_such_role"),
        ({"query": {"sslmode": "require"}}, "no_tls"),
    ],
)
def test_what_a_server_refuses_has_its_cause(postgres_database, change, cause):
    """A server that answers and lets nobody in is told apart from one that is away."""
    url = address(postgres_database.restricted_url).set(**change)
    store = a_store(open_database(url.render_as_string(hide_password=False)))

    with pytest.raises(Unavailable) as refused, store.reading():
        pass

    assert refused.value.cause_code == cause


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("bad value for connect_timeout: 'abc'", "option"),
        ('FATAL:  password authentication failed for user "u"', "password"),
        ("fe_sendauth: no password supplied", "password"),
        ('FATAL:  no pg_hba.conf entry for host "10.0.0.1"', "not_allowed"),
        ("FATAL:  sorry, too many clients already", "too_many_connections"),
        ("connection failed: server is in hot standby mode", "standby"),
        ("FATAL:  the database system is starting up", "starting"),
        ("SSL error: certificate verify failed", "tls"),
        ('root certificate file "/none" does not exist', "tls_file"),
        ("connection timeout expired", "timeout"),
        ("connection failed: No route to host", "no_route"),
        ("server closed the connection unexpectedly", "reset"),
        ("FATAL:  something that nobody has seen", "unavailable"),
    ],
)
def test_a_servers_words_are_read_and_never_handed_on(said, cause):
    """What it says may quote roles and hosts: only which of the known causes it is, is told."""
    with pytest.raises(Unavailable) as refused, translated("x on h:5432"):
        raise exc.OperationalError(None, None, Exception(said))

    assert (refused.value.cause_code, said in refused.value.for_operators) == (cause, False)


def test_words_about_a_statement_are_no_cause():
    """A statement may hold what somebody wrote; it is not searched for causes."""
    with pytest.raises(Unavailable) as refused, translated("x on h:5432"):
        raise exc.OperationalError("SELECT 'Connection refused'", None, Exception("Connection refused"))

    assert refused.value.cause_code == "unavailable"


@pytest.mark.postgres
def test_a_lost_connection_is_unavailable_once(postgres_store, postgres_server, postgres_database):
    """A connection that the server cut costs one answer; the next one is made anew."""
    before = now_of(postgres_store)
    with pytest.raises(Unavailable), postgres_store.writing() as uow:
        uow.connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    assert now_of(postgres_store) > before


WAYS = ("reading", "glancing", "writing")


@pytest.mark.postgres
@pytest.mark.parametrize("way", WAYS)
def test_a_connection_lost_in_a_unit_is_unavailable(postgres_store, postgres_server, postgres_database, way):
    """Whichever way something is asked, a connection that was cut under it is told as ours, and the next unit gets another."""

    def ask(*, cut_off: bool) -> int:
        with getattr(postgres_store, way)() as unit:
            unit.epoch()
            if cut_off:
                postgres_server.cut_off(postgres_database)
            return int(unit.epoch())

    with pytest.raises(Unavailable) as refused:
        ask(cut_off=True)

    assert (refused.value.code, ask(cut_off=False)) == ("unavailable", 0)


@pytest.mark.postgres
@pytest.mark.parametrize("way", WAYS)
def test_a_restart_of_the_server_costs_one_answer(postgres_store, postgres_server, postgres_database, way):
    """However many pooled connections the server cut, the first that shows it has all the others replaced."""
    fill(postgres_store, way)
    postgres_server.cut_off(postgres_database)

    answers = []
    for _ in range(databases.CONNECTIONS + 2):
        try:
            with getattr(postgres_store, way)() as unit:
                answers.append(unit.epoch())
        except Unavailable as refused:
            answers.append(refused.code)

    assert answers == ["unavailable", *[0] * (databases.CONNECTIONS + 1)]


def fill(store: SqlStore, way: str) -> None:
    """Have as many connections made as the pool keeps, each used once, and none in use any more."""
    together = Barrier(databases.CONNECTIONS)

    def use() -> None:
        with getattr(store, way)() as unit:
            unit.epoch()
            together.wait(30)

    with ThreadPoolExecutor(databases.CONNECTIONS) as threads:
        for used in [threads.submit(use) for _ in range(databases.CONNECTIONS)]:
            used.result()


@pytest.mark.postgres
def test_a_lock_that_is_not_given_is_unavailable(postgres_store, monkeypatch, postgres_database):
    """A unit that waits too long for a lock gives up and keeps nothing."""
    monkeypatch.setattr(databases, "PATIENCE", 0.05)
    impatient = a_store(open_database(postgres_database.restricted_url))

    with postgres_store.writing() as holder:
        holder.lock_gate(exclusive=True)
        with pytest.raises(Unavailable), impatient.writing() as waiter:
            waiter.lock_gate(exclusive=False)
    impatient.database.close()


@pytest.mark.postgres
def test_a_pause_finds_a_connection_in_a_storm(postgres_store):
    """With every ordinary connection taken, urgent work still has its own (I13)."""
    leave, held = Event(), []

    def hold() -> None:
        with postgres_store.writing() as uow:
            held.append(uow.epoch())
            leave.wait(10)

    storm = [Thread(target=hold) for _ in range(databases.CONNECTIONS)]
    for thread in storm:
        thread.start()
    wait_until(lambda: len(held) == databases.CONNECTIONS, what="every ordinary connection is taken")
    with postgres_store.writing(Urgency.URGENT) as uow:
        epoch = uow.raise_epoch()
    leave.set()
    for thread in storm:
        thread.join()

    assert epoch == 1


@pytest.mark.parametrize("way", ["reading", "glancing"])
def test_what_is_urgent_finds_a_reader_in_a_storm(store, way):
    """With every ordinary reader taken, what makes things stop still has its own (I13)."""
    with readers_taken(store), getattr(store, way)(Urgency.URGENT) as reading:
        epoch = reading.epoch()

    assert epoch == 0


def test_what_goes_wrong_does_not_tell_what_was_stored(store):
    """A fault names the constraint that refused a row and nothing of the row: that may be somebody's words (I12)."""
    insert = text("INSERT INTO policy_versions (version, text) VALUES (:words, :words)")

    with pytest.raises(Inconsistent, match=r"policy_versions.*first_loaded_at") as fault, store.writing() as uow:
        uow.connection.execute(insert, {"words": "hunter2"})

    assert "hunter2" not in "".join(traceback.format_exception(fault.value))


@pytest.mark.parametrize(
    "statement",
    ["SELECT missing FROM gate", "SELECT id FROM missing", "INSERT INTO streams (name, missing) VALUES ('a', 1)"],
    ids=["column", "table", "column to fill"],
)
@pytest.mark.parametrize("prepared", [False, True])
def test_what_the_schema_lacks_is_no_busy_store(store, statement, prepared):
    """A table or column that is not there will not be there in a moment: it is told as what it is, with what to do."""
    with pytest.raises(WrongSchema, match=r"missing.*countersign db upgrade") as fault, store.writing() as uow:
        uow.connection.execute(text(statement)) if not prepared else Prepared(text(statement)).run(uow.connection, {})

    assert isinstance(fault.value.__cause__, exc.DBAPIError)


def test_a_connection_that_broke_is_unavailable_whatever_it_is_called():
    """An error of any kind that took the connection with it is no answer: ask again."""
    broken = exc.InternalError("SELECT 1", None, RuntimeError("gone"), connection_invalidated=True)

    with pytest.raises(Unavailable), translated():
        raise broken


def test_a_file_can_be_opened_by_two_at_once(sqlite_template, tmp_path):
    """The first writers of two processes, each with connections of its own, do not lock each other out."""
    for number in range(10):
        path = tmp_path / f"{number}.db"
        shutil.copy(sqlite_template, path)
        stores = [a_store(open_database(f"sqlite:///{path}")) for _ in range(2)]
        barrier = Barrier(8)

        def write(store: SqlStore, barrier: Barrier = barrier) -> int:
            barrier.wait(10)
            with store.writing() as uow:
                return uow.raise_epoch()

        with ThreadPoolExecutor(8) as pool:
            epochs = sorted(pool.map(write, stores * 4))
        for store in stores:
            store.database.close()

        assert epochs == list(range(1, 9))


@pytest.mark.postgres
def test_a_server_that_takes_no_writes_any_more_is_left(postgres_database):
    """After a failover the old primary may keep its connections open: each would refuse every write, and read what is old."""
    database = open_database(postgres_database.restricted_url)
    try:
        with database.reading() as connection:
            before = connection.scalar(text("SELECT pg_backend_pid()"))
        with database.writing() as connection:
            connection.execute(text("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"))
        with pytest.raises(Unavailable) as refused, database.writing() as connection:
            connection.execute(update(gate).values(epoch=gate.c.epoch))
        with database.writing() as connection:
            written = connection.execute(update(gate).values(epoch=gate.c.epoch)).rowcount
        with database.reading() as connection:
            after = connection.scalar(text("SELECT pg_backend_pid()"))
    finally:
        database.close()

    assert (refused.value.cause_code, written, after != before) == ("standby", 1, True)
    assert "takes no writes" in refused.value.for_operators
