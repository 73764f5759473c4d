"""Turns ``rich_text`` elements into the same nodes as mrkdwn; a string in them stays a string."""

from collections.abc import Iterable

from sandbox.workspace.jsontypes import JsonObject
from sandbox.workspace.mrkdwn import Node, safe_url

_STYLES = ("bold", "italic", "strike", "code", "underline")


def nodes_of(block: JsonObject) -> list[Node]:
    """Return the nodes of a rich_text block."""
    return [_part(element) for element in block["elements"]]


def _part(element: JsonObject) -> Node:
    kind = element["type"]
    if kind == "rich_text_list":
        return {
            "t": "list",
            "ordered": element["style"] == "ordered",
            "indent": element.get("indent", 0),
            "start": element.get("offset", 0) + 1,
            "items": [_inline(item["elements"]) for item in element["elements"]],
        }
    children = _inline(element["elements"])
    if kind == "rich_text_quote":
        return {"t": "quote", "c": children}
    if kind == "rich_text_preformatted":
        return {"t": "pre", "c": children, "language": element.get("language", "")}
    return {"t": "section", "c": children}


def _inline(elements: Iterable[JsonObject]) -> list[Node]:
    return [node for element in elements for node in _styled(element)]


def _styled(element: JsonObject) -> list[Node]:
    nodes = _bare(element)
    for style in _STYLES:
        if element.get("style", {}).get(style) is True:
            nodes = [{"t": style, "c": nodes}]
    return nodes


def _bare(element: JsonObject) -> list[Node]:
    kind = element["type"]
    if kind == "text":
        return _lines(element["text"])
    if kind == "link":
        label = _lines(element.get("text") or element["url"])
        return [{"t": "link", "url": element["url"], "c": label}] if safe_url(element["url"]) else label
    if kind == "date":
        node = {"t": "date", "ts": element["timestamp"], "format": element["format"]}
        return [node | {"fallback": element.get("fallback", "")}]
    if kind == "emoji":
        return [{"t": "emoji", "name": element["name"]}]
    if kind == "broadcast":
        return [{"t": "broadcast", "s": element["range"]}]
    target = {"user": "user_id", "usergroup": "usergroup_id", "channel": "channel_id"}[kind]
    return [{"t": "group" if kind == "usergroup" else kind, "id": element[target]}]


def _lines(text: str) -> list[Node]:
    nodes: list[Node] = []
    for index, line in enumerate(text.split("\n")):
        nodes += [{"t": "br"}] if index else []
        nodes += [{"t": "text", "s": line}] if line else []
    return nodes
