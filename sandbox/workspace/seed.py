"""Who and what exists in the workspace when it starts.

Values only: people, user groups, channels, commands and the scopes the app was
granted. What changes afterwards is :mod:`sandbox.workspace.store`. The demo
and the tests describe their own world with these; :func:`default_seed` is a
small company that has everyone an approval bot must tell apart.
"""

from collections.abc import Iterable
from dataclasses import dataclass

BOT_SCOPES = ("chat:write", "commands", "usergroups:read", "users:read", "channels:read", "groups:read")
APP_SCOPES = ("connections:write",)


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """One account.

    Attributes:
        id: Slack id, such as ``U0ADA``.
        name: The handle.
        real_name: What the page shows.
        role: A few words for the page's act-as list; Slack has no such field and the app never sees it.
        team_id: The account's own workspace; empty means the one this stand-in plays.
        tz: IANA zone.
        deleted: Deactivated. Such a person may still hold an open client for a while.
        is_bot: Another app's account.
        is_restricted: Multi-channel guest.
        is_ultra_restricted: Single-channel guest.
        is_stranger: From another company, over Slack Connect.
        teams: In an organisation (Enterprise Grid), every workspace of it that lists the account among its members; *team_id* is
            then the organisation or one of them. Empty for everybody else.
    """

    id: str
    name: str
    real_name: str
    role: str = "member"
    team_id: str = ""
    tz: str = "Europe/Berlin"
    deleted: bool = False
    is_bot: bool = False
    is_restricted: bool = False
    is_ultra_restricted: bool = False
    is_stranger: bool = False
    teams: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UserGroup:
    """A user group, mentioned as ``<!subteam^ID>``."""

    id: str
    handle: str
    name: str
    members: tuple[str, ...] = ()
    disabled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A channel. It counts as shared with outside companies as soon as one of their people is a member."""

    id: str
    name: str
    members: tuple[str, ...]
    topic: str = ""
    private: bool = False
    archived: bool = False
    bot_is_member: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A slash command of the app; the name starts with a slash."""

    name: str
    description: str = ""
    usage_hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """The workspace at its start. It belongs to an organisation where *enterprise_id* is not empty.

    Raises:
        ValueError: An id is used twice, or a group or channel names nobody.
    """

    team_id: str
    team_name: str
    team_domain: str
    users: tuple[User, ...]
    channels: tuple[Channel, ...]
    groups: tuple[UserGroup, ...] = ()
    commands: tuple[Command, ...] = ()
    enterprise_id: str = ""
    enterprise_name: str = ""
    app_id: str = "A0COUNTERSIGN"
    bot_user_id: str = "U0COUNTERSIGN"
    bot_id: str = "B0COUNTERSIGN"
    bot_name: str = "countersign"
    bot_real_name: str = "Countersign"
    bot_scopes: tuple[str, ...] = BOT_SCOPES
    app_scopes: tuple[str, ...] = APP_SCOPES

    def __post_init__(self) -> None:
        """Refuse a world that contradicts itself, so that a test fails where it was written."""
        _unique("user", [*(user.id for user in self.users), self.bot_user_id])
        _unique("channel", (channel.id for channel in self.channels))
        _unique("group", (group.id for group in self.groups))
        known = {user.id for user in self.users}
        owners: tuple[Channel | UserGroup, ...] = (*self.channels, *self.groups)
        for owner in owners:
            if missing := set(owner.members) - known:
                raise ValueError(f"{owner.id} names unknown users: {', '.join(sorted(missing))}")


def _unique(kind: str, ids: Iterable[str]) -> None:
    seen: set[str] = set()
    for each in ids:
        if each in seen:
            raise ValueError(f"{kind} id {each} is used twice")
        seen.add(each)


DEFAULT_USERS = (
    User(id="U0ADA", name="ada", real_name="Ada Lindqvist", role="approver", tz="Europe/Stockholm"),
    User(id="U0BORIS", name="boris", real_name="Boris Okafor", role="second approver", tz="Europe/London"),
    User(id="U0CHEN", name="chen", real_name="Chen Wei", role="requester", tz="Asia/Singapore"),
    User(id="U0DINA", name="dina", real_name="Dina Haddad", role="member, not an approver"),
    User(id="U0ELI", name="eli", real_name="Eli Moreau", role="guest", is_restricted=True),
    User(
        id="U0FAY", name="fay", real_name="Fay Novak", role="outsider, another company", team_id="T0PARTNER",
        tz="America/New_York", is_stranger=True,
    ),
    User(id="U0GUS", name="gus", real_name="Gus Albrecht", role="deactivated", deleted=True),
    User(id="U0SHIPBOT", name="shipbot", real_name="Ship Bot", role="another bot", is_bot=True),
)  # fmt: skip


def default_seed() -> Seed:
    """Return a small company: two approvers, a requester, a member, a guest, an outsider, a leaver and a bot.

    The production channel is shared with the outsider's company, so that a foreign
    click can be tried; the staging channel is not.
    """
    staff = ("U0ADA", "U0BORIS", "U0CHEN", "U0DINA")
    return Seed(
        team_id="T0COUNTERSIGN",
        team_name="Harbour",
        team_domain="harbour",
        users=DEFAULT_USERS,
        groups=(
            UserGroup(id="S0PROD", handle="prod-approvers", name="Production approvers", members=("U0ADA", "U0BORIS")),
            UserGroup(id="S0STAGING", handle="staging-approvers", name="Staging approvers", members=staff),
        ),
        channels=(
            Channel(
                id="C0PROD",
                name="prod-eu-1-approvals",
                topic="Changes that agents propose for prod-eu-1",
                members=(*staff, "U0ELI", "U0FAY", "U0GUS", "U0SHIPBOT"),
            ),
            Channel(
                id="C0STAGING",
                name="staging-approvals",
                topic="Changes that agents propose for staging",
                members=(*staff, "U0ELI"),
            ),
        ),
        commands=(
            Command(
                name="/agent-pause",
                description="Stop or resume agent-proposed changes",
                usage_hint="status | on [scope] [30m] [reason ...] | off PAUSE_ID [reason ...]",
            ),
        ),
    )
