"""The card of an alert: what a monitor says, quoted, for information. There is nothing to decide."""

from collections.abc import Mapping
from typing import Final

from approvals.alert import Alert, AlertState
from approvals.ports import HeldBack
from bot.slack.kit import Block, context, date_markup, header, line, markup, quote, rich_text, words
from bot.slack.limits import HEADER
from bot.slack.message import Message
from bot.slack.text import cut, quoted, visible_line

SHOWN: Final = 12
"""How many labels and annotations a card shows."""

NAME: Final = 80
VALUE: Final = 300


def alert_message(
    alert: Alert, texts: Mapping[str, str], *, revision: int, held_back: HeldBack | None = None
) -> Message:
    """Return the card of one alert.

    Args:
        alert: As it is now.
        texts: Its labels and annotations, under names such as ``label severity``; erased ones are missing.
        revision: Makes block ids that differ with each drawing.
        held_back: What else is waiting to be shown in its channel, which takes so many a minute.
    """
    firing = alert.state is AlertState.FIRING
    title = f"{'🔔 Alert firing' if firing else '✅ Alert resolved'} · {alert.environment}"
    since = f"Since {date_markup(alert.starts_at)}"
    until = "" if alert.resolved_at is None else f", resolved {date_markup(alert.resolved_at)}"
    shown = [
        quote(words(f"{_named(name)}: ", bold=True), words(quoted(text, VALUE)))
        for name, text in _ordered(texts)[:SHOWN]
    ]
    if len(texts) > SHOWN:
        shown.append(quote(words(f"{len(texts) - SHOWN} more labels and annotations")))
    said = line(words("The monitor says (untrusted)", italic=True))
    return Message(
        text=f"Alert {alert.state.value} in {alert.environment}. For information; there is nothing to decide.",
        blocks=(
            header(f"title:{revision}", cut(title, HEADER)),
            markup(f"status:{revision}", f"{since}{until}. For information: there is nothing to decide."),
            rich_text(f"said:{revision}", said, *(shown or [quote(words("(nothing)"))])),
            *_held_back(held_back, revision),
            context(f"mark:{revision}", alert.id),
        ),
    )


def _held_back(held_back: HeldBack | None, revision: int) -> list[Block]:
    """Return what is counted instead of shown: nothing that a monitor said is left out without a word."""
    if held_back is None:
        return []
    more = "1 more alert waits" if held_back.count == 1 else f"{held_back.count} more alerts wait"
    note = f"🔕 {more} to be shown here, the oldest since {date_markup(held_back.since)}. Questions go first."
    return [markup(f"held-back:{revision}", note)]


def _ordered(texts: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the texts with the alert's own name first, then what a person reads first, then the rest by name."""
    first = {name: place for place, name in enumerate(_FIRST)}
    return sorted(texts.items(), key=lambda pair: (first.get(pair[0], len(first)), pair[0]))


_FIRST: Final = ("label alertname", "annotation summary", "annotation description", "label severity", "label namespace")


def _named(name: str) -> str:
    return visible_line(name.partition(" ")[2] or name, NAME) or "(unnamed)"
