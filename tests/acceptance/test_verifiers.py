"""Two verifiers that share no code, the product's and one written from the format's page, come to the same verdict.

T-AUD-01, 02, 03, 04 and 09: on a good trail, and on copies of it that somebody with the database's file has tampered with.
"""

import json
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from approvals.audit.events import Sealed, Verdict, body_hash, chain_hash, verify
from approvals.canonical import Value, decode, encode
from models.audit.book import AuditBook
from models.engine.database import open_database
from tests.acceptance import second_verifier
from tests.acceptance.conftest import NewPlace
from tests.acceptance.history import a_history
from tests.acceptance.second_verifier import Finding
from tests.fixtures.programs import required

FORMAT = Path(__file__).parents[2] / "docs" / "audit-format.md"

Tamper = Callable[[sqlite3.Connection], None]


@pytest.fixture(scope="module")
def trail(new_place: NewPlace) -> Path:
    """The database of a small history, its trail sealed and its log folded in, so that the file is all there is."""
    place = new_place({})
    a_history(place)
    with closing(sqlite3.connect(place.database)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return place.database


@pytest.fixture
def copy(trail: Path, tmp_path: Path) -> Path:
    """A copy to tamper with."""
    return Path(shutil.copy(trail, tmp_path / "copy.db"))


def ours(path: Path, head: str | None = None) -> Verdict:
    """Return the product's verdict."""
    with closing(open_database(f"sqlite:///{path}")) as database:
        return verify(AuditBook(database).sealed(), head=head)


def theirs(path: Path, head: str | None = None) -> Finding:
    """Return the second verifier's."""
    with closing(sqlite3.connect(path)) as database:
        return second_verifier.check(second_verifier.rows_of(database), head)


def as_finding(verdict: Verdict) -> Finding:
    """Return the product's verdict in the second verifier's terms."""
    fault = verdict.fault
    bad = None if fault is None else (fault.number, fault.stream, fault.sequence)
    return Finding(good=verdict.checked, head=verdict.head, bad=bad, met=verdict.anchored_at)


def both(path: Path, head: str | None = None) -> Finding:
    """Return the verdict that both verifiers come to."""
    finding = theirs(path, head)
    assert as_finding(ours(path, head)) == finding
    return finding


@pytest.fixture
def opened(copy: Path) -> Iterator[sqlite3.Connection]:
    """The copy, opened by somebody who owns the file: nothing in it protects itself from them."""
    with closing(sqlite3.connect(copy)) as database:
        database.execute("PRAGMA foreign_keys = OFF")
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            database.execute(f"DROP TRIGGER {name}")
        yield database


def records_of(path: Path) -> list[Sealed]:
    """Return the whole trail."""
    with closing(open_database(f"sqlite:///{path}")) as database:
        return list(AuditBook(database).sealed())


def test_both_agree_on_a_good_trail(trail: Path):
    """A trail nobody touched holds whole, passes through its own head, and through no other."""
    whole = both(trail)

    assert (whole.bad, whole.good, whole.met) == (None, len(records_of(trail)), None)
    assert whole.good >= 15
    assert both(trail, whole.head).met == whole.good
    assert both(trail, "0" * 64).met is None


EVENT = "(SELECT events.id FROM events JOIN seals USING (stream, sequence) WHERE number = 7)"


@pytest.mark.parametrize(
    "change",
    [
        f"UPDATE events SET body = CAST(substr(body, 1, 40) || '!' || substr(body, 42) AS BLOB) WHERE id = {EVENT}",
        f"UPDATE events SET hash = 'f' || substr(hash, 2, 62) || 'g' WHERE id = {EVENT}",
        "UPDATE seals SET chain = 'f' || substr(chain, 2, 62) || 'g' WHERE number = 7",
        f"UPDATE events SET body = CAST(replace(body, '2026-', '1999-') AS BLOB) WHERE id = {EVENT}",
        f"UPDATE events SET body = CAST(body || ' ' AS BLOB) WHERE id = {EVENT}",
        f"UPDATE events SET body = CAST(body AS TEXT) || ' ' WHERE id = {EVENT}",
    ],
    ids=["body", "hash", "chain", "time", "appended", "of another type"],
)
def test_one_changed_byte_is_named(copy: Path, opened: sqlite3.Connection, change: str):
    """T-AUD-01: whatever was changed in a record, both name that record, and hold the six before it for good."""
    before = records_of(copy)[6]
    changed = opened.execute(change.replace("'2026-'", f"'{_year(before)}-'"))
    opened.commit()

    finding = both(copy)

    assert changed.rowcount == 1
    assert (finding.good, finding.bad) == (6, (7, before.stream, before.sequence))


def _year(record: Sealed) -> str:
    body = decode(record.body)
    assert isinstance(body, dict)
    return str(body["at"])[:4]


def _delete(database: sqlite3.Connection) -> None:
    database.execute(f"DELETE FROM events WHERE id = {EVENT}")
    database.execute("DELETE FROM seals WHERE number = 7")


def _close_the_gap(database: sqlite3.Connection) -> None:
    _delete(database)
    database.execute("UPDATE seals SET number = -number WHERE number > 7")
    database.execute("UPDATE seals SET number = -number - 1 WHERE number < 0")


def _swap(database: sqlite3.Connection) -> None:
    database.execute("UPDATE seals SET number = -7 WHERE number = 7")
    database.execute("UPDATE seals SET number = 7 WHERE number = 8")
    database.execute("UPDATE seals SET number = 8 WHERE number = -7")


def _insert(database: sqlite3.Connection) -> None:
    database.execute(
        "INSERT INTO events (stream, sequence, body, hash)"
        f" SELECT stream, sequence + 1000, body, hash FROM events WHERE id = {EVENT}"
    )
    database.execute("UPDATE seals SET number = -number WHERE number > 7")
    database.execute("UPDATE seals SET number = -number + 1 WHERE number < 0")
    database.execute(
        "INSERT INTO seals (number, stream, sequence, chain)"
        " SELECT 8, stream, sequence + 1000, chain FROM seals WHERE number = 7"
    )


@pytest.mark.parametrize(
    ("tamper", "good"), [(_delete, 6), (_close_the_gap, 6), (_swap, 6), (_insert, 7)], ids=lambda one: str(one)[:14]
)
def test_a_record_taken_out_moved_or_put_in_is_noticed(
    copy: Path, opened: sqlite3.Connection, tamper: Tamper, good: int
):
    """T-AUD-02: deleted, deleted with the numbers closed up, swapped, or doubled in the middle."""
    tamper(opened)
    opened.commit()

    finding = both(copy)

    assert finding.bad is not None
    assert finding.good == good


FIRST_TEXT = (
    "(stream, sequence) = (SELECT stream, sequence FROM seals JOIN untrusted_texts USING (stream, sequence) LIMIT 1)"
)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE untrusted_texts SET text = text || ' approved by the CTO' WHERE",
        "UPDATE untrusted_texts SET salt = NULL WHERE",
        "UPDATE untrusted_texts SET name = 'reason' WHERE name = 'rationale' AND",
    ],
    ids=["another text", "salt erased alone", "under another name"],
)
def test_words_put_into_somebodys_mouth_are_noticed(copy: Path, opened: sqlite3.Connection, change: str):
    """T-AUD-01: what stands beside the chain is digested in it, so both name the event beside which it was changed."""
    changed = opened.execute(f"{change} {FIRST_TEXT}")
    (number,) = opened.execute(f"SELECT number FROM seals WHERE {FIRST_TEXT}").fetchone()
    opened.commit()

    finding = both(copy)

    assert changed.rowcount > 0
    assert finding.bad is not None
    assert (finding.good, finding.bad[0]) == (number - 1, number)


