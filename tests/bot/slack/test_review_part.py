"""The trusted part of a card: what is hashed, and what fits."""

from bisect import bisect_left
from dataclasses import replace

import pytest

from approvals.change.plan import Redacted
from approvals.change.risk import Risk
from bot.outbox.delivery import DrawReason
from bot.slack.messages.review_part import draw_review, render_review
from tests.bot.slack.office import text_of
from tests.bot.slack.pictures import a_card, a_review, a_standing_of, problems
from tests.builders import a_change, a_request


def test_the_hash_is_of_the_review_alone():
    """The same review hashes the same whenever and however its card is drawn."""
    review = a_review()

    hashes = {draw_review(review, revision=number, named=named).hash for number in (0, 7) for named in (True, False)}

    assert hashes == {render_review(review).hash}


@pytest.mark.parametrize(
    "changed",
    [
        {"title": "Scale Deployment checkout 3 → 7 in shop"},
        {"environment": "prod-eu-2"},
        {"target": "Deployment shop/checkuot"},
        {"agent": "scaler2"},
        {"on_behalf_of": None},
        {"risk": Risk.HIGH},
        {"blast": "4 pods more"},
        {"changes": (a_change(after=7),)},
        {"changes": (a_change(after="6"),)},
        {"findings": ("An autoscaler may undo it.",)},
        {"warnings": ("deprecated",)},
        {"blind_spots": ()},
        {"reasons": ()},
        {"short_fingerprint": "0" * 12},
        {"escalation": "esc_01JD0000000000000000000001"},
    ],
    ids=lambda changed: f"{next(iter(changed))}={str(next(iter(changed.values())))[-30:]}",
)
def test_everything_that_is_shown_moves_the_hash(changed):
    """I8: no letter of what an approver reads can change without the hash."""
    assert render_review(replace(a_review(), **changed)).hash != render_review(a_review()).hash


def test_a_hidden_value_is_never_shown_and_still_a_change():
    """I12: both sides of a hidden edit say that they are hidden, and that they differ."""
    shown = text_of(draw_review(a_review(a_change("/data/password", Redacted(mac="a"), Redacted(mac="b")))).change)

    assert "(hidden value)\n → \n(hidden value), another one" in shown


def test_400_changed_fields_are_counted_and_cannot_be_approved():
    """T-RND-10, T-RND-11: what does not fit is never clamped in silence; the card posts, and nobody can approve it."""
    review = a_review(*(a_change(f"/spec/field{number:03d}", "a" * 40, "b" * 40) for number in range(400)))
    part = draw_review(review)
    standing = a_standing_of(a_request(shown_whole=part.whole))

    card = a_card(standing, review)

    shown = text_of(card.blocks)
    fitting = shown.count("/spec/field")
    assert part.whole is False
    assert f"400 fields would change; only {fitting} of them fit on this card:" in shown
    assert 0 < fitting < 400
    assert problems(card) == []
    assert [
        element["text"]["text"] for block in card.blocks if block["type"] == "actions" for element in block["elements"]
    ] == [
        "Deny",
        "Deny with reason…",
    ]
    assert "It can only be denied on its card." in card.text


@pytest.mark.parametrize("count", [1, 6, 7, 60])
def test_every_field_of_a_change_that_fits_is_on_the_card(count):
    """T-RND-11: the fields counted are the fields shown, each once."""
    review = a_review(*(a_change(f"/spec/f{number}", number, number + 1) for number in range(count)))

    part = draw_review(review)

    diff = text_of(part.change)
    assert part.whole
    assert diff.count("/spec/f") == count
    assert f"{count} field{'' if count == 1 else 's'} would change:" in diff


def test_more_remarks_than_fit_take_the_approval_away():
    """What our checks found is part of what must be seen: hidden findings are no approval."""
    part = draw_review(a_review(findings=tuple(f"Finding {number} {'x' * 200}" for number in range(60))))

    assert part.whole is False
    assert "Not shown, because they do not fit on this card: 60 remarks." in text_of(part.checks)


def test_a_change_that_fits_to_the_last_character_is_whole():
    """The border between whole and not is the budget: one character more of value, and Approve is gone."""
    largest = bisect_left(range(7_000), 1, key=lambda size: int(not _whole_with(size))) - 1

    card = a_card(review=a_review(a_change("/a", "x", "y" * largest)), occasion=DrawReason.FIRST)

    assert (_whole_with(largest), _whole_with(largest + 1)) == (True, False)
    assert 3_000 < largest < 7_000
    assert problems(card) == []


def _whole_with(size):
    return draw_review(a_review(a_change("/a", "x", "y" * size))).whole
