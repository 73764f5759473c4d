"""The methods that write messages: post, update, a note to one person, and the link to a message."""

from sandbox.workspace.core import Core
from sandbox.workspace.jsontypes import JsonObject
from sandbox.workspace.kit.rules import every_block
from sandbox.workspace.records import Ephemeral, Message
from sandbox.workspace.store import Room
from sandbox.workspace.webapi.calls import Refused, flag_argument, text_argument
from sandbox.workspace.webapi.content import Content, read_content


def post_message(core: Core, arguments: JsonObject) -> JsonObject:
    """Post a message or a reply; a person's id as the channel means their direct conversation with the app."""
    room = _room_to_write(core, text_argument(arguments, "channel"))
    content = read_content(core, arguments)
    thread_ts = _thread(core, room, arguments)
    _pace(core, room.channel.id)
    message = Message(
        channel=room.channel.id,
        ts=core.timestamps.next(),
        user=core.seed.bot_user_id,
        text=content.text,
        blocks=content.blocks or [],
        bot_id=core.seed.bot_id,
        app_id=core.seed.app_id,
        team=core.seed.team_id,
        thread_ts=thread_ts,
        broadcast=flag_argument(arguments, "reply_broadcast"),
        metadata=content.metadata,
        names_live=_names_live(arguments, default="none"),
    )
    core.store.put_message(message)
    return _answer(message, content)


def update_message(core: Core, arguments: JsonObject) -> JsonObject:
    """Change one of the app's own messages in place.

    Text without blocks removes the blocks and marks the message as edited; blocks
    keep the mark off. What is left out of text is emptied, metadata stays.
    """
    room = _room_to_write(core, text_argument(arguments, "channel"))
    content = read_content(core, arguments)
    most = core.strictness.update_text_characters
    if most is not None and len(content.text) > most:
        raise Refused("msg_too_long")
    message = core.store.message(room.channel.id, text_argument(arguments, "ts"))
    if message is None:
        raise Refused("message_not_found")
    if core.strictness.own_messages_only and message.bot_id != core.seed.bot_id:
        raise Refused("cant_update_message")
    if core.strictness.update_block_mismatch and _swaps_rich_text(message.blocks, content.blocks or []):
        raise Refused("block_mismatch")
    message.text = content.text
    message.blocks = content.blocks or []
    message.names_live = _names_live(arguments, default="client")
    message.metadata = content.metadata if content.metadata is not None else message.metadata
    if content.blocks is None:
        message.edited_ts = core.timestamps.next()
    core.store.put_message(message)
    return _answer(message, content) | {"text": message.text}


def post_ephemeral(core: Core, arguments: JsonObject) -> JsonObject:
    """Show a note to one person in a channel they are in."""
    room = _room_to_write(core, text_argument(arguments, "channel"))
    user = text_argument(arguments, "user")
    if user not in core.store.users or not core.store.sees(user, room.channel.id):
        raise Refused("user_not_in_channel")
    content = read_content(core, arguments)
    note = Ephemeral(
        channel=room.channel.id,
        ts=core.timestamps.next(),
        user=user,
        text=content.text,
        blocks=content.blocks or [],
        thread_ts=_thread(core, room, arguments),
    )
    core.store.put_ephemeral(note)
    return {"message_ts": note.ts}


def get_permalink(core: Core, arguments: JsonObject) -> JsonObject:
    """Answer the address of a message; it opens the page only for somebody who holds the page's key."""
    channel = text_argument(arguments, "channel")
    if channel not in core.store.rooms:
        raise Refused("channel_not_found")
    ts = text_argument(arguments, "message_ts")
    message = core.store.message(channel, ts)
    if message is None:
        raise Refused("message_not_found")
    query = f"?thread_ts={message.thread_ts}&cid={channel}" if message.is_reply else ""
    permalink = f"{core.origin}/archives/{channel}/p{ts.replace('.', '')}{query}"
    return {"channel": channel, "permalink": permalink}


def _room_to_write(core: Core, channel: str) -> Room:
    user = core.store.users.get(channel)
    if user is not None and not user.is_bot:
        return core.store.direct_room(channel)
    room = core.store.rooms.get(channel)
    if room is None:
        raise Refused("channel_not_found")
    if core.strictness.membership and not room.bot_is_member:
        # A private channel the app is not in does not exist for it.
        raise Refused("channel_not_found" if room.channel.private else "not_in_channel")
    if room.channel.archived:
        raise Refused("is_archived")
    return room


def _thread(core: Core, room: Room, arguments: JsonObject) -> str | None:
    thread_ts = text_argument(arguments, "thread_ts")
    if not thread_ts:
        return None
    parent = core.store.message(room.channel.id, thread_ts)
    if parent is None:
        raise Refused("thread_not_found")
    return parent.thread_ts or parent.ts


def _pace(core: Core, channel: str) -> None:
    rate = core.strictness.post_rate
    if rate is None:
        return
    wait = core.rates.wait_for(("chat.postMessage", channel), per_second=rate, burst=core.strictness.post_burst)
    if wait:
        raise Refused("ratelimited", retry_after=wait)


def _names_live(arguments: JsonObject, *, default: str) -> bool:
    # Updates parse names by default and posts do not: Slack's own difference, and a trap.
    return flag_argument(arguments, "link_names") or (text_argument(arguments, "parse") or default) != "none"


def _swaps_rich_text(before: list[JsonObject], after: list[JsonObject]) -> bool:
    types = {block["block_id"]: block["type"] for block in every_block(before)}
    return any(
        block["type"] != types[block["block_id"]] and "rich_text" in (block["type"], types[block["block_id"]])
        for block in every_block(after)
        if block["block_id"] in types
    )


def _answer(message: Message, content: Content) -> JsonObject:
    made: JsonObject = {"channel": message.channel, "ts": message.ts, "message": message.as_slack()}
    if content.was_cut:
        made["response_metadata"] = {"warnings": ["message_truncated"]}
        made["warning"] = "message_truncated"
    return made
