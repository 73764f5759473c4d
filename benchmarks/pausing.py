"""Pausing: how long a pause holds the start gate while many requests wait; nothing starts, and no other pause begins, meanwhile.

Each scope is paused again and again. The first engages, the others find it standing; both look for what the pause covers.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final

from approvals.identity.names import Account
from approvals.ports.store import Urgency
from approvals.workflow.pause import scope_of
from benchmarks.bars import Figure
from benchmarks.places import Place, opened
from benchmarks.sweep import Crowd
from benchmarks.timing import spread_of
from bot import clock
from models.store.store import SqlStore
from models.store.unit_of_work import SqlUnitOfWork

PART: Final = "pause"
AT_MOST_MS: Final = 50.0
SCOPES: Final = ("all", "namespace:prod-eu-1/shop", "agent:scaler")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much is measured."""

    repetitions: int = 5
    pending: int = 100_000


def measure(place: Place, sizes: Sizes, said: Callable[[str], None]) -> Iterable[Figure]:
    """Return how long the gate was held; *said* is told how far it is."""
    with ExitStack() as stack:
        store = Timed(stack.enter_context(opened(place)), host_clock=clock.utc_now, new_salt=clock.new_salt)
        said(f"{PART} on {place.name}: making {sizes.pending:,} pending requests")
        crowd = Crowd(store)
        crowd.grow_to(sizes.pending)
        held = []
        for scope in SCOPES:
            said(f"{PART} on {place.name}: {scope}")
            for _ in range(sizes.repetitions):
                crowd.world.pause(scope_of(scope), account=Account("os:olga"), duration=None, reason="measured")
                held.append(store.held_s * 1e3)
    return (
        Figure(
            part=PART,
            store=place.name,
            what=f"holds the gate, {sizes.pending:,} pending",
            measured=spread_of(held),
            unit="ms",
            at_most=AT_MOST_MS,
        ),
    )


class Timed(SqlStore):
    """A store that knows how long its last writing transaction lasted, from before its locks to behind its commit."""

    held_s = 0.0

    @contextmanager
    def writing(self, lane: Urgency = Urgency.NORMAL) -> Iterator[SqlUnitOfWork]:
        """Return a transaction, timed."""
        began = time.perf_counter()
        with super().writing(lane) as uow:
            yield uow
        self.held_s = time.perf_counter() - began
