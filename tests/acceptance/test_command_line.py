"""The operator's door over a database with a history: what each command says, changes, and ends with.

Through typer's own runner, in this process; that the same commands work as processes, beside a running service, is shown by the
other stories.
"""

import json
import re
import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from approvals.presentation.wording import NO_TIME, UNKNOWN_FORM
from approvals.usecases.aside import Aside
from approvals.usecases.people.expire import Expire
from bot import clock
from bot.cli.commands import build
from bot.settings import operator_name, read
from bot.wiring.product import Product
from models.engine.database import open_database
from models.store.store import SqlStore
from tests.acceptance.conftest import NewPlace
from tests.acceptance.history import History, a_history
from tests.acceptance.place import POLICY, Place, Said
from tests.fakes.mishaps import Unlucky

OPERATOR = f"os:{operator_name()}"


@dataclass(frozen=True, kw_only=True)
class Terminal:
    """A terminal at a place."""

    place: Place
    history: History

    def types(self, *arguments: str, **changed: str) -> Said:
        """Run one command."""
        product = Product(read({**self.settings, **changed}))
        done = CliRunner().invoke(build(lambda: product), list(arguments))
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return Said(code=done.exit_code, out=done.stdout, err=done.stderr)

    @property
    def settings(self) -> Mapping[str, str]:
        """The place's settings; without Slack, as on an operator's machine."""
        return {
            "COUNTERSIGN_POLICY": str(self.place.policy),
            "COUNTERSIGN_DATABASE_URL": f"sqlite:///{self.place.database}",
        }


