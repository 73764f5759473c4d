"""Rules for the objects that blocks are composed of: texts, options and the confirm dialog."""

from sandbox.workspace.kit.checks import Check, Kind, Report, array, boolean, record, string, typed

BLOCK_ID = string(most=255)
ACTION_ID = string(most=255)
URL = string(most=3_000)


def literal(value: str) -> Check:
    """Check a constant, such as a ``type``."""
    return string(choices=(value,))


def plain_text(most: int) -> Check:
    """Check a plain_text object of 1 to *most* characters."""
    return typed({"plain_text": _plain(most)})


def any_text(most: int) -> Check:
    """Check a plain_text or mrkdwn object of 1 to *most* characters."""
    return typed({"plain_text": _plain(most), "mrkdwn": _mrkdwn(most)})


def _plain(most: int) -> Check:
    return record({"type": literal("plain_text"), "text": string(most=most)}, {"emoji": boolean})


def _mrkdwn(most: int) -> Check:
    return record({"type": literal("mrkdwn"), "text": string(most=most)}, {"verbatim": boolean})


OPTION = record({"text": plain_text(75), "value": string(most=150)}, {"description": plain_text(75)})
OPTIONS = array(OPTION, most=100)
OPTION_GROUPS = array(record({"label": plain_text(75), "options": OPTIONS}), most=100)

CONFIRM = record(
    {"title": plain_text(100), "text": any_text(300), "confirm": plain_text(30), "deny": plain_text(30)},
    {"style": string(choices=("primary", "danger"))},
)


def options_given(value: object, at: str, report: Report) -> None:
    """Check that a select has options or groups of them, not both and not neither."""
    if isinstance(value, dict) and ("options" in value) == ("option_groups" in value):
        report.note(Kind.SHAPE, at, "exactly one of options, option_groups is required")
