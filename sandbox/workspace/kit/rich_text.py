"""Rules for ``rich_text``: text whose mentions and links are elements, so that a string cannot become one."""

from sandbox.workspace.kit.checks import Check, Kind, Report, array, boolean, integer, record, string, typed
from sandbox.workspace.kit.texts import BLOCK_ID, URL, literal

_STYLE = record({}, dict.fromkeys(("bold", "italic", "strike", "code", "underline"), boolean))
_TEXT = record({"type": literal("text"), "text": string()}, {"style": _STYLE})
_LINK = record({"type": literal("link"), "url": URL}, {"text": string(), "style": _STYLE, "unsafe": boolean})
_DATE = record(
    {"type": literal("date"), "timestamp": integer(least=0), "format": string()},
    {"url": URL, "fallback": string(), "style": _STYLE},
)
_EMOJI = record(
    {"type": literal("emoji"), "name": string()},
    {"skin_tone": integer(least=1, most=6), "unicode": string(), "style": _STYLE},
)


def _mention(kind: str, field: str) -> Check:
    return record({"type": literal(kind), field: string()}, {"style": _STYLE})


_INLINE: Check = typed(
    {
        "text": _TEXT,
        "link": _LINK,
        "date": _DATE,
        "emoji": _EMOJI,
        "user": _mention("user", "user_id"),
        "usergroup": _mention("usergroup", "usergroup_id"),
        "channel": _mention("channel", "channel_id"),
        "broadcast": record({"type": literal("broadcast"), "range": string(choices=("here", "channel", "everyone"))}),
    }
)
_LITERAL: Check = typed({"text": _TEXT, "link": _LINK})

_SECTION = record({"type": literal("rich_text_section"), "elements": array(_INLINE)})
_QUOTE = record({"type": literal("rich_text_quote"), "elements": array(_INLINE)}, {"border": integer(least=0, most=1)})
_PREFORMATTED = record(
    {"type": literal("rich_text_preformatted"), "elements": array(_LITERAL)},
    {"border": integer(least=0, most=1), "language": string()},
)
_LIST = record(
    {
        "type": literal("rich_text_list"),
        "style": string(choices=("bullet", "ordered")),
        "elements": array(typed({"rich_text_section": _SECTION})),
    },
    {"indent": integer(least=0, most=8), "offset": integer(least=0), "border": integer(least=0, most=1)},
)

_PARTS: Check = typed(
    {
        "rich_text_section": _SECTION,
        "rich_text_quote": _QUOTE,
        "rich_text_preformatted": _PREFORMATTED,
        "rich_text_list": _LIST,
    }
)


_SHAPE = record({"type": literal("rich_text"), "elements": array(_PARTS)}, {"block_id": BLOCK_ID})


def rich_text(value: object, at: str, report: Report) -> None:
    """Check a rich_text block, also as a table cell: every part well formed, and some visible text in it."""
    _SHAPE(value, at, report)
    if isinstance(value, dict) and not _shows_anything(value.get("elements")):
        report.note(Kind.EMPTY, at, "rich_text must not be empty")


def _shows_anything(elements: object) -> bool:
    if not isinstance(elements, list):
        return True  # Not an array: already noted as such.
    for element in elements:
        if not isinstance(element, dict) or (element.get("type") not in _CONTAINERS and element.get("text") != ""):
            return True
        if element.get("type") in _CONTAINERS and _shows_anything(element.get("elements")):
            return True
    return False


_CONTAINERS = frozenset({"rich_text_section", "rich_text_quote", "rich_text_preformatted", "rich_text_list"})
