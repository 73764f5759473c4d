"""What a target has otherwise than was approved: one block, for the card and for the thread under it."""

from typing import Final

from approvals.plan import Change
from bot.slack.kit import Block, Element, line, preformatted, rich_text, words
from bot.slack.review_part import hunk
from bot.slack.text import cut

SHOWN: Final = 8
"""How many fields are drawn; the rest are counted."""

ROOM: Final = 1_200
"""How many characters they may take: a card is full of its review."""


def drift_elements(drift: tuple[Change, ...], title: str) -> tuple[Element, ...]:
    """Return *title* and the fields as a diff: with a minus what was approved, with a plus what is there."""
    body = cut("\n".join(hunk(change) for change in drift[:SHOWN]), ROOM)
    more = f" ({len(drift) - SHOWN} more not drawn)" if len(drift) > SHOWN else ""
    return line(words(f"{title}{more}:", bold=True)), preformatted(body)


def drift_blocks(drift: tuple[Change, ...], title: str, *, block_id: str) -> tuple[Block, ...]:
    """Return the same as a block; none where nothing differs."""
    return (rich_text(block_id, *drift_elements(drift, title)),) if drift else ()
