"""The form of *Deny with reason*: how it looks, and what a submitted one says. The plain Deny never depends on it."""

import json
from dataclasses import dataclass
from typing import Any, Final

from approvals.errors import Malformed
from approvals.identity.names import Channel, channel_of
from bot.slack.inbound.payloads import Click, View
from bot.slack.kit.blocks import context, plain
from bot.slack.kit.limits import HEADER, REASON, SECTION
from bot.slack.kit.text import cut
from bot.slack.messages.buttons import ButtonValue, asked_of

FORM: Final = "deny-reason:v1"
REASON_BLOCK: Final = "reason"
_REASON_INPUT: Final = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Denial:
    """What a form was opened for, and where."""

    asked: ButtonValue
    channel: Channel
    ts: str


def form(denial: Denial, *, title: str) -> dict[str, Any]:
    """Return the form that asks why; *title* is the headline of the card it was opened from."""
    return {
        "type": "modal",
        "callback_id": FORM,
        "private_metadata": json.dumps([str(denial.asked), denial.channel, denial.ts]),
        "title": plain("Deny with reason"),
        "submit": plain("Deny"),
        "close": plain("Back"),
        "blocks": [
            {"type": "section", "text": plain(title)},
            {
                "type": "input",
                "block_id": REASON_BLOCK,
                "label": plain("Why? Everybody in the channel will read it."),
                "element": {
                    "type": "plain_text_input",
                    "action_id": _REASON_INPUT,
                    "multiline": True,
                    "min_length": 1,
                    "max_length": REASON,
                },
            },
            context("mark", denial.asked.request),
        ],
    }


def told(sentence: str, *, title: str = "Nothing was done") -> dict[str, Any]:
    """Return what takes the place of a form that came to nothing, so far: it must not close as if it had worked."""
    return {
        "type": "modal",
        "title": plain(title),
        "close": plain("Close"),
        "blocks": [{"type": "section", "text": plain(cut(sentence, SECTION))}],
    }


def title_of(click: Click) -> str:
    """Return the headline of the card that a button was on, or what the form does where it has none."""
    return headline_of(click) or "Deny this change"


def headline_of(click: Click) -> str:
    """Return the headline of the card that a button was on, empty where it has none; the message is ours, so its words are."""
    for block in click.message.blocks:
        text = block.get("text")
        if block.get("type") == "header" and isinstance(text, dict):
            return cut(str(text.get("text")), HEADER)
    return ""


def denial_of(view: View) -> Denial | None:
    """Return what a form was opened for, or None where it says nothing that we could have written."""
    try:
        value, channel, ts = json.loads(view.private_metadata)
        asked, there = asked_of(str(value)), channel_of(str(channel))
    except (ValueError, TypeError, RecursionError, Malformed):
        return None
    return None if asked is None else Denial(asked=asked, channel=there, ts=str(ts))


def reason_of(view: View) -> str:
    """Return what the person wrote."""
    try:
        text = view.state["values"][REASON_BLOCK][_REASON_INPUT]["value"]
    except (KeyError, TypeError):
        return ""
    return text.strip()[:REASON] if isinstance(text, str) else ""
