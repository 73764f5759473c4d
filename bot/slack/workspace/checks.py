"""Checks: whether Slack grants exactly what is needed, each fault in words that say what to do.

What holds for the whole app (a token that is no good or of the wrong kind, a scope that is missing, another workspace) keeps
``serve`` from starting. What is wrong with one channel takes out the environments that ask in it. Slack that cannot be asked
is neither: it is asked again.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from slack_sdk.errors import SlackApiError
from slack_sdk.web.client import WebClient

from approvals.errors import Unavailable
from approvals.identity.names import Channel, Group, id_of
from approvals.policy.policy import Policy
from bot.slack.workspace.errors import CONNECTION_ERRORS, Why, code_of, why_of
from bot.slack.workspace.pin import Installed

SCOPES: Final = frozenset({"chat:write", "commands", "usergroups:read", "users:read", "channels:read", "groups:read"})
"""What the manifest asks for; a test holds the two together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackFinding:
    """Something that is not as it should be."""

    sentence: str
    """What it is and what to do about it."""
    grave: bool
    """Whether serving would be wrong or useless: the whole service, or what asks in one channel."""
    code: str = "slack"


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackChecks:
    """What the start found; *installed* is None where not even that could be learnt."""

    installed: Installed | None
    findings: tuple[SlackFinding, ...]
    away: Why | None = None
    """Why Slack could not be asked; it is asked again, and until it answers no click counts."""

    @property
    def may_serve(self) -> bool:
        """Whether nothing grave was found."""
        return not any(finding.grave for finding in self.findings)


def check_app(client: WebClient, policy: Policy, *, app_token: str | None) -> SlackChecks:
    """Return who we are in the workspace, and what is wrong with the app as a whole.

    Args:
        client: With the bot's token.
        policy: Whose workspaces are looked at.
        app_token: Socket Mode's token; None in HTTP mode, and where it was looked at before.
    """
    answer, why = _ask(client.auth_test)
    if why is not None:
        return _unanswered(None, why, "SLACK_BOT_TOKEN")
    if not answer.get("bot_id"):
        sentence = (
            "SLACK_BOT_TOKEN is a person's token. Use the Bot User OAuth Token of the app, which starts with xoxb-."
        )
        return SlackChecks(installed=None, findings=(SlackFinding(sentence=sentence, grave=True, code="wrong_token"),))
    installed = Installed(team=answer["team_id"], bot_id=answer["bot_id"], bot_user=answer["user_id"])
    found = [*_scopes(answer.headers), *_teams(policy, installed)]
    if app_token is None:
        return SlackChecks(installed=installed, findings=tuple(found))
    _, why = _ask(lambda: client.apps_connections_open(app_token=app_token))
    socket = None if why is None else _unanswered(installed, why, "SLACK_APP_TOKEN")
    found += () if socket is None else socket.findings
    return SlackChecks(installed=installed, findings=tuple(found))


def _ask(call: Callable[[], Any]) -> tuple[Any, Why | None]:
    try:
        return call(), None
    except CONNECTION_ERRORS as error:
        return None, why_of(error)


def _unanswered(installed: Installed | None, why: Why, name: str) -> SlackChecks:
    """Return what a question about a token came to that got no good answer."""
    if why.may_pass:
        return SlackChecks(installed=installed, findings=(), away=why)
    return SlackChecks(
        installed=installed, findings=(SlackFinding(sentence=f"{name}: {why.sentence}", grave=True, code=why.code),)
    )


def _scopes(headers: Any) -> Iterable[SlackFinding]:
    granted = {name.lower(): value for name, value in dict(headers).items()}.get("x-oauth-scopes", "")
    missing = SCOPES - {scope.strip() for scope in str(granted).split(",")}
    if missing:
        names = ", ".join(sorted(missing))
        sentence = f"The app lacks the scopes {names}. Update it from manifest.yml and install it again."
        yield SlackFinding(sentence=sentence, grave=True, code="missing_scope")


def _teams(policy: Policy, installed: Installed) -> Iterable[SlackFinding]:
    for team in sorted(policy.teams - {installed.team}):
        sentence = f"The policy names the workspace {team}, but the bot's token belongs to {installed.team}."
        yield SlackFinding(sentence=sentence, grave=True, code="other_workspace")


def check_channel(client: WebClient, channel: Channel) -> tuple[SlackFinding, ...]:
    """Return what is wrong with one channel, ``TEAM:CHANNEL``.

    Raises:
        Unavailable: Slack cannot be asked.
    """
    name = id_of(channel)
    try:
        found = client.conversations_info(channel=name)["channel"]
    except CONNECTION_ERRORS as error:
        why = why_of(error)
        if why.may_pass or not isinstance(error, SlackApiError):
            raise Unavailable(
                f"Slack cannot be asked about the channel {name}: {why.sentence}", code=why.code
            ) from error
        sentence = f"The channel {name} cannot be seen ({code_of(error)}). {why.sentence}"
        return (SlackFinding(sentence=sentence, grave=True, code="channel_not_seen"),)
    return tuple(_seen(found, name))


def _seen(channel: Any, name: str) -> Iterable[SlackFinding]:
    shown = f"#{channel.get('name', name)}"
    if channel.get("is_archived"):
        sentence = f"The channel {shown} is archived. Unarchive it, or name another one in the policy."
        yield SlackFinding(sentence=sentence, grave=True, code="channel_archived")
    elif not channel.get("is_member"):
        sentence = f"The bot is not in {shown}. Invite it: type /invite @Countersign in the channel."
        yield SlackFinding(sentence=sentence, grave=True, code="not_in_channel")
    if channel.get("is_ext_shared"):
        sentence = f"{shown} is shared with another company: its people cannot answer, but they read every card there."
        yield SlackFinding(sentence=sentence, grave=False)


def check_group(client: WebClient, group: Group) -> tuple[SlackFinding, ...]:
    """Return what is wrong with one user group, ``TEAM:GROUP``; nothing of it is grave."""
    name = id_of(group)
    try:
        users = client.usergroups_users_list(usergroup=name)["users"]
    except CONNECTION_ERRORS as error:
        why = why_of(error)
        words = f"nobody in it can answer ({why.code}). {why.sentence}"
        return (SlackFinding(sentence=f"Slack does not tell who is in the user group {name}: {words}", grave=False),)
    if users:
        return ()
    return (SlackFinding(sentence=f"The user group {name} is empty: nobody in it can answer.", grave=False),)
