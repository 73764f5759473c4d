"""The methods that only read: who am I, who is that, who is in this group, what channel is this."""

from sandbox.workspace.core import Core
from sandbox.workspace.jsontypes import JsonObject
from sandbox.workspace.seed import User
from sandbox.workspace.store import Room
from sandbox.workspace.webapi.calls import Refused, flag_argument, text_argument


def auth_test(core: Core, _arguments: JsonObject) -> JsonObject:
    """Answer who the token stands for."""
    seed = core.seed
    return {
        "url": f"{core.origin}/",
        "team": seed.team_name,
        "user": seed.bot_name,
        "team_id": seed.team_id,
        "user_id": seed.bot_user_id,
        "bot_id": seed.bot_id,
        "is_enterprise_install": False,
    }


def users_info(core: Core, arguments: JsonObject) -> JsonObject:
    """Answer one account with all its flags."""
    user = core.store.users.get(text_argument(arguments, "user"))
    if user is None:
        raise Refused("user_not_found")
    return {"user": _user_object(user) | _enterprise_user(core, user)}


def _enterprise_user(core: Core, user: User) -> JsonObject:
    if not user.teams:
        return {}
    told = {"id": user.id, "enterprise_id": core.seed.enterprise_id, "enterprise_name": core.seed.enterprise_name}
    return {"enterprise_user": {**told, "is_admin": False, "is_owner": False, "teams": list(user.teams)}}


def _user_object(user: User) -> JsonObject:
    return {
        "id": user.id,
        "team_id": user.team_id,
        "name": user.name,
        "real_name": user.real_name,
        "deleted": user.deleted,
        "tz": user.tz,
        "is_bot": user.is_bot,
        "is_app_user": False,
        "is_admin": False,
        "is_owner": False,
        "is_primary_owner": False,
        "is_restricted": user.is_restricted,
        "is_ultra_restricted": user.is_ultra_restricted,
        "is_stranger": user.is_stranger,
        "is_email_confirmed": not user.is_bot,
        "profile": {
            "real_name": user.real_name,
            "real_name_normalized": user.real_name,
            "display_name": user.name,
            "display_name_normalized": user.name,
            "team": user.team_id,
        },
    }


def usergroups_users_list(core: Core, arguments: JsonObject) -> JsonObject:
    """Answer the members of a group; a disabled one only when asked for."""
    group = core.store.groups.get(text_argument(arguments, "usergroup"))
    if group is None:
        raise Refused("no_such_subteam")
    if group.disabled and not flag_argument(arguments, "include_disabled"):
        raise Refused("no_such_subteam")
    return {"users": list(group.members)}


def conversations_info(core: Core, arguments: JsonObject) -> JsonObject:
    """Answer what a channel is; a private one only to its members, and each kind only with its own scope."""
    room = core.store.rooms.get(text_argument(arguments, "channel"))
    if room is None or (room.channel.private and not room.bot_is_member):
        raise Refused("channel_not_found")
    needed = "groups:read" if room.channel.private else "channels:read"
    if room.direct_to:
        needed = "im:read"
    if core.strictness.scopes and needed not in core.seed.bot_scopes:
        raise Refused("missing_scope", needed=needed, provided=",".join(core.seed.bot_scopes))
    made = _channel_object(core, room)
    if flag_argument(arguments, "include_num_members"):
        made["num_members"] = len(room.members) + room.bot_is_member
    return {"channel": made}


def _channel_object(core: Core, room: Room) -> JsonObject:
    channel = room.channel
    shared = core.store.is_shared(channel.id)
    return {
        "id": channel.id,
        "name": channel.name,
        "name_normalized": channel.name,
        "is_channel": not channel.private,
        "is_group": channel.private and not room.direct_to,
        "is_im": bool(room.direct_to),
        "is_mpim": False,
        "is_private": channel.private,
        "is_archived": channel.archived,
        "is_general": False,
        "is_member": room.bot_is_member,
        "is_shared": shared,
        "is_ext_shared": shared,
        "is_org_shared": False,
        "context_team_id": core.seed.team_id,
        "topic": {"value": channel.topic, "creator": "", "last_set": 0},
        "purpose": {"value": "", "creator": "", "last_set": 0},
    }