def test_an_erased_text_leaves_the_trail_whole(copy: Path, opened: sqlite3.Connection):
    """The digest stays, the words and their salt go, and everything still verifies."""
    opened.execute("UPDATE untrusted_texts SET text = NULL, salt = NULL")
    opened.commit()

    assert both(copy).bad is None


def test_a_cut_off_end_shows_only_against_a_head_from_outside(trail: Path, copy: Path, opened: sqlite3.Connection):
    """T-AUD-03: without the last records the rest is consistent; only a head kept elsewhere tells that some are gone."""
    head, last = both(trail).head, both(trail).good
    opened.execute(f"DELETE FROM seals WHERE number > {last - 3}")
    opened.commit()

    assert both(copy).bad is None
    assert both(copy).good == last - 3
    assert both(copy, head).met is None


def test_a_rebuilt_chain_shows_only_against_a_head_from_outside(trail: Path, copy: Path, opened: sqlite3.Connection):
    """T-AUD-04: who has the code and the file can recompute everything, and still not meet an earlier head."""
    head = both(trail).head
    for record in _rebuilt(records_of(copy)):
        where = (record.stream, record.sequence)
        opened.execute(
            "UPDATE events SET body = ?, hash = ? WHERE stream = ? AND sequence = ?",
            (record.body, record.hashed, *where),
        )
        opened.execute("UPDATE seals SET chain = ? WHERE number = ?", (record.chain, record.number))
    opened.commit()

    assert both(copy).bad is None
    assert both(copy).head != head
    assert both(copy, head).met is None


def _rebuilt(records: list[Sealed]) -> Iterator[Sealed]:
    """Give the trail with another actor in every event, hashed and sealed anew as the product would."""
    previous = "0" * 64
    for record in records:
        body = decode(record.body)
        assert isinstance(body, dict)
        forged = encode({**body, "actor": "T0COUNTERSIGN:U0MALLORY"})
        hashed = body_hash(forged)
        previous = chain_hash(
            previous, number=record.number, stream=record.stream, sequence=record.sequence, hashed=hashed
        )
        yield replace(record, body=forged, hashed=hashed, chain=previous)


