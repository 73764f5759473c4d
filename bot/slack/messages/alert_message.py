"""The card of a group of alerts: what a monitor says, quoted, for information. There is nothing to decide.

What was cut of a delivery is said on it, and so is, on a card of its own, that deliveries of a monitor are refused: an alarm that
nobody hears is the one thing that no monitor can report.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from approvals.ports.rows import HeldBack
from approvals.verbs.workload import counted
from approvals.workflow.alert import Alert, AlertGroup, AlertState, Cut
from approvals.workflow.monitor import RefusedDeliveries
from bot.slack.kit.blocks import (
    Block,
    Element,
    context,
    date_markup,
    escaped_line,
    header,
    line,
    markup,
    quote,
    rich_text,
    words,
)
from bot.slack.kit.limits import HEADER, MESSAGE_CHARACTERS
from bot.slack.kit.message import Message, characters
from bot.slack.kit.text import cut, escaped, quoted, visible_line

ALERTS: Final = 10
"""How many alerts of a group its card shows at most: those that burn first, as many as one message has room for."""

SHOWN: Final = 12
"""How many labels and annotations are shown of an alert that is alone on its card."""

SHOWN_OF_MANY: Final = 4
"""How many of one among several."""

NAME: Final = 80

NAMED: Final = 3
"""How many names of alerts a locked phone is told."""

VALUE: Final = 300
VALUE_OF_MANY: Final = 160

Texts = Mapping[str, str]
"""Labels and annotations, under names such as ``label severity``; erased ones are missing."""


def alert_message(
    group: AlertGroup, shown: Sequence[tuple[Alert, Texts]], *, revision: int, held_back: HeldBack | None = None
) -> Message:
    """Return the card of one group of alerts.

    Args:
        group: As it is now.
        shown: Its alerts, at most :data:`ALERTS` of them, with what the monitor says of each; those that burn first.
        revision: Makes block ids that differ with each drawing.
        held_back: What else is waiting to be shown in its channel, which takes so many a minute.
    """
    for count in range(len(shown), 1, -1):
        message = _drawn(group, shown[:count], revision, held_back)
        if characters(message.blocks) <= MESSAGE_CHARACTERS:
            return message
    return _drawn(group, shown[:1], revision, held_back)


def _drawn(
    group: AlertGroup, shown: Sequence[tuple[Alert, Texts]], revision: int, held_back: HeldBack | None
) -> Message:
    title = f"{'🔔' if group.state is AlertState.FIRING else '✅'} {_what(group)} · {group.environment}"
    said = [part for alert, texts in shown for part in (_alone(texts) if group.total == 1 else _among(alert, texts))]
    return Message(
        text=f"{_firing_or_over(group)}.{_named_by_monitor(shown)} For information; there is nothing to decide.",
        blocks=(
            header(f"title:{revision}", cut(title, HEADER)),
            markup(f"status:{revision}", f"{_since(group, shown)} For information: there is nothing to decide."),
            rich_text(
                f"said:{revision}",
                line(words("The monitor says (untrusted)", italic=True)),
                *(said or [quote(words("(nothing)"))]),
            ),
            *_notes(group, shown, revision),
            *_held_back(held_back, revision),
            context(f"mark:{revision}", group.id),
        ),
    )


def alert_line(group: AlertGroup) -> str:
    """Return, as markup, what is known of a group without a word of the monitor's."""
    return f"{_firing_or_over(group)} ({escaped_line(group.id)}). For information; there is nothing to decide."


def _firing_or_over(group: AlertGroup) -> str:
    return f"{_what(group)} in {escaped_line(group.environment)}"


def _named_by_monitor(shown: Sequence[tuple[Alert, Texts]]) -> str:
    """Return what the monitor calls those that are shown, for a locked phone: without a name, one alarm is like any other."""
    named = dict.fromkeys(visible_line(texts.get(_ALERT_NAME, ""), NAME) for _, texts in shown)
    names = [escaped(one) for one in named if one]
    if not names:
        return ""
    more = f" and {counted(len(names) - NAMED, 'other name')}" if len(names) > NAMED else ""
    return f" The monitor says: {', '.join(names[:NAMED])}{more}."


def _held_back(held_back: HeldBack | None, revision: int) -> list[Block]:
    """Return what is counted instead of shown: nothing that a monitor said is left out without a word."""
    if held_back is None:
        return []
    more = "1 more alert waits" if held_back.count == 1 else f"{held_back.count} more alerts wait"
    note = f"🔕 {more} to be shown here, the oldest since {date_markup(held_back.since)}. Questions go first."
    return [markup(f"held-back:{revision}", note)]


