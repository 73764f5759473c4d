"""The card of one request: pure, from what the rows say now to Block Kit.

Who reads the rows is :mod:`bot.slack.messages.painter`.

Top to bottom, so that the first screen of a phone is enough to decide: the headline; risk and place; the change; what our checks
found; who decides, and by when; the buttons. Then: who asks, the agent's words, and what is read when in doubt. The way it ended
stands right under the headline: a card whose first screen is the same before and after is taken for one that still waits.
Mentions stand below the buttons: they are drawn once, and a button must not move under a thumb. Trusted and untrusted parts are
separate blocks whose order is fixed here, and only :mod:`bot.slack.messages.agent_part` ever sees the agent's words.
"""

from dataclasses import dataclass, replace
from typing import Final

from approvals.change.plan import SHORT, Change
from approvals.identity.names import Account
from approvals.policy.ruling import Ruling
from approvals.presentation.review import Review
from approvals.workflow.deciding import demands_of
from approvals.workflow.execution import Execution
from approvals.workflow.pause import Pause
from approvals.workflow.request import FORM, Earlier, Request, State
from bot.outbox.delivery import DrawReason
from bot.slack.kit.blocks import (
    Block,
    escaped_line,
    group_markup,
    line,
    markup,
    mention_markup,
    quote,
    rich_text,
    utc_text,
    words,
)
from bot.slack.kit.limits import REASON
from bot.slack.kit.message import Message
from bot.slack.kit.text import quoted
from bot.slack.messages.agent_part import AGENT, AgentWords, agent_block
from bot.slack.messages.buttons import ButtonValue, buttons
from bot.slack.messages.drift_part import drift_blocks
from bot.slack.messages.outcome_part import (
    changed_line,
    earlier_line,
    execution_line,
    needs_sentence,
    outcome_line,
    paused_line,
    revoked_line,
    short_outcome,
    still_denied_line,
    under_way_line,
    waiting_line,
)
from bot.slack.messages.review_part import RISKS, ReviewPart, draw_review

MENTIONS: Final = 10
"""How many accounts and groups a new card mentions; the policy's names of the sets stand on the card in any case."""

NEVER: Final = Earlier(asked=0, denied=None)

DRIFT: Final = "Differs from what was approved (- approved, + found)"
"""The title of the fields in which a target differs from what was approved."""

_ANOTHER_RELEASE: Final = "⏳ *Waiting, and cannot be approved any more.* To end it, run: `countersign db upgrade`"

