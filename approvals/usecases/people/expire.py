"""Expire: silence denies. A sweep asks the table what is due; it decides nothing that the deadline has not decided already."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from approvals.audit.events import ITSELF, PAUSE_STREAM, AuditEvent, EventKind
from approvals.errors import Settled, is_outage
from approvals.ports.store import Store
from approvals.usecases.aside import Aside
from approvals.workflow.endings import expire

BATCH: Final = 100
"""How many are expired in one transaction: few enough that a denial never waits behind a sweep for long."""

STEP_WORTH_TELLING: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expire:
    """The verb."""

    store: Store
    aside: Aside

    def __call__(self) -> int:
        """Return how many requests were expired; every one that was overdue when this was called is, but what is left aside."""
        total = 0
        while dealt_with := self._batch():
            total += dealt_with.count(True)
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
                    AuditEvent(
                        kind=EventKind.CLOCK_STEPPED_BACK, stream=PAUSE_STREAM, actor=ITSELF, at=uow.now, data=data
                    )
                )
        return step

    def _batch(self) -> list[bool]:
        """Return, for each of some overdue requests that were expired or left aside, whether it was expired."""
        with self.store.reading() as reading:
            now = reading.now
            aside = self.aside.waiting(now)
            overdue = [one for one in reading.overdue(limit=BATCH + len(aside)) if one not in aside]
        if not overdue:
            return []
        try:
            return [True] * self._expire(overdue)
        except Exception as error:
            # Silence must deny the others, whatever one of them raises: see below.
            if is_outage(error):
                raise
        # One of them is at fault, and nothing of the transaction was kept: each on its own, so that the others expire.
        return [one for request_id in overdue for one in self._alone(request_id, now=now)]

    def _alone(self, request_id: str, *, now: datetime) -> list[bool]:
        expired: list[int] = []
        went_well = self.aside.deal_with(request_id, lambda: expired.append(self._expire([request_id])), now=now)
        return [True] * sum(expired) if went_well else [False]

    def _expire(self, overdue: Iterable[str]) -> int:
        """Return how many of some requests were expired, in one transaction."""
        expired = 0
        with self.store.writing() as uow:
            # In the order of their ids, so that two sweeps can never wait for each other.
            locked = [uow.lock_request(request_id) for request_id in sorted(overdue)]
            requests = [request for request in locked if request is not None]
            # A post is written down before it is made, so one that is on its way now counts as one that may have been seen.
            seen = uow.perhaps_shown([request.id for request in requests])
            for request in requests:
                try:
                    uow.save(expire(request, now=uow.now, seen=request.id in seen))
                except Settled:
                    continue  # Somebody answered between the look and the lock.
                expired += 1
        return expired
