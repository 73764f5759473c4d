"""Feasibility: whether enough people could answer at all. A quorum that nobody can meet is a denial in disguise.

Three kinds of people are told apart: who surely could approve, who perhaps could because Slack did not say enough of them, and
who surely could not (deactivated, an app, a guest, in conflict, in no set). Too few even with the doubtful ones is a refusal;
too few without them is asked and said. What is known of somebody may be an hour old here: who answers is asked about again then.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from approvals.errors import NotEligible, Unavailable
from approvals.identity.names import Account
from approvals.identity.people import Authority, check_standing
from approvals.policy.ruling import Requirement, Ruling

SEEN_WITHIN: Final = timedelta(hours=1)
"""How old what is known of somebody may be to be counted on; the end is included."""

MOST_ASKED_ABOUT: Final = 16
"""How many accounts one intake asks Slack about: two rounds of its directory, far more than any quorum."""

DOUBT: Final = "Whether enough people can approve this could not be checked, because Slack did not answer."


@dataclass(frozen=True, slots=True, kw_only=True)
class Answerers:
    """The persons who could approve under one ruling."""

    surely: frozenset[str]
    perhaps: frozenset[str] | None
    """With those of whom too little is known; None where nobody can say, because a group's members are not known."""

    def are_surely_enough(self, quorum: int) -> bool:
        """Tell whether *quorum* people are known to be able to answer."""
        return len(self.surely) >= quorum


def answerers(ruling: Ruling, authority: Authority, *, now: datetime) -> Answerers:
    """Return who could approve under *ruling*, going by what was seen within the last hour.

    An account has to be accepted by every panel itself: one that a person has in one and another in the next make no approver.
    """
    known, is_whole = candidates(ruling, authority)
    conflicted = {ruling.people.person_of(account) for account in ruling.conflicted}
    good: set[str] = set()
    doubtful: set[str] = set()
    for account in known:
        person = ruling.people.person_of(account)
        if person in conflicted:
            continue
        try:
            check_standing(account, authority, now=now, within=SEEN_WITHIN)
        except NotEligible:
            continue
        except Unavailable:
            doubtful.add(person)
        else:
            good.add(person)
    return Answerers(surely=frozenset(good), perhaps=frozenset(good | doubtful) if is_whole else None)


def candidates(ruling: Ruling, authority: Authority) -> tuple[frozenset[Account], bool]:
    """Return the accounts that every panel is known to accept, and whether there are no others."""
    accepted: frozenset[Account] | None = None
    is_whole = True
    for panel in ruling.panels:
        accounts, all_of_them = _accepted_by(panel, authority)
        accepted = accounts if accepted is None else accepted & accounts
        is_whole = is_whole and all_of_them
    return accepted or frozenset(), is_whole


def _accepted_by(panel: Requirement, authority: Authority) -> tuple[frozenset[Account], bool]:
    groups = {group for one in panel.sets for group in one.groups}
    accounts = frozenset().union(
        *(one.accounts for one in panel.sets),
        *(authority.groups[group].accounts for group in groups if group in authority.groups),
    )
    return accounts, all(group in authority.groups for group in groups)
