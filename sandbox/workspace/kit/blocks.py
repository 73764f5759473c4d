"""Rules for whole blocks, and which of them may stand in a message, a modal and a container.

Only blocks this stand-in can also draw are known; any other is refused as an
unsupported type, so that nothing is posted which nobody has looked at.
"""

from collections.abc import Mapping

from sandbox.workspace.kit.checks import Check, Kind, Report, also, array, boolean, number, record, string, typed
from sandbox.workspace.kit.elements import IMAGE, IN_ACCESSORY, IN_ACTIONS, IN_INPUT
from sandbox.workspace.kit.rich_text import rich_text
from sandbox.workspace.kit.texts import BLOCK_ID, URL, any_text, literal, plain_text

_ID = {"block_id": BLOCK_ID}


def _section_has_text(value: object, at: str, report: Report) -> None:
    if isinstance(value, dict) and "text" not in value and "fields" not in value:
        report.note(Kind.SHAPE, at, "missing required field: text or fields")


def _container_has_title(value: object, at: str, report: Report) -> None:
    if not isinstance(value, dict):
        return
    if "title" not in value and "rich_text_title" not in value:
        report.note(Kind.SHAPE, at, "missing required field: title or rich_text_title")
    if value.get("default_collapsed") is True and value.get("is_collapsible") is not True:
        report.note(Kind.SHAPE, at, "default_collapsed requires is_collapsible")
    if value.get("has_header_divider") is True and value.get("is_collapsible") is True:
        report.note(Kind.SHAPE, at, "has_header_divider cannot be set when is_collapsible is true")


def _rows_are_even(value: object, at: str, report: Report) -> None:
    rows = value.get("rows") if isinstance(value, dict) else None
    if isinstance(rows, list) and len({len(row) for row in rows if isinstance(row, list)}) > 1:
        report.note(Kind.SHAPE, f"{at}/rows", "all rows must have the same number of cells")


_SECTION = also(
    record(
        {"type": literal("section")},
        {
            **_ID,
            "text": any_text(3_000),
            "fields": array(any_text(2_000), most=10),
            "accessory": IN_ACCESSORY,
            "expand": boolean,
        },
    ),
    _section_has_text,
)
_HEADER = record({"type": literal("header"), "text": plain_text(150)}, _ID)
_DIVIDER = record({"type": literal("divider")}, _ID)
_IMAGE_BLOCK = record(
    {"type": literal("image"), "image_url": URL, "alt_text": string(most=2_000)}, {**_ID, "title": plain_text(2_000)}
)
_CONTEXT = record(
    {
        "type": literal("context"),
        "elements": array(typed({"plain_text": any_text(2_000), "mrkdwn": any_text(2_000), "image": IMAGE}), most=10),
    },
    _ID,
)
_ACTIONS = record({"type": literal("actions"), "elements": array(IN_ACTIONS, most=25)}, _ID)
_INPUT = record(
    {"type": literal("input"), "label": plain_text(2_000), "element": IN_INPUT},
    {**_ID, "hint": plain_text(2_000), "optional": boolean, "dispatch_action": boolean},
)
_CELL = typed(
    {
        "raw_text": record({"type": literal("raw_text"), "text": string(most=2_000)}),
        "raw_number": record({"type": literal("raw_number"), "value": number}, {"text": string()}),
        "rich_text": rich_text,
    }
)
_COLUMN = record({}, {"align": string(choices=("left", "center", "right")), "is_wrapped": boolean})
_TABLE = also(
    record(
        {"type": literal("table"), "rows": array(array(_CELL, most=20), most=100)},
        {**_ID, "column_settings": array(_COLUMN, most=20)},
    ),
    _rows_are_even,
)

_COMMON: Mapping[str, Check] = {
    "section": _SECTION,
    "header": _HEADER,
    "divider": _DIVIDER,
    "image": _IMAGE_BLOCK,
    "context": _CONTEXT,
    "actions": _ACTIONS,
    "input": _INPUT,
    "rich_text": rich_text,
}

_CONTAINER = also(
    record(
        {"type": literal("container"), "child_blocks": array(typed({**_COMMON, "table": _TABLE}), most=10)},
        {
            **_ID,
            "title": plain_text(150),
            "rich_text_title": rich_text,
            "subtitle": any_text(150),
            "width": string(choices=("narrow", "standard", "wide", "full")),
            "icon": IMAGE,
            "is_collapsible": boolean,
            "default_collapsed": boolean,
            "has_header_divider": boolean,
        },
    ),
    _container_has_title,
)

MESSAGE_BLOCK: Check = typed({**_COMMON, "table": _TABLE, "container": _CONTAINER})
MODAL_BLOCK: Check = typed(_COMMON)