_REPLACES: Final = (
    "This card replaces an earlier one that may have been lost. Either can be answered; only one answer counts."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CardState:
    """How one request stands: everything on its card that is not in its review."""

    request: Request
    deciding: Ruling
    """The ruling by which answers count now; the review keeps the one that it was opened under."""
    said: AgentWords
    approved_by: tuple[Account, ...]
    """Accounts whose approval counts so far."""
    missing: int
    """How many more are needed."""
    execution: Execution | None
    reason: str
    """Why it was denied, in the person's words; may be empty."""
    paused: Pause | None
    """The pause that stops it now."""
    earlier: Earlier = NEVER
    """What became of the same effect lately."""
    drift_before: tuple[Change, ...] = ()
    """In what the target of the request that it follows was no longer what was approved."""
    under_way: tuple[Execution, ...] = ()
    """What was not over on the same target when this was drawn: other changes, oldest first."""
    words_left_out: bool = False
    """Whether nobody's free text is shown, because the card with it could not be."""


def request_card(standing: CardState, review: Review, *, revision: int, occasion: DrawReason) -> Message:
    """Return the card as it is to be shown now.

    Args:
        standing: How the request stands.
        review: What it is about; drawn as it was when the question was put.
        revision: Makes block ids that differ with each drawing, as Slack advises.
        occasion: A first post mentions the approvers; nothing else rings a phone.
    """
    part = draw_review(review, revision=revision, named=occasion is not DrawReason.REPLACEMENT)
    blocks = (
        part.headline,
        *_outcome(standing, revision, occasion),
        *part.place,
        part.change,
        part.checks,
        *_notes(standing, revision, occasion),
        *_answering(standing, review, part, revision),
        *_asked(standing, revision, occasion),
        part.asker,
        _agent_part(standing, revision),
        *part.rest,
        part.mark,
    )
    return Message(text=_notification(standing, review), blocks=blocks)


def without_words(standing: CardState) -> CardState:
    """Return the same without anybody's free text: what nobody has to see in order to decide."""
    nothing = AgentWords(texts={}, breaches=(), confidence=None, limits={})
    return replace(standing, said=nothing, reason="", words_left_out=True)


def outcome_card(request: Request, execution: Execution | None, *, revision: int, occasion: DrawReason) -> Message:
    """Return a card without its review and without buttons.

    A decided one becomes this whose review is no longer what was approved, and every one that was asked in another form.
    """
    if request.state is State.PENDING:
        lines = [_ANOTHER_RELEASE, still_denied_line(request)]
    else:
        lines = _ending(request, execution, occasion)
    drift = () if execution is None else drift_blocks(execution.drift, DRIFT, block_id=f"drift:{revision}")
    warning = "⚠️ What was shown here cannot be drawn again as it was, so it is left out."
    if request.form != FORM:
        story = f"countersign audit show {escaped_line(request.id)}"
        warning = (
            f"Another release of Countersign asked this; its card is not drawn any more. To read it, run: `{story}`"
        )
    return Message(
        text=f"{request.id}: {short_outcome(request)}.{_carried_out(execution)}",
        blocks=(markup(f"outcome:{revision}", "\n".join([*lines, warning, escaped_line(request.id)])), *drift),
    )


def _ending(request: Request, execution: Execution | None, occasion: DrawReason) -> list[str]:
    """Return how it ended, a line each: of an approved change first what became of it, as an approval alone changes nothing."""
    outcome = outcome_line(request, named=occasion is not DrawReason.REPLACEMENT)
    if execution is None:
        return [outcome]
    done = execution_line(execution, bold=True)
    return [done, outcome] if request.state is State.APPROVED else [outcome, done]


def _agent_part(standing: CardState, revision: int) -> Block:
    if standing.words_left_out:
        return markup(f"{AGENT}:{revision}", "The agent's words, and the reasons given, could not be shown here.")
    return agent_block(standing.said, f"{AGENT}:{revision}")


def _notes(standing: CardState, revision: int, occasion: DrawReason) -> list[Block]:
    """Return what else there is to know before one answers, and last how the request stands while it waits."""
    notes = []
    if standing.request.token_revoked_at is not None:
        notes.append(markup(f"revoked:{revision}", revoked_line(standing.request.token_revoked_at)))
    if standing.request.supersedes is not None:
        follows = f"↪️ Asks again after {escaped_line(standing.request.supersedes)}, whose target changed."
        notes.append(markup(f"follows:{revision}", follows))
        title = "Differed from what was approved then (- approved, + found)"
        notes += drift_blocks(standing.drift_before, title, block_id=f"drift:{revision}")
    if standing.request.state is State.PENDING:
        notes += _waiting(standing, revision, named=occasion is not DrawReason.REPLACEMENT)
    return notes


def _waiting(standing: CardState, revision: int, *, named: bool) -> list[Block]:
    notes = []
    if past := earlier_line(standing.earlier, named=named):
        notes.append(markup(f"earlier:{revision}", past))
    if standing.under_way:
        notes.append(markup(f"under-way:{revision}", under_way_line(standing.under_way)))
    if (opened := standing.request.ruling) is not None and demands_of(opened) != demands_of(standing.deciding):
        notes.append(markup(f"policy:{revision}", changed_line(opened, standing.deciding)))
    if standing.paused is not None:
        notes.append(markup(f"paused:{revision}", paused_line(standing.paused)))
    waiting = waiting_line(
        standing.request,
        standing.deciding,
        approved_by=standing.approved_by,
        missing=standing.missing,
        named=named,
        paused=standing.paused is not None,
    )
    return [*notes, markup(f"status:{revision}", waiting)]


def _asked(standing: CardState, revision: int, occasion: DrawReason) -> list[Block]:
    """Return what one drawing says and the next does not, below the buttons."""
    if occasion is DrawReason.FIRST and standing.request.state is State.PENDING:
        return [markup(f"asked:{revision}", f"People asked: {approvers(standing.deciding)}")]
    return [markup(f"replaces:{revision}", _REPLACES)] if occasion is DrawReason.REPLACEMENT else []


def approvers(ruling: Ruling) -> str:
    """Return the approvers as mentions, from the ids in the ruling that decides and from nowhere else."""
    sets = tuple(one for panel in ruling.panels for one in panel.sets)
    groups = sorted({group_markup(group) for one in sets for group in one.groups})
    people = sorted({mention_markup(account) for one in sets for account in one.accounts - ruling.conflicted})
    found = groups + people
    more = f" and {len(found) - MENTIONS} more" if len(found) > MENTIONS else ""
    return " ".join(found[:MENTIONS]) + more


def _answering(standing: CardState, review: Review, part: ReviewPart, revision: int) -> list[Block]:
    """Return the buttons that work now; none once it is decided, and no *Approve* during a pause, which redraws at both ends."""
    request = standing.request
    if request.state is not State.PENDING:
        return []
    whole = request.shown_whole and part.whole
    approvable = whole and standing.deciding.asks and standing.paused is None
    row = buttons(
        f"answer:{revision}",
        ButtonValue(request=request.id, fingerprint=(request.fingerprint or "")[:SHORT]),
        title=review.title,
        environment=review.environment,
        risk=review.risk,
        approvable=approvable,
    )
    if whole:
        return [row]
    note = "*It cannot be approved:* it does not fit on a card, and nobody approves what is not shown."
    return [markup(f"unshown:{revision}", note), row]


def _outcome(standing: CardState, revision: int, occasion: DrawReason) -> list[Block]:
    """Return how it ended; nothing while it waits."""
    if standing.request.state is State.PENDING:
        return []
    lines = _ending(standing.request, standing.execution, occasion)
    blocks = [markup(f"outcome:{revision}", "\n".join(lines))]
    if standing.execution is not None:
        blocks += drift_blocks(standing.execution.drift, DRIFT, block_id=f"drift:{revision}:after")
    if standing.request.state is State.DENIED and standing.reason:
        said = quote(words(quoted(standing.reason, REASON)))
        blocks.append(rich_text(f"reason:{revision}", line(words("The reason given", italic=True)), said))
    return blocks


def _notification(standing: CardState, review: Review) -> str:
    """Return the card in one sentence or two, for a lock screen and a screen reader: what, where, risk, and how to act."""
    request, title = standing.request, escaped_line(review.title)
    what = f"{RISKS[review.risk].partition(' ')[2]}: {title} ({review.environment})"
    if request.state is not State.PENDING:
        return f"{title} ({review.environment}): {short_outcome(request)}.{_carried_out(standing.execution)}"
    by = "" if request.deadline is None else f" by {utc_text(request.deadline)}, or it is denied automatically"
    approvable = request.shown_whole and standing.deciding.asks
    by = by if standing.deciding.asks else ""
    how = "Answer with the buttons on its card." if approvable else "It can only be denied on its card."
    if standing.paused is not None:
        how = "Paused: until two people resume it, it can only be denied."
    revoked = "" if request.token_revoked_at is None else "Its token has been revoked. "
    return f"{revoked}{what}. {needs_sentence(standing.deciding, missing=standing.missing)}{by}. {how}"


def _carried_out(execution: Execution | None) -> str:
    return "" if execution is None else f" {execution_line(execution)}"