@pytest.fixture(scope="module")
def lived_in(new_place: NewPlace) -> Terminal:
    """A place with a history; tests that change something take a copy."""
    place = new_place({})
    made = Terminal(place=place, history=a_history(place))
    with closing(sqlite3.connect(place.database)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return made


@pytest.fixture
def terminal(lived_in: Terminal, tmp_path: Path) -> Terminal:
    """A copy of the place with its history."""
    shutil.copy(lived_in.place.policy, tmp_path / "policy.yml")
    shutil.copy(lived_in.place.database, tmp_path / "countersign.db")
    return Terminal(place=Place(folder=tmp_path), history=lived_in.history)


def test_status_says_what_waits_and_what_is_paused(terminal: Terminal):
    """What waits is counted; an open pause is listed with its whole id."""
    terminal.types("pause", "all", "--for", "30m")

    said = terminal.types("status")

    assert said.code == 0
    assert [line.split() for line in said.out.splitlines() if line.startswith("requests pending")] == [
        ["requests", "pending", "1"]
    ]
    assert [line.split() for line in said.out.splitlines() if line.startswith("paused ")] == [
        ["paused", "everything:", "nothing", "can", "be", "approved", "or", "started", "there"]
    ]
    (pause,) = [line.split() for line in said.out.splitlines() if line.startswith("pause_")]
    assert (len(pause[0]), pause[1:3]) == (len("pause_") + 26, ["all", OPERATOR])
    assert [at[-1] for at in pause[3:5]] == ["Z", "Z"], "a time without its zone"


def test_a_pause_stops_what_is_named(terminal: Terminal):
    """A scope that the policy knows is paused; one of an unknown name stops nothing, says so, and offers what is near."""
    paused = terminal.types("pause", "namespace:demo/shop", "--reason", "night")
    again = terminal.types("pause", "ns:demo/shop", "night")
    misspelt = terminal.types("pause", "namespace:demo/shopp")

    assert paused.code == 0
    assert paused.out.startswith("Paused namespace:demo/shop as pause_")
    assert again.out == paused.out.replace("namespace:demo/shop as", "namespace:demo/shop already, as")
    assert misspelt.code == 1
    assert misspelt.err == (
        "countersign: Nothing was paused: the policy names no such namespace, so what ran still runs."
        " It names demo/payments and demo/shop. Did you mean namespace:demo/shop? [unknown_scope]\n"
    )


@pytest.mark.parametrize(
    ("typed", "remark"),
    [
        (("all", "--for", "a while"), NO_TIME),
        (("All", "the", "db", "melts"), ""),
        (("on", "ns:demo"), UNKNOWN_FORM),
        (("demo/shop",), UNKNOWN_FORM),
        (("shop is on fire",), ""),
        (("can", "not", "reach", "it"), ""),
        (("all", "--for", "90d", "--reason", "half a character: \ud800\x00 " + "x" * 10_000), ""),
    ],
)
def test_no_words_keep_a_stop_from_being_made(terminal: Terminal, typed, remark):
    """A stop in a hurry stops everything where it is not clear what less was meant, and says so; a time only asks."""
    said = terminal.types("pause", *typed)

    assert (said.code, said.out.startswith("Paused everything as pause_"), remark in said.out) == (0, True, True)


def test_a_slip_of_the_commands_name_pauses_and_any_other_word_for_it_says_how(terminal: Terminal):
    """Whoever stops something types fast; what takes a stop back is no slip of one, and what pauses nothing says so."""
    slip = terminal.types("puase", "agent:scaler")
    others = [terminal.types(word, "all") for word in ("stop", "freez", "on")]
    opposite = terminal.types("unpause", "all")

    assert (slip.code, slip.out.startswith("Paused agent:scaler as pause_")) == (0, True)
    assert [said.code for said in others] == [2, 2, 2]
    assert all("Nothing was paused" in said.err for said in others)
    assert opposite.code == 2
    assert "pause all" not in opposite.err


@pytest.mark.parametrize(
    "typed", [(), ("",), (" ",), ("?",), ("...",), ("off",), ("status",), ("resume",), ("Help",), ("of", "all")]
)
def test_what_takes_a_stop_back_or_asks_or_says_nothing_pauses_nothing(terminal: Terminal, typed):
    """The opposite of a stop is none, and nor are no words; the answer begins with that and says how to stop everything."""
    said = terminal.types("pause", *typed)

    assert (said.code, said.err) == (
        1,
        "countersign: Nothing was paused: that does not stop anything. To stop everything: countersign pause all [no_stop]\n",
    )
    assert "pause_" not in terminal.types("status").out


def test_a_pause_says_which_database_it_wrote_and_whether_a_service_works_there(terminal: Terminal):
    """In another database a stop stops nothing, so it names the one it wrote; before the first start it counts from there."""
    before = terminal.types("pause", "all")
    store = SqlStore(open_database(terminal.place.database_url), host_clock=clock.utc_now, new_salt=clock.new_salt)
    Expire(store=store, aside=Aside(sweep="expire", mishaps=Unlucky())).watch_clock(known=timedelta(0))
    lately = terminal.types("pause", "all")
    with closing(sqlite3.connect(terminal.place.database)) as database, database:
        database.execute("UPDATE clock_floor SET at = at - 3600000000")
    long_ago = terminal.types("pause", "all")
    store.database.close()

    place = terminal.place.database
    assert before.out.endswith(
        f"Written to {place}. WARNING: no service has ever run on it; the pause counts from its first start.\n"
    )
    assert re.search(rf"Written to {re.escape(str(place))}; a service ran on it \d+ s ago\.\n\Z", lately.out)
    assert f"Written to {place}. WARNING: no service has run on it since 20" in long_ago.out
    assert long_ago.out.endswith("Is it the one that your service uses?\n")


@pytest.mark.parametrize(
    "typed",
    ["pause all", "resume pause_1", "status", "deny esc_1 --reason x", "abandon esc_1 --reason x", "agent token list",
     "agent token create scaler", "agent token revoke tok_1", "audit verify", "audit export", "audit show esc_1",
     "digest --preview", "serve"],
)  # fmt: skip
def test_no_command_but_the_upgrade_makes_a_database(terminal: Terminal, tmp_path: Path, typed):
    """In another folder every command says that there is no database there, and leaves nothing behind."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    database = elsewhere / "countersign.db"

    said = terminal.types(*typed.split(), COUNTERSIGN_DATABASE_URL=f"sqlite:///{database}")

    told = f"There is no database at {database}. If it is to be there, run: countersign db upgrade [no_database]\n"
    nothing = "Nothing was paused. " if typed.startswith("pause") else ""
    assert (said.code, said.err) == (1, f"countersign: {nothing}{told}")
    assert list(elsewhere.iterdir()) == []


def test_bytes_that_are_no_text_do_not_keep_a_command_from_its_work(terminal: Terminal):
    """A terminal's other encoding comes in as bytes: they are shown as what they are, in the record too, and it is done."""
    latin = "latin \udce9"  # What a process is given for the bytes "latin \xe9".
    paused = terminal.place.run("pause", "agent:scaler", "--reason", latin)
    denied = terminal.place.run("deny", terminal.history.pending, "--reason", latin)
    abandoned = terminal.place.run("abandon", terminal.history.approved, "--reason", latin)
    nothing = terminal.place.run("deny", latin, "--reason", latin)
    told = terminal.place.run("audit", "show", terminal.history.pending)

    assert (paused.code, paused.err) == (0, "")
    assert paused.out.startswith("Paused agent:scaler as pause_")
    assert (denied.code, denied.out, denied.err) == (0, "Denied. Nothing will run.\n", "")
    assert "reason, as written: latin \\xe9\n" in told.out
    assert (abandoned.code, abandoned.err.endswith("[not_unknown]\n")) == (1, True)
    assert (nothing.code, nothing.err) == (1, "countersign: There is no such request. [not_found]\n")


def test_an_operator_whom_the_policy_does_not_know_cannot_resume(terminal: Terminal):
    """Stopping is free, letting go on is not: an unmapped operator is refused, the pause stays, and it is on record."""
    pause = terminal.types("pause", "all").out.partition(" as ")[2].partition(". ")[0]

    said = terminal.types("resume", pause)

    assert (said.code, said.err) == (
        1,
        "countersign: The policy's people: does not say who you are, so you cannot agree to a resume. [unmapped]\n",
    )
    assert pause in terminal.types("status").out


def test_a_denial_is_final(terminal: Terminal):
    """An operator denies what waits; what is decided already cannot be denied again, and an unknown id is no escalation."""
    denied = terminal.types("deny", terminal.history.pending, "--reason", "freeze")
    again = terminal.types("deny", terminal.history.pending, "--reason", "freeze")
    unknown = terminal.types("deny", "esc_01JD0000000000000000000000", "--reason", "freeze")

    assert (denied.code, denied.out) == (0, "Denied. Nothing will run.\n")
    assert again.code == 1
    assert (unknown.code, unknown.err) == (1, "countersign: There is no such request. [not_found]\n")
    story = terminal.types("audit", "show", terminal.history.pending).out
    assert f"{OPERATOR} denied" in story
    assert "reason, as written: freeze" in story


def test_a_reason_of_several_lines_stays_on_one(terminal: Terminal):
    """A line end of somebody's words is drawn, so that they cannot write a line of the story; it is drawn as a sign, once."""
    terminal.types("deny", terminal.history.pending, "--reason", "not now\n2026-01-01 00:00:00Z  Approved.\u202e")

    story = terminal.types("audit", "show", terminal.history.pending).out

    assert "reason, as written: not now⏎2026-01-01 00:00:00Z  Approved.\\u{202E}\n" in story


def test_a_token_is_shown_once_and_can_be_taken_back(terminal: Terminal):
    """The secret is printed once, alone, on standard output; the list never has it; a revoked token is marked."""
    made = terminal.types("agent", "token", "create", "scaler", "--environment", "demo", "--days", "7")
    token = made.err.split(",")[0]
    listed = terminal.types("agent", "token", "list")
    revoked = terminal.types("agent", "token", "revoke", token)
    after = terminal.types("agent", "token", "list")

    assert (made.code, made.out.startswith("cst_"), made.out.count("\n")) == (0, True, 1)
    assert made.out.strip() not in listed.out + after.out
    assert (revoked.code, revoked.out) == (0, f"{token} is revoked.\nOpen questions: 0 cancelled, 0 flagged.\n")
    (line,) = [line for line in after.out.splitlines() if line.startswith(token)]
    assert line.rstrip().endswith("revoked")
    assert made.out.strip().encode() not in terminal.place.database.read_bytes()


@pytest.mark.parametrize(
    ("word", "counts", "status", "told"),
    [
        ("", "1 cancelled, 0 flagged", "0", "because the token it was asked with was revoked"),
        ("flag", "0 cancelled, 1 flagged", "1", "The token it was asked with has been revoked"),
    ],
    ids=["cancel", "flag"],
)
def test_t_auth_04_revoking_a_token_sees_to_what_was_asked_with_it(terminal: Terminal, word, counts, status, told):
    """T-AUTH-04: at once, and without a service: open questions are cancelled or flagged, as the charter has it, and counted."""
    if word:
        policy = terminal.place.policy.read_text()
        changed = policy.replace("    acts_for: [chen]\n", f"    acts_for: [chen]\n    when_token_revoked: {word}\n")
        terminal.place.policy.write_text(changed)
    (token,) = re.findall(r"^tok_\w+", terminal.types("agent", "token", "list").out, re.MULTILINE)

    revoked = terminal.types("agent", "token", "revoke", token)

    assert (revoked.code, revoked.out) == (0, f"{token} is revoked.\nOpen questions: {counts}.\n")
    assert re.search(rf"^requests pending +{status} *$", terminal.types("status").out, re.MULTILINE)
    assert told in terminal.types("audit", "show", terminal.history.pending).out
    assert "revoked" not in terminal.types("audit", "show", terminal.history.approved).out


def test_a_token_for_nobody_is_refused(terminal: Terminal):
    """An agent or an environment that the policy does not know gets no token; a monitor's names exactly one environment."""
    nobody = terminal.types("agent", "token", "create", "scalar")
    nowhere = terminal.types("agent", "token", "create", "scaler", "--environment", "moon")
    monitor = terminal.types("agent", "token", "create", "prometheus", "--kind", "alertmanager")

    assert [said.code for said in (nobody, nowhere, monitor)] == [1, 1, 1]
    assert [said.err.rpartition("[")[2] for said in (nobody, nowhere, monitor)] == [
        "unknown_agent]\n",
        "unknown_environment]\n",
        "one_environment]\n",
    ]


def test_verify_says_how_far_the_trail_is_anchored(terminal: Terminal):
    """Consistent and unanchored by itself; consistent up to a head from outside; broken where the head is not in it."""
    bare = terminal.types("audit", "verify")
    preview = terminal.types("digest", "--preview")
    head = preview.out.rpartition("head ")[2].strip()
    anchored = terminal.types("audit", "verify", "--head", head)
    foreign = terminal.types("audit", "verify", "--head", "0" * 64)
    odd = terminal.types("audit", "verify", "--head", "15:abc")

    assert bare.code == 0
    assert bare.out.startswith("Consistent, unanchored: ")
    assert head in bare.out
    assert anchored.code == 0
    assert anchored.out.startswith("Consistent up to the given head, seal 15.\n")
    assert foreign.code == 1
    assert "the given head is not among them" in foreign.out
    assert (odd.code, odd.err.endswith("[bad_head]\n")) == (1, True)


def test_verify_names_the_first_bad_record(terminal: Terminal):
    """After one byte was changed in the file, the record is named, the ones before it are vouched for, and the exit code is 1."""
    _flip(terminal.place.database, number=7)

    said = terminal.types("audit", "verify")

    assert said.code == 1
    assert said.out.startswith("BROKEN at seal 7 (event ")
    assert said.out.endswith(
        "the event's bytes are not those that were hashed.\nThe 6 records before it are consistent.\n"
    )


def test_a_broken_trail_can_still_be_looked_at(terminal: Terminal):
    """A record that cannot be read any more does not stop the export; whose story it is, is told to verify."""
    broken = _flip(terminal.place.database, number=7)

    exported = [json.loads(line) for line in terminal.types("audit", "export").out.splitlines()]
    story = terminal.types("audit", "show", broken.removeprefix("request:"))

    assert len(exported) == 15
    assert [one["number"] for one in exported if one["event"] is None] == [7]
    assert (story.code, story.err) == (
        1,
        "countersign: A record of the audit trail cannot be read. Run: countersign audit verify [broken_trail]\n",
    )


def test_a_changed_text_is_not_shown_as_written(terminal: Terminal):
    """Words that somebody changed in the file are named as changed, and verify names the record."""
    with closing(sqlite3.connect(terminal.place.database)) as database:
        (subject,) = database.execute("SELECT subject FROM untrusted_texts WHERE name = 'rationale'").fetchone()
        database.execute("UPDATE untrusted_texts SET text = 'all is well' WHERE name = 'rationale'")
        database.commit()

    story = terminal.types("audit", "show", subject).out
    said = terminal.types("audit", "verify")

    assert "all is well" not in story
    assert "rationale: NOT as written; somebody changed it. Run: countersign audit verify" in story
    assert said.code == 1
    assert "the rationale beside the event is not what was written.\n" in said.out


def _flip(path: Path, *, number: int) -> str:
    """Change one byte of one event, so that it is no value any more, and return its stream."""
    with closing(sqlite3.connect(path)) as database:
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            database.execute(f"DROP TRIGGER {name}")
        database.execute(
            "UPDATE events SET body = CAST('x' || substr(body, 2) AS BLOB) WHERE (stream, sequence) ="
            f" (SELECT stream, sequence FROM seals WHERE number = {number})"
        )
        database.commit()
        (stream,) = database.execute("SELECT stream FROM seals WHERE number = ?", (number,)).fetchone()
        return str(stream)


def test_show_tells_one_story_in_plain_sentences(terminal: Terminal):
    """From the request to the outcome, with who, when and what the agent said; an unknown escalation is said to be unknown."""
    said = terminal.types("audit", "show", terminal.history.approved)
    unknown = terminal.types("audit", "show", "esc_01JD0000000000000000000000")

    assert said.code == 0
    for sentence in (
        "scale Deployment shop/checkout replicas=6 in demo",
        "rationale, as written: p99 is 4.1 s against an objective of 1 s",
        "T0COUNTERSIGN:U0DINA tried to approve it; that does not count",
        "Approved.",
    ):
        assert sentence in said.out
    assert (unknown.code, unknown.err) == (1, "countersign: There is no such escalation. [not_found]\n")


def test_export_writes_every_record(terminal: Terminal):
    """One JSON object a line, numbers without gaps, with all that a verifier needs and no private text."""
    said = terminal.types("audit", "export")
    records = [json.loads(line) for line in said.out.splitlines()]

    assert said.code == 0
    assert [one["number"] for one in records] == list(range(1, 16))
    assert {frozenset(one) for one in records} == {
        frozenset({"number", "stream", "sequence", "event", "body", "seal", "hash", "chain"})
    }
    assert "p99 is 4.1 s" not in said.out


def test_the_digest_is_shown_and_not_posted(terminal: Terminal):
    """The preview's counts add up; without --preview the command says whose work posting is."""
    said = terminal.types("digest", "--preview")
    bare = terminal.types("digest")

    rows = [line.split() for line in said.out.splitlines()]
    assert said.code == 0
    assert ["asked", "3"] in rows
    assert sum(int(row[1]) for row in rows if row[0] in {"pending", "approved", "denied"} and len(row) == 2) == 3
    assert (bare.code, bare.err.endswith("[preview_only]\n")) == (1, True)


def test_a_mistake_in_the_policy_is_named_with_its_line(terminal: Terminal, tmp_path: Path):
    """A good policy is described; a misspelt key is named with file, line and column, and the exit code is 1."""
    broken = tmp_path / "broken.yml"
    broken.write_text(POLICY.read_text().replace("quorum: 1", "quorom: 1", 1))
    line = next(n for n, text in enumerate(broken.read_text().splitlines(), start=1) if "quorom" in text)

    good = terminal.types("policy", "check")
    bad = terminal.types("policy", "check", str(broken))
    absent = terminal.types("policy", "check", str(tmp_path / "absent.yml"))

    assert good.code == 0
    assert "Agent scaler may ask for restart, scale in demo/payments, demo/shop." in good.out
    assert bad.code == 1
    assert f"{broken}:{line}:" in bad.err
    assert "quorom" in bad.err
    assert (absent.code, "cannot be read" in absent.err) == (1, True)


def test_the_database_is_brought_up_to_date(terminal: Terminal, tmp_path: Path):
    """On an empty file every command names the one to run; it makes the schema, and does nothing the second time."""
    empty = {"COUNTERSIGN_DATABASE_URL": f"sqlite:///{tmp_path / 'new.db'}"}
    (tmp_path / "new.db").touch()

    before = terminal.types("status", **empty)
    first, second = (terminal.types("db", "upgrade", **empty) for _ in range(2))
    after = terminal.types("status", **empty)

    assert (before.code, before.err) == (
        1,
        "countersign: The database is not at this version's schema. Run: countersign db upgrade [schema]\n",
    )
    assert first == second
    assert (first.code, first.out.startswith("The database is at schema ")) == (0, True)
    assert after.code == 0


def test_the_manifests_of_an_environment_are_printed(terminal: Terminal):
    """YAML for kubectl, for environments that the policy knows."""
    said = terminal.types("manifests", "demo")
    unknown = terminal.types("manifests", "moon")

    assert said.code == 0
    assert "kind: ValidatingAdmissionPolicy\n" in said.out
    assert "name: countersign-stories-exec-scaler-scale\n" in said.out
    assert (unknown.code, unknown.err) == (
        1,
        "countersign: The policy has no environment called moon. [unknown_environment]\n",
    )


@pytest.mark.parametrize(
    "url",
    [
        "s3cret",
        "mysql://u:s3cret@h/x",
        "postgresql://u:s3cret@127.0.0.1:abc/x",
        "postgresql://u:s3cret@127.0.0.1:1/x",
        "postgresql://u:s3cret@127.0.0.1:1/x?nosuch=1",
        "postgresql://u:s3cret%00@127.0.0.1:1/x",
        "sqlite:////no/such/folder/x.db",
        "sqlite:////",
        "sqlite:///FILE",
    ],
)
@pytest.mark.parametrize("command", [("status",), ("db", "upgrade"), ("pause", "all")])
def test_a_wrong_database_is_told_in_words(terminal: Terminal, tmp_path: Path, url: str, command: tuple[str, ...]):
    """No traceback, no secret, nothing written: one sentence that names what is wrong and what to do."""
    file = tmp_path / "notes.txt"
    file.write_text("no database at all, just notes")

    said = terminal.types(*command, COUNTERSIGN_DATABASE_URL=url.replace("FILE", str(file)))

    assert said.code in {1, 3}
    assert ("s3cret" in said.err, "try again in a moment" in said.err) == (False, False)
    assert said.err.startswith("countersign: Nothing was paused" if command[0] == "pause" else "countersign: ")
    assert "COUNTERSIGN_DATABASE_URL" in said.err or "The database x on 127.0.0.1:1 cannot be used: " in said.err
    assert file.read_text() == "no database at all, just notes"
