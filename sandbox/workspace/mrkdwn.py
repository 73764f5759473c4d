"""Slack's mrkdwn, read the way Slack reads it: into nodes, which the page draws and tests can question.

The hardest reading is taken wherever Slack is vague, because the question that
matters is "could this text become something live?": ``<...>`` tokens count also
inside code, ``&gt;`` at the start of a line quotes, and without ``verbatim`` a
bare ``@here``, ``#channel`` or URL becomes the live thing.

A node is a dict with ``t`` naming its kind: ``text`` (s), ``br``, ``bold`` /
``italic`` / ``strike`` / ``code`` / ``pre`` / ``quote`` (c: children), ``link``
(url, c), ``user`` / ``group`` / ``channel`` (id), ``broadcast`` (s), ``date``
(ts, format, fallback, url).
"""

import re
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from sandbox.workspace.jsontypes import JsonObject

Node = JsonObject

# Angle-bracket tokens are parked as single characters of this private plane while formatting is found around them.
_PARK = 0xF0000
_PARK_END = 0xFFFFD
_PARKED = re.compile(f"[{chr(_PARK)}-{chr(_PARK_END)}]")
_TOKEN = re.compile(r"<([^<>\n]{1,3500})>")
_PRE = re.compile(r"```\n?([\s\S]+?)\n?```")
_QUOTE = re.compile(r"(?:>|&gt;) ?")
_BARE = re.compile(r"(?<![\w@])@(here|channel|everyone)\b|(?<![\w&#])#([a-z0-9][\w-]{0,79})|\bhttps?://[^\s<>\"'`]+")
_TRAILING = ".,;:!?)]}"
_SPANS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("code", re.compile(r"(?<![\w`])`([^`\n]+)`(?![\w`])")),
    ("bold", re.compile(r"(?<![\w*])\*(?=\S)([^*\n]+?)(?<=\S)\*(?![\w*])")),
    ("italic", re.compile(r"(?<!\w)_(?=\S)([^_\n]+?)(?<=\S)_(?!\w)")),
    ("strike", re.compile(r"(?<![\w~])~(?=\S)([^~\n]+?)(?<=\S)~(?![\w~])")),
)
_LIVE = frozenset({"link", "user", "group", "channel", "broadcast"})


def parse(text: str, *, bare_links: bool = True, bare_names: bool = True) -> list[Node]:
    """Return the nodes of *text*.

    Args:
        bare_links: A bare URL becomes a link.
        bare_names: A bare ``@here`` or ``#channel`` becomes the live thing.
    """
    return _Reader(bare_links=bare_links, bare_names=bare_names).read(text)


def live(nodes: list[Node]) -> Iterator[tuple[str, str]]:
    """Yield every live thing in *nodes*: its kind, and its id, range or address."""
    for node in nodes:
        if node["t"] in _LIVE:
            yield node["t"], node.get("id") or node.get("url") or node.get("s", "")
        yield from live(node.get("c", []))
        for item in node.get("items", []):
            yield from live(item)


