"""Checks at the start: whether Slack grants exactly what is needed, each fault in words that say what to do.

Run before anything is served. A grave finding keeps ``serve`` from starting; the others are said and logged.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from slack_sdk.errors import SlackApiError
from slack_sdk.web.client import WebClient

from approvals.policy import Policy
from bot.slack.errors import CONNECTION_ERRORS, code_of
from bot.slack.pin import Installed

SCOPES: Final = frozenset({"chat:write", "commands", "usergroups:read", "users:read", "channels:read", "groups:read"})
"""What the manifest asks for; a test holds the two together."""

_WRONG_TOKEN: Final = frozenset({"invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that is not as it should be."""

    sentence: str
    """What it is and what to do about it."""
    grave: bool
    """Whether serving would be wrong or useless."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What the start found; *installed* is None where not even that could be learnt."""

    installed: Installed | None
    findings: tuple[Finding, ...]

    @property
    def may_serve(self) -> bool:
        """Whether nothing grave was found."""
        return self.installed is not None and not any(finding.grave for finding in self.findings)


def check_slack(client: WebClient, policy: Policy, *, app_token: str | None) -> Checked:
    """Return who we are in the workspace, and what is wrong.

    Args:
        client: With the bot's token.
        policy: Whose channels, groups and workspaces are looked at.
        app_token: Socket Mode's token; None in HTTP mode.
    """
    answer, finding = _ask(client.auth_test, "SLACK_BOT_TOKEN")
    if answer is None:
        return Checked(installed=None, findings=(finding,) if finding else ())
    if not answer.get("bot_id"):
        sentence = (
            "SLACK_BOT_TOKEN is a person's token. Use the Bot User OAuth Token of the app, which starts with xoxb-."
        )
        return Checked(installed=None, findings=(Finding(sentence=sentence, grave=True),))
    installed = Installed(team=answer["team_id"], bot_id=answer["bot_id"], bot_user=answer["user_id"])
    found = [
        *_scopes(answer.headers),
        *_socket(client, app_token),
        *_teams(policy, installed),
        *(one for channel in _channels(policy) for one in _channel(client, channel)),
        *(one for group in _groups(policy) for one in _group(client, group)),
    ]
    return Checked(installed=installed, findings=tuple(found))


def _ask(call: Callable[[], Any], name: str) -> tuple[Any, Finding | None]:
    try:
        return call(), None
    except SlackApiError as error:
        code = code_of(error)
        if code in _WRONG_TOKEN:
            sentence = f"{name} is not accepted by Slack ({code}). Copy it anew from the app's settings."
        elif code in {"not_allowed_token_type", "missing_scope"}:
            sentence = f"{name} is of the wrong kind or lacks a scope ({code}). Install the app with manifest.yml."
        else:
            sentence = f"Slack refuses to say whether {name} is good ({code})."
        return None, Finding(sentence=sentence, grave=True)
    except CONNECTION_ERRORS as error:
        sentence = (
            f"Slack cannot be reached ({type(error).__name__}). Check SLACK_API_URL and the way out to the internet."
        )
        return None, Finding(sentence=sentence, grave=True)


def _scopes(headers: Any) -> Iterable[Finding]:
    granted = {name.lower(): value for name, value in dict(headers).items()}.get("x-oauth-scopes", "")
    missing = SCOPES - {scope.strip() for scope in str(granted).split(",")}
    if missing:
        names = ", ".join(sorted(missing))
        yield Finding(
            sentence=f"The app lacks the scopes {names}. Update it from manifest.yml and install it again.", grave=True
        )


def _socket(client: WebClient, app_token: str | None) -> Iterable[Finding]:
    if app_token is None:
        return
    _, finding = _ask(lambda: client.apps_connections_open(app_token=app_token), "SLACK_APP_TOKEN")
    if finding is not None:
        yield finding


def _teams(policy: Policy, installed: Installed) -> Iterable[Finding]:
    for team in sorted(policy.teams - {installed.team}):
        yield Finding(
            sentence=f"The policy names the workspace {team}, but the bot's token belongs to {installed.team}.",
            grave=True,
        )


def _channels(policy: Policy) -> list[str]:
    return sorted({environment.channel for environment in policy.environments.values()})


def _channel(client: WebClient, channel: str) -> Iterable[Finding]:
    name = channel.partition(":")[2]
    try:
        found = client.conversations_info(channel=name)["channel"]
    except SlackApiError as error:
        sentence = (
            f"The channel {name} cannot be seen ({code_of(error)}). Invite the bot: type /invite @Countersign in it."
        )
        yield Finding(sentence=sentence, grave=True)
        return
    except CONNECTION_ERRORS as error:
        yield Finding(sentence=f"Slack cannot be asked about the channel {name} ({type(error).__name__}).", grave=True)
        return
    shown = f"#{found.get('name', name)}"
    if found.get("is_archived"):
        yield Finding(sentence=f"The channel {shown} is archived. Name another one in the policy.", grave=True)
    elif not found.get("is_member"):
        yield Finding(
            sentence=f"The bot is not in {shown}. Invite it: type /invite @Countersign in the channel.", grave=True
        )
    if found.get("is_ext_shared"):
        sentence = f"{shown} is shared with another company: its people cannot answer, but they read every card there."
        yield Finding(sentence=sentence, grave=False)


def _groups(policy: Policy) -> list[str]:
    return sorted({group for one in policy.approver_sets.values() for group in one.groups})


def _group(client: WebClient, group: str) -> Iterable[Finding]:
    name = group.partition(":")[2]
    try:
        users = client.usergroups_users_list(usergroup=name)["users"]
    except SlackApiError as error:
        sentence = (
            f"The user group {name} has no members that Slack tells of ({code_of(error)}): nobody in it can answer."
        )
        yield Finding(sentence=sentence, grave=False)
        return
    except CONNECTION_ERRORS as error:
        yield Finding(sentence=f"Slack cannot be asked about the group {name} ({type(error).__name__}).", grave=False)
        return
    if not users:
        yield Finding(sentence=f"The user group {name} is empty: nobody in it can answer.", grave=False)
