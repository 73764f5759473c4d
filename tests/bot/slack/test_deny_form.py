"""Deny with reason: the form opens first, the decision falls on submission, a refusal is shown in the form."""

import pytest

from approvals.workflow.request import State
from bot.slack.inbound.deny_form import denial_of, reason_of, title_of
from bot.slack.inbound.listeners import NO_FORM, UNREADABLE
from bot.slack.inbound.payloads import Click, View
from tests.bot.slack.office import buttons_of
from tests.builders import ADA, BORIS, MINUTE


def _submit(office, user, reason):
    return office.loop.do(office.workspace.submit_view(user, {"reason": {"text": reason}}))


def _open(office, user="U0ADA", card=None):
    office.click(user, "deny-reason:v1", card)
    return office.loop.do(office.workspace.wait_for_view(user))


def test_a_reason_is_asked_for_and_shown(either_office):
    """The form says what it is about; its submission denies, and the reason stands on the card and in the thread as a quote."""
    office = either_office
    request = office.world.pending()
    office.step()
    view = _open(office)

    outcome = _submit(office, "U0ADA", "Not during the <!channel> sale :lock:")

    assert view.content["blocks"][0]["text"]["text"] == "Scale Deployment checkout 3 → 6 in shop · prod-eu-1"
    assert (outcome.acked, outcome.error, outcome.field_errors) == (True, None, {})
    assert office.world.request(request).state is State.DENIED
    assert office.note("U0ADA") == "Denied. Nothing will run."
    assert "Not during the <!channel> sale : lock:" in office.shown(request)
    assert ("broadcast", "channel") not in office.change(
        lambda: office.workspace.live_things(office.cards_in_now()[-1])
    )


def test_opening_the_form_decides_nothing(office):
    """Until it is submitted the request waits; closing it is no answer."""
    request = office.world.pending()
    office.step()
    _open(office)

    office.loop.do(office.workspace.close_view("U0ADA"))

    assert office.world.request(request).state is State.PENDING


def test_who_lost_the_race_reads_it_in_the_form(office):
    """On submission everything is judged anew; the refusal stands at the field and the form stays open."""
    request = office.world.pending()
    office.step()
    card = office.card()
    _open(office, card=card)
    office.click("U0BORIS", "approve:v1", card)
    office.world.execute()

    outcome = _submit(office, "U0ADA", "Too late?")

    assert outcome.field_errors == {"reason": "It has started, so it cannot be stopped here any more."}
    assert office.world.request(request).state is State.APPROVED
    assert office.refusals(request) == [(ADA, {"answer": "deny", "via": "slack", "code": "already_started"})]


def test_a_late_reason_is_late(office):
    """A form left open past the deadline denies nothing: silence has."""
    office.world.pending()
    office.step()
    _open(office)
    office.pass_by(15 * MINUTE)

    outcome = _submit(office, "U0ADA", "Late")

    assert outcome.field_errors == {"reason": "The deadline has passed; silence has denied it."}


@pytest.mark.parametrize("user", ["U0FAY", "U0ELI", "U0CHEN"])
def test_who_may_not_decide_may_not_by_the_form(office, user):
    """The form is one more door to the same verb: outsiders, guests and the requester are refused in it."""
    request = office.world.pending()
    office.step()
    _open(office, user)

    outcome = _submit(office, user, "No")

    assert set(outcome.field_errors) == {"reason"}
    assert office.world.request(request).state is State.PENDING
    assert len(office.refusals(request)) == 1


def test_a_form_that_does_not_open_is_said(office):
    """Where the trigger has died, the clicker is told and pointed to the plain Deny, which never depends on the form."""
    request = office.world.pending()
    office.step()
    office.change(lambda: office.workspace.faults.errors.update({"views.open": ["expired_trigger_id"]}))

    outcome = office.click("U0BORIS", "deny-reason:v1")

    assert outcome.acked
    assert office.note("U0BORIS") == NO_FORM
    office.click("U0BORIS", "deny:v1")
    assert office.world.request(request).decided_by == (BORIS,)


def test_a_form_of_a_copied_card_decides_nothing(office):
    """The place is checked on submission, too."""
    request = office.world.pending()
    office.step()
    view = _open(office)
    view.content["private_metadata"] = view.content["private_metadata"].replace("C0PROD", "C0STAGING")

    outcome = _submit(office, "U0ADA", "No")

    assert outcome.field_errors == {"reason": "That is not this request's card, so it cannot be answered there."}
    assert office.world.request(request).state is State.PENDING


def test_a_form_with_other_metadata_is_unreadable(office):
    """What we did not write decides nothing."""
    office.world.pending()
    office.step()
    view = _open(office)

    for metadata in ("{}", "5", "[" * 2_900):
        view.content["private_metadata"] = metadata
        assert _submit(office, "U0ADA", "No").field_errors == {"reason": UNREADABLE}


def test_a_button_with_another_value_opens_no_form(office):
    """A button that says nothing opens nothing."""
    office.world.pending()
    office.step()
    card = office.card()
    buttons_of(card)[2]["value"] = "nonsense"

    office.click("U0ADA", "deny-reason:v1", card)

    assert office.note("U0ADA") == UNREADABLE


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ({}, ""),
        ({"values": {"reason": {"text": {"value": None}}}}, ""),
        ({"values": {"reason": {"text": {"value": " x "}}}}, "x"),
    ],
    ids=["nothing", "empty", "spaces around it"],
)
def test_a_reason_is_read_as_typed(state, reason):
    """A missing reason is empty, never an error."""
    view = View(callback_id="deny-reason:v1", private_metadata="not json", state=state)

    assert reason_of(view) == reason
    assert denial_of(view) is None


def test_a_card_without_a_headline_still_has_a_form():
    """The form's first line falls back to words of ours."""
    click = Click.model_validate(
        {
            "user": {"id": "U0ADA", "team_id": "T0COUNTERSIGN"},
            "container": {"type": "message", "channel_id": "C0PROD", "message_ts": "1.1"},
            "message": {"blocks": [{"type": "divider"}]},
            "actions": [{"action_id": "deny-reason:v1"}],
        }
    )

    assert title_of(click) == "Deny this change"
