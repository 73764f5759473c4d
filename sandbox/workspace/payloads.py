"""Interaction payloads as Slack shapes them: clicks, submitted and closed modals, slash commands.

Built here and nowhere else, so that one glance shows what the app is told. In a
channel shared with another company, or with other workspaces of the organisation,
a click carries the app's own team and the clicker's team in ``user.team_id``; a
modal's payload carries the clicker's team as ``team`` and the app's in
``view.app_installed_team_id``.
"""

from sandbox.workspace.core import Core
from sandbox.workspace.jsontypes import JsonObject
from sandbox.workspace.records import Ephemeral, Message, View
from sandbox.workspace.store import Room


def click_on_message(
    core: Core, *, user: str, record: Message | Ephemeral, action: JsonObject, trigger_id: str, response_url: str
) -> JsonObject:
    """Return the ``block_actions`` payload of a click in a message or a private note."""
    room = core.store.rooms[record.channel]
    container: JsonObject = {
        "type": "message",
        "message_ts": record.ts,
        "channel_id": record.channel,
        "is_ephemeral": isinstance(record, Ephemeral),
    }
    if record.thread_ts is not None:
        container["thread_ts"] = record.thread_ts
    return {
        **_common(core, user),
        "type": "block_actions",
        "container": container,
        "trigger_id": trigger_id,
        "team": _home_team(core),
        "channel": {"id": record.channel, "name": _channel_name(room)},
        "message": record.as_slack(),
        "state": {"values": {}},
        "response_url": response_url,
        "actions": [action],
    }


def click_in_view(
    core: Core, *, user: str, view: View, values: JsonObject, action: JsonObject, trigger_id: str
) -> JsonObject:
    """Return the ``block_actions`` payload of a click inside a modal."""
    return {
        **_common(core, user),
        "type": "block_actions",
        "container": {"type": "view", "view_id": view.id},
        "trigger_id": trigger_id,
        "team": _team_of(core, user),
        "view": view.as_slack(values),
        "actions": [action],
    }


def view_submission(core: Core, *, view: View, values: JsonObject, trigger_id: str) -> JsonObject:
    """Return the ``view_submission`` payload."""
    return {
        **_common(core, view.user),
        "type": "view_submission",
        "team": _team_of(core, view.user),
        "trigger_id": trigger_id,
        "view": view.as_slack(values),
        "response_urls": [],
    }


def view_closed(core: Core, *, view: View, cleared: bool) -> JsonObject:
    """Return the ``view_closed`` payload; *cleared* when all views were closed at once."""
    return {
        **_common(core, view.user),
        "type": "view_closed",
        "team": _team_of(core, view.user),
        "view": view.as_slack(),
        "is_cleared": cleared,
    }


def slash_command(
    core: Core, *, user: str, room: Room, command: str, text: str, trigger_id: str, response_url: str
) -> JsonObject:
    """Return the fields of a slash command; all are strings, as in a form."""
    return {
        "token": core.tokens.verification,
        "team_id": core.seed.team_id,
        "team_domain": core.seed.team_domain,
        "channel_id": room.channel.id,
        "channel_name": _channel_name(room),
        "user_id": user,
        "user_name": core.store.users[user].name,
        "command": command,
        "text": text,
        "api_app_id": core.seed.app_id,
        "is_enterprise_install": "false",
        **_of_enterprise(core),
        "response_url": response_url,
        "trigger_id": trigger_id,
    }


def action_of(core: Core, element: JsonObject, block_id: str, chosen: str | None) -> JsonObject:
    """Return the entry of ``actions`` for using *element*; *chosen* is the value picked in a select."""
    made: JsonObject = {
        "type": element["type"],
        "action_id": element["action_id"],
        "block_id": block_id,
        "action_ts": core.timestamps.next(),
    }
    if element["type"] == "static_select":
        return made | {"selected_option": option_of(element, chosen)}
    return made | {name: element[name] for name in ("text", "value", "style", "url") if name in element}


def option_of(element: JsonObject, chosen: str | None) -> JsonObject | None:
    """Return the option of a select whose value is *chosen*, or None."""
    groups = element.get("option_groups", ())
    options = [*element.get("options", ()), *(option for group in groups for option in group["options"])]
    return next((option for option in options if option["value"] == chosen), None)


def _common(core: Core, user: str) -> JsonObject:
    person = core.store.users[user]
    return {
        "user": {"id": person.id, "username": person.name, "name": person.name, "team_id": person.team_id},
        "api_app_id": core.seed.app_id,
        "token": core.tokens.verification,
        "enterprise": _enterprise(core),
        "is_enterprise_install": False,
    }


def _enterprise(core: Core) -> JsonObject | None:
    seed = core.seed
    return {"id": seed.enterprise_id, "name": seed.enterprise_name} if seed.enterprise_id else None


def _of_enterprise(core: Core) -> JsonObject:
    seed = core.seed
    if not seed.enterprise_id:
        return {}
    return {"enterprise_id": seed.enterprise_id, "enterprise_name": seed.enterprise_name}


def _home_team(core: Core) -> JsonObject:
    return {"id": core.seed.team_id, "domain": core.seed.team_domain, **_of_enterprise(core)}


def _team_of(core: Core, user: str) -> JsonObject:
    team_id = core.store.users[user].team_id
    return _home_team(core) if team_id == core.seed.team_id else {"id": team_id, "domain": team_id.lower()}


def _channel_name(room: Room) -> str:
    if room.direct_to:
        return "directmessage"
    return "privategroup" if room.channel.private else room.channel.name
