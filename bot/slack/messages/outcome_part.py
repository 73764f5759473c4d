"""How a request stands, in words: while it waits, how it ended, and how far it has been carried out.

*Approved* and *applied* are different words for different things, and *expired* is nobody's denial.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from approvals.identity.names import Account
from approvals.policy.ruling import Ruling
from approvals.verbs.verb import Effect
from approvals.workflow.deciding import counted_as_one
from approvals.workflow.execution import Execution, Phase, seen_phase
from approvals.workflow.pause import Pause
from approvals.workflow.request import EXPIRED_UNSEEN, TOKEN_REVOKED, UPGRADED, Earlier, Request, State
from bot.slack.kit.blocks import date_markup, mention_markup
from bot.slack.kit.blocks import escaped_line as said
from bot.slack.messages.pause_message import scope_words

_CARRIED_OUT: Final[Mapping[Phase, str]] = {
    Phase.QUEUED: "⏳ Waiting to be carried out.",
    Phase.ARMED: "▶️ Starting.",
    Phase.SENDING: "▶️ Sending it to the cluster.",
    Phase.REJECTED: "❌ Failed: Countersign changed nothing.",
    Phase.UNKNOWN: "⚠️ Outcome unknown: it may have been applied. Countersign is checking.",
    Phase.VOIDED: "⛔ Not carried out: Countersign changed nothing.",
    Phase.ABANDONED: "⚠️ Closed by a person. Whether it was applied is unknown.",
}

_EFFECTS: Final[Mapping[Effect, str]] = {
    Effect.IN_PROGRESS: "▶️ Applied; the cluster is carrying it out.",
    Effect.VERIFIED: "✅ Applied and done.",
    Effect.FAILED: "❌ Applied, but it did not turn out as approved.",
    Effect.TIMED_OUT: "⚠️ Applied, but not finished in time.",
    Effect.OVERTAKEN: "↪️ Applied, then overtaken by a newer change.",
    Effect.DIFFERS: "⚠️ Applied, but the target differs from what was approved.",
    Effect.UNDONE: "⚠️ Applied, but somebody else has changed it since.",
}


_ENOUGH: Final = (
    "has enough approvals under the policy in force now, and starts when one of the people who gave them presses Approve"
    " again"
)

MOST_UNDER_WAY: Final = 3
"""How many other changes of its target a card names."""


def waiting_line(
    request: Request, deciding: Ruling, *, approved_by: tuple[Account, ...], missing: int, named: bool, paused: bool
) -> str:
    """Return, as markup, who decides a pending request, and when it is denied automatically.

    Args:
        request: Pending.
        deciding: The ruling by which answers count now.
        approved_by: Accounts whose approval counts so far.
        missing: How many more are needed.
        named: Whether people are mentioned; a card that replaces another would ring their phones again.
        paused: Whether a pause stops it now.
    """
    so_far = f" Approved so far by {_people(approved_by, named=named)}." if approved_by else ""
    if not deciding.asks:
        needs = "*Nobody can approve it.*"
    elif missing:
        needs = f"*Needs {_count(missing, further=bool(approved_by))}* from {_sets(deciding)}.{so_far}"
    else:
        needs = f"*It {_ENOUGH}.*{so_far}"
    if request.deadline is None:
        return f"⏳ {needs}"
    unless = _unless(deciding, missing=missing, begun=bool(approved_by), paused=paused)
    return f"⏳ {needs} Denied automatically {date_markup(request.deadline)}{unless}."


def _unless(deciding: Ruling, *, missing: int, begun: bool, paused: bool) -> str:
    """Return what keeps a request from being denied automatically: with more than one answer wanted, one does not."""
    if not deciding.asks:
        return ""
    if paused:
        return " unless it is resumed and approved before"
    if missing <= 1 and not begun:
        return " if nobody answers"
    if not missing:
        return " if nobody does"
    return (
        f" unless {missing}{' more' if begun else ''} {'person approves' if missing == 1 else 'people approve'} before"
    )


def still_denied_line(request: Request) -> str:
    """Return, as markup, when a pending request is denied automatically, and how to deny it without a button."""
    when = "" if request.deadline is None else f" {date_markup(request.deadline)}"
    return f"Denied automatically{when}; to deny it now, run: `countersign deny {said(request.id)} --reason WHY`"


def revoked_line(revoked_at: datetime) -> str:
    """Return, as markup, that the token a request was asked with was revoked at *revoked_at*."""
    return (
        f"⚠️ *The token that asked for this was revoked* {date_markup(revoked_at)}. "
        "Somebody other than the agent may have asked."
    )


def earlier_line(earlier: Earlier, *, named: bool) -> str:
    """Return, as markup, how often the same was asked or denied lately; empty where it was not.

    Args:
        earlier: What became of the same effect.
        named: Whether people are mentioned; a card that replaces another would ring their phones again.
    """
    told = [f"🔁 *Asked {_TIMES.get(earlier.asked, f'{earlier.asked} times')} in the 24 hours before this.*"]
    if (denied := earlier.denied) is not None:
        when = "" if denied.decided_at is None else f" {date_markup(denied.decided_at)}"
        told = told if earlier.asked else ["🔁"]
        told.append(f"The same was denied by {_people(denied.decided_by, named=named)}{when}.")
    return " ".join(told) if earlier.asked or denied else ""


_TIMES: Final = {1: "once", 2: "twice"}


def paused_line(pause: Pause) -> str:
    """Return, as markup, that *pause* stops a pending request."""
    return (
        f"⏸️ *Paused: {said(scope_words(pause.scope))}*, {date_markup(pause.engaged_at)}. Nothing can be approved until two "
        "people resume it. Approvals given before the pause do not count. Deny works."
    )


def needs_sentence(deciding: Ruling, *, missing: int) -> str:
    """Return the same need without markup's dates and mentions, for a notification."""
    if not deciding.asks:
        return "The policy in force now denies it, so nobody can approve it"
    if not missing:
        return f"It {_ENOUGH}"
    return f"It needs {_count(missing, further=False)} from {_sets(deciding)}"


