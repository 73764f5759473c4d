"""The trusted part of a card: what would change, where, at what risk, and what we found out about it. One review, one drawing.

It is drawn from :class:`approvals.presentation.review.Review` and nothing else, so no vote, clock or word of an agent can move
a letter of
it, and its hash is fixed when the request is opened. :func:`render_review` is what the escalate verb is given.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from approvals.canonical import tagged_hash
from approvals.change.plan import Change, Leaf, Redacted
from approvals.change.risk import Risk
from approvals.identity.names import Account, id_of, is_slack_account
from approvals.presentation.review import Rendered, Review
from approvals.verbs.workload import counted
from bot.slack.kit.blocks import (
    Block,
    Element,
    context,
    header,
    line,
    listed,
    preformatted,
    rich_text,
    table,
    user,
    words,
)
from bot.slack.kit.limits import HEADER
from bot.slack.kit.message import characters
from bot.slack.kit.text import cut, exact, visible_line

BUDGET: Final = 6_900
"""How many characters of compact JSON the trusted part may take; the rest of the message is left to the other parts."""

TABLE_ROWS: Final = 6
"""A table is easier to read than a diff while it is short; the diff is always there."""

FIELD: Final = 36
"""How much of a field's path the table shows."""

WARNING: Final = 300
TITLE: Final = "title"
FACTS: Final = "facts"
CHANGES: Final = "changes"
CHECKS: Final = "checks"
MARK: Final = "mark"

