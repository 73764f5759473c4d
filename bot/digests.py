"""The weekly digest: made from the sealed audit trail, posted once for each week and channel.

The cron tick posts it on time. A second tick looks every minute whether the last one due is there, so that an outage of Slack,
or of ours, delays a digest and does not lose it. Both go by the policy in force at that moment, so that a channel, a time or an
environment that a new policy brings counts within a minute.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from typing import Final, Generic, TypeVar
from zoneinfo import ZoneInfo

import structlog

from approvals.digest import Head, WeeklyDigest, last_due, summarise, week_before, week_name
from approvals.errors import Settled, is_outage
from approvals.policy import Environment
from approvals.ports import Policies, Store
from bot.delivery import Poster, Undelivered
from models.audit_book import AuditBook
from models.digests import Digests

log = structlog.get_logger(__name__)

M = TypeVar("M")

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestPost(Generic[M]):
    """Posts digests."""

    store: Store
    policies: Policies
    book: AuditBook
    digests: Digests
    poster: Poster[M]
    draw: Callable[[WeeklyDigest, Environment, bool], M]
    """Draws one, given whether it replaces a post that may have been lost."""
    failed: Callable[[str], None]
    """Is told when one could not be made."""
    _posting: Lock = field(default_factory=Lock, init=False)

    def catch_up(self) -> None:
        """Post every digest that is due and does not stand in its channel."""
        for name in self.policies.current().environments:
            try:
                self.post(name)
            except Exception as error:
                if is_outage(error):
                    raise
                # One environment's digest that cannot be made must not cost the others theirs; it is tried again.
                log.exception("digest.failed", environment=name)
                self.failed("digests")

    def post(self, name: str) -> None:
        """Post the last digest that was due for the environment *name*, if the policy still has it.

        Nothing is posted where it was posted already, or where there was nothing to look back on.
        """
        # The weekly job and the one that catches up may come in the same second, and to either of them a post of the other's that
        # is on its way would look like one that was lost. What is left undone here is caught up with within a minute.
        if not self._posting.acquire(blocking=False):
            return
        try:
            environment = self.policies.current().environments.get(name)
            if environment is not None:
                self._post(environment)
        finally:
            self._posting.release()

    def _post(self, environment: Environment) -> None:
        with self.store.reading() as reading:
            now = reading.now
        zone, schedule = ZoneInfo(environment.zone), environment.digest
        due = last_due(now, zone, weekday=WEEKDAYS.index(schedule.weekday), hour=schedule.hour, minute=schedule.minute)
        start, end = week_before(due, zone)
        week = f"{week_name(start, zone)}:{environment.name}"
        head = self.book.head()
        if (
            head is None
            or self.digests.was_posted(week=week, channel=environment.channel)
            or not self._began_before(due)
        ):
            return
        digest = summarise(
            self.book.records(since=start), environment=environment.name, start=start, end=end, head=head
        )
        self._send(environment, week, digest, head)

    def _send(self, environment: Environment, week: str, digest: WeeklyDigest, head: Head) -> None:
        try:
            begun = self.digests.begin(week=week, channel=environment.channel, head=head)
        except Settled:
            return  # Another process posted it meanwhile.
        message = self.draw(digest, environment, begun.interrupted_at is not None)
        try:
            ts = self.poster.post(environment.channel, message)
        except Undelivered as error:
            log.warning("digest.not_posted", week=week, reason=error.reason)
            return
        self.digests.posted(begun, ts)

    def _began_before(self, due: datetime) -> bool:
        """Tell whether anything was on record when the digest was due: a new installation does not begin with one."""
        first = next(self.book.records(), None)
        return first is not None and first.at < due
