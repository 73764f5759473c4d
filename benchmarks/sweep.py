"""The sweep: what a tick of the expiry costs while nothing is due, with a thousand pending requests and with a million."""

import asyncio
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

from sqlalchemy import text

from approvals.usecases.aside import Aside
from approvals.usecases.people.expire import Expire
from benchmarks.bars import Figure
from benchmarks.places import Place, opened
from benchmarks.product import a_world
from benchmarks.timing import compared, in_turns
from bot import clock
from bot.runtime.mishaps import LoggedMishaps
from models.store.store import SqlStore
from models.store.tables import escalations

PART: Final = "idle sweep"
AT_MOST: Final = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much is measured."""

    repetitions: int = 5
    sweeps: int = 300
    few: int = 1_000
    many: int = 1_000_000


def measure(place: Place, sizes: Sizes, said: Callable[[str], None]) -> Iterable[Figure]:
    """Return how the sweep over many compares to that over few; *said* is told how far it is."""
    with ExitStack() as stack:
        few, many = (
            Crowd(SqlStore(stack.enter_context(opened(place)), host_clock=clock.utc_now, new_salt=clock.new_salt))
            for _ in range(2)
        )
        for crowd, size in ((few, sizes.few), (many, sizes.many)):
            said(f"{PART} on {place.name}: making {size:,} pending requests")
            crowd.grow_to(size)
        pairs = []
        for number in range(1, sizes.repetitions + 1):
            said(f"{PART} on {place.name}: repetition {number} of {sizes.repetitions}")
            pairs.append(asyncio.run(in_turns(many.swept, few.swept, times=sizes.sweeps)))
    found = compared(pairs)
    return (
        Figure(
            part=PART,
            store=place.name,
            what=f"{sizes.many:,} pending against {sizes.few:,}",
            measured=found.ratio,
            unit="x",
            at_most=AT_MOST,
            beside=f"{found.ours_s * 1e3:.3f} ms against {found.base_s * 1e3:.3f} ms",
        ),
    )


class Crowd:
    """One database in which many requests wait for an answer that is not due yet."""

    def __init__(self, store: SqlStore) -> None:
        """Ask the first question, of which the others are copies."""
        self._store = store
        self._expire = Expire(store=store, aside=Aside(sweep="expire", mishaps=LoggedMishaps(failed=lambda _: None)))
        self.world = a_world(store)
        self._first = self.world.pending().id

    def grow_to(self, size: int) -> None:
        """Add copies until so many are pending, by SQL: asking takes milliseconds each. Their long texts are left out."""
        for start in range(1, size, _BATCH):
            with self._store.writing() as uow:
                uow.connection.execute(_COPY, {"first": self._first, "start": start, "end": min(start + _BATCH, size)})

    async def swept(self) -> float:
        """Let a tick look for what is due, and return how long that took."""
        started = time.perf_counter()
        expired = self._expire()
        taken = time.perf_counter() - started
        assert expired == 0
        return taken


_BATCH: Final = 20_000
"""So that no statement comes near the longest that the store allows one."""

_OWN: Final = {
    "id": "'esc_' || (10000000000 + n)",
    "idempotency_key": "NULL",
    "question_key": "NULL",
    "deadline": "deadline + 3600000000 + n",
    "ruling": "'{}'",
    "breaches": "'[]'",
}
"""What is not as in the first."""

_COLUMNS: Final = escalations.columns.keys()
_COPY: Final = text(
    "WITH RECURSIVE numbers (n) AS (SELECT CAST(:start AS INTEGER) UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < :end)"  # noqa: S608 - our own names
    f" INSERT INTO escalations ({', '.join(_COLUMNS)})"
    f" SELECT {', '.join(_OWN.get(name, name) for name in _COLUMNS)} FROM escalations, numbers WHERE id = :first"
)
