"""Spending: where one decision's time goes, and how often it goes to the database. It explains the bars and has none itself."""

import asyncio
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any, Final
from unittest.mock import patch

from sqlalchemy import Connection, event

from approvals.ports.store import Urgency
from benchmarks.bars import Figure
from benchmarks.decision import Base
from benchmarks.places import SQLITE, Place, opened
from benchmarks.product import Clicks, a_world, slack_door
from benchmarks.timing import spread_of, took
from bot import clock
from models.engine import pipeline
from models.engine.database import Database
from models.store.store import SqlStore

PART: Final = "where it goes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much is measured."""

    clicks: int = 100


@dataclass(slots=True)
class _Purse:
    """What was spent since it was last emptied."""

    turns: int = 0
    reading_s: float = 0.0
    writing_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Spent:
    """What one click cost, and the same click on the base."""

    turns: int
    whole_s: float
    reading_s: float
    writing_s: float
    dispatch_s: float
    """Of the base: Bolt alone."""
    base_s: float


@dataclass(frozen=True, kw_only=True)
class _WatchedDatabase(Database):
    """A database that takes down how long its transactions take, from the wait for a connection to the end of the commit."""

    purse: _Purse

    @contextmanager
    def reading(self, lane: Urgency = Urgency.NORMAL) -> Iterator[Connection]:
        started = time.perf_counter()
        with super().reading(lane) as connection:
            yield connection
        self.purse.reading_s += time.perf_counter() - started

    @contextmanager
    def asking(self, lane: Urgency = Urgency.NORMAL) -> Iterator[Connection]:
        started = time.perf_counter()
        with super().asking(lane) as connection:
            yield connection
        self.purse.reading_s += time.perf_counter() - started

    @contextmanager
    def writing(self, lane: Urgency = Urgency.NORMAL) -> Iterator[Connection]:
        started = time.perf_counter()
        with super().writing(lane) as connection:
            yield connection
        self.purse.writing_s += time.perf_counter() - started


def measure(place: Place, sizes: Sizes, said: Callable[[str], None]) -> Iterable[Figure]:
    """Return what one decision spends, click after click; *said* is told how far it is."""
    said(f"{PART} on {place.name}")
    return asyncio.run(_measured(place, sizes))


async def _measured(place: Place, sizes: Sizes) -> Iterable[Figure]:
    purse = _Purse()
    with opened(place) as database, _counted(database, purse):
        kept = {field.name: getattr(database, field.name) for field in fields(database)}
        store = SqlStore(_WatchedDatabase(**kept, purse=purse), host_clock=clock.utc_now, new_salt=clock.new_salt)
        world = a_world(store)
        bare, spent = place.new_bare(), []
        base = Base(bare)
        with slack_door(world, store) as door:
            for click in Clicks(world, store).make(sizes.clicks):
                base_s, dispatch_s = await took(base.take(click)), await took(base.dispatch(click))
                purse.turns, purse.reading_s, purse.writing_s = 0, 0.0, 0.0
                whole_s = await took(door.take(click))
                spent.append(
                    _Spent(
                        turns=purse.turns,
                        whole_s=whole_s,
                        reading_s=purse.reading_s,
                        writing_s=purse.writing_s,
                        dispatch_s=dispatch_s,
                        base_s=base_s,
                    )
                )
    return tuple(_figures(place, spent))


def _figures(place: Place, spent: list[_Spent]) -> Iterator[Figure]:
    def figure(what: str, unit: str, values: Iterable[float], beside: str = "") -> Figure:
        middle = statistics.median(values)
        return Figure(part=PART, store=place.name, what=what, measured=spread_of([middle]), unit=unit, beside=beside)

    whole = statistics.median(one.whole_s for one in spent)

    def part(what: str, values: Iterable[float]) -> Figure:
        seconds = list(values)
        share = f"{statistics.median(seconds) / whole:.0%} of {whole * 1e3:.2f} ms"
        return figure(what, "ms", (one * 1e3 for one in seconds), share)

    unit = "statements" if place.name == SQLITE else "round trips"
    yield figure("turns at the database", unit, (one.turns for one in spent))
    yield part("reading, before any lock", (one.reading_s for one in spent))
    yield part("the deciding transaction", (one.writing_s for one in spent))
    yield part(
        "the rest: signature, Bolt, payload, threads", (one.whole_s - one.reading_s - one.writing_s for one in spent)
    )
    yield figure("of the base: signature and Bolt", "ms", (one.dispatch_s * 1e3 for one in spent))
    yield figure("of the base: the insert", "ms", ((one.base_s - one.dispatch_s) * 1e3 for one in spent))


@contextmanager
def _counted(database: Database, purse: _Purse) -> Iterator[None]:
    """Let *purse* count, for the length of the block, what SQLite is told and how often PostgreSQL is waited for."""

    def count(*_: object) -> None:
        purse.turns += 1

    def connected(connection: Any, record: object) -> None:
        del record
        connection.set_trace_callback(count)

    def send(*given: Any) -> Any:
        count()
        return sent(*given)

    sent = pipeline.send
    if database.is_sqlite:
        for engine in {*database.readers.values(), *database.writers.values()}:
            event.listen(engine, "connect", connected)
        yield
        return
    with patch.object(pipeline, "send", send):
        yield
