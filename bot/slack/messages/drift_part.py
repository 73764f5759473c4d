"""What a target has otherwise than was approved: one block, for the card and for the thread under it."""

from typing import Final

from approvals.change.plan import Change
from bot.slack.kit.blocks import Block, Element, line, preformatted, rich_text, words
from bot.slack.kit.text import cut
from bot.slack.messages.review_part import hunk

SHOWN: Final = 8
"""How many fields are drawn; the rest are counted."""

ROOM: Final = 1_200
"""How many characters they may take: a card is full of its review."""

LINE: Final = ROOM // 3 - 1
"""How many characters a path or a value may take: a field has a path and two values."""


def drift_elements(drift: tuple[Change, ...], title: str) -> tuple[Element, ...]:
    """Return *title* and the fields as a diff: with a minus what was approved, with a plus what is there."""
    drawn = _whole_hunks(drift)
    more = f" ({len(drift) - len(drawn)} more not drawn)" if len(drift) > len(drawn) else ""
    return line(words(f"{title}{more}:", bold=True)), preformatted("\n".join(drawn))


def _whole_hunks(drift: tuple[Change, ...]) -> list[str]:
    """Return as many fields as there is room for, each with both sides: one without its plus would look as if it were gone."""
    drawn: list[str] = []
    room = ROOM
    for change in drift[:SHOWN]:
        one = "\n".join(cut(said, LINE) for said in hunk(change).split("\n"))
        room -= len(one) + 1
        if drawn and room < 0:
            break
        drawn.append(one)
    return drawn


def drift_blocks(drift: tuple[Change, ...], title: str, *, block_id: str) -> tuple[Block, ...]:
    """Return the same as a block; none where nothing differs."""
    return (rich_text(block_id, *drift_elements(drift, title)),) if drift else ()
