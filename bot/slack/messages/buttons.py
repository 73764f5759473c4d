"""The buttons of a card: their ids, what they carry, how they look. What a click does is :mod:`bot.slack.inbound.listeners`.

Action ids are versioned, and old ones stay answered: a card in a channel lives longer than a release. A button carries the
escalation's id and the short fingerprint, and both are only a hint: everything is looked up and checked again.
"""

import re
from dataclasses import dataclass
from typing import Final

from typing_extensions import override

from approvals.change.risk import Risk
from approvals.identity.names import ESCALATION_ID, EscalationId, escalation_id
from bot.slack.kit.blocks import Block, Element, plain
from bot.slack.kit.limits import BUTTON_LABEL, CONFIRM_BUTTON, CONFIRM_TEXT, CONFIRM_TITLE
from bot.slack.kit.text import cut, shortened

APPROVE: Final = "approve:v1"
DENY: Final = "deny:v1"
DENY_WITH_REASON: Final = "deny-reason:v1"

_RUNS: Final = "It starts as soon as the last required approval is given."
"""True of the first approval of two as of the second, and of the only one."""

_TITLE: Final = 80
"""How much of a title the confirmation repeats; its names are whole on the card."""

_VALUE: Final = re.compile(rf"({ESCALATION_ID.pattern})\.([0-9a-f]{{12}})")


@dataclass(frozen=True, slots=True, kw_only=True)
class ButtonValue:
    """What a button carries: which request, and which version of its change."""

    request: EscalationId
    fingerprint: str

    @override
    def __str__(self) -> str:
        """Return it as the button's value."""
        return f"{self.request}.{self.fingerprint}"


def asked_of(value: str) -> ButtonValue | None:
    """Return what a button's *value* carries, or None where it is not one of ours."""
    found = _VALUE.fullmatch(value)
    return None if found is None else ButtonValue(request=escalation_id(found[1]), fingerprint=found[2])


def buttons(block_id: str, asked: ButtonValue, *, title: str, environment: str, risk: Risk, approvable: bool) -> Block:
    """Return the row of buttons. Deny comes first, so that a slipping thumb says no; without *approvable* nobody can say yes."""
    elements = [
        _button("Deny", DENY, asked, label=f"Deny: {title}"),
        *([_approve(asked, title=title, environment=environment, risk=risk)] if approvable else []),
        _button("Deny with reason…", DENY_WITH_REASON, asked, label=f"Deny and say why: {title}"),
    ]
    return {"type": "actions", "block_id": block_id, "elements": elements}


def _approve(asked: ButtonValue, *, title: str, environment: str, risk: Risk) -> Element:
    button = _button("Approve", APPROVE, asked, label=f"Approve: {title}")
    if risk.rank < Risk.HIGH.rank:
        return {**button, "style": "primary"}
    # No style on the card: a red button beside a plain one is taken for the one that says no.
    confirm = {
        "title": plain(shortened(f"{title}?", CONFIRM_TITLE)),
        "text": plain(
            cut(f"{shortened(title, _TITLE)}, in {environment}. {risk.capitalize()} risk. {_RUNS}", CONFIRM_TEXT)
        ),
        "confirm": plain(shortened(f"Approve for {environment}", CONFIRM_BUTTON)),
        "deny": plain("Back"),
        "style": "danger",
    }
    return {**button, "confirm": confirm}


def _button(text: str, action_id: str, asked: ButtonValue, *, label: str) -> Element:
    return {
        "type": "button",
        "text": plain(text),
        "action_id": action_id,
        "value": str(asked),
        "accessibility_label": shortened(label, BUTTON_LABEL),
    }
