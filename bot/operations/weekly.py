"""What ``countersign digest`` shows: the seven days up to now, environment by environment."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from approvals.presentation.digest import WeeklyDigest, summarise
from models.audit.book import AuditBook

WEEK: Final = timedelta(days=7)


def weekly(book: AuditBook, environments: Iterable[str], *, end: datetime) -> tuple[WeeklyDigest, ...]:
    """Return, for each of *environments*, the digest of the seven days before *end*."""
    start, head = end - WEEK, book.head()
    return tuple(
        summarise(book.records(since=start), environment=name, start=start, end=end, head=head) for name in environments
    )
