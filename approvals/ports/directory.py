"""The directory: who is who, asked live."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Protocol

from approvals.identity.names import Account, Group
from approvals.identity.people import Authority
from approvals.ports.store import Urgency


class Directory(Protocol):
    """Asks the workspace who is who. It never raises: what it cannot find out is missing, or as old as it says."""

    def authority(
        self,
        *,
        accounts: Iterable[Account],
        groups: Iterable[Group],
        at: datetime,
        anew: bool = False,
        within: timedelta = timedelta(0),
        lane: Urgency = Urgency.NORMAL,
    ) -> Authority:
        """Return what is known of *accounts* and *groups*.

        Args:
            accounts: ``TEAM:USER`` ids; they are asked about now.
            groups: ``TEAM:SUBTEAM`` ids; lists at most 10 s old may be used again.
            at: The store's instant before the call: the stamp of what is asked about now.
            anew: Whether group lists must be asked for again, too.
            within: How old what is known of an account may be not to be asked for again; nothing is by default.
            lane: Urgent for who pauses or denies: what is asked in it never waits for what others ask.
        """
        ...
