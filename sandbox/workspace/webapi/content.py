"""What a message may say: the rules that posting, updating, private notes and response URLs share."""

from dataclasses import dataclass

from sandbox.workspace.core import Core
from sandbox.workspace.ids import opaque
from sandbox.workspace.jsontypes import JsonObject
from sandbox.workspace.kit import rules
from sandbox.workspace.webapi.calls import Refused, json_argument, text_argument

# Slack cuts a message's text here and says so; it does not refuse.
TEXT_CUT_AT = 40_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """Checked text and blocks; *blocks* is None where the caller sent none."""

    text: str
    blocks: list[JsonObject] | None
    metadata: JsonObject | None
    was_cut: bool = False


def read_content(core: Core, arguments: JsonObject, *, total_limit: bool = True) -> Content:
    """Return what a call wants to say.

    Args:
        total_limit: Hold the blocks against the limit of a whole message; response URLs are not held to it.

    Raises:
        Refused: With Slack's error, and for blocks the pointer to each problem.
    """
    text = text_argument(arguments, "text")
    blocks = read_blocks(core, arguments, total_limit=total_limit)
    _refuse_attachments(arguments)
    if not text and not blocks:
        raise Refused("no_text")
    return Content(
        text=text[:TEXT_CUT_AT],
        blocks=blocks,
        metadata=_read_metadata(arguments),
        was_cut=len(text) > TEXT_CUT_AT,
    )


def read_blocks(core: Core, arguments: JsonObject, *, total_limit: bool) -> list[JsonObject] | None:
    """Return checked blocks with their ids, or None when none were sent."""
    blocks = json_argument(arguments, "blocks", error="invalid_blocks_format")
    if blocks is None:
        return None
    if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
        raise Refused("invalid_blocks_format")
    if problems := rules.message_problems(blocks, core.strictness):
        raise Refused("invalid_blocks", messages=problems)
    most = core.strictness.block_total_characters
    if total_limit and most is not None and rules.characters(blocks) > most:
        raise Refused("msg_blocks_too_long")
    return rules.with_ids(blocks, lambda: opaque(size=3))


def _refuse_attachments(arguments: JsonObject) -> None:
    # An empty list removes attachments and is fine; the stand-in draws none, so it accepts none.
    attachments = json_argument(arguments, "attachments", error="invalid_attachments")
    if attachments:
        raise Refused("invalid_attachments", messages=["[ERROR] this stand-in accepts no attachments"])


def _read_metadata(arguments: JsonObject) -> JsonObject | None:
    metadata = json_argument(arguments, "metadata", error="invalid_metadata_format")
    if metadata is None:
        return None
    if not isinstance(metadata, dict) or not isinstance(metadata.get("event_type"), str):
        raise Refused("invalid_metadata_format")
    return metadata
