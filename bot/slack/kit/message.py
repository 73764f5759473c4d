"""Messages: what is handed to Slack, and the last look at it before it leaves.

The look fails closed: a message that could ping the wrong people, hold a link, show something that looks like a secret or
break a limit of Slack's is not sent at all. It trusts no renderer, so that a mistake in one of them stays a mistake.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from approvals.masking import SECRET
from bot.outbox.delivery import Unsendable
from bot.slack.kit.blocks import Block
from bot.slack.kit.limits import MESSAGE_BLOCKS, MESSAGE_CHARACTERS, TEXT_CHARACTERS


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message: its blocks, and the text that notifications and screen readers use instead of them."""

    text: str
    blocks: tuple[Block, ...]


_TOKEN: Final = re.compile(r"<([^<>]*)>")
_OURS: Final = re.compile(r"@[UW][A-Z0-9]{2,20}|!subteam\^S[A-Z0-9]{2,20}|!date\^[0-9]{1,12}\^[^|^]{1,80}\|[ -~]{1,40}")
_INERT: Final = frozenset(
    {
        "header", "section", "context", "divider", "actions", "rich_text", "table", "plain_text", "mrkdwn", "button",
        "rich_text_section", "rich_text_quote", "rich_text_list", "rich_text_preformatted", "text", "user", "date",
    }
)  # fmt: skip
"""Every type that we draw with: no link, image, broadcast, group or channel element among them."""


def characters(blocks: object) -> int:
    """Return how long *blocks* are as compact JSON: what a message's total limit is held against."""
    return len(json.dumps(blocks, ensure_ascii=False, separators=(",", ":")))


def checked(message: Message) -> Message:
    """Return *message*, which may leave.

    Raises:
        Unsendable: It breaks a rule.
    """
    if not message.text or len(message.text) > TEXT_CHARACTERS:
        raise Unsendable("its text is empty or too long")
    if len(message.blocks) > MESSAGE_BLOCKS or characters(message.blocks) > MESSAGE_CHARACTERS:
        raise Unsendable("its blocks are too many or too long")
    _check_markup(message.text)
    for part in _parts(message.blocks):
        _check_part(part)
    return message


def _parts(value: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        yield value
        for inner in value.values():
            yield from _parts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _parts(inner)


def _check_part(part: Mapping[str, Any]) -> None:
    kind = part.get("type")
    if kind is not None and kind not in _INERT:
        raise Unsendable("it holds an element that can be live")
    if "url" in part or "image_url" in part:
        raise Unsendable("it holds an address")
    text = part.get("text")
    if isinstance(text, str) and SECRET.search(text):
        raise Unsendable("it holds something that looks like a secret")
    if kind == "mrkdwn":
        if part.get("verbatim") is not True:
            raise Unsendable("its markup is not verbatim")
        _check_markup(str(text))


def _check_markup(text: str) -> None:
    """Return if every angle bracket belongs to a mention of a person or group, or to a date: all three are ours."""
    if SECRET.search(text):
        raise Unsendable("it holds something that looks like a secret")
    rest = _TOKEN.sub(lambda found: "" if _OURS.fullmatch(found[1]) else "<", text)
    if "<" in rest or ">" in rest:
        raise Unsendable("its markup holds something that is neither a mention of ours nor a date")
