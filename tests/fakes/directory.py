"""A workspace that answers from a table: who is in good standing, who is in which group, and whether it can be asked at all."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from approvals.identity.names import Account, Group
from approvals.identity.people import Authority, Membership, MemberStatus
from approvals.ports.store import Urgency


class FakeDirectory:
    """Implements :class:`approvals.ports.directory.Directory`."""

    def __init__(self) -> None:
        """Everybody is in good standing until a test says otherwise; groups are empty."""
        self.standings: dict[str, MemberStatus] = {}
        self.groups: dict[str, frozenset[Account]] = {}
        self.down = False
        self.asked_anew = 0
        self.lanes: list[Urgency] = []

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
        """Return what the table says, stamped *at*; nothing while it is down."""
        del within
        self.asked_anew += anew
        self.lanes.append(lane)
        if self.down:
            return Authority(standings={}, groups={})
        standings = {
            one: replace(self.standings.get(one, MemberStatus(account=one, seen_at=at)), seen_at=at) for one in accounts
        }
        members = {group: Membership(accounts=self.groups.get(group, frozenset()), seen_at=at) for group in groups}
        return Authority(standings=standings, groups=members)


class NeverAsked:
    """A workspace that must not be asked anything: asking it might take for ever, or fail in ways that nobody foresaw."""

    def authority(self, **asked: object) -> Authority:
        """Say that it was asked."""
        raise AssertionError(asked)
