"""The emoji shortcodes that messages here may use; any other is shown as it was typed."""

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType

EMOJI: Mapping[str, str] = MappingProxyType(
    {
        "alarm_clock": "⏰",
        "arrow_forward": "▶️",
        "arrow_right": "➡️",
        "arrows_counterclockwise": "🔄",
        "ballot_box_with_check": "☑️",
        "bar_chart": "📊",
        "bell": "🔔",
        "black_square_for_stop": "⏹️",
        "bow": "🙇",
        "clipboard": "📋",
        "clock1": "🕐",
        "construction": "🚧",
        "double_vertical_bar": "⏸️",
        "exclamation": "❗",
        "eyes": "👀",
        "fire": "🔥",
        "gear": "⚙️",
        "hand": "✋",
        "heavy_check_mark": "✔️",
        "heavy_multiplication_x": "✖️",
        "hourglass": "⌛",
        "hourglass_flowing_sand": "⏳",
        "information_source": "\u2139\ufe0f",
        "key": "🔑",
        "large_blue_circle": "🔵",
        "large_green_circle": "🟢",
        "large_orange_circle": "🟠",
        "large_red_circle": "🔴",
        "large_yellow_circle": "🟡",
        "leftwards_arrow_with_hook": "↩️",
        "link": "🔗",
        "lock": "🔒",
        "mag": "🔍",
        "memo": "📝",
        "no_entry": "⛔",
        "no_entry_sign": "🚫",
        "octagonal_sign": "🛑",
        "pause_button": "⏸️",
        "pushpin": "📌",
        "question": "❓",
        "red_circle": "🔴",
        "robot_face": "🤖",
        "rotating_light": "🚨",
        "shield": "🛡️",
        "stopwatch": "⏱️",
        "thread": "🧵",
        "unlock": "🔓",
        "warning": "⚠️",
        "white_check_mark": "✅",
        "x": "❌",
        "zap": "⚡",
    }
)

_SHORTCODE = re.compile(r":([a-z0-9_+-]{1,60}):")


def split(text: str) -> Iterator[tuple[str, str]]:
    """Yield ("text", piece) and ("emoji", character) in order, leaving unknown shortcodes in the text."""
    end = 0
    for found in _SHORTCODE.finditer(text):
        character = EMOJI.get(found[1])
        if character is None:
            continue
        if found.start() > end:
            yield "text", text[end : found.start()]
        yield "emoji", character
        end = found.end()
    if end < len(text):
        yield "text", text[end:]