def unescape(text: str) -> str:
    """Undo Slack's three escapes, once."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def safe_url(url: str) -> bool:
    """Tell whether a link goes somewhere a browser may be sent."""
    try:
        return urlsplit(url).scheme in ("http", "https", "mailto")
    except ValueError:
        return False


class _Reader:
    """Reads one text; holds the tokens that were parked."""

    def __init__(self, *, bare_links: bool, bare_names: bool) -> None:
        self._bare_links = bare_links
        self._bare_names = bare_names
        self._parked: list[Node] = []

    def read(self, text: str) -> list[Node]:
        parked = _TOKEN.sub(self._park, _PARKED.sub("\ufffd", text))
        nodes: list[Node] = []
        end = 0
        for found in _PRE.finditer(parked):
            nodes += self._lines(parked[end : found.start()].removesuffix("\n"))
            nodes.append({"t": "pre", "c": self._plain(found[1])})
            end = found.end()
        return nodes + self._lines(parked[end:].removeprefix("\n") if end else parked)

    def _park(self, found: re.Match[str]) -> str:
        node = _token(found[1])
        if node is None or len(self._parked) > _PARK_END - _PARK - 1:
            return found[0]
        self._parked.append(node)
        return chr(_PARK + len(self._parked) - 1)

    def _lines(self, text: str) -> list[Node]:
        if not text:
            return []
        nodes: list[Node] = []
        quoted: list[str] = []
        plain: list[str] = []
        for line in text.split("\n"):
            mark = _QUOTE.match(line)
            if mark is not None:
                nodes += self._joined(plain)
                plain = []
                quoted.append(line[mark.end() :])
                continue
            nodes += self._quote(quoted)
            quoted = []
            plain.append(line)
        return nodes + self._joined(plain) + self._quote(quoted)

    def _quote(self, lines: list[str]) -> list[Node]:
        return [{"t": "quote", "c": self._joined(lines)}] if lines else []

    def _joined(self, lines: list[str]) -> list[Node]:
        nodes: list[Node] = []
        for index, line in enumerate(lines):
            nodes += [{"t": "br"}] if index else []
            nodes += self._inline(line)
        return nodes

    def _inline(self, text: str) -> list[Node]:
        """Find the leftmost span, whatever its kind, and read inside it and after it."""
        nodes: list[Node] = []
        while text:
            spans = [(found, kind) for kind, pattern in _SPANS if (found := pattern.search(text)) is not None]
            if not spans:
                break
            found, kind = min(spans, key=lambda span: span[0].start())
            inside: Callable[[str], list[Node]] = self._plain if kind == "code" else self._inline
            nodes += [*self._plain(text[: found.start()]), {"t": kind, "c": inside(found[1])}]
            text = text[found.end() :]
        return nodes + self._plain(text)

    def _plain(self, text: str) -> list[Node]:
        nodes: list[Node] = []
        end = 0
        for found in _PARKED.finditer(text):
            nodes += self._bare(text[end : found.start()])
            nodes.append(self._parked[ord(found[0]) - _PARK])
            end = found.end()
        return nodes + self._bare(text[end:])

    def _bare(self, text: str) -> list[Node]:
        nodes: list[Node] = []
        end = 0
        for found in _BARE.finditer(text):
            node = self._bare_node(found)
            if node is None:
                continue
            length = len(found[0]) - len(found[0].rstrip(_TRAILING)) if node["t"] == "link" else 0
            nodes += _text(text[end : found.start()])
            nodes.append(node)
            end = found.end() - length
        return nodes + _text(text[end:])

    def _bare_node(self, found: re.Match[str]) -> Node | None:
        if found[1]:
            return {"t": "broadcast", "s": found[1]} if self._bare_names else None
        if found[2]:
            return {"t": "channel", "id": f"#{found[2]}"} if self._bare_names else None
        address = found[0].rstrip(_TRAILING)
        if not self._bare_links or not safe_url(unescape(address)):
            return None
        return {"t": "link", "url": unescape(address), "c": _text(address)}


def _text(escaped: str) -> list[Node]:
    nodes: list[Node] = []
    for index, line in enumerate(unescape(escaped).split("\n")):
        nodes += [{"t": "br"}] if index else []
        nodes += [{"t": "text", "s": line}] if line else []
    return nodes


def _token(inside: str) -> Node | None:
    """Return the node of one ``<...>``, or None where Slack would show the text as it stands."""
    target, _, label = inside.partition("|")
    if target.startswith("@"):
        return {"t": "user", "id": target[1:]}
    if target.startswith("#"):
        return {"t": "channel", "id": target[1:]}
    if target.startswith("!subteam^"):
        return {"t": "group", "id": target.removeprefix("!subteam^")}
    if target.startswith("!date^"):
        return _date(target, label)
    if target in ("!here", "!channel", "!everyone"):
        return {"t": "broadcast", "s": target[1:]}
    url = unescape(target)
    if safe_url(url):
        return {"t": "link", "url": url, "c": _text(label or target)}
    return None


def _date(target: str, fallback: str) -> Node | None:
    _, stamp, layout, *link = target.split("^")
    if not stamp.isdecimal():
        return None
    node: Node = {"t": "date", "ts": int(stamp), "format": layout, "fallback": unescape(fallback)}
    if link and safe_url(link[0]):
        node["url"] = unescape(link[0])
    return node
