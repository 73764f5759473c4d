"""The notice of a pause: what is stopped, by whom, what it takes to go on. It has no buttons; ``/agent-pause`` is its handle."""

from dataclasses import dataclass

from approvals.identity.names import Account, id_of, is_slack_account
from approvals.workflow.pause import RESUMERS, Consent, Pause, Scope, ScopeKind
from bot.outbox.delivery import DrawReason
from bot.slack.kit.blocks import (
    Block,
    Element,
    context,
    date_markup,
    escaped_line,
    header,
    line,
    markup,
    mention_markup,
    quote,
    rich_text,
    user,
    words,
)
from bot.slack.kit.limits import REASON
from bot.slack.kit.message import Message
from bot.slack.kit.text import cut, quoted


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseNotice:
    """Everything that the notice of one pause shows."""

    pause: Pause
    consents: tuple[Consent, ...]
    reason: str
    """Why it was engaged, in the person's words; may be empty."""
    reasons_to_resume: tuple[tuple[Account, str], ...] = ()
    """Who said why when agreeing to end it, and what, oldest first."""


def pause_message(notice: PauseNotice, *, revision: int, occasion: DrawReason) -> Message:
    """Return the notice as it is to be shown now; one that replaces another names people without ringing a phone again."""
    named = occasion is not DrawReason.REPLACEMENT
    pause = notice.pause
    what = scope_words(pause.scope)
    title = f"⏸️ Paused: {what}" if pause.is_open else f"▶️ Resumed: {what}"
    blocks: list[Block] = [header(f"title:{revision}", cut(title, 150))]
    blocks.append(
        markup(f"status:{revision}", _open(notice, named=named) if pause.is_open else _ended(notice, named=named))
    )
    if notice.reason:
        blocks.append(
            rich_text(f"reason:{revision}", *_said(words("The reason given", italic=True), text=notice.reason))
        )
    # Agreements that stopped counting leave theirs behind; those of the last to agree are what ended it.
    for place, (account, text) in enumerate(notice.reasons_to_resume[-RESUMERS:], start=1):
        who = _person(account, named=named)
        said = _said(words("A reason given for the resume, by ", italic=True), who, text=text)
        blocks.append(rich_text(f"reason-to-resume-{place}:{revision}", *said))
    blocks.append(context(f"mark:{revision}", pause.id))
    return Message(text=_notification(pause, what), blocks=tuple(blocks))


def scope_words(scope: Scope) -> str:
    """Return what a scope stops, in words."""
    match scope.kind:
        case ScopeKind.ALL:
            return "everything"
        case ScopeKind.AGENT:
            return f"the agent {scope.name}"
        case ScopeKind.NAMESPACE:
            return f"the namespace {scope.name}"


def within_words(scope: Scope) -> str:
    """Return what comes after *nothing*, so that what stops one agent is not read as what stops everything; empty for that."""
    return {ScopeKind.ALL: "", ScopeKind.AGENT: " from it", ScopeKind.NAMESPACE: " in it"}[scope.kind]


def pause_line(pause: Pause, consents: tuple[Consent, ...]) -> str:
    """Return one open pause in one line of markup, for a list: what, who, since when, and its id to resume it by."""
    agreed = f", {len(consents)} of {RESUMERS} agreed to resume" if consents else ""
    by = mention_markup(pause.by)
    return (
        f"`{pause.id}` {escaped_line(scope_words(pause.scope))}, by {by} since {date_markup(pause.engaged_at)}{agreed}"
    )


def _open(notice: PauseNotice, *, named: bool) -> str:
    pause, within = notice.pause, within_words(notice.pause.scope)
    lines = [
        f"*Nothing new{within} is taken on, nothing{within} can be approved, and nothing{within} starts.*",
        f"Paused by {_who(pause.by, named=named)}, {date_markup(pause.engaged_at)}.",
        "Unanswered questions are still denied automatically. Changes that have started go on.",
    ]
    if pause.asked_at is not None:
        lines.append("*The time asked for is over.* The pause lasts until two people resume it.")
    elif pause.ask_at is not None:
        lines.append(f"Countersign asks for the resume {date_markup(pause.ask_at)}; the pause does not end by itself.")
    agreed = (
        ""
        if not notice.consents
        else " So far: " + " and ".join(_who(consent.account, named=named) for consent in notice.consents)
    )
    lines.append(f"To resume, two people run `/agent-pause off {pause.id}`.{agreed}")
    return "\n".join(lines)


def _ended(notice: PauseNotice, *, named: bool) -> str:
    persons = " and ".join(_who(consent.account, named=named) for consent in notice.consents)
    when = "" if notice.pause.ended_at is None else f", {date_markup(notice.pause.ended_at)}"
    return f"*Resumed by {persons}*{when}. Approvals given before the pause do not run."


def _said(*whose: Element, text: str) -> tuple[Element, Element]:
    return line(*whose), quote(words(quoted(text, REASON)))


def _person(account: Account, *, named: bool) -> Element:
    return user(id_of(account)) if named and is_slack_account(account) else words(account)


def _who(account: Account, *, named: bool) -> str:
    return mention_markup(account) if named else escaped_line(account)


def _notification(pause: Pause, what: str) -> str:
    if pause.is_open:
        return escaped_line(
            f"Paused: {what}. Nothing{within_words(pause.scope)} can be approved or started until two people resume it."
        )
    return escaped_line(f"Resumed: {what}. Approvals given before the pause do not run.")
