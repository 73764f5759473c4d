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
from bot.slack.kit.blocks import Block, Element, context, header, line, listed, preformatted, rich_text, user, words
from bot.slack.kit.message import characters
from bot.slack.kit.text import exact, shortened, visible_line

BUDGET: Final = 6_900
"""How many characters of compact JSON the trusted part may take; the rest of the message is left to the other parts."""

HEADLINE: Final = 80
"""How long a headline may be: three lines on a phone. The place under it has every name whole."""

INLINE: Final = 120
"""How many characters both values of a single field may have to stand in one line; longer ones stand below each other."""

WARNING: Final = 300
TITLE: Final = "title"
RISK: Final = "risk"
PLACE: Final = "place"
CHANGES: Final = "changes"
CHECKS: Final = "checks"
ASKER: Final = "asker"
REST: Final = "rest"
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

    headline: Block
    place: tuple[Block, Block]
    """The risk; and where, every name whole."""
    change: Block
    """The fields that change, each once."""
    checks: Block
    """What our checks found, and what the API server warned of."""
    asker: Block
    """Which agent asks, and for whom."""
    rest: tuple[Block, ...]
    """What a dry run cannot show, and why people are asked."""
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
    top = header(f"{TITLE}:{revision}", headline(review))
    place = _place(review, str(revision))
    asker = _asker(review, f"{ASKER}:{revision}", named=named)
    rest = _rest(review, f"{REST}:{revision}")
    mark = context(f"{MARK}:{revision}", f"Fingerprint {review.short_fingerprint} · {review.escalation}")
    checks = _checks(review, f"{CHECKS}:{revision}")
    room = BUDGET - characters([top, *place, asker, *rest, mark])
    found_all = characters([checks]) <= room // 2
    if not found_all:
        checks = _checks_counted(review, f"{CHECKS}:{revision}")
    change, all_fields = _change(review, f"{CHANGES}:{revision}", room - characters([checks]))
    unnamed = _asker(review, "", named=False)
    return ReviewPart(
        headline=top,
        place=place,
        change=change,
        checks=checks,
        asker=asker,
        rest=rest,
        mark=mark,
        hash=_hash((top, *place, change, checks, unnamed, *rest, mark)),
        whole=all_fields and found_all,
    )


def _hash(blocks: Iterable[Block]) -> str:
    return tagged_hash("countersign/render/2", blocks=[{**block, "block_id": ""} for block in blocks])


def headline(review: Review) -> str:
    """Return what would change and in which environment, its names shortened where they are long."""
    return shortened(f"{_said(review.title)} · {review.environment}", HEADLINE)


def _place(review: Review, block_id: str) -> tuple[Block, Block]:
    """Return the risk, and where: in small print, since the headline has it too, and the longest names take nine lines."""
    blast = (words(f" · {_said(review.blast)}"),) if review.blast else ()
    return (
        rich_text(f"{RISK}:{block_id}", line(words(RISKS[review.risk], bold=True), *blast)),
        context(f"{PLACE}:{block_id}", f"{review.environment} · {_said(review.target)}"),
    )


def _asker(review: Review, block_id: str, *, named: bool) -> Block:
    behalf = () if review.on_behalf_of is None else (words(" on behalf of "), _person(review.on_behalf_of, named=named))
    return rich_text(block_id, line(words("Asked by agent "), words(_said(review.agent), bold=True), *behalf))


def _person(account: Account, *, named: bool) -> Element:
    """Return a person; a mention would ring a phone again on a card that only replaces another."""
    return user(id_of(account)) if named and is_slack_account(account) else words(account, code=True)


def _change(review: Review, block_id: str, room: int) -> tuple[Block, bool]:
    """Return the fields that change, each once and as many as fit, and whether these are all."""
    fits = _inline(review.changes, block_id) or _diff(review.changes, len(review.changes), block_id)
    if characters([fits]) <= room:
        return fits, True
    shown = len(review.changes)
    while shown and characters([_diff(review.changes, shown, block_id)]) > room:
        shown -= 1 + shown // 8
    return _diff(review.changes, max(shown, 0), block_id), False


def _inline(changes: tuple[Change, ...], block_id: str) -> Block | None:
    """Return a single field in two lines, or None where there are more, or its values are too long to be taken in at once."""
    if len(changes) != 1:
        return None
    (change,) = changes
    before, after = _before_and_after(change)
    if len(before) + len(after) > INLINE:
        return None
    return rich_text(
        block_id,
        line(
            words("1 field would change: ", bold=True),
            words(exact(change.path), code=True),
            words("\n"),
            words(before, code=True),
            words(" → "),
            words(after, code=True),
        ),
    )


def _diff(changes: tuple[Change, ...], shown: int, block_id: str) -> Block:
    count = f"{len(changes)} field{'' if len(changes) == 1 else 's'} would change"
    if shown < len(changes):
        count += f"; only {shown} of them fit on this card"
    body = "\n".join(hunk(change) for change in changes[:shown])
    parts = [line(words(f"{count}:", bold=True))]
    return rich_text(block_id, *parts, *([preformatted(body)] if body else []))


def hunk(change: Change) -> str:
    """Return one field as a diff: its path, and with a minus and a plus what it holds before and after."""
    before, after = _before_and_after(change)
    lines = [exact(change.path)]
    lines += [] if change.before is None else [f"- {before}"]
    lines += [] if change.after is None else [f"+ {after}"]
    return "\n".join(lines)


def _before_and_after(change: Change) -> tuple[str, str]:
    """Return both values, so that they never look the same: of two hidden ones it is said that they differ."""
    before, after = _value(change.before), _value(change.after)
    return before, after if after != before else f"{after}, another one"


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
    match found:
        case []:
            return rich_text(block_id, line(words(_OURS, bold=True), words(" found nothing against it.")))
        case [only]:
            return rich_text(block_id, line(words(f"{_OURS}: ", bold=True), *only["elements"]))
        case _:
            return rich_text(block_id, line(words(f"{_OURS}:", bold=True)), listed(found))


_OURS: Final = "Our checks"


def _checks_counted(review: Review, block_id: str) -> Block:
    """Return the same with a number in place of more findings and warnings than the card can hold."""
    number = len(review.findings) + len(review.warnings)
    said = f"Not shown, because they do not fit on this card: {counted(number, 'remark')}."
    return rich_text(block_id, line(words(f"{_OURS}: ", bold=True), words(said)))


def _rest(review: Review, block_id: str) -> tuple[Block, ...]:
    """Return what is the same for most changes of its kind: it is read when in doubt, below the buttons."""
    blind = "; ".join(_said(spot) for spot in review.blind_spots)
    reasons = " ".join(_said(reason) for reason in review.reasons)
    lines = [line(words("A dry run cannot show: ", bold=True), words(f"{blind}."))] if blind else []
    lines += [line(words("Why people are asked: ", bold=True), words(reasons))] if reasons else []
    return (rich_text(block_id, *lines),) if lines else ()


@lru_cache(256)
def _said(sentence: str) -> str:
    """Return a sentence or a name of ours; it may name things of the cluster, so nothing in it stays hidden."""
    return visible_line(sentence, _SENTENCE)


_SENTENCE: Final = 600
