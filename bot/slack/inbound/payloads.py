"""What Slack sends, as far as we read it: checked shapes of clicks, submitted forms, commands and events.

Where a payload says one thing in two places, both have to agree, and where it lists what can be only one, it lists one.
Slack adds fields as it likes, so unknown ones are left alone here, unlike at our own doors; what we do read must be what it
should be. Nothing in a payload decides who somebody is but the ids that Slack itself put there: names are decoration.
"""

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from approvals.identity.names import Account, slack_account

UserId = Annotated[str, StringConstraints(pattern=r"^[UW][A-Z0-9]{2,20}$")]
TeamId = Annotated[str, StringConstraints(pattern=r"^[TE][A-Z0-9]{2,20}$")]
ChannelId = Annotated[str, StringConstraints(pattern=r"^[CGD][A-Z0-9]{2,20}$")]
Timestamp = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,12}\.[0-9]{1,8}$")]
Short = Annotated[str, StringConstraints(max_length=3_000)]


def _address(value: object) -> object:
    """Return a response address, or None for what cannot be one: an answer may go another way, an act must not fail for it."""
    return value if isinstance(value, str) and len(value) <= 3_000 else None  # noqa: PLR2004 - as every short text


Address = Annotated[str | None, BeforeValidator(_address)]


class SlackShape(BaseModel):
    """Anything that we read."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class Team(SlackShape):
    """A workspace."""

    id: TeamId


class User(SlackShape):
    """Whoever did it. In a channel shared with another company the team is their own."""

    id: UserId
    team_id: TeamId | None = None


class Container(SlackShape):
    """Where the button was."""

    type: Literal["message"]
    channel_id: ChannelId
    message_ts: Timestamp
    is_ephemeral: bool = False


class Channel(SlackShape):
    """The channel of the button, told once more."""

    id: ChannelId


class PostedMessage(SlackShape):
    """The message that the button was on."""

    ts: Timestamp | None = None
    bot_id: Short | None = None
    app_id: Short | None = None
    blocks: list[dict[str, Any]] = Field(default_factory=list)


class Action(SlackShape):
    """The button. What is chosen from a list carries its value elsewhere, and is none of ours."""

    type: Short = "button"
    action_id: Short
    block_id: Short = ""
    value: Short = ""


class Click(SlackShape):
    """A click on a button of a message."""

    type: Literal["block_actions"] = "block_actions"
    user: User
    team: Team | None = None
    channel: Channel | None = None
    api_app_id: Short | None = None
    container: Container
    message: PostedMessage
    view: None = None
    """A button of a form would come with one; ours have none."""
    actions: Annotated[list[Action], Field(min_length=1, max_length=1)]
    trigger_id: Short = ""
    response_url: Address = None

    @model_validator(mode="after")
    def _one_place(self) -> "Click":
        if self.channel is not None and self.channel.id != self.container.channel_id:
            raise ValueError("two channels")
        if self.message.ts is not None and self.message.ts != self.container.message_ts:
            raise ValueError("two messages")
        if self.user.team_id is None and self.team is None:
            raise ValueError("no team")
        return self

    @property
    def account(self) -> Account:
        """Who clicked, as ``TEAM:USER``: their own team, wherever they clicked."""
        return account_in(self.user, self.team)


class View(SlackShape):
    """A form of ours."""

    type: Short = "modal"
    callback_id: Short
    private_metadata: Short
    bot_id: Short | None = None
    app_id: Short | None = None
    team_id: TeamId | None = None
    app_installed_team_id: TeamId | None = None
    state: dict[str, Any] = Field(default_factory=dict)

    @field_validator("state")
    @classmethod
    def _one_text(cls, state: dict[str, Any]) -> dict[str, Any]:
        blocks = state.get("values", {})
        if isinstance(blocks, dict) and sum(len(one) if isinstance(one, dict) else 1 for one in blocks.values()) > 1:
            raise ValueError("two texts")
        return state


class Submission(SlackShape):
    """A submitted form."""

    type: Literal["view_submission"] = "view_submission"
    user: User
    team: Team | None = None
    api_app_id: Short | None = None
    view: View
    message: None = None

    @model_validator(mode="after")
    def _somebody(self) -> "Submission":
        if self.user.team_id is None and self.team is None:
            raise ValueError("no team")
        return self

    @property
    def account(self) -> Account:
        """Who submitted it, as ``TEAM:USER``."""
        return account_in(self.user, self.team)


class Command(SlackShape):
    """A slash command. Slack lets only people of the installing workspace, or of its organisation, run one."""

    command: Short
    team_id: TeamId
    enterprise_id: Short | None = None
    user_id: UserId
    channel_id: ChannelId
    text: str = ""
    response_url: Address = None

    @property
    def account(self) -> Account:
        """Who ran it, as ``TEAM:USER``."""
        return slack_account(self.team_id, self.user_id)


class GroupChanged(SlackShape):
    """The event by which Slack says that a user group has other members."""

    subteam_id: Annotated[str, StringConstraints(pattern=r"^S[A-Z0-9]{2,20}$")]
    team_id: TeamId


class Happened(SlackShape):
    """What happened, of whatever kind."""

    type: Short
    subteam_id: Short | None = None


class Event(SlackShape):
    """Slack tells of something that happened in the workspace."""

    type: Literal["event_callback"]
    team_id: TeamId
    api_app_id: Short | None = None
    event: Happened


class Challenge(SlackShape):
    """Slack asks an address whether it is ours."""

    type: Literal["url_verification"]
    challenge: Short


def account_in(user: User, team: Team | None) -> Account:
    """Return ``TEAM:USER``. An id alone says nothing: two companies may have the same one.

    Raises:
        ValueError: Slack did not say of which team the person is.
    """
    team_id = user.team_id or (None if team is None else team.id)
    if team_id is None:
        raise ValueError("the payload names no team")
    return slack_account(team_id, user.id)