RISKS: Final = {
    Risk.LOW: "🟢 Low risk",
    Risk.MEDIUM: "🟡 Medium risk",
    Risk.HIGH: "🟠 High risk",
    Risk.CRITICAL: "🔴 Critical risk",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewPart:
    """The trusted blocks, in the order of the card; the card puts its own between them."""

    top: tuple[Block, ...]
    """Headline and facts."""
    change: tuple[Block, ...]
    """The fields, and what our checks found."""
    mark: Block
    """The fingerprint, in small print."""
    hash: str
    """What the request remembers: of all of it, block ids left out because they change with each revision."""
    whole: bool
    """Whether every field that changes and everything we found is on it."""


def render_review(review: Review) -> Rendered:
    """Return the hash of the drawn review, and whether all of it fits."""
    part = draw_review(review)
    return Rendered(hash=part.hash, whole=part.whole)


def draw_review(review: Review, *, revision: int = 0, named: bool = False) -> ReviewPart:
    """Return the trusted part.

    Args:
        review: What it says.
        revision: Goes into the block ids and nowhere else.
        named: Whether the person that the agent acts for is mentioned rather than named by account; the hash does not move.
    """
    top = (
        header(f"{TITLE}:{revision}", cut(f"{_said(review.title)} · {review.environment}", HEADER)),
        _facts(review, f"{FACTS}:{revision}", named=named),
    )
    mark = context(f"{MARK}:{revision}", f"Fingerprint {review.short_fingerprint} · {review.escalation}")
    checks = _checks(review, f"{CHECKS}:{revision}")
    room = BUDGET - characters([*top, mark])
    if characters([checks]) > room // 2:
        checks, found_all = _checks_counted(review, f"{CHECKS}:{revision}"), False
    else:
        found_all = True
    change, all_fields = _change(review, f"{CHANGES}:{revision}", room - characters([checks]))
    unnamed = _facts(review, "", named=False) if named else top[1]
    return ReviewPart(
        top=top,
        change=(*change, checks),
        mark=mark,
        hash=_hash((top[0], unnamed, *change, checks, mark)),
        whole=all_fields and found_all,
    )


def _hash(blocks: Iterable[Block]) -> str:
    return tagged_hash("countersign/render/2", blocks=[{**block, "block_id": ""} for block in blocks])


def _facts(review: Review, block_id: str, *, named: bool) -> Block:
    blast = f" · {_said(review.blast)}" if review.blast else ""
    behalf = () if review.on_behalf_of is None else (words(" on behalf of "), _person(review.on_behalf_of, named=named))
    return rich_text(
        block_id,
        line(words(RISKS[review.risk], bold=True), words(f" · {review.environment} · {_said(review.target)}{blast}")),
        line(words("Asked by agent "), words(_said(review.agent), bold=True), *behalf),
    )


def _person(account: Account, *, named: bool) -> Element:
    """Return a person; a mention would ring a phone again on a card that only replaces another."""
    return user(id_of(account)) if named and is_slack_account(account) else words(account, code=True)


def _change(review: Review, block_id: str, room: int) -> tuple[tuple[Block, ...], bool]:
    """Return the fields that change, as many as fit, and whether these are all."""
    fits = _diff(review.changes, len(review.changes), block_id)
    if characters([fits]) <= room:
        rows = _table(review.changes, f"{block_id}:table")
        with_table = len(review.changes) <= TABLE_ROWS and characters([fits, rows]) <= room
        return ((rows, fits) if with_table else (fits,)), True
    shown = len(review.changes)
    while shown and characters([_diff(review.changes, shown, block_id)]) > room:
        shown -= 1 + shown // 8
    return (_diff(review.changes, max(shown, 0), block_id),), False


def _diff(changes: tuple[Change, ...], shown: int, block_id: str) -> Block:
    count = f"{len(changes)} field{'' if len(changes) == 1 else 's'} would change"
    if shown < len(changes):
        count += f"; only {shown} of them fit on this card"
    body = "\n".join(hunk(change) for change in changes[:shown])
    parts = [line(words(f"{count}:", bold=True))]
    return rich_text(block_id, *parts, *([preformatted(body)] if body else []))


def hunk(change: Change) -> str:
    """Return one field as a diff: its path, and with a minus and a plus what it holds before and after."""
    before, after = _value(change.before), _value(change.after)
    lines = [exact(change.path)]
    lines += [] if change.before is None else [f"- {before}"]
    lines += [] if change.after is None else [f"+ {after if after != before else f'{after}, another one'}"]
    return "\n".join(lines)


def _table(changes: tuple[Change, ...], block_id: str) -> Block:
    titles = [words(title, bold=True) for title in ("Field", "Before", "After")]
    return table(block_id, [titles, *([_cell(_tail(change.path)), *_before_and_after(change)] for change in changes)])


def _tail(path: str) -> str:
    """Return the end of a field's path, which tells fields apart at a glance; the diff below has all of it."""
    shown = exact(path)
    return shown if len(shown) <= FIELD else f"…{shown[-FIELD:]}"


def _before_and_after(change: Change) -> tuple[Element, Element]:
    before, after = _value(change.before), _value(change.after)
    return _cell(before), _cell(after if after != before else f"{after}, another one")


def _cell(text: str) -> Element:
    return words(text, code=True)


def _value(value: Leaf) -> str:
    """Return a value so that no two different ones look the same, hidden ones excepted."""
    match value:
        case None:
            return "(not set)"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case str():
            return f'"{exact(value)}"'
        case Redacted():
            return "(hidden value)"


def _checks(review: Review, block_id: str) -> Block:
    found = [line(words(_said(finding))) for finding in review.findings]
    found += [line(words("The API server warns: "), words(visible_line(one, WARNING))) for one in review.warnings]
    return _checks_block(review, block_id, found or [line(words("Nothing against it."))])


def _checks_counted(review: Review, block_id: str) -> Block:
    """Return the same with a number in place of more findings and warnings than the card can hold."""
    number = len(review.findings) + len(review.warnings)
    return _checks_block(
        review,
        block_id,
        [line(words(f"Not shown, because they do not fit on this card: {counted(number, 'remark')}."))],
    )


def _checks_block(review: Review, block_id: str, found: list[Element]) -> Block:
    blind = [line(words(_said(spot))) for spot in review.blind_spots]
    reasons = [line(words(_said(reason))) for reason in review.reasons]
    return rich_text(
        block_id,
        line(words("Our own checks", bold=True)),
        listed(found),
        *((line(words("A dry run cannot show", bold=True)), listed(blind)) if blind else ()),
        *((line(words("Why people are asked", bold=True)), listed(reasons)) if reasons else ()),
    )


@lru_cache(256)
def _said(sentence: str) -> str:
    """Return a sentence or a name of ours; it may name things of the cluster, so nothing in it stays hidden."""
    return visible_line(sentence, _SENTENCE)


_SENTENCE: Final = 600
