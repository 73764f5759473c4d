"""The verification of a long trail: how long ``countersign audit verify`` takes for a million events, and what memory it holds.

The events are those of one change, from the agent's question over the answer and the write to the verified rollout, and those
change after change. They are sealed as the sealer does it. The command runs in a process of its own.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from sqlalchemy import insert, select

from approvals.audit.events import GENESIS, body_hash, chain_hash
from benchmarks.bars import Figure
from benchmarks.places import Place, opened
from benchmarks.product import a_world
from benchmarks.timing import spread_of
from bot import clock
from models.engine.database import Database, open_database
from models.store.store import SqlStore
from models.store.tables import events, seals, untrusted_texts

PART: Final = "audit verify"
AT_MOST_S: Final = 30.0
AT_MOST_MB: Final = 200.0

_BATCH: Final = 10_000
_ROUNDS: Final = 4
"""How often executions are looked at until the change is verified."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How long the trail is."""

    events: int = 1_000_000


def measure(place: Place, sizes: Sizes, said: Callable[[str], None]) -> Iterable[Figure]:
    """Return what the verification takes and holds on *place*; *said* is told how far it is."""
    said(f"{PART} on {place.name}: making {sizes.events:,} events")
    address = place.new_database()
    life = _one_life(place)
    database = open_database(address)
    try:
        _fill(database, life, sizes.events)
    finally:
        database.close()
    said(f"{PART} on {place.name}: verifying {sizes.events:,} events")
    took, cpu, largest = _verified(address, sizes.events)
    what = f"{sizes.events:,} events"
    length = sum(len(one["body"]) for one in life.events) / len(life.events)
    beside = f"{sizes.events / took:,.0f} a second, {cpu:.1f} s of CPU, {length:,.0f} bytes each"
    yield Figure(
        part=PART,
        store=place.name,
        what=what,
        measured=spread_of([took]),
        unit="s",
        at_most=AT_MOST_S,
        beside=beside,
    )
    yield Figure(
        part=PART,
        store=place.name,
        what=f"memory for {what}",
        measured=spread_of([largest]),
        unit="MB",
        at_most=AT_MOST_MB,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """What one change leaves in the trail."""

    stream: str
    events: list[dict[str, Any]]
    texts: list[dict[str, Any]]


def _one_life(place: Place) -> Life:
    """Return the events of one change, as the product itself writes them."""
    with opened(place) as database:
        store = SqlStore(database, host_clock=clock.utc_now, new_salt=clock.new_salt)
        world = a_world(store)
        request = world.pending()
        world.answers(request)
        for _ in range(_ROUNDS):
            world.execute()
        stream = f"request:{request.id}"
        with database.reading() as connection:
            rows, texts = (
                [
                    {**row, "stream": stream}
                    for row in connection.execute(select(table).where(table.c.stream == stream)).mappings()
                ]
                for table in (events, untrusted_texts)
            )
    rows.sort(key=lambda row: int(row["sequence"]))
    return Life(stream=stream, events=rows, texts=texts)


def _fill(database: Database, life: Life, count: int) -> None:
    """Write *count* sealed events: the life again and again, each time as another request's."""
    chain, number = GENESIS, 0
    made = _copies(life)
    while batch := list(islice(made, min(_BATCH, count - number))):
        links = []
        for event in batch:
            number += 1
            chain = chain_hash(
                chain, number=number, stream=event["stream"], sequence=event["sequence"], hashed=event["hash"]
            )
            place = {"stream": event["stream"], "sequence": event["sequence"]}
            links.append({"number": number, "chain": chain, **place})
        begun = {event["stream"] for event in batch if event["sequence"] == 1}
        texts = [{**text, "stream": stream} for stream in begun for text in life.texts]
        with database.writing() as connection:
            connection.execute(insert(events), batch)
            connection.execute(insert(seals), links)
            connection.execute(insert(untrusted_texts), texts or [])


def _copies(life: Life) -> Iterator[dict[str, Any]]:
    number = 0
    while True:
        number += 1
        stream = f"request:esc_{number:026d}"
        for event in life.events:
            body = event["body"].replace(f'"stream":"{life.stream}"'.encode(), f'"stream":"{stream}"'.encode())
            yield {"stream": stream, "sequence": event["sequence"], "body": body, "hash": body_hash(body)}


def _verified(address: str, count: int) -> tuple[float, float, float]:
    """Return the seconds that the command took, those of the processor, and the most memory it held, in MB."""
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "bot", "audit", "verify"],
        env={**os.environ, "COUNTERSIGN_DATABASE_URL": address},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process.stdout as stdout:
        said = stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    took = time.monotonic() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    assert f"{count} records" in said, said
    return took, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
