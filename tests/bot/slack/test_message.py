"""The last look before a message leaves: it fails closed."""

import pytest

from bot.outbox.delivery import Unsendable
from bot.slack.kit.blocks import context, date_markup, header, line, markup, rich_text, words
from bot.slack.kit.message import Message, checked
from tests.builders import NOON


def _one(block):
    return Message(text="ok", blocks=(block,))


REFUSED = {
    "a broadcast": _one(markup("a", "<!channel> look")),
    "a broadcast in the text": Message(text="<!here>", blocks=()),
    "a link": _one(markup("a", "<https://evil.example|ok>")),
    "a channel reference": _one(markup("a", "<#C0PROD>")),
    "a mention with a label": _one(markup("a", "<@U0ADA|ada>")),
    "half a token": _one(markup("a", "a < b")),
    "markup that is not verbatim": _one({"type": "section", "text": {"type": "mrkdwn", "text": "x"}}),
    "a link element": _one(rich_text("a", line({"type": "link", "url": "https://evil.example"}))),
    "a broadcast element": _one(rich_text("a", line({"type": "broadcast", "range": "here"}))),
    "a button that opens an address": _one(
        {"type": "actions", "elements": [{"type": "button", "text": {"type": "plain_text", "text": "x"}, "url": "https://e"}]}
    ),
    "an image": _one({"type": "image", "image_url": "https://evil.example/x.png", "alt_text": "x"}),
    "a token of Slack's": _one(rich_text("a", line(words("xoxb-1234567890-abcdefgh")))),
    "a token in the text": Message(text="cst_abcdefghijklmnopqrstuvwxyz", blocks=()),
    "a service account's token": _one(header("a", "eyJhbGciOiJIUzI1.eyJzdWIiOiIx.c2lnbmF0dXJl")),
    "too many blocks": Message(text="ok", blocks=tuple(context(str(number), "x") for number in range(51))),
    "blocks that are too long": Message(text="ok", blocks=tuple(context(str(number), "x" * 1_900) for number in range(8))),
    "no text": Message(text="", blocks=()),
    "a text that an update would refuse": Message(text="x" * 4_001, blocks=()),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_must_not_leave_does_not(name):
    """T-RND-01, T-RND-02, I12: whichever renderer made it, such a message is not sent, and the error does not quote it."""
    with pytest.raises(Unsendable) as refused:
        checked(REFUSED[name])

    assert "evil" not in str(refused.value)
    assert "xoxb" not in str(refused.value)


def test_what_may_leave_does():
    """Mentions of people and groups, and dates, are ours."""
    text = f"<@U0ADA> <!subteam^S0PROD> {date_markup(NOON)} 1 &lt; 2 &amp; 3"
    message = Message(text=text, blocks=(markup("a", text),))

    assert checked(message) is message