@pytest.fixture
def exported(new_place: NewPlace, database_url: str) -> list[dict[str, Any]]:
    """The lines of an export, from each engine in turn."""
    place = new_place({"COUNTERSIGN_DATABASE_URL": database_url})
    a_history(place)
    return [json.loads(line) for line in place.run("audit", "export").out.splitlines()]


def of_export(records: list[dict[str, Any]], head: str | None = None) -> Finding:
    """Return the second verifier's verdict on the lines of an export."""
    return second_verifier.check(second_verifier.rows_of_export(map(json.dumps, records)), head)


def test_an_export_is_enough(exported: list[dict[str, Any]], database_url: str):
    """Whoever gets the export alone comes to the product's verdict on the database, whichever engine holds it."""
    with closing(open_database(database_url)) as database:
        verdict = verify(AuditBook(database).sealed())

    assert of_export(exported) == as_finding(verdict)
    assert (verdict.fault, verdict.checked) == (None, len(exported))
    assert of_export(exported, verdict.head).met == verdict.checked


def _lie_about(record: dict[str, Any]) -> None:
    record["event"]["actor"] = "T0COUNTERSIGN:U0MALLORY"


def _leave_untold(record: dict[str, Any]) -> None:
    record["event"] = None


def _exchange_bytes(record: dict[str, Any]) -> None:
    record["body"] = record["body"][:-1] + "0"


def _take_the_bytes_away(record: dict[str, Any]) -> None:
    record["body"] = None


def _exchange_the_seal(record: dict[str, Any]) -> None:
    record["seal"] = record["seal"].replace("seal/2", "seal/3")


def test_an_export_that_shows_another_event_is_noticed(exported: list[dict[str, Any]]):
    """What a reader sees in a line has to be what the hashed bytes say, or that line is named."""
    for tamper in (_lie_about, _leave_untold, _exchange_bytes, _take_the_bytes_away, _exchange_the_seal):
        tampered = deepcopy(exported)
        tamper(tampered[6])

        found = of_export(tampered)

        assert (found.good, found.bad) == (6, (7, exported[6]["stream"], exported[6]["sequence"])), tamper


def test_one_event_is_verified_by_hand(exported: list[dict[str, Any]], tmp_path: Path):
    """The commands on the format's page, run as they stand there with jq and sha256sum, print what the page says."""
    required(Path("/usr/bin/jq"), package="jq")
    (tmp_path / "trail.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in exported))
    (commands,) = re.findall(r"```sh\n(.*?)```", FORMAT.read_text(), flags=re.DOTALL)

    done = subprocess.run(["/bin/sh", "-ec", commands], cwd=tmp_path, capture_output=True, text=True, check=True)

    before, event = exported[5], exported[6]
    assert done.stdout.splitlines() == [
        f"{event['hash']}  -",
        f"{event['chain']}  -",
        event["hash"],
        event["chain"],
        event["hash"],
        before["chain"],
        before["chain"],
    ]


def test_fields_cannot_run_into_each_other():
    """T-AUD-09: two values whose texts only join alike have two encodings; both encoders agree on each, byte by byte."""
    first: Value = ["a", "bc", {"x": "1", "y": "23"}]
    second: Value = ["ab", "c", {"x": "12", "y": "3"}]

    assert encode(first) == second_verifier.encoded(first)
    assert encode(second) == second_verifier.encoded(second)
    assert encode(first) != encode(second)
    assert second_verifier.decoded(encode(first)) == first


@pytest.mark.parametrize(
    "data",
    [
        b"01",
        b"-0",
        b"1.0",
        b'"a" ',
        b"[1, 2]",
        b'{"b":1,"a":2}',
        b'{"a":1,"a":1}',
        b'"\\u0061"',
        b"x",
        b"",
        b'"\xff"',
        b"[" * 9999,
    ],
    ids=repr,
)
def test_neither_takes_a_second_encoding(data: bytes):
    """What is not the one encoding of a value is refused by both decoders."""
    with pytest.raises(ValueError):  # noqa: PT011 - that it is refused is the rule, each in its own words
        second_verifier.decoded(data)
    with pytest.raises(ValueError):  # noqa: PT011 - as above
        decode(data)


def test_the_second_verifier_runs_by_itself(
    trail: Path, exported: list[dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """Whoever does not believe us runs it on the file or an export: exit code 0, and 1 against a head that is not in it."""
    lines = tmp_path / "export.jsonl"
    lines.write_text("".join(f"{json.dumps(one)}\n" for one in exported))

    assert second_verifier.main(str(lines)) == 0
    assert second_verifier.main(str(lines), "0" * 64) == 1
    assert second_verifier.main(str(trail)) == 0
    assert second_verifier.main(str(trail), "0" * 64) == 1
    assert "bad=None" in capsys.readouterr().out
