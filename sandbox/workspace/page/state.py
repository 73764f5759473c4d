"""Everything a page shows at first, and the change that follows each event, for one viewer."""

from sandbox.workspace.core import Core
from sandbox.workspace.feed import Change
from sandbox.workspace.jsontypes import JsonObject
from sandbox.workspace.page.drawing import Drawing
from sandbox.workspace.records import Ephemeral, Message, View
from sandbox.workspace.store import Room


def whole(core: Core, viewer: str) -> JsonObject:
    """Return the page as *viewer* sees it now."""
    draw = Drawing(core, viewer)
    rooms = list(core.store.rooms_of(viewer))
    view = core.store.views.get(viewer)
    return {
        "kind": "state",
        "team": core.seed.team_name,
        "app": core.seed.bot_real_name,
        "viewer": viewer,
        "ack_seconds": core.strictness.ack_seconds,
        "people": people(core),
        "channels": [_channel(core, room) for room in rooms],
        "commands": [
            {"name": command.name, "description": command.description, "hint": command.usage_hint}
            for command in core.seed.commands
        ],
        "messages": [draw.message(message) for room in rooms for message in room.messages.values()],
        "ephemerals": [draw.ephemeral(note) for note in core.store.ephemerals.get(viewer, ())],
        "view": draw.view(view) if view is not None else None,
        "status": _status(core),
    }


def people(core: Core) -> list[JsonObject]:
    """Return the accounts one can act as: everybody but bots."""
    return [
        {"id": user.id, "name": user.real_name, "role": user.role, "deleted": user.deleted}
        for user in core.store.users.values()
        if not user.is_bot
    ]


def changed(core: Core, viewer: str, change: Change) -> JsonObject:
    """Return what a page is told of one change."""
    draw = Drawing(core, viewer)
    record = change.record
    if change.kind == "people":
        return whole(core, viewer)
    if change.kind == "status":
        return {"kind": "status", "status": _status(core)}
    if change.kind == "view_closed":
        return {"kind": "view", "view": None}
    if isinstance(record, View):
        return {"kind": "view", "view": draw.view(record)}
    if change.kind in ("message_deleted", "ephemeral_deleted") and isinstance(record, (Message, Ephemeral)):
        return {"kind": "deleted", "ts": record.ts, "channel": record.channel}
    if isinstance(record, Ephemeral):
        return {"kind": "message", "message": draw.ephemeral(record)}
    if isinstance(record, Message):
        return {"kind": "message", "message": draw.message(record)}
    raise TypeError(f"a change of kind {change.kind} without its record")


def _channel(core: Core, room: Room) -> JsonObject:
    name = core.seed.bot_real_name if room.direct_to else room.channel.name
    return {
        "id": room.channel.id,
        "name": name,
        "topic": room.channel.topic,
        "private": room.channel.private,
        "direct": bool(room.direct_to),
        "shared": core.store.is_shared(room.channel.id),
        "members": len(room.members),
        "app_is_member": room.bot_is_member,
    }


def _status(core: Core) -> list[JsonObject]:
    return [{"name": name, "text": text} for name, text in core.status_lines.items()]
