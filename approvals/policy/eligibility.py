"""Eligibility: whose answer may count under a ruling, going by what was seen of people lately."""

from datetime import datetime, timedelta

from approvals.errors import NotEligible, Unavailable
from approvals.identity.names import Account, Group
from approvals.identity.people import ApproverSet, Authority, check_standing
from approvals.policy.ruling import Ruling


def check_eligible(ruling: Ruling, account: Account, authority: Authority, *, now: datetime, within: timedelta) -> None:
    """Return if *account*'s answer may count under *ruling*, going by what was seen at most *within* before *now*.

    Raises:
        NotEligible: Its person is in conflict, its standing is not good, or a rule does not accept it.
        Unavailable: Slack could not be asked that recently.
    """
    check_standing(account, authority, now=now, within=within)
    if ruling.people.person_of(account) in {ruling.people.person_of(other) for other in ruling.conflicted}:
        raise NotEligible(
            "You asked for this change, or own the agent that did, so somebody else must decide.", code="conflicted"
        )
    for panel in ruling.panels:
        if not in_any(panel.sets, account, authority, now=now, within=within):
            names = " or ".join(approvers.name for approvers in panel.sets)
            raise NotEligible(f"Only {names} can decide this.", code="not_an_approver")


def in_any(
    sets: tuple[ApproverSet, ...], account: Account, authority: Authority, *, now: datetime, within: timedelta
) -> bool:
    """Tell whether *account* is in any of *sets*: found in one, it does not matter that another could not be asked.

    Raises:
        Unavailable: It is in none that could be asked, and one could not be.
    """
    unknown: Unavailable | None = None
    for approvers in sets:
        try:
            if approvers.holds(account, authority, now=now, within=within):
                return True
        except Unavailable as error:
            unknown = error
    if unknown is not None:
        raise unknown
    return False


def groups_of(ruling: Ruling) -> frozenset[Group]:
    """Return the Slack user groups whose members must be known to judge under *ruling*."""
    return frozenset(group for panel in ruling.panels for approvers in panel.sets for group in approvers.groups)
