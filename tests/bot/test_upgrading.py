"""A database of the release before: what was open in it ends as upgraded and never as drift, and its chain is read on.

``releases/0011.json`` holds the rows that the release of schema 0011 left: its own code asked, decided and worked, and was cut
off. One change is applied and under way, one is armed, one approved, one waits, one was denied; the latest events have no seal.
"""

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import MetaData, text
from typer.testing import CliRunner

from approvals.audit.events import request_stream, verify
from approvals.change.plan import bound_of
from approvals.errors import Refused
from bot.cli import audit_commands
from bot.operations.upgrading import upgrade
from bot.outbox.delivery import Detail, Drawn, DrawReason
from bot.slack.messages.painter import SlackPainter
from models.audit.book import AuditBook
from models.audit.sealer import Sealer
from models.engine.database import Database, open_database
from models.schema import migrate
from models.schema.revision import REVISION, current
from models.store.worker_lock import unserved
from tests.acceptance import second_verifier
from tests.builders import CHANNEL
from tests.fixtures.postgres import PostgresDatabase, PostgresServer
from tests.fixtures.stores import a_store
from tests.world import FixedPolicies

BEFORE = "0011"
ROWS = Path(__file__).with_name("releases") / f"{BEFORE}.json"
APPLIED, ARMED, DENIED, QUEUED, WAITING = (f"esc_{number:026}" for number in (1, 4, 7, 9, 12))
FAR = 2**52
"""Microseconds: in the year 2112, so that nothing of it is overdue when a test runs."""


@pytest.fixture(scope="module")
def file_of_before(memory: Path) -> Iterator[Path]:
    """A SQLite file of the release before, to be copied."""
    with TemporaryDirectory(dir=memory) as folder:
        path = Path(folder) / "before.db"
        made(f"sqlite:///{path}")
        yield path


@pytest.fixture(scope="module")
def database_of_before(postgres_server: PostgresServer) -> Iterator[PostgresDatabase]:
    """A PostgreSQL database of the release before, to be copied."""
    database = postgres_server.create_database()
    made(database.owner_url)
    yield database
    postgres_server.drop_database(database)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, memory: Path) -> Iterator[str]:
    """The owner's address of a database of the release before, on each engine in turn."""
    if request.param == "sqlite":
        with TemporaryDirectory(dir=memory) as folder:
            yield f"sqlite:///{shutil.copy(request.getfixturevalue('file_of_before'), folder)}"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    database = server.create_database(template=request.getfixturevalue("database_of_before").name)
    yield database.owner_url
    server.drop_database(database)


def made(url: str) -> str:
    """Make what the release before left, and return *url*."""
    migrate.upgrade(url, revision=BEFORE)
    with closing(open_database(url)) as database:
        fill(database)
    return url


def fill(database: Database) -> None:
    """Put in what the release before left."""
    with database.writing() as connection:
        found = MetaData()
        found.reflect(connection)
        for table, rows in json.loads(ROWS.read_text()).items():
            connection.execute(found.tables[table].insert(), [_row(row) for row in rows])
        connection.execute(text(f"UPDATE escalations SET deadline = {FAR}"))
        connection.execute(text(f"UPDATE executions SET valid_until = {FAR}"))


def _row(row: dict[str, Any]) -> dict[str, Any]:
    return {name: bytes.fromhex(one["hex"]) if isinstance(one, dict) else one for name, one in row.items()}


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """That database."""
    with closing(open_database(url)) as opened:
        yield opened


def rows(database: Database, asked: str) -> list[tuple[Any, ...]]:
    """Return what *asked* finds."""
    with database.reading() as connection:
        return [tuple(row) for row in connection.execute(text(asked))]


STATES = "SELECT id, state, outcome_code, form FROM escalations ORDER BY id"
EXECUTIONS = "SELECT escalation, state, reason FROM executions ORDER BY escalation"


def test_what_was_open_ends_with_a_code_of_its_own(url, database):
    """Open questions and what had not started are nobody's denial and no drift; what was sent or decided stays as it is."""
    said = upgrade(url, url)

    assert said == (
        f"The database is at schema {REVISION}. 3 requests of the release before ended, open or approved and not started,"
        " with the code upgraded; the next serve takes the buttons off their cards."
    )
    assert rows(database, STATES) == [
        (APPLIED, "approved", "approved", 1),
        (ARMED, "cancelled", "upgraded", 1),
        (DENIED, "denied", "denied", 1),
        (QUEUED, "cancelled", "upgraded", 1),
        (WAITING, "cancelled", "upgraded", 1),
    ]
    assert rows(database, EXECUTIONS) == [
        (APPLIED, "applied", None),
        (ARMED, "voided", "upgraded"),
        (QUEUED, "voided", "upgraded"),
    ]
    assert sorted(rows(database, "SELECT fate FROM attempts")) == [("applied",), ("not_sent",)]
    assert rows(database, "SELECT execution FROM target_locks") == [(None,)]


def test_a_second_upgrade_changes_nothing(url, database):
    """Whoever runs it at each start of a pod finds nothing to do, beside a service that works, too."""
    upgrade(url, url)
    before = rows(database, "SELECT COUNT(*) FROM events")

    with unserved(url):
        said = upgrade(url, url)

    assert said == f"The database is at schema {REVISION}."
    assert rows(database, "SELECT COUNT(*) FROM events") == before


def test_what_was_cut_off_is_finished(url, database):
    """The tables were brought up to date and nothing was ended: the next run ends it."""
    migrate.upgrade(url)

    said = upgrade(url, url)

    assert "3 requests of the release before ended" in said


