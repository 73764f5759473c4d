"""Aside: what a sweep over many rows does about one that it cannot deal with. That row is left aside; the others go on.

It is looked at again by growing waits. They are not kept over a restart: then every row is looked at once more.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from approvals.errors import is_outage
from approvals.ports.journey import Mishaps
from approvals.workflow.retries import Retries
from approvals.workflow.setbacks import LONGEST_WAIT

FIRST_WAIT: Final = timedelta(seconds=5)
"""How long a row is left aside at first; each time in a row twice as long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Aside:
    """What one sweep has left aside. Only the thread that sweeps uses it."""

    sweep: str
    mishaps: Mishaps
    _left: Retries = field(default_factory=partial(Retries, first=FIRST_WAIT, longest=LONGEST_WAIT), init=False)

    def waiting(self, now: datetime) -> frozenset[str]:
        """Return the ids of rows that are not to be looked at again yet."""
        return self._left.waiting(now)

    def deal_with(self, subject: str, work: Callable[[], None], *, now: datetime) -> bool:
        """Do *work* on one row; return whether it went well. If not, the row is left aside, and somebody is told.

        Raises:
            Unavailable: Whatever is asked just now would meet the same: no row is at fault.
        """
        try:
            work()
        except Exception as error:
            # Whatever one row raises, also what nobody foresaw, may not keep the sweep from the rows behind it.
            if is_outage(error):
                raise
            self._left.after_failure(subject, now=now)
            self.mishaps.happened(self.sweep, subject, error)
            return False
        self._left.after_success(subject)
        return True
