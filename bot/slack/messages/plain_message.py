"""Plain messages: one line without buttons, for what cannot be shown as it should be. It says what it is about, and what to do.

They go out where Slack refuses the whole message for its shape, where our own last look does not let it leave, or where drawing
it fails. Nobody approves what is not shown, so none has a button; silence denies as ever.
"""

from approvals.workflow.pause import Pause
from approvals.workflow.request import Request, State
from bot.outbox.delivery import Told
from bot.slack.kit.blocks import escaped_line, utc_text
from bot.slack.kit.limits import TEXT_CHARACTERS
from bot.slack.kit.message import Message
from bot.slack.kit.text import cut
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


def plain_subject(subject: str) -> Message:
    """Return the line of which nothing but the id of its subject can be said."""
    return _line(f"{subject}: {_not_shown(subject)}{_deny(subject)}")


def plain_lines(told: tuple[Told, ...]) -> Message:
    """Return the line that stands for some events in the thread under a card."""
    subject = told[0].subject if told else ""
    kinds = ", ".join(dict.fromkeys(escaped_line(one.kind) for one in told))
    return _line(f"{kinds}. {_not_shown(subject)}")


def _not_shown(subject: str) -> str:
    return f"More cannot be shown here. {_told(subject)}"


def _told(subject: str) -> str:
    if subject.startswith("esc_"):
        return f"`countersign audit show {subject}` tells its story."
    return "`countersign audit export` has all of it."


def _deny(subject: str) -> str:
    return (
        f" To deny it while it waits, run: `countersign deny {subject} --reason WHY`."
        if subject.startswith("esc_")
        else ""
    )


def _line(text: str) -> Message:
    return Message(text=cut(text, TEXT_CHARACTERS), blocks=())
