"""What a page is sent of a message, note or modal: text already read into nodes, names already looked up.

The page draws nodes with ``createTextNode`` and nothing else, so there is one
reader of Slack's markup, in Python, under test.
"""

from collections.abc import Iterator

from sandbox.workspace.core import Core
from sandbox.workspace.jsontypes import JsonObject
from sandbox.workspace.mrkdwn import Node, live, parse
from sandbox.workspace.page import emoji
from sandbox.workspace.page.rich_text import nodes_of
from sandbox.workspace.records import Ephemeral, Message, View
from sandbox.workspace.strictness import Strictness


class Drawing:
    """Draws for one viewer: buttons shown to others only are left out."""

    def __init__(self, core: Core, viewer: str) -> None:
        self._core = core
        self._viewer = viewer

    def message(self, message: Message) -> JsonObject:
        """Return a message as the page wants it."""
        return {
            "ts": message.ts,
            "channel": message.channel,
            "thread_ts": message.thread_ts if message.is_reply else None,
            "broadcast": message.broadcast,
            "author": self._author(message.user, app=bool(message.bot_id)),
            "summary": _flat(self._named(self._top_text(message))),
            "text": self._named(self._top_text(message)),
            "blocks": self._blocks(message.blocks),
            "edited": message.edited_ts is not None,
        }

    def ephemeral(self, note: Ephemeral) -> JsonObject:
        """Return a private note as the page wants it."""
        nodes = parse(note.text, bare_names=False)
        return {
            "ts": note.ts,
            "channel": note.channel,
            "thread_ts": note.thread_ts,
            "ephemeral": True,
            "author": self._author(self._core.seed.bot_user_id, app=True),
            "summary": _flat(nodes),
            "text": self._named(nodes),
            "blocks": self._blocks(note.blocks),
            "edited": False,
        }

    def view(self, view: View) -> JsonObject:
        """Return a modal as the page wants it."""
        made: JsonObject = {"id": view.id, "hash": view.hash, "blocks": self._blocks(view.content["blocks"])}
        for place in ("title", "submit", "close"):
            if place in view.content:
                made[place] = self._text(view.content[place])
        return made

    def _top_text(self, message: Message) -> list[Node]:
        return parse(message.text, bare_names=message.names_live and self._core.strictness.bare_mentions)

    def _author(self, user: str, *, app: bool) -> JsonObject:
        person = self._core.store.users[user]
        return {"id": user, "name": person.real_name, "app": app, "outsider": person.is_stranger}

    def _blocks(self, blocks: list[JsonObject]) -> list[JsonObject]:
        return [self._thing(block) for block in blocks]

    def _thing(self, thing: JsonObject) -> JsonObject:
        """Draw a block, an element or a composition object: every text in it becomes nodes."""
        if thing.get("type") == "rich_text":
            return {"type": "rich_text", "block_id": thing.get("block_id"), "nodes": self._named(nodes_of(thing))}
        if thing.get("type") in ("plain_text", "mrkdwn"):
            return self._text(thing)
        return {name: self._part(name, value) for name, value in thing.items()}

    def _part(self, name: str, value: object) -> object:
        if isinstance(value, dict):
            return self._thing(value)
        if isinstance(value, list):
            return [self._part(name, each) for each in value if self._shown(each)]
        return value

    def _shown(self, element: object) -> bool:
        return not isinstance(element, dict) or self._viewer in element.get("visible_to_user_ids", [self._viewer])

    def _text(self, text: JsonObject) -> JsonObject:
        return {"nodes": self._named(text_nodes(text, self._core.strictness)), "plain": text["type"] == "plain_text"}

    def _named(self, nodes: list[Node], *, in_code: bool = False) -> list[Node]:
        """Add the names behind ids and, outside code, the characters behind emoji shortcodes."""
        return [made for node in nodes for made in self._name(node, in_code=in_code)]

    def _name(self, node: Node, *, in_code: bool) -> list[Node]:
        store = self._core.store
        match node["t"]:
            case "text" if not in_code:
                return [{"t": kind, "s": piece} for kind, piece in emoji.split(node["s"])]
            case "emoji":
                return [{"t": "emoji", "s": emoji.EMOJI.get(node["name"], f":{node['name']}:")}]
            case "user":
                user = store.users.get(node["id"])
                return [{**node, "s": f"@{user.real_name}" if user else "@unknown", "me": node["id"] == self._viewer}]
            case "group":
                group = store.groups.get(node["id"])
                mine = group is not None and self._viewer in group.members
                return [{**node, "s": f"@{group.handle}" if group else "@unknown-group", "me": mine}]
            case "channel":
                room = store.rooms.get(node["id"])
                return [{**node, "s": f"#{room.channel.name}" if room else node["id"]}]
            case "list":
                return [{**node, "items": [self._named(item) for item in node["items"]]}]
            case _:
                return [self._around(node, in_code=in_code or node["t"] in ("code", "pre"))]

    def _around(self, node: Node, *, in_code: bool) -> Node:
        return {**node, "c": self._named(node["c"], in_code=in_code)} if "c" in node else node


def text_nodes(text: JsonObject, strictness: Strictness) -> list[Node]:
    """Return the nodes of a text object; plain_text has no markup at all."""
    if text["type"] == "plain_text":
        lines = text["text"].split("\n")
        return [node for line in lines for node in ({"t": "br"}, {"t": "text", "s": line})][1:]
    bare = strictness.bare_mentions and text.get("verbatim") is not True
    return parse(text["text"], bare_links=bare, bare_names=bare)


def live_things(message: Message | Ephemeral, strictness: Strictness) -> list[tuple[str, str]]:
    """Return all that is live in the blocks of a message or note: mentions, broadcasts, channel references and links.

    Tests of injection ask this: untrusted text must add nothing to it. The text
    beside the blocks counts too, since it is what a notification shows.
    """
    found = [each for text in _texts(message.blocks) for each in live(_read(text, strictness))]
    names_live = isinstance(message, Message) and message.names_live and strictness.bare_mentions
    return found + list(live(parse(message.text, bare_names=names_live)))


def _read(text: JsonObject, strictness: Strictness) -> list[Node]:
    return nodes_of(text) if text["type"] == "rich_text" else text_nodes(text, strictness)


def _texts(value: object) -> Iterator[JsonObject]:
    if isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, dict):
        if value.get("type") in ("rich_text", "plain_text", "mrkdwn"):
            yield value
        else:
            for each in value.values():
                yield from _texts(each)


def _flat(nodes: list[Node]) -> str:
    """Return nodes as one line of text, for the screen reader's announcement."""
    return "".join(_spelled(node) for node in nodes)


def _spelled(node: Node) -> str:
    if node["t"] == "br":
        return " "
    return node.get("s") or node.get("fallback") or node.get("id") or _flat(node.get("c", []))
