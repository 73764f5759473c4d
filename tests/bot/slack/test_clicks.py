"""Clicks, end to end: signed HTTP and Socket Mode, the real verbs, a real store."""

from approvals.request import State


def test_an_approval_is_committed_shown_and_told(either_office):
    """One click by an approver approves, the card says who, the clicker gets a private note, the thread tells it."""
    office = either_office
    request = office.world.pending()
    office.step()

    outcome = office.click("U0ADA", "approve:v1")

    assert outcome.acked
    assert office.world.request(request).state is State.APPROVED
    assert office.note("U0ADA") == "Approved. Countersign carries it out now."
    assert "Approved by <@U0ADA>" in office.shown(request)
