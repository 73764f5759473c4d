"""People: who is who, and what is known of them right now.

An *account* is how somebody signs: ``TEAM:USER`` in Slack, ``os:NAME`` at the command line. A *person* is
who stands behind it: the policy's ``people:`` map says which accounts are one person; an account it does not
name is its own person. Quorums count persons, never accounts. :class:`Authority` is a photograph of Slack's
answers, stamped; whether it is fresh enough is judged where it is used. Who fetches it is a door's affair.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from approvals.errors import NotEligible, Unavailable
from approvals.identity.names import Account, Group

FRESH: Final = timedelta(seconds=10)
"""How old authority may be to approve or to start; the end is included."""

REMEMBERED: Final = timedelta(hours=1)
"""How old it may be for a denial while it cannot be fetched; the end is included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Which accounts are one person: account to person. Accounts given the same word are one; the word itself is not kept.

    A person is told by all of their accounts, joined by ``+``. The person is stored with a vote, and policies come and go: under
    a word of its own choosing, or an account's name, another policy's other person would pass for this one.
    """

    names: Mapping[Account, str]

    def __post_init__(self) -> None:
        """Put each person's accounts in place of the word for them."""
        together: dict[str, list[str]] = {}
        for account, word in self.names.items():
            together.setdefault(word, []).append(account)
        persons = {word: "+".join(sorted(accounts)) for word, accounts in together.items()}
        object.__setattr__(self, "names", {account: persons[word] for account, word in self.names.items()})

    def person_of(self, account: Account) -> str:
        """Return the person behind *account*; an account that the map does not name is nobody else."""
        return self.names.get(account, account)

    def knows(self, account: Account) -> bool:
        """Tell whether the map names *account*."""
        return account in self.names

    def merged_with(self, other: "People") -> "People":
        """Return a map in which accounts are one person where either map says so, directly or through a third account.

        Two policy versions can be in force at once; taking both keeps one person from counting as two.
        """
        person: dict[Account, str] = {account: account for account in (*self.names, *other.names)}
        for names in (self.names, other.names):
            first: dict[str, Account] = {}
            for account, word in names.items():
                old, new = person[account], person[first.setdefault(word, account)]
                person = {key: new if value == old else value for key, value in person.items()}
        return People(names=person)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberStatus:
    """What the workspace says of one account, and when it said so."""

    account: Account
    seen_at: datetime
    active: bool = True
    """Not deactivated."""
    human: bool = True
    """Neither a bot, an app's user nor the workspace's own."""
    known: bool = True
    """Whether the workspace knows the account at all; one that it does not know is nobody's, and so not active."""
    full_member: bool = True
    """Neither a guest nor from outside the workspace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """Who is in one user group, and when the workspace said so. A disabled group has no members."""

    accounts: frozenset[Account]
    seen_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """What the workspace says of some accounts and groups; what it did not answer is not in here."""

    standings: Mapping[Account, MemberStatus]
    groups: Mapping[Group, Membership]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApproverSet:
    """The people whom one entry of the policy's ``approvers:`` names."""

    name: str
    accounts: frozenset[Account]
    groups: frozenset[Group] = frozenset()
    """``TEAM:SUBTEAM`` ids of Slack user groups."""

    def holds(self, account: Account, authority: Authority, *, now: datetime, within: timedelta) -> bool:
        """Tell whether *account* is in the set, going by memberships seen at most *within* before *now*.

        Raises:
            Unavailable: It is not listed by id, and one of the set's groups could not be asked that recently.
        """
        if account in self.accounts:
            return True
        unknown = False
        for group in sorted(self.groups):
            membership = authority.groups.get(group)
            if membership is None or now - membership.seen_at > within:
                unknown = True
            elif account in membership.accounts:
                return True
        if unknown:
            raise Unavailable(
                f"Slack could not be asked who is in {self.name} just now; try again in a moment.",
                code="authority_unknown",
            )
        return False


def check_standing(account: Account, authority: Authority, *, now: datetime, within: timedelta) -> None:
    """Return if *account* is an active, human, full member, as seen at most *within* before *now*.

    Raises:
        NotEligible: It is not; the code says which of these fails.
        Unavailable: Nothing that recent is known of it.
    """
    standing = authority.standings.get(account)
    if standing is None or now - standing.seen_at > within:
        raise Unavailable(
            "Slack could not be asked about your account just now; try again in a moment.", code="authority_unknown"
        )
    if not standing.known:
        raise NotEligible("Slack knows no such account in this workspace, so it cannot answer.", code="unknown_account")
    if not standing.active:
        raise NotEligible("This account is deactivated.", code="deactivated")
    if not standing.human:
        raise NotEligible("Apps and bots cannot answer; only people can.", code="bot")
    if not standing.full_member:
        raise NotEligible("Guests and people from other workspaces cannot answer.", code="guest")
