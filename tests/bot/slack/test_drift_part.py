"""What a target has otherwise than was approved, as far as there is room for it."""

import pytest

from approvals.change.plan import Change
from bot.slack.messages.drift_part import ROOM, drift_elements


def _drawn(*drift):
    title, body = drift_elements(drift, "Otherwise")
    return title["elements"][0]["text"], body["elements"][0]["text"]


@pytest.mark.parametrize("length", [1, 200, ROOM // 3, ROOM, 10 * ROOM])
def test_a_field_is_drawn_with_both_its_sides_or_not_at_all(length):
    """A field that is cut after its minus would look as if it had been removed; what has no room is counted instead."""
    drift = [Change(path=f"/a/{number}", before="x" * length, after="y" * length) for number in range(12)]

    title, body = _drawn(*drift)

    signs = [line[0] for line in body.split("\n")]
    shown = len(signs) // 3
    assert signs == ["/", "-", "+"] * shown
    assert title == f"Otherwise ({12 - shown} more not drawn):"
    assert len(body) <= ROOM
