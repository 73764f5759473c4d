"""The recorder: what stands outside and remembers what happened, whoever dies meanwhile.

It sees what the API server's audit log says of writes, what the workspace shows, and whether any process answers for the store.
What the trail tells is held against that (I1 to I6).
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from threading import Event, Thread
from typing import Any, Final

import httpx

from tests.fixtures.postgres import PostgresDatabase
from tests.models.leasing import owner_of
from tests.record import note, spread

LATEST_SECONDS: Final = 5.0
"""How long after its deadline, or after a process reaches the store again, a question may still stand open."""

PAUSE_SECONDS: Final = 5.0
TAKEOVER_SECONDS: Final = 10.0
GIVEN_BACK_SECONDS: Final = 2.0
ENDS: Final = frozenset({"request.approved", "request.denied", "request.expired", "request.cancelled"})


class Reach:
    """Whether any process reaches the store, looked at five times a second."""

    def __init__(self) -> None:
        self._seen: list[tuple[float, bool]] = []

    @contextmanager
    def watching(self, addresses: Callable[[], list[str]]) -> Iterator[None]:
        """Look for the length of the block."""
        ended = Event()

        def watch() -> None:
            while not ended.wait(0.2):
                begun = time.time()
                self._seen.append((begun, any(map(_reaches, addresses()))))

        thread = Thread(target=watch, name="reach")
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def reached(self, due: float, until: float) -> float:
        """Return from when on, not before *due*, the store was reached without a break up to *until*."""
        seen = [one for one in self._seen if due <= one[0] <= until]
        last_away = max((at for at, reached in seen if not reached), default=None)
        if last_away is None:
            return due
        return min((at for at, _ in seen if at > last_away), default=until)


def _reaches(address: str) -> bool:
    try:
        return httpx.get(f"{address}/readyz", timeout=1.0).status_code == 200
    except httpx.HTTPError:
        return False


@dataclass(frozen=True, kw_only=True)
class Question:
    """One question that was asked, and about what."""

    id: str
    name: str
    namespace: str
    is_silent: bool = False
    """Whether nobody answers it in time."""


@dataclass
class Recorder:
    """Everything that was seen."""

    audit_log: Path
    database: PostgresDatabase
    faults: Counter[str] = field(default_factory=Counter)
    takeovers: dict[str, list[float]] = field(default_factory=dict)
    lateness: list[float] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    held_pauses: list[float] = field(default_factory=list)
    """Of those that were engaged while a stopped process held the gate."""
    questions: list[Question] = field(default_factory=list)
    cards: Counter[str] = field(default_factory=Counter)
    writes: list[tuple[str, str, str, float]] = field(default_factory=list)
    """Each write that changed a Deployment of a question: namespace, name, by whom, when."""
    beyond: list[str] = field(default_factory=list)
    """What was later or more than it may be."""
    _read: int = 0

    def bound(self, what: str, seconds: float, most: float) -> None:
        """Take down where something took longer than it may."""
        if seconds > most:
            self.beyond.append(f"{what}: {seconds:.2f} s, at most {most:g} s")

    def read_audit_log(self) -> None:
        """Take down the writes that the API server has logged since it was read last."""
        if self.audit_log.stat().st_size < self._read:
            self._read = 0  # It was put aside, and a new one begun.
        with self.audit_log.open("rb") as log:
            log.seek(self._read)
            data = log.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._read += len(whole)
        self.writes += [found for line in whole.splitlines() if (found := _write_in(json.loads(line))) is not None]

    def writes_of(self, question: Question) -> list[tuple[str, float]]:
        """Return by whom and when the Deployment of *question* was written for us."""
        return [(who, at) for namespace, name, who, at in self.writes if (namespace, name) == _place_of(question)]

    def pauses_open(self) -> dict[str, float]:
        """Return the pauses that are open, as the database has them, and when each was engaged, in seconds since 1970."""
        asked = "SELECT id, engaged_at FROM pauses WHERE ended_epoch IS NULL"
        with owner_of(self.database) as connection:
            return {str(found): int(at) / 1_000_000 for found, at in connection.execute(asked)}

    def was_replaced(self, question: Question) -> bool:
        """Tell whether the trail has that a card of *question* was posted in the place of one that may have been lost."""
        told = [event for events in self.trail().values() for event in events if event["kind"] == "card.posting"]
        return any(event["data"]["replaces"] for event in told if question.id in json.dumps(event["data"]))

    def trail(self) -> dict[str, list[dict[str, Any]]]:
        """Return the bodies of all events in order, by stream."""
        told: dict[str, list[dict[str, Any]]] = {}
        with owner_of(self.database) as connection:
            asked = "SELECT stream, convert_from(body, 'UTF8') FROM events ORDER BY stream, sequence"
            for stream, body in connection.execute(asked):
                told.setdefault(stream, []).append(json.loads(body))
        return told

    def print(self) -> None:
        """Write the record down."""
        note(
            f"faults: {sum(self.faults.values())} ({', '.join(f'{n} {how}' for how, n in sorted(self.faults.items()))})"
        )
        for how, took in sorted(self.takeovers.items()):
            note(f"takeovers after {how}: {spread(took)}")
        note(f"questions: {len(self.questions)}, cards: {self.cards['cards']}, replaced: {self.cards['replaced']}")
        note(f"writes that changed a workload: {len(self.writes)}")
        note(f"deadlines: {spread(self.lateness)} late")
        note(f"pauses: {spread(self.pauses)}")
        note(f"pauses while a stopped process held the gate: {spread(self.held_pauses)}")
        note(f"beyond their bounds: {'; '.join(self.beyond) or 'none'}")


def _place_of(question: Question) -> tuple[str, str]:
    return question.namespace, question.name


def _write_in(event: dict[str, Any]) -> tuple[str, str, str, float] | None:
    """Return namespace, name, writer and instant of a write of ours to a Deployment that changed it, if the event is one."""
    about, user = event.get("objectRef", {}), event.get("user", {}).get("username", "")
    is_write = event.get("verb") in {"patch", "update", "delete"} and about.get("resource") == "deployments"
    is_ours = user.startswith("system:serviceaccount:") and user.rpartition(":")[2].startswith("countersign-")
    has_landed = event.get("responseStatus", {}).get("code", 0) < 300
    if not (is_write and is_ours and has_landed) or "dryRun=" in event.get("requestURI", ""):
        return None
    at = datetime.fromisoformat(event["requestReceivedTimestamp"]).timestamp()
    return about["namespace"], about["name"], user, at