def changed_line(opened: Ruling, deciding: Ruling) -> str:
    """Return, as markup, how the ruling that decides differs from the one that the request was opened under."""
    if not deciding.asks:
        why = " ".join(said(reason) for reason in deciding.reasons)
        return f"📜 *The policy has changed since this was asked, and denies it now.* {why} Nobody can approve it."
    before = f"{_count(opened.quorum, further=False)} from {_sets(opened)}"
    now = f"{_count(deciding.quorum, further=False)} from {_sets(deciding)}"
    if (
        before == now
        and opened.conflicted == deciding.conflicted
        and counted_as_one(opened) != counted_as_one(deciding)
    ):
        return (
            "📜 *The policy has changed since this was asked*: some accounts now belong to one person, and count once."
        )
    if before == now:
        return "📜 *The policy has changed since this was asked*: some of the people asked can no longer approve it."
    return (
        f"📜 *The policy has changed since this was asked.* It needs {now} now; it needed {before} when it was asked."
    )


def outcome_line(request: Request, *, named: bool) -> str:
    """Return, as markup, how a request ended, by whom and when.

    Args:
        request: Not pending.
        named: Whether people are mentioned; a card that replaces another would ring their phones again.

    Raises:
        ValueError: It has no outcome.
    """
    when = "" if request.decided_at is None else f", {date_markup(request.decided_at)}"
    by = _people(request.decided_by, named=named)
    match request.state:
        case State.APPROVED:
            return f"👍 Approved by {by}{when}"
        case State.DENIED:
            return f"*🚫 Denied by {by}*{when}"
        case State.EXPIRED if request.outcome_code == EXPIRED_UNSEEN:
            return f"*⚠️ Denied automatically: it was not shown to anybody in time*{when}"
        case State.EXPIRED:
            return f"*⌛ Denied automatically: nobody decided in time*{when}"
        case State.CANCELLED if request.outcome_code in _CANCELLED_BY_US:
            return f"*⛔ {_CANCELLED_BY_US[request.outcome_code]}*{when}"
        case State.CANCELLED:
            return f"*↩️ Cancelled by the agent*{when}"
        case State.SUPERSEDED if request.superseded_by is None:
            return "*⛔ Void: the target changed after the approval.* Nothing asks again."
        case State.SUPERSEDED:
            return f"*⛔ Void: the target changed after the approval.* {said(request.superseded_by or '')} asks again."
        case State.PENDING | State.REFUSED:
            raise ValueError(f"a {request.state} request has no outcome")


_CANCELLED_BY_US: Final[Mapping[str | None, str]] = {
    TOKEN_REVOKED: "Cancelled: the token it was asked with was revoked",
    UPGRADED: "Ended by an upgrade of Countersign; it can be asked again",
}
"""What is nobody's wish, by the outcome's code."""


def execution_line(execution: Execution, *, bold: bool = False) -> str:
    """Return, as markup, how far an approved change has been carried out; *bold* on a card, plain in a notification."""
    phase = seen_phase(execution)
    words = _EFFECTS[execution.effect or Effect.IN_PROGRESS] if phase is Phase.APPLIED else _CARRIED_OUT[phase]
    return f"{f'*{words}*' if bold else words} {said(execution.message)}".rstrip()


def under_way_line(executions: tuple[Execution, ...]) -> str:
    """Return, as markup, what else was not over on a request's target when its card was drawn."""
    told = [_under_way(execution) for execution in executions[:MOST_UNDER_WAY]]
    more = len(executions) - MOST_UNDER_WAY
    told += [f"{more} more"] if more > 0 else []
    return f"🔄 *Other changes of this target were under way* when this card was drawn: {'; '.join(told)}"


def _under_way(execution: Execution) -> str:
    which = said(execution.escalation)
    match seen_phase(execution):
        case Phase.APPLIED:
            return f"rollout of {which} ({said(execution.message)})"
        case Phase.SENDING | Phase.UNKNOWN:
            return f"{which}, whose outcome is unknown"
        case _:
            return f"{which}, which is approved and has not started"


def short_outcome(request: Request) -> str:
    """Return the outcome in plain words, for a notification."""
    if request.outcome_code == TOKEN_REVOKED:
        return "cancelled, because its token was revoked"
    if request.outcome_code == UPGRADED:
        return "ended by an upgrade of Countersign"
    if request.outcome_code == EXPIRED_UNSEEN:
        return "denied automatically before anybody was shown it"
    return {
        State.PENDING: "waiting for an answer",
        State.APPROVED: "approved",
        State.DENIED: "denied",
        State.EXPIRED: "denied automatically, because nobody decided in time",
        State.CANCELLED: "cancelled by the agent",
        State.SUPERSEDED: "void, because the target changed",
        State.REFUSED: "refused",
    }[request.state]


def _people(accounts: tuple[Account, ...], *, named: bool) -> str:
    return " and ".join(mention_markup(account) if named else said(account) for account in accounts)


def _count(missing: int, *, further: bool) -> str:
    more = " more" if further else ""
    return f"{missing}{more} approval{'' if missing == 1 else 's'}"


def _sets(ruling: Ruling) -> str:
    """Return whose approval each rule accepts, in the policy's names."""
    names = dict.fromkeys(" or ".join(said(one.name) for one in panel.sets) for panel in ruling.panels)
    return ", and from ".join(names) or "nobody"
