"""The weekly digest: made from the sealed audit trail, posted once for each week and channel.

The cron tick posts it on time. A second tick looks every minute whether the last one due is there, so that an outage of Slack,
or of ours, delays a digest and does not lose it: what is refused comes again, with growing waits, and what Slack does not take
for its shape goes out plainer. Both go by the policy in force at that moment, so that a channel, a time or an environment that a
new policy brings counts within a minute.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from threading import Lock
from typing import Final, Generic, TypeVar
from zoneinfo import ZoneInfo

import structlog

from approvals.errors import Settled, is_outage
from approvals.policy.policy import Environment
from approvals.ports.policies import Policies
from approvals.ports.store import Store
from approvals.presentation.digest import Head, WeeklyDigest, last_due, summarise, week_before, week_name
from approvals.workflow.retries import Retries
from bot.outbox.delivery import Detail, Pace, Poster, Undelivered, post_plainer
from models.audit.book import AuditBook
from models.outbox.digests import Digests

log = structlog.get_logger(__name__)

M = TypeVar("M")

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


FIRST_WAIT: Final = timedelta(seconds=30)
LONGEST_WAIT: Final = timedelta(hours=1)
"""Between two tries to post one digest: doubled each time. A digest that comes an hour late is still one of last week."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestPost(Generic[M]):
    """Posts digests."""

    store: Store
    policies: Policies
    book: AuditBook
    digests: Digests
    poster: Poster[M]
    draw: Callable[[WeeklyDigest, Environment, bool, Detail], M]
    """Draws one, given whether it replaces a post that may have been lost, and in how much detail."""
    failed: Callable[[str], None]
    """Is told when one could not be made."""
    _posting: Lock = field(default_factory=Lock, init=False)
    _again: Retries = field(default_factory=partial(Retries, first=FIRST_WAIT, longest=LONGEST_WAIT), init=False)

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
            or week in self._again.waiting(now)
            or self.digests.was_posted(week=week, channel=environment.channel)
            or not self._began_before(due)
        ):
            return
        digest = summarise(
            self.book.records(since=start), environment=environment.name, start=start, end=end, head=head
        )
        self._send(environment, week, digest, head, now)

    def _send(self, environment: Environment, week: str, digest: WeeklyDigest, head: Head, now: datetime) -> None:
        if not self.poster.may_post(environment.channel):
            return  # It asks nobody anything: the next catching up is a minute away.
        try:
            begun = self.digests.begin(week=week, channel=environment.channel, head=head)
        except Settled:
            return  # Another process posted it meanwhile.
        messages = self._drawn(digest, environment, replaces=begun.interrupted_at is not None)
        try:
            ts = post_plainer(self.poster, environment.channel, messages, pace=Pace.DECISION)
        except Undelivered as error:
            log.warning("digest.not_posted", week=week, reason=error.reason)
            self._again.after_failure(week, now=now, at_least=error.wait or timedelta(0))
            return
        self.digests.posted(begun, ts)
        self._again.after_success(week)

    def _drawn(self, digest: WeeklyDigest, environment: Environment, *, replaces: bool) -> Iterator[M]:
        """Give the message, each time plainer; one that cannot be drawn is left out, as a plainer one may be."""
        for detail in Detail:
            try:
                message = self.draw(digest, environment, replaces, detail)
            except Exception:
                log.exception("digest.not_drawn", environment=environment.name, detail=detail.name)
                self.failed("digests")
            else:
                yield message

    def _began_before(self, due: datetime) -> bool:
        """Tell whether anything was on record when the digest was due: a new installation does not begin with one."""
        first = next(self.book.records(), None)
        return first is not None and first.at < due