def refused_message(refused: RefusedDeliveries, *, revision: int) -> Message:
    """Return the card that tells people that deliveries of a monitor do not get through."""
    monitor = escaped_line(refused.monitor)
    times = counted(refused.count, "delivery").replace("deliverys", "deliveries")
    causes = ", ".join(f"{escaped_line(code)} ({number})" for code, number in refused.codes.items())
    cures = "".join(f" {cure}" for cure in dict.fromkeys(_CURES[code] for code in refused.codes if code in _CURES))
    return Message(
        text=refused_line(refused),
        blocks=(
            header(f"title:{revision}", cut(f"⚠️ Alerts may be missing · {refused.environment}", HEADER)),
            markup(
                f"status:{revision}",
                f"Countersign has refused at least {times} of the monitor *{monitor}* since {date_markup(refused.since)}:"
                f" {causes}.{cures}"
                " Their content is not known here, and may not come again.",
            ),
            context(f"mark:{revision}", refused.id),
        ),
    )


def refused_line(refused: RefusedDeliveries) -> str:
    """Return, as markup, the same in one sentence."""
    monitor, environment = escaped_line(refused.monitor), escaped_line(refused.environment)
    return f"Deliveries of the monitor {monitor} for {environment} are refused: alerts may be missing here."


_CURES: Final = {
    "too_large": "Let it send less at once: max_alerts on its receiver.",
    "too_many_calls": "Let it send less often: group_by, group_interval and repeat_interval of its route.",
    "not_json_type": "It has to send application/json.",
    "not_json": "What it sends is no JSON.",
    "missing_field": "What it sends has no list of alerts.",
    "wrong_type": "What it sends has no list of alerts.",
    "unknown_environment": "The policy does not know the environment any more.",
}


def _what(group: AlertGroup) -> str:
    if group.state is AlertState.FIRING:
        return f"{counted(group.firing, 'alert')} firing" if group.total > 1 else "Alert firing"
    return "Alert resolved" if group.total == 1 else f"All {group.total} alerts resolved"


def _since(group: AlertGroup, shown: Sequence[tuple[Alert, Texts]]) -> str:
    starts = [alert.starts_at for alert, _ in shown] if group.total == 1 else []
    since = f"Since {date_markup(min(starts, default=group.opened_at))}"
    until = "" if group.resolved_at is None else f", resolved {date_markup(group.resolved_at)}"
    over = group.total - group.firing
    some = f" {over} of {group.total} resolved." if group.total > 1 and group.firing and over else ""
    return f"{since}{until}.{some}"


def _alone(texts: Texts) -> list[Element]:
    return _texts(texts, most=SHOWN, longest=VALUE)


def _among(alert: Alert, texts: Texts) -> list[Element]:
    mark = "🔔 firing" if alert.state is AlertState.FIRING else "✅ resolved"
    parts = _texts(texts, most=SHOWN_OF_MANY, longest=VALUE_OF_MANY)
    return [line(words(f"{mark} · {alert.fingerprint}")), *(parts or [quote(words("(nothing)"))])]


def _texts(texts: Texts, *, most: int, longest: int) -> list[Element]:
    parts = [
        quote(words(f"{_named(name)}: ", bold=True), words(quoted(text, longest)))
        for name, text in _ordered(texts)[:most]
    ]
    if len(texts) > most:
        parts.append(quote(words(f"{len(texts) - most} more of its labels and annotations")))
    return parts


def _notes(group: AlertGroup, shown: Sequence[tuple[Alert, Texts]], revision: int) -> list[Block]:
    notes = []
    if group.total > len(shown):
        notes.append(f"Not shown: {counted(group.total - len(shown), 'more alert')} of the group.")
    if told := [_CUTS[kind].format(number) for kind, number in group.cut.items() if kind in _CUTS]:
        notes.append(f"✂️ Cut from what the monitor sent: {', '.join(told)}.")
    return [markup(f"cut:{revision}", " ".join(notes))] if notes else []


_CUTS: Final[Mapping[str, str]] = {
    Cut.LABELS: "labels left out: {}",
    Cut.ANNOTATIONS: "annotations left out: {}",
    Cut.TEXTS: "texts shortened: {}",
    Cut.CHARACTERS: "broken characters replaced: {}",
    Cut.TIMES: "times not understood: {}",
    Cut.FIELDS: "fields given twice: {}",
    Cut.ALERTS: "alerts left out: {}",
}


def _ordered(texts: Texts) -> list[tuple[str, str]]:
    """Return the texts with the alert's own name first, then what a person reads first, then the rest by name."""
    first = {name: place for place, name in enumerate(_FIRST)}
    return sorted(texts.items(), key=lambda pair: (first.get(pair[0], len(first)), pair[0]))


_ALERT_NAME: Final = "label alertname"

_FIRST: Final = (_ALERT_NAME, "annotation summary", "annotation description", "label severity", "label namespace")


def _named(name: str) -> str:
    return visible_line(name.partition(" ")[2] or name, NAME) or "(unnamed)"
