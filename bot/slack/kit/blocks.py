"""Block Kit in small pieces: one function for each block and element that we use. No wording lives here.

Untrusted text goes through :func:`words` only: an element of ``rich_text``, which Slack never reads as markup.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from approvals.identity.names import Account, Group, id_of, is_slack_account
from bot.slack.kit.text import escaped, unescaped, visible_line

Block = dict[str, Any]
Element = dict[str, Any]

MENTION: Final = re.compile(r"<@([UW][A-Z0-9]{2,20})>")
DATE: Final = "{date_short_pretty} at {time}"
SENTENCE: Final = 600


def words(text: str, *, bold: bool = False, code: bool = False, italic: bool = False) -> Element:
    """Return literal text for a ``rich_text`` block."""
    style = {name: True for name, on in (("bold", bold), ("code", code), ("italic", italic)) if on}
    return {"type": "text", "text": text, **({"style": style} if style else {})}


def user(user_id: str) -> Element:
    """Return a mention for a ``rich_text`` block."""
    return {"type": "user", "user_id": user_id}


def line(*elements: Element) -> Element:
    """Return one paragraph of a ``rich_text`` block."""
    return {"type": "rich_text_section", "elements": list(elements)}


def quote(*elements: Element) -> Element:
    """Return a quotation, with its bar at the side."""
    return {"type": "rich_text_quote", "elements": list(elements)}


def listed(lines: Iterable[Element]) -> Element:
    """Return a bulleted list of paragraphs."""
    return {"type": "rich_text_list", "style": "bullet", "elements": list(lines)}


def preformatted(text: str) -> Element:
    """Return text in fixed width, drawn exactly as it stands."""
    return {"type": "rich_text_preformatted", "elements": [words(text)]}


def rich_text(block_id: str, *parts: Element) -> Block:
    """Return a block of paragraphs, quotations and lists."""
    return {"type": "rich_text", "block_id": block_id, "elements": list(parts)}


def header(block_id: str, text: str) -> Block:
    """Return a headline; no emoji code in it becomes a picture."""
    return {"type": "header", "block_id": block_id, "text": plain(text)}


def markup(block_id: str, text: str) -> Block:
    """Return a paragraph in Slack's markup, for words of ours alone: nothing bare in it becomes a link or a mention."""
    return {"type": "section", "block_id": block_id, "text": {"type": "mrkdwn", "text": text, "verbatim": True}}


def context(block_id: str, *texts: str) -> Block:
    """Return small print."""
    return {"type": "context", "block_id": block_id, "elements": [plain(text) for text in texts]}


def table(block_id: str, rows: Iterable[Iterable[Element]]) -> Block:
    """Return a table, each cell one element."""
    cells = [[{"type": "rich_text", "elements": [line(cell)]} for cell in row] for row in rows]
    return {"type": "table", "block_id": block_id, "rows": cells}


def plain(text: str) -> Element:
    """Return a plain text object."""
    return {"type": "plain_text", "text": text, "emoji": False}


def date_markup(at: datetime) -> str:
    """Return *at* for markup: each reader sees it in their own zone, and in UTC where that cannot be done."""
    return f"<!date^{int(at.timestamp())}^{DATE}|{utc_text(at)}>"


def utc_text(at: datetime) -> str:
    """Return *at* to the minute, in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def mention_markup(account: Account) -> str:
    """Return the mention, for markup, of ``TEAM:USER``; what is no Slack account is named as it is."""
    return f"<@{id_of(account)}>" if is_slack_account(account) else escaped(account)


def group_markup(group: Group) -> str:
    """Return the mention, for markup, of a user group ``TEAM:SUBTEAM``."""
    return f"<!subteam^{id_of(group)}>"


def escaped_line(text: str) -> str:
    """Return a sentence or a name of ours for markup; nothing in it stays hidden."""
    return escaped(visible_line(text, SENTENCE))


def sentence_markup(sentence: str) -> str:
    """Return a refusal's or an answer's sentence for markup: its mentions stay mentions, nothing else in it is markup."""
    pieces = MENTION.split(sentence)
    return "".join(f"<@{piece}>" if place % 2 else escaped(piece) for place, piece in enumerate(pieces))


def plain_sentence(text: str) -> str:
    """Return markup of :func:`sentence_markup` for a place that shows plain text only."""
    return unescaped(MENTION.sub(lambda found: f"@{found[1]}", text))
