"""Names: how people, channels and groups are told apart, and each question and each start. One parser a kind, and no other way.

An *account* is ``TEAM:USER`` as Slack's ids are, or ``os:NAME``, an operator at the command line. A *channel* is ``TEAM:CHANNEL``
and a *group* ``TEAM:SUBTEAM``: an id alone says nothing, since two workspaces may have the same one. Whoever stands at a door
parses here once; inside, the type says that it was done, and two kinds of text cannot be taken for one another.
"""

import re
from typing import Final, NewType

from approvals.errors import Malformed

Account = NewType("Account", str)
"""How somebody signs."""

Channel = NewType("Channel", str)
"""Where people are asked."""

Group = NewType("Group", str)
"""A user group of a workspace."""

EscalationId = NewType("EscalationId", str)
"""An escalation and the request that it became."""

ExecutionId = NewType("ExecutionId", str)
"""One authorised attempt to carry out an approved change."""

OPERATOR: Final = "os:"
"""Begins the account of whoever signs at the command line."""

_TEAM: Final = "[TE][A-Z0-9]{2,20}"
SLACK_ACCOUNT: Final = re.compile(rf"{_TEAM}:[UW][A-Z0-9]{{2,20}}")
_OPERATOR_ACCOUNT: Final = re.compile(rf"{OPERATOR}[a-z_][a-z0-9_-]{{0,31}}")
_CHANNEL: Final = re.compile(rf"{_TEAM}:[CG][A-Z0-9]{{2,20}}")
_GROUP: Final = re.compile(rf"{_TEAM}:S[A-Z0-9]{{2,20}}")
ESCALATION_ID: Final = re.compile(r"esc_[0-9A-Z]{26}")


def account_of(text: str) -> Account:
    """Return the account that *text* names.

    Raises:
        Malformed: It names none.
    """
    if not is_slack_account(text) and not _OPERATOR_ACCOUNT.fullmatch(text):
        raise Malformed("An account is TEAM:USER, such as T0123ABCD:U0123ABCD, or os:NAME.")
    return Account(text)


def slack_account(team: str, user: str) -> Account:
    """Return the account of a *user* of a *team*, both as Slack tells them.

    Raises:
        Malformed: Slack has no such ids.
    """
    text = f"{team}:{user}"
    if not is_slack_account(text):
        raise Malformed("A Slack account is TEAM:USER, such as T0123ABCD:U0123ABCD.")
    return Account(text)


def operator(name: str) -> Account:
    """Return the account of whoever the machine calls *name*: taken as it is, since a stop is not refused for a name."""
    return Account(f"{OPERATOR}{name}")


def channel_of(text: str) -> Channel:
    """Return the channel that *text* names.

    Raises:
        Malformed: It names none.
    """
    if not _CHANNEL.fullmatch(text):
        raise Malformed("A channel is TEAM:CHANNEL, such as T0123ABCD:C0123ABCD.")
    return Channel(text)


def group_of(text: str) -> Group:
    """Return the user group that *text* names.

    Raises:
        Malformed: It names none.
    """
    if not _GROUP.fullmatch(text):
        raise Malformed("A user group is TEAM:SUBTEAM, such as T0123ABCD:S0123ABCD.")
    return Group(text)


def escalation_id(text: str) -> EscalationId:
    """Return the id of an escalation that *text* is.

    Raises:
        Malformed: It is none.
    """
    if not ESCALATION_ID.fullmatch(text):
        raise Malformed("An escalation's id is esc_ and 26 capital letters and digits.")
    return EscalationId(text)


def team_of(name: Account | Channel | Group) -> str:
    """Return the id of the workspace that *name* is in; of an operator, ``os``, which no workspace is called."""
    return name.partition(":")[0]


def id_of(name: Account | Channel | Group) -> str:
    """Return what *name* is called in its workspace, or at the command line."""
    return name.partition(":")[2]


def is_slack_account(text: str) -> bool:
    """Tell whether *text* is an account of a workspace."""
    return SLACK_ACCOUNT.fullmatch(text) is not None


def is_operator(account: str) -> bool:
    """Tell whether *account* signs at the command line rather than in Slack."""
    return account.startswith(OPERATOR)


def is_escalation_id(text: str) -> bool:
    """Tell whether *text* is the id of an escalation."""
    return ESCALATION_ID.fullmatch(text) is not None
