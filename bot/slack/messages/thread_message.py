"""The thread under a card: the audit trail in plain sentences, several to a message, people's own words quoted below theirs."""

from typing import Final

from approvals.audit.events import EventKind
from approvals.identity.names import Account, is_slack_account
from approvals.presentation.story import drift_told, sentence_of
from approvals.workflow.request import mention
from bot.outbox.delivery import ThreadEvent
from bot.slack.kit.blocks import MENTION, Element, line, quote, rich_text, user, words
from bot.slack.kit.limits import REASON, TEXT_CHARACTERS
from bot.slack.kit.message import Message
from bot.slack.kit.text import cut, escaped, quoted, visible_line
from bot.slack.messages.card import DRIFT
from bot.slack.messages.drift_part import drift_elements

SENTENCE: Final = 600

_ON_THE_CARD: Final = frozenset(
    {EventKind.REQUEST_OPENED, EventKind.REQUEST_REFUSED, EventKind.ALERT_FIRING, EventKind.ALERT_RESOLVED}
)
"""Whose free texts the card itself shows, with the marks that belong there."""


def thread_message(told: tuple[ThreadEvent, ...], *, quoting: bool = True) -> Message:
    """Return one message that tells some events, oldest first; *quoting* people's own words, or only saying what happened."""
    sentences = [_sentence(one) for one in told]
    parts: list[Element] = []
    for one, sentence in zip(told, sentences, strict=True):
        parts.append(line(*_elements(sentence)))
        if quoting and one.kind not in _ON_THE_CARD:
            parts += [quote(words(quoted(text, REASON))) for _, text in sorted(one.texts.items())]
        if drift := drift_told(one.data):
            parts += drift_elements(drift, DRIFT)
    text = cut(" ".join(_plain(sentence) for sentence in sentences), TEXT_CHARACTERS // 2)
    return Message(text=escaped(text), blocks=(rich_text("thread", *parts),))


def _sentence(told: ThreadEvent) -> str:
    return sentence_of(told.kind, told.actor, told.data, name=_name)


def _name(actor: str) -> str:
    """Return what a reader calls an actor: people by mention, an agent, a monitor's token and an operator in words."""
    if is_slack_account(actor):
        return mention(Account(actor))
    kind, _, name = actor.partition(":")
    title = {"agent": "The agent", "token": "The monitor", "os": "The operator"}.get(kind)
    return f"{title} {name}" if title and name else actor


def _elements(sentence: str) -> list[Element]:
    """Return a sentence of ours with its mentions as elements; whatever else stands in it is literal text."""
    pieces = MENTION.split(sentence)
    found = [user(piece) if place % 2 else words(_said(piece)) for place, piece in enumerate(pieces) if piece]
    return found or [words("(nothing)")]


def _said(piece: str) -> str:
    """Return a piece of a sentence, with the spaces at its ends that part it from a mention."""
    inner = visible_line(piece, SENTENCE)
    return f"{' ' if piece[0] == ' ' else ''}{inner}{' ' if piece[-1] == ' ' and inner else ''}"


def _plain(sentence: str) -> str:
    return visible_line(MENTION.sub(lambda found: f"@{found[1]}", sentence), SENTENCE)
