"""The two questions the Web API asks: may these blocks be posted, and may this view be opened?

Applies the switches of :class:`~sandbox.workspace.strictness.Strictness` to
what the checks found. Block ids that the app left out are given here, as Slack
gives them, so that every later payload can name them.
"""

import json
from collections.abc import Callable, Iterable, Iterator

from sandbox.workspace.jsontypes import JsonObject
from sandbox.workspace.kit.blocks import MESSAGE_BLOCK, MODAL_BLOCK
from sandbox.workspace.kit.checks import Check, Kind, Problem, Report, also, array, boolean, record, string
from sandbox.workspace.kit.texts import literal, plain_text
from sandbox.workspace.strictness import Strictness

MESSAGE_BLOCKS_MOST = 50
VIEW_BLOCKS_MOST = 100
VIEW_BYTES_MOST = 250_000


def message_problems(blocks: object, strictness: Strictness) -> list[str]:
    """Return why *blocks* may not stand in a message, in Slack's words; empty when they may."""
    report = Report()
    array(MESSAGE_BLOCK, most=MESSAGE_BLOCKS_MOST, least=0)(blocks, "/blocks", report)
    _note_duplicates(blocks, "/blocks", report)
    return _worded(report, strictness)


def view_problems(view: object, strictness: Strictness) -> list[str]:
    """Return why *view* may not be opened as a modal, in Slack's words; empty when it may."""
    report = Report()
    _VIEW(view, "/view", report)
    if isinstance(view, dict):
        _note_duplicates(view.get("blocks"), "/view/blocks", report)
    return _worded(report, strictness)


def characters(blocks: list[JsonObject]) -> int:
    """Return the length that the total limit of a message is held against: compact JSON, in characters."""
    return len(json.dumps(blocks, ensure_ascii=False, separators=(",", ":")))


def too_large(view: JsonObject) -> bool:
    """Tell whether a view is over Slack's 250 kB."""
    return len(json.dumps(view, ensure_ascii=False).encode()) > VIEW_BYTES_MOST


def with_ids(blocks: list[JsonObject], new_id: Callable[[], str]) -> list[JsonObject]:
    """Return *blocks* with a block_id and action_ids where the app gave none."""
    return [_identified(block, new_id) for block in blocks]


def every_block(blocks: Iterable[JsonObject]) -> Iterator[JsonObject]:
    """Yield the blocks and the children of containers, in reading order."""
    for block in blocks:
        yield block
        yield from block.get("child_blocks", ())


def elements_of(block: JsonObject) -> Iterator[JsonObject]:
    """Yield the interactive elements of one block."""
    if block.get("type") == "actions":
        yield from block["elements"]
    for place in ("accessory", "element"):
        if isinstance(block.get(place), dict) and block[place].get("type") != "image":
            yield block[place]


def _identified(block: JsonObject, new_id: Callable[[], str]) -> JsonObject:
    made = {**block, "block_id": block.get("block_id") or new_id()}
    for place in ("accessory", "element"):
        if place in made and made[place].get("type") != "image":
            made[place] = {"action_id": new_id(), **made[place]}
    if made["type"] == "actions":
        made["elements"] = [{"action_id": new_id(), **element} for element in made["elements"]]
    if "child_blocks" in made:
        made["child_blocks"] = with_ids(made["child_blocks"], new_id)
    return made


def _note_duplicates(blocks: object, at: str, report: Report) -> None:
    if not isinstance(blocks, list):
        return
    seen: set[str] = set()
    for pointer, block in _pointed(blocks, at):
        block_id = block.get("block_id")
        if isinstance(block_id, str):
            if block_id in seen:
                report.note(Kind.DUPLICATE, f"{pointer}/block_id", f"duplicate block_id: {block_id}")
            seen.add(block_id)
        _note_duplicate_actions(block.get("elements"), pointer, report)


def _note_duplicate_actions(elements: object, pointer: str, report: Report) -> None:
    seen: set[str] = set()
    for index, element in enumerate(elements if isinstance(elements, list) else ()):
        action_id = element.get("action_id") if isinstance(element, dict) else None
        if isinstance(action_id, str):
            if action_id in seen:
                where = f"{pointer}/elements/{index}/action_id"
                report.note(Kind.DUPLICATE, where, f"duplicate action_id: {action_id}")
            seen.add(action_id)


def _pointed(blocks: list[object], at: str) -> Iterator[tuple[str, JsonObject]]:
    for index, block in enumerate(blocks):
        if isinstance(block, dict):
            yield f"{at}/{index}", block
            children = block.get("child_blocks")
            if isinstance(children, list):
                yield from _pointed(children, f"{at}/{index}/child_blocks")


def _submit_where_there_is_input(value: object, at: str, report: Report) -> None:
    blocks = value.get("blocks") if isinstance(value, dict) else None
    if not isinstance(blocks, list) or not isinstance(value, dict) or "submit" in value:
        return
    if any(isinstance(block, dict) and block.get("type") == "input" for block in blocks):
        report.note(Kind.SHAPE, f"{at}/submit", "missing required field: submit")


_VIEW: Check = also(
    record(
        {"type": literal("modal"), "title": plain_text(24), "blocks": array(MODAL_BLOCK, most=VIEW_BLOCKS_MOST)},
        {
            "submit": plain_text(24),
            "close": plain_text(24),
            "private_metadata": string(least=0, most=3_000),
            "callback_id": string(least=0, most=255),
            "external_id": string(least=0, most=255),
            "clear_on_close": boolean,
            "notify_on_close": boolean,
        },
    ),
    _submit_where_there_is_input,
)


def _worded(report: Report, strictness: Strictness) -> list[str]:
    on = {
        Kind.SHAPE: strictness.block_shape,
        Kind.LIMIT: strictness.block_limits,
        Kind.EMPTY: strictness.block_empty_text,
        Kind.DUPLICATE: strictness.block_unique_ids,
    }
    kept: list[Problem] = [problem for problem in report.problems if on[problem.kind]]
    return [str(problem) for problem in kept]
