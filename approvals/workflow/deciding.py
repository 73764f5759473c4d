"""Deciding: which ruling decides on a request today, beside the one that it was opened under.

What people were shown and signed keeps the ruling of the opening; what counts, and what a card counts by, is the stricter of that
and the policy in force (I10). The two are shown side by side wherever they differ.
"""

from collections.abc import Iterable

from approvals.identity.names import Account
from approvals.identity.people import ApproverSet, People
from approvals.policy.policy import Policy
from approvals.policy.ruling import Ruling, rule_on, stricter_of
from approvals.workflow.request import Request, State
from approvals.workflow.votes import Vote

Demands = tuple[
    bool, int, frozenset[tuple[ApproverSet, ...]], frozenset[str], frozenset[frozenset[str]], tuple[str, ...]
]
"""What a card shows of a ruling: whether it asks, how many, of whom, who is out, who counts as one, and why it denies."""


def ruling_today(request: Request, policy: Policy) -> Ruling:
    """Return what satisfies both the ruling that *request* was opened under and the policy in force (I10).

    Raises:
        ValueError: The request was refused at intake: what the policy said of it then is nothing to decide by.
    """
    if request.ruling is None or request.state is State.REFUSED:
        raise ValueError("a refused request has no ruling to decide by")
    today = rule_on(policy, request.wish, risk=request.ruling.risk, timeout=None)
    return stricter_of(request.ruling, today)


def demands_of(ruling: Ruling) -> Demands:
    """Return what a card shows of *ruling*: two with the same demands are drawn alike."""
    sets = frozenset(panel.sets for panel in ruling.panels)
    reasons = () if ruling.asks else ruling.reasons
    return (ruling.asks, ruling.quorum, sets, ruling.conflicted, counted_as_one(ruling), reasons)


def counted_as_one(ruling: Ruling) -> frozenset[frozenset[str]]:
    """Return which accounts that *ruling* is about are one person: their approvals count once, and one in conflict is out.

    Who is in a group is not known here, so where it asks one, every account that the policy maps may be.
    """
    sets = [one for panel in ruling.panels for one in panel.sets]
    about = ruling.conflicted.union(*(one.accounts for one in sets))
    if any(one.groups for one in sets):
        about |= frozenset(ruling.people.names)
    persons: dict[str, set[str]] = {}
    for account in about:
        persons.setdefault(ruling.people.person_of(account), set()).add(account)
    return frozenset(frozenset(accounts) for accounts in persons.values() if len(accounts) > 1)


def may_count(ruling: Ruling, votes: Iterable[Vote]) -> tuple[Vote, ...]:
    """Return those of *votes* that are not surely void under *ruling*, as far as it can be told without asking Slack.

    Somebody in conflict surely is, and somebody in none of a panel's lists where no group stands beside them. Of the others
    Slack is asked when it matters.
    """
    out = {ruling.people.person_of(account) for account in ruling.conflicted}
    return tuple(vote for vote in votes if _may_count(ruling, vote.account, ruling.people, out))


def _may_count(ruling: Ruling, account: Account, people: People, out: set[str]) -> bool:
    return people.person_of(account) not in out and all(
        any(account in one.accounts or one.groups for one in panel.sets) for panel in ruling.panels
    )
