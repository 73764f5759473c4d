"""Expire: silence denies. A sweep asks the table what is due; it decides nothing that the deadline has not decided already."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from approvals.audit import ITSELF, PAUSE_STREAM, AuditEvent, Kind
from approvals.errors import Settled
from approvals.ports import Store
from approvals.request import expire

BATCH: Final = 100
"""How many are expired in one transaction: few enough that a denial never waits behind a sweep for long."""

STEP_WORTH_TELLING: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expire:
    """The verb."""

    store: Store

    def __call__(self) -> int:
        """Return how many requests were expired; every one that was overdue when this was called is."""
        total = 0
        while expired := self._batch():
            total += expired
        return total

    def watch_clock(self, *, known: timedelta) -> timedelta:
        """Return how far behind its latest instant the clock is, and write down a step back that is new.

        Args:
            known: What this returned last, zero at first: a clock that stays behind is told of once.
        """
        with self.store.writing() as uow:
            step = uow.advance_clock()
            if step > known + STEP_WORTH_TELLING:
                data = {"microseconds": step // timedelta(microseconds=1)}
                uow.record(
                    AuditEvent(kind=Kind.CLOCK_STEPPED_BACK, stream=PAUSE_STREAM, actor=ITSELF, at=uow.now, data=data)
                )
        return step

    def _batch(self) -> int:
        with self.store.reading() as reading:
            overdue = reading.overdue(limit=BATCH)
        if not overdue:
            return 0
        expired = 0
        with self.store.writing() as uow:
            # In the order of their ids, so that two sweeps can never wait for each other.
            requests = [uow.lock_request(request_id) for request_id in sorted(overdue)]
            for request in requests:
                if request is None:
                    continue
                try:
                    uow.save(expire(request, now=uow.now))
                except Settled:
                    continue  # Somebody answered between the look and the lock.
                expired += 1
        return expired
