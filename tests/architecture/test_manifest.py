"""The manifest asks for exactly what the code uses, and has the shape that Slack accepts."""

import ast
from pathlib import Path
from typing import Annotated, Literal

import pytest
import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from slack_sdk.web.client import WebClient

from bot.slack.inbound.commands import COMMAND
from bot.slack.inbound.door import EVENTS
from bot.slack.workspace.checks import SCOPES

ROOT = Path(__file__).parents[2]

SCOPES_OF = {
    "auth_test": set(),
    "apps_connections_open": set(),  # by the app's own token, with connections:write, which no manifest grants
    "chat_postMessage": {"chat:write"},
    "chat_update": {"chat:write"},
    "chat_postEphemeral": {"chat:write"},
    "views_open": set(),
    "users_info": {"users:read"},
    "usergroups_users_list": {"usergroups:read"},
    "conversations_info": {"channels:read", "groups:read"},
}
"""What Slack's reference names for each Web API method that we call."""

SCOPES_OF_EVENTS = {"subteam_members_changed": {"usergroups:read"}}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Metadata(_Strict):
    """Which edition of the manifest's rules it follows."""

    major_version: Literal[1, 2]


class Display(_Strict):
    """How the app is shown: slack's own lengths."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=35)]
    description: Annotated[str, StringConstraints(max_length=140)] | None = None
    long_description: Annotated[str, StringConstraints(min_length=175, max_length=4_000)] | None = None
    background_color: Annotated[str, StringConstraints(pattern=r"^#([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$")] | None = None


class BotUser(_Strict):
    """The app's bot."""

    display_name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9 _.-]{1,80}$")]
    always_online: bool = False


class SlashCommand(_Strict):
    """One command; in HTTP mode it needs an address."""

    command: Annotated[str, StringConstraints(pattern=r"^/[a-z0-9_-]{1,31}$")]
    description: Annotated[str, StringConstraints(min_length=1, max_length=2_000)]
    usage_hint: Annotated[str, StringConstraints(max_length=1_000)] | None = None
    should_escape: bool = False
    url: Annotated[str, StringConstraints(pattern=r"^https://")] | None = None


class Features(_Strict):
    """What the app has in Slack."""

    bot_user: BotUser
    slash_commands: Annotated[list[SlashCommand], Field(max_length=50)] = Field(default_factory=list)


class Scopes(_Strict):
    """What its bot may do; there is no room for a user's scopes here."""

    bot: Annotated[list[str], Field(min_length=1, max_length=255)]


class OAuth(_Strict):
    """Its scopes."""

    scopes: Scopes


class Events(_Strict):
    """What it is told of."""

    bot_events: Annotated[list[str], Field(max_length=100)]
    request_url: Annotated[str, StringConstraints(pattern=r"^https://")] | None = None


class Interactivity(_Strict):
    """Buttons and forms."""

    is_enabled: bool
    request_url: Annotated[str, StringConstraints(pattern=r"^https://")] | None = None


class Settings(_Strict):
    """How it is delivered to."""

    event_subscriptions: Events
    interactivity: Interactivity
    org_deploy_enabled: bool
    socket_mode_enabled: bool
    token_rotation_enabled: bool


class Manifest(_Strict):
    """An app manifest, by the rules of Slack's published schema that concern us."""

    metadata: Metadata = Field(alias="_metadata")
    display_information: Display
    features: Features
    oauth_config: OAuth
    settings: Settings


@pytest.fixture
def written():
    """The manifest as it is written."""
    return yaml.safe_load((ROOT / "manifest.yml").read_text())


def _calls():
    """Return the Web API methods that the approvers' door calls, read from its source."""
    found = set()
    for path in sorted((ROOT / "bot" / "slack").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and _is_method(node.attr):
                found.add(node.attr)
    return found


def _is_method(name):
    """Tell whether Slack's own client offers a Web API method of that name."""
    return "_" in name and not name.startswith("_") and callable(getattr(WebClient, name, None)) and name != "api_call"


def test_the_manifest_has_the_shape_that_slack_accepts(written):
    """Every field and length is within Slack's rules; a field that Slack does not know is a mistake."""
    manifest = Manifest.model_validate(written)

    assert manifest.settings.socket_mode_enabled
    assert manifest.features.slash_commands[0].should_escape


@pytest.mark.parametrize(
    "spoil",
    [
        lambda written: written["display_information"].update(name="x" * 36),
        lambda written: written["features"]["slash_commands"][0].update(command="agent-pause"),
        lambda written: written["settings"].update(socket_mode="yes"),
        lambda written: written["oauth_config"]["scopes"].update(user=["search:read"]),
    ],
    ids=["a name too long", "a command without its slash", "an unknown field", "a user's scope"],
)
def test_the_shape_is_really_checked(written, spoil):
    """The model refuses what Slack would refuse."""
    spoil(written)

    with pytest.raises(ValidationError):
        Manifest.model_validate(written)


def test_every_method_that_is_called_is_known_here():
    """A new Web API call must be entered above, so that somebody thinks about its scope."""
    assert _calls() == set(SCOPES_OF)


def test_the_scopes_are_those_that_the_code_needs_and_no_more(written):
    """Each scope is needed by a method, an event or the command; each of those has its scopes."""
    needed = set().union(*(SCOPES_OF[method] for method in _calls()))
    needed |= set().union(*(SCOPES_OF_EVENTS[event] for event in EVENTS)) | {"commands"}

    assert set(written["oauth_config"]["scopes"]["bot"]) == needed == SCOPES


def test_the_events_and_commands_are_those_that_are_listened_to(written):
    """What nothing listens to is not asked for, and what is listened to is."""
    assert written["settings"]["event_subscriptions"]["bot_events"] == list(EVENTS)
    assert [one["command"] for one in written["features"]["slash_commands"]] == [COMMAND]
    assert written["settings"]["interactivity"]["is_enabled"] is True


def test_nothing_of_ours_reads_messages(written):
    """No history, no impersonation, no posting where nobody invited the bot."""
    scopes = set(written["oauth_config"]["scopes"]["bot"])

    assert not any("history" in scope for scope in scopes)
    assert scopes.isdisjoint(
        {"chat:write.public", "chat:write.customize", "users:read.email", "im:write", "files:write"}
    )