def test_an_overdue_question_expires(url, database):
    """Silence had denied it before the upgrade came: that is how it ends."""
    with database.writing() as connection:
        connection.execute(text("UPDATE escalations SET deadline = 1"))

    upgrade(url, url)

    assert rows(database, f"SELECT state, outcome_code FROM escalations WHERE id = '{WAITING}'") == [
        ("expired", "expired_unseen")
    ]


@pytest.mark.parametrize("state", ["sending", "unknown"])
def test_nothing_is_upgraded_over_a_write_that_may_land(url, database, state):
    """Only the release that sent it can find out whether it landed: the words say what to do, and nothing has changed."""
    with database.writing() as connection:
        connection.execute(text(f"UPDATE executions SET state = '{state}' WHERE escalation = '{ARMED}'"))

    with pytest.raises(Refused) as refusal:
        upgrade(url, url)

    assert refusal.value.code == "write_under_way"
    assert refusal.value.sentence == (
        f"A write is on its way, or its outcome is not known: {ARMED}. Nothing has been upgraded. Start the release that served"
        " before and wait until it has found out, or look at the target and have that release close it: countersign abandon"
        " ESC --reason WHY. Then stop it, and run countersign db upgrade again."
    )
    assert current(database) == BEFORE


def test_nothing_is_upgraded_under_a_service_that_works(url, database):
    """A service of the release before would write what this one cannot read."""
    with unserved(url), pytest.raises(Refused) as refusal:
        upgrade(url, url)

    assert (refusal.value.code, current(database)) == ("already_serving", BEFORE)


def test_both_chains_are_read_as_one(url, database):
    """The old chain is sealed to its end, the new one names its head, and both verifiers read across."""
    heads = rows(database, "SELECT chain FROM seals ORDER BY number")
    before = rows(database, "SELECT COUNT(*) FROM events")[0][0]
    upgrade(url, url)
    Sealer(database).seal()

    book = AuditBook(database)
    verdict = verify(book.sealed(), head=heads[-1][0])
    lines = exported(database)
    finding = second_verifier.check(second_verifier.rows_of_export(lines), heads[-1][0])

    assert (verdict.fault, verdict.anchored_at, verdict.checked) == (None, len(heads), len(lines))
    assert (finding.bad, finding.met, finding.good) == (None, len(heads), len(lines))
    assert len(heads) < before < len(lines)
    begun, last_of_before = json.loads(lines[before]), json.loads(lines[before - 1])
    assert begun["event"]["kind"] == "chain.begun"
    assert begun["event"]["data"] == {"follows": {"number": before, "chain": last_of_before["chain"]}}


def exported(database: Database) -> list[str]:
    """Return the lines of an export."""
    desk: Any = SimpleNamespace(book=lambda: AuditBook(database))
    done = CliRunner().invoke(audit_commands.build(lambda: desk), ["export"])
    assert done.exit_code == 0
    return done.output.splitlines()


def test_a_file_of_before_holds_for_the_second_verifier(tmp_path):
    """Texts beside either chain are checked by the rule of their own time."""
    file = made(f"sqlite:///{tmp_path / 'before.db'}")
    upgrade(file, file)
    with closing(open_database(file)) as database:
        Sealer(database).seal()

    with closing(sqlite3.connect(tmp_path / "before.db")) as opened:
        whole = second_verifier.check(second_verifier.rows_of(opened))
        opened.execute("UPDATE untrusted_texts SET text = 'another' WHERE name = 'reason'")
        changed = second_verifier.check(second_verifier.rows_of(opened))

    assert whole.bad is None
    assert (changed.bad or ())[1:2] == (request_stream(DENIED),)


def test_the_past_is_told_as_it_was(url, database):
    """Stories, plans and texts of the release before are read, whatever they were written in."""
    upgrade(url, url)

    told = AuditBook(database).story(request_stream(DENIED))
    with a_store(database).reading() as reading:
        plans = [reading.plan(fingerprint) for (fingerprint,) in rows(database, "SELECT fingerprint FROM plans")]

    assert [text for one in told for name, text in one.texts.items() if name == "reason"] == ["It is a sale, naïve 🙂."]
    assert [one.altered for one in told] == [()] * len(told)
    assert {bound_of(plan.bound).schema for plan in plans if plan is not None} == {1}


@pytest.mark.parametrize("escalation", [ARMED, QUEUED, WAITING, APPLIED, DENIED])
def test_cards_of_before_lose_their_buttons(url, database, escalation):
    """Each is wanted again where it ended, and drawn without what could be pressed or what was signed."""
    upgrade(url, url)

    drawn = card(database, escalation)

    assert not [block for block in drawn.blocks if block["type"] == "actions"]
    assert "Another release of Countersign asked this" in json.dumps(drawn.blocks)
    behind = {one for (one,) in rows(database, "SELECT subject FROM cards WHERE shown < wanted")}
    assert behind >= {ARMED, QUEUED, WAITING}


def test_a_question_of_another_form_has_no_buttons_before_it_is_ended(url, database):
    """Where nobody has run the upgrade's last part, its card says so, and silence still denies."""
    migrate.upgrade(url)

    drawn = card(database, WAITING)

    assert not [block for block in drawn.blocks if block["type"] == "actions"]
    assert "cannot be approved any more" in json.dumps(drawn.blocks)


def card(database: Database, subject: str) -> Any:
    """Return the card of one request as it is drawn now."""
    drawn = Drawn(subject=subject, kind="request", channel=CHANNEL, revision=9, detail=Detail.FULL)
    with a_store(database).reading() as reading:
        return SlackPainter(FixedPolicies()).card(reading, drawn, DrawReason.UPDATE)
