"""The pin: whether something that arrived is about this app as it is installed in this workspace.

Signature and socket say that Slack sent it to us; this says that it is about a message, form or command of ours, so that a
look-alike button on another app's message is worth nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """The app in its workspace, as ``auth.test`` told it at the start."""

    team: str
    bot_id: str
    """Of this app in this workspace, and of no other."""
    bot_user: str


def belongs(body: Mapping[str, Any], installed: Installed) -> bool:
    """Tell whether a payload of any kind is about *installed*; one that does not say so is not."""
    if body.get("type") in {"block_actions", "view_submission", "view_closed"}:
        return _posted_by(_about(body), installed, app=body.get("api_app_id"))
    if "command" in body:
        # In an organisation a command may name another workspace of it; whether ours lists whoever ran it is looked up then.
        return body.get("team_id") == installed.team or bool(body.get("enterprise_id"))
    if body.get("type") == "event_callback":
        return body.get("team_id") == installed.team
    return body.get("type") == "url_verification"


def _about(body: Mapping[str, Any]) -> Mapping[str, Any]:
    thing = body.get("view") if "view" in body else body.get("message")
    return thing if isinstance(thing, Mapping) else {}


def _posted_by(thing: Mapping[str, Any], installed: Installed, *, app: object) -> bool:
    """Tell whether our bot made the message or form, and Slack addresses the app that made it."""
    made_for = thing.get("app_installed_team_id", installed.team)
    return thing.get("bot_id") == installed.bot_id and thing.get("app_id", app) == app and made_for == installed.team
