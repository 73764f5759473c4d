"""Plain messages: one line without buttons, for what cannot be shown as it should be. It says what it is about, and what to do.

They go out where Slack refuses the whole message for its shape, where our own last look does not let it leave, or where drawing
it fails. Nobody approves what is not shown, so none has a button; silence denies as ever.
"""

from collections.abc import Mapping
from typing import Final

from approvals.audit.events import EventKind
from approvals.identity.names import is_escalation_id
from approvals.workflow.alert import AlertGroup
from approvals.workflow.monitor import RefusedDeliveries
from approvals.workflow.pause import Pause
from approvals.workflow.request import Request, State
from bot.outbox.delivery import ThreadEvent
from bot.slack.kit.blocks import escaped_line, utc_text
from bot.slack.kit.limits import TEXT_CHARACTERS
from bot.slack.kit.message import Message
from bot.slack.kit.text import cut
from bot.slack.messages.alert_message import alert_line, refused_line
from bot.slack.messages.outcome_part import short_outcome
from bot.slack.messages.pause_message import scope_words, within_words


def plain_request(request: Request, *, mentions: str = "") -> Message:
    """Return the line of a request; *mentions* of its approvers, as markup, ring their phones."""
    about = f"{request.id}: {escaped_line(request.action.verb)} {escaped_line(str(request.action.target))} in"
    about += f" {escaped_line(request.environment)}, asked by the agent {escaped_line(request.agent)}"
    if request.state is not State.PENDING:
        return _line(f"{about}: {short_outcome(request)}. {_not_shown(request.id)}")
    by = "" if request.deadline is None else f" at {utc_text(request.deadline)}"
    asked = f" Asked: {mentions}" if mentions else ""
    return _line(
        f"{about}, waits for an answer, and its card cannot be shown here, so it cannot be approved."
        f" It is denied automatically{by};"
        f" to deny it now, run: `countersign deny {request.id} --reason WHY`. {_told(request.id)}{asked}"
    )


def plain_pause(pause: Pause) -> Message:
    """Return the line of a pause's notice."""
    what = escaped_line(scope_words(pause.scope))
    if not pause.is_open:
        return _line(f"Resumed: {what} ({pause.id}). Approvals given before the pause do not run.")
    return _line(
        f"Paused: {what}. Nothing{within_words(pause.scope)} can be approved or started until two people run"
        f" `/agent-pause off {pause.id}`."
    )


def plain_alert(group: AlertGroup) -> Message:
    """Return the line of a group of alerts, without a word of the monitor's."""
    return _line(f"{alert_line(group)} {_not_shown(group.id)}")


def plain_refused(refused: RefusedDeliveries) -> Message:
    """Return the line of a monitor whose deliveries do not get through."""
    return _line(f"{refused_line(refused)} {_not_shown(refused.id)}")


def plain_subject(subject: str) -> Message:
    """Return the line of which nothing but the id of its subject can be said."""
    return _line(f"{subject}: {_not_shown(subject)}{_deny(subject)}")


def plain_lines(told: tuple[ThreadEvent, ...]) -> Message:
    """Return the line that stands for some events in the thread under a card."""
    subject = told[0].subject if told else ""
    happened = " ".join(dict.fromkeys(_happened(one.kind) for one in told))
    return _line(f"{happened} {_not_shown(subject)}")


def _happened(kind: str) -> str:
    """Return what an event of a kind is, whatever it holds: that may be what could not be shown."""
    return _HAPPENED.get(kind) or f"Something happened that has no words here ({escaped_line(kind)})."


_HAPPENED: Final[Mapping[str, str]] = {
    EventKind.REQUEST_OPENED: "It was asked.",
    EventKind.REQUEST_REFUSED: "It was refused at once.",
    EventKind.REQUEST_ASKED_AGAIN: "The agent asked for the same again.",
    EventKind.REQUEST_VOTED: "Somebody answered it.",
    EventKind.REQUEST_VOTE_VOIDED: "An answer does not count any more.",
    EventKind.REQUEST_APPROVED: "It was approved.",
    EventKind.REQUEST_DENIED: "It was denied.",
    EventKind.REQUEST_EXPIRED: "It expired: silence denies.",
    EventKind.REQUEST_CANCELLED: "It was cancelled.",
    EventKind.REQUEST_SUPERSEDED: "It is void, because the target changed.",
    EventKind.REQUEST_TOKEN_REVOKED: "The token it was asked with was revoked.",
    EventKind.ANSWER_REFUSED: "Somebody's answer did not count.",
    EventKind.EXECUTION_QUEUED: "It is queued to be carried out.",
    EventKind.EXECUTION_CLAIMED: "A worker took it on.",
    EventKind.EXECUTION_ARMED: "It is about to be sent to the cluster.",
    EventKind.EXECUTION_SENDING: "It is being sent to the cluster.",
    EventKind.EXECUTION_APPLIED: "It was applied; how that turned out is on the card.",
    EventKind.EXECUTION_REJECTED: "The cluster refused it.",
    EventKind.EXECUTION_UNKNOWN: "It is not known whether it took effect.",
    EventKind.EXECUTION_STILL_UNKNOWN: "It is still not known whether it took effect.",
    EventKind.EXECUTION_VOIDED: "It was not carried out.",
    EventKind.EXECUTION_RETRIED: "It is not carried out yet, and is tried again.",
    EventKind.EXECUTION_ABANDONED: "It was closed without knowing whether it took effect.",
    EventKind.EXECUTION_EFFECT: "What became of it has changed; the card says how it stands.",
}


def _not_shown(subject: str) -> str:
    return f"More cannot be shown here. {_told(subject)}"


def _told(subject: str) -> str:
    if is_escalation_id(subject):
        return f"`countersign audit show {subject}` tells its story."
    return "`countersign audit export` has all of it."


def _deny(subject: str) -> str:
    return (
        f" To deny it while it waits, run: `countersign deny {subject} --reason WHY`."
        if is_escalation_id(subject)
        else ""
    )


def _line(text: str) -> Message:
    return Message(text=cut(text, TEXT_CHARACTERS), blocks=())
