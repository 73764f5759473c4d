"""A place where the product is installed: a folder with a policy and a database, settings, and processes that run over them.

Every process is a real one, ``python -m bot``, whose environment holds the place's settings and none of ours.
"""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from approvals.ports.journey import Milestone
from tests.waiting import wait_until

ROOT: Final = Path(__file__).resolve().parents[2]
POLICY: Final = Path(__file__).with_name("policy.yml")
_STARTS_WITHIN_S: Final = 60.0
_ENDS_WITHIN_S: Final = 30.0
_OURS: Final = ("COUNTERSIGN_", "SLACK_", "KUBE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a command said, and how it ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """``countersign serve``, running."""

    process: subprocess.Popen[bytes]
    log: Path
    address: str

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait(_ENDS_WITHIN_S)

    def wait_until_killed(self) -> None:
        """Return when it has killed itself."""
        self.process.wait(_ENDS_WITHIN_S)
        assert self.process.returncode == -signal.SIGKILL, self.log.read_text()


@dataclass(frozen=True, kw_only=True)
class Place:
    """One installation."""

    folder: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    program: tuple[str, ...] = ("-m", "bot")
    """What Python runs as the product."""
    dying: tuple[str, ...] = ("-m", "tests.acceptance.dying")
    """And as the service that is killed when it comes to the milestone that follows."""

    @property
    def policy(self) -> Path:
        """The policy file."""
        return self.folder / "policy.yml"

    def let_leases_lapse(self) -> None:
        """Let the minute pass after which a dead worker's execution may be taken over, as far as the rows tell."""
        with closing(sqlite3.connect(self.database)) as connection, connection:
            connection.execute(
                "UPDATE executions SET lease_until = 0, due_at = 0, look_at = 0 WHERE lease_until IS NOT NULL"
            )

    def wait_for_leg(self, part: str, of: str, state: str, code: str = "", *, within_s: float) -> None:
        """Return once the service has written down that a leg is so, which is where ``status`` reads it.

        The row is asked, not the command: to start a process twice a second takes a core from the service that is waited for.
        """
        what = f"{part} {of} is {state} ({code or 'whatever the code'})"
        wait_until(lambda: (state, code) in self._leg(part, of), what=what, within_s=within_s, every_s=0.1)

    def _leg(self, part: str, of: str) -> set[tuple[str, str]]:
        with closing(sqlite3.connect(self.database)) as connection:
            rows = connection.execute("SELECT legs FROM heartbeats").fetchall()
        legs = [one for (text,) in rows for one in json.loads(text) if (one["part"], one["of"]) == (part, of)]
        return {(leg["state"], code) for leg in legs for code in ("", leg["code"])}

    @property
    def database(self) -> Path:
        """The database's file."""
        return self.folder / "countersign.db"

    @property
    def database_url(self) -> str:
        """The address that the product is given: the file's, unless the settings name a server's."""
        return self.settings.get("COUNTERSIGN_DATABASE_URL", f"sqlite:///{self.database}")

    def run(self, *arguments: str, typed: str = "", **changed: str) -> Said:
        """Run one command to its end.

        Args:
            arguments: After ``countersign``.
            typed: What comes from standard input, which is no terminal.
            changed: Settings that are other than the place's.
        """
        done = subprocess.run(
            [sys.executable, *self.program, *arguments],
            cwd=ROOT,
            env=self.environment(**changed),
            input=typed,
            capture_output=True,
            text=True,
            timeout=_STARTS_WITHIN_S,
            check=False,
        )
        return Said(code=done.returncode, out=done.stdout, err=done.stderr)

    def environment(self, **changed: str) -> dict[str, str]:
        """Return the environment of this place's processes."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
        own = {
            "COUNTERSIGN_POLICY": str(self.policy),
            "COUNTERSIGN_DATABASE_URL": self.database_url,
            "COUNTERSIGN_LISTEN": "127.0.0.1:0",
        }
        return {**inherited, **own, **self.settings, **changed}

    @contextmanager
    def serving(self, name: str = "serve", *, killed_at: Milestone | None = None, **changed: str) -> Iterator[Service]:
        """Run the service for the length of the block; with *killed_at*, until it first comes to that milestone.

        Several may run at once, if their logs have names of their own; *changed* are settings that are other than the place's.
        """
        program = [*self.program, "serve"] if killed_at is None else [*self.dying, killed_at.name]
        log = self.folder / f"{name}.log"
        log.unlink(missing_ok=True)
        guard = ["setpriv", "--pdeathsig", "KILL", "--"]
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*guard, sys.executable, *program],
                cwd=ROOT,
                env=self.environment(**changed),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        try:
            wait_until(lambda: _address(log) or _ended(process, log), what="it serves", within_s=_STARTS_WITHIN_S)
            yield Service(process=process, log=log, address=_address(log))
        finally:
            _end(process)


def _address(log: Path) -> str:
    """Return the API's address, as the log says it when everything runs; empty until then."""
    return next((str(line["address"]) for line in lines_of(log) if line.get("event") == "api.listens"), "")


def lines_of(log: Path) -> list[dict[str, Any]]:
    """Return the log's lines, as far as they are written whole."""
    return [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{") and line.endswith("}")]


def _ended(process: subprocess.Popen[bytes], log: Path) -> bool:
    assert process.poll() is None, f"it ended with {process.returncode}:\n{log.read_text()[-3000:]}"
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """Stop it in good order; one that does not stop is a fault, and is not left running."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        code = process.wait(_ENDS_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise
    assert code == 0, f"it stopped with {code}"
