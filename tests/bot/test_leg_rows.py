"""The rows of ``countersign status``: what does not stand by itself, what stands in one row a part."""

from bot.cli.commands import leg_rows

NOON = "2026-12-01T12:00:00.000000Z"
LATER = "2026-12-01T12:05:00.000000Z"


def a_leg(part: str, of: str = "", *, state: str = "good", since: str = NOON) -> dict[str, str]:
    """Return a leg as a heartbeat tells it."""
    return {
        "part": part,
        "of": of,
        "state": state,
        "code": "ok",
        "since": since,
        "why": "" if state == "good" else "Why.",
    }


def test_what_stands_is_one_row_a_part():
    """Twenty good ticks are one row, since the last of them came to stand; a part with one leg keeps its name."""
    legs = [a_leg("store"), a_leg("tick", "relay"), a_leg("tick", "execute", since=LATER), a_leg("cluster", "demo")]

    assert list(leg_rows(legs)) == [
        ("store", "", "good", "2026-12-01T12:00:00Z", ""),
        ("tick", "all: 2", "good", "2026-12-01T12:05:00Z", ""),
        ("cluster", "demo", "good", "2026-12-01T12:00:00Z", ""),
    ]


def test_what_does_not_stand_is_on_top_by_its_name():
    """The one that hangs is named with why, and the others of its part are counted below."""
    legs = [a_leg("tick", "relay"), a_leg("tick", "seal", state="failing"), a_leg("tick", "execute")]

    assert list(leg_rows(legs)) == [
        ("tick", "seal", "failing (ok)", "2026-12-01T12:00:00Z", "Why."),
        ("tick", "the others: 2", "good", "2026-12-01T12:00:00Z", ""),
    ]
