"""The form in which people are asked: it moves with a plan's bytes and a review's drawing, and another one is never drawn."""

from dataclasses import replace

import pytest

from approvals.change.plan import Redacted, bound_bytes, fingerprint_of
from approvals.change.risk import Risk
from approvals.workflow.request import FORM, State
from bot.outbox.delivery import DrawReason
from bot.slack.kit.message import checked
from bot.slack.messages.card import outcome_card
from bot.slack.messages.review_part import draw_review
from tests.bot.slack.pictures import a_review, problems
from tests.builders import NOON, a_change, a_plan, a_request

REVIEWS = {
    "one field": a_review(),
    "many fields": a_review(*(a_change(f"/spec/field{number}") for number in range(40))),
    "a hidden value": a_review(a_change(before=Redacted(mac="1"), after=Redacted(mac="2"))),
    "findings": replace(a_review(), risk=Risk.CRITICAL, findings=("An autoscaler may undo it.",), warnings=("old",)),
}
BEFORE = a_request(form=FORM - 1)


def test_the_form_moves_with_what_is_hashed(golden):
    """Where these hashes move and the form in the file was released, its number has to be raised: see CONTRIBUTING.md."""
    hashes = {name: draw_review(review).hash for name, review in REVIEWS.items()}

    golden("form.json", {"form": FORM, "plan": fingerprint_of(bound_bytes(a_plan().bound)), "reviews": hashes})


@pytest.mark.parametrize(
    ("name", "request_"),
    [
        ("open", BEFORE),
        (
            "ended",
            replace(BEFORE, state=State.CANCELLED, revision=2, decided_at=NOON, outcome_code="upgraded"),
        ),
    ],
)
def test_a_card_of_another_form(golden, name, request_):
    """It says how the question stands and where it is told; there is nothing to press, and nothing that was signed."""
    card = checked(outcome_card(request_, None, revision=3, occasion=DrawReason.UPDATE))

    golden(f"card-of-another-form-{name}.json", {"text": card.text, "blocks": list(card.blocks)})
    assert problems(card) == []
    assert [block["type"] for block in card.blocks] == ["section"]
