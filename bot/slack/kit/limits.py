"""Slack's limits, as numbers with names. Text is escaped first and cut afterwards, so these hold for what is sent.

Counted in characters unless the name says otherwise. What a whole message may hold is nowhere documented; refusals were
reported from about 13,200 characters of compact JSON on, so everything of ours stays below that.
"""

from typing import Final

MESSAGE_BLOCKS: Final = 50
MESSAGE_CHARACTERS: Final = 13_200
"""Of all blocks as compact JSON."""

TEXT_CHARACTERS: Final = 4_000
"""Of the text beside the blocks: an update refuses more."""

HEADER: Final = 150
SECTION: Final = 3_000
BUTTON_LABEL: Final = 75
CONFIRM_TITLE: Final = 100
CONFIRM_TEXT: Final = 300
CONFIRM_BUTTON: Final = 30
REASON: Final = 500
"""How long a person's reason may be: ours, not Slack's."""
