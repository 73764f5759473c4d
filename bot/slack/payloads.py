"""What Slack sends, as far as we read it: checked shapes of clicks, submitted forms, commands and events.

Slack adds fields as it likes, so unknown ones are left alone here, unlike at our own doors; what we do read must be what it
should be. Nothing in a payload decides who somebody is but the ids that Slack itself put there: names are decoration.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

UserId = Annotated[str, StringConstraints(pattern=r"^[UW][A-Z0-9]{2,20}$")]
TeamId = Annotated[str, StringConstraints(pattern=r"^[TE][A-Z0-9]{2,20}$")]
ChannelId = Annotated[str, StringConstraints(pattern=r"^[CGD][A-Z0-9]{2,20}$")]
Timestamp = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,12}\.[0-9]{1,8}$")]
Short = Annotated[str, StringConstraints(max_length=3_000)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class Team(_Part):
    """A workspace."""

    id: TeamId


class User(_Part):
    """Whoever did it. In a channel shared with another company the team is their own."""

    id: UserId
    team_id: TeamId | None = None


class Container(_Part):
    """Where the button was."""

    type: Literal["message"]
    channel_id: ChannelId
    message_ts: Timestamp
    is_ephemeral: bool = False


class PostedMessage(_Part):
    """The message that the button was on."""

    bot_id: Short | None = None
    app_id: Short | None = None
    blocks: list[dict[str, Any]] = Field(default_factory=list)


class Action(_Part):
    """The button."""

    action_id: Short
    value: Short = ""


class Click(_Part):
    """A click on a button of a message."""

    user: User
    team: Team | None = None
    api_app_id: Short | None = None
    container: Container
    message: PostedMessage
    actions: Annotated[list[Action], Field(min_length=1)]
    trigger_id: Short = ""
    response_url: Short | None = None

    @property
    def account(self) -> str:
        """Who clicked, as ``TEAM:USER``: their own team, wherever they clicked."""
        return account_of(self.user, self.team)


class View(_Part):
    """A form of ours."""

    callback_id: Short
    private_metadata: Short
    bot_id: Short | None = None
    app_id: Short | None = None
    team_id: TeamId | None = None
    app_installed_team_id: TeamId | None = None
    state: dict[str, Any] = Field(default_factory=dict)


class Submission(_Part):
    """A submitted form."""

    user: User
    team: Team | None = None
    view: View

    @property
    def account(self) -> str:
        """Who submitted it, as ``TEAM:USER``."""
        return account_of(self.user, self.team)


class Command(_Part):
    """A slash command. Slack lets only people of the installing workspace run one."""

    team_id: TeamId
    user_id: UserId
    channel_id: ChannelId
    text: str = ""
    response_url: Short | None = None

    @property
    def account(self) -> str:
        """Who ran it, as ``TEAM:USER``."""
        return f"{self.team_id}:{self.user_id}"


class GroupChanged(_Part):
    """The event by which Slack says that a user group has other members."""

    subteam_id: Annotated[str, StringConstraints(pattern=r"^S[A-Z0-9]{2,20}$")]
    team_id: TeamId


def account_of(user: User, team: Team | None) -> str:
    """Return ``TEAM:USER``. An id alone says nothing: two companies may have the same one.

    Raises:
        ValueError: Slack did not say of which team the person is.
    """
    team_id = user.team_id or (None if team is None else team.id)
    if team_id is None:
        raise ValueError("the payload names no team")
    return f"{team_id}:{user.id}"
