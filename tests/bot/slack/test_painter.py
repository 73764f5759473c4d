"""The painter: what it draws when a row is missing, and values of every kind."""

from dataclasses import replace
from decimal import Decimal
from typing import cast

import pytest

from approvals.escalation import Breach
from approvals.execution import Phase
from approvals.pause import scope_of
from approvals.ports import Reading
from approvals.request import State
from approvals.verb import Effect
from bot.delivery import Drawn, NotAsApproved, Occasion
from bot.slack.outcome_part import execution_line, outcome_line
from bot.slack.painter import SlackPainter
from bot.slack.review_part import draw_review
from models.marks import shown_of
from tests.bot.slack.office import text_of
from tests.bot.slack.pictures import a_card, a_review, a_standing_of, problems, words
from tests.builders import (
    ADA,
    BORIS,
    CHANNEL,
    TEAM,
    a_change,
    a_policy,
    a_request,
    a_ruling,
    an_approver_set,
    an_execution,
)
from tests.world import World


@pytest.mark.parametrize("kind", ["request", "pause", "alert", "something"])
def test_what_is_not_there_cannot_be_drawn(noon_store, kind):
    """A card whose subject is gone is given up by the relay, not drawn from thin air."""
    store, _ = noon_store
    drawn = Drawn(subject="x_00000000000000000000000001", kind=kind, channel=CHANNEL, revision=1)

    with store.reading() as reading, pytest.raises(LookupError):
        SlackPainter().card(reading, drawn, Occasion.FIRST)


def the_notice(store, pause, occasion=Occasion.UPDATE):
    """Return the notice of *pause* as it is now: from the reasons on, a line of text each."""
    drawn = Drawn(subject=pause.id, kind="pause", channel=CHANNEL, revision=1)
    with store.reading() as reading:
        message = SlackPainter().card(reading, drawn, occasion)
    return text_of([block for block in message.blocks if block["block_id"].startswith("reason")])


def test_a_notice_tells_the_reasons_of_a_pause_from_those_of_its_resume(noon_store):
    """Whoever resumes gives a reason of their own: it never stands as the reason why things were stopped."""
    store, _ = noon_store
    world = World(store=store).settled()
    pause = world.pause(scope_of("all"), account=ADA, duration=None, reason="The database melts.").pause
    engaged = the_notice(store, pause)
    world.resume(pause.id, account=ADA, reason="It is solid again.")
    agreed = the_notice(store, pause)
    world.resume(pause.id, account=BORIS, reason="Looks fine.")

    why = "The reason given\nThe database melts."
    first = f"{why}\nA reason given for the resume, by \nIt is solid again."
    assert (engaged, agreed) == (why, first)
    assert the_notice(store, pause) == f"{first}\nA reason given for the resume, by \nLooks fine."


def test_a_notice_without_a_reason_takes_none_from_its_resume(noon_store):
    """A replacement rings no phone: it names who gave the reason in words."""
    store, _ = noon_store
    world = World(store=store).settled()
    pause = world.pause(scope_of("all"), account=ADA, duration=None, reason="").pause
    world.resume(pause.id, account=BORIS, reason="Looks fine.")

    told = the_notice(store, pause, Occasion.REPLACEMENT)

    assert told == f"A reason given for the resume, by \n{BORIS}\nLooks fine."


def test_a_reason_given_when_a_pause_is_asked_for_again_is_added(noon_store):
    """Said twice, a pause is one pause; why is what was said both times."""
    store, _ = noon_store
    world = World(store).settled()
    pause = world.pause(scope_of("all"), account=ADA, duration=None, reason="The database melts.").pause

    world.pause(scope_of("all"), account=ADA, duration=None, reason="So does the cache.")

    assert the_notice(store, pause) == "The reason given\nThe database melts.\nSo does the cache."


class _Rows:
    """A look at one pending request whose plan is gone."""

    def request(self, request_id):
        return a_request()

    def plan(self, fingerprint):
        return None


def test_a_request_without_its_plan_is_not_drawn():
    """I8: what cannot be vouched for gets no buttons."""
    drawn = Drawn(subject=a_request().id, kind="request", channel=CHANNEL, revision=1)

    with pytest.raises(NotAsApproved):
        SlackPainter().card(cast("Reading", _Rows()), drawn, Occasion.FIRST)


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        (None, True, "+ true"),
        (False, None, "- false"),
        ("6", 6, '- "6"\n+ 6'),
        ("a\nb", 'c"', '- "a\\nb"\n+ "c\\""'),
        ("x" + " " * 40 + "y", "", '- "x\\{40 spaces}y"\n+ ""'),
        ("gro\u00df", "gross", '- "gro\\u{DF}"\n+ "gross"'),
    ],
    ids=["set", "removed", "text and number", "line break and quote", "padding", "not ASCII"],
)
def test_each_kind_of_value_is_shown_exactly(before, after, shown):
    """I8: a value that differs looks different, whatever it is made of."""
    part = draw_review(a_review(a_change("/a", before, after)))

    assert f"/a\n{shown}" in text_of(part.change[-2])


def test_more_claims_and_exhibits_than_a_card_shows_are_counted():
    """Nothing an agent adds pushes the rest off the card; what is left out is counted."""
    breaches = tuple(
        Breach(limit=f"limit-{number}", observed=Decimal("1e40"), ceiling=Decimal(0)) for number in range(9)
    )
    texts = {f"evidence {number} {part}": "x" for number in range(1, 8) for part in ("title", "text")}
    said = words(**texts).__class__(texts={"rationale": "r", **texts}, breaches=breaches, confidence=None)

    card = a_card(a_standing_of(said=said))

    shown = text_of(card.blocks)
    assert "4 more claims" in shown
    assert "4 more pieces of evidence" in shown
    assert problems(card) == []


@pytest.mark.parametrize("message", ["", "The cluster cannot be reached."])
def test_what_shows_alike_is_drawn_alike(message):
    """A card is not drawn again where :func:`models.marks.shown_of` sees no change: so its line must be the same."""
    lines: dict[object, set[str]] = {}
    for phase in Phase:
        for effect in (None, *Effect):
            one = replace(an_execution(phase), effect=effect, message=message)
            lines.setdefault(shown_of(one), set()).add(execution_line(one))

    assert [found for found in lines.values() if len(found) > 1] == []


def test_a_waiting_request_has_no_outcome():
    """An outcome is never invented for what has none."""
    with pytest.raises(ValueError, match="no outcome"):
        outcome_line(a_request(state=State.PENDING), named=True)


def test_more_approvers_than_a_card_mentions_are_counted():
    """A set of forty people is named once and mentioned in part; who is left out is counted."""
    policy = a_policy(
        approver_sets={"platform": an_approver_set(accounts=[f"{TEAM}:U0P{number:02d}" for number in range(40)])}
    )

    card = a_card(a_standing_of(a_request(ruling=a_ruling(policy))))

    (asked,) = [block["text"]["text"] for block in card.blocks if block["block_id"].startswith("asked:")]
    assert asked.count("<@U0P") == 10
    assert asked.endswith(" and 30 more")
