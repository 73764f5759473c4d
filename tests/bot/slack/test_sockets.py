"""Socket Mode: clicks come in again after a drop, a refresh and an outage, and no other door is open."""

import urllib.error
import urllib.request
from dataclasses import replace

import pytest

from approvals.workflow.request import State
from bot.health.legs import LegKind, LegState
from tests.bot.slack.office import PATIENT
from tests.builders import ADA


@pytest.fixture
def impatient(make_office):
    """An office whose people see quickly that nobody answered."""
    return make_office(strictness=replace(PATIENT, ack_seconds=0.6))


@pytest.mark.parametrize("how", ["cut without a word", "ended by Slack"])
def test_a_connection_that_ends_is_made_anew(impatient, how):
    """Networks drop connections, Slack ends each every few hours: whoever clicks again is answered, and nothing is doubled."""
    office = impatient
    request = office.world.pending()
    office.step()
    card = office.card()
    if how == "ended by Slack":
        office.loop.do(office.workspace.refresh_sockets())
    else:
        office.change(office.workspace.drop_sockets)

    office.until(lambda: office.click("U0ADA", "approve:v1", card).acked, "a click is answered")

    assert office.world.request(request).state is State.APPROVED
    voted = [actor for kind, actor, _ in office.events(f"request:{request.id}") if kind == "request.voted"]
    assert voted == [ADA]


def test_after_an_outage_clicks_come_in_again(impatient):
    """However long Slack is away, the connection is made anew when it is back, and the leg says how it is."""
    office = impatient
    request = office.world.pending()
    office.step()
    office.change(lambda: office.workspace.set_outage(on=True))
    office.until(lambda: _door(office).state is LegState.FAILING, "the outage is seen")

    office.change(lambda: office.workspace.set_outage(on=False))
    office.until(lambda: office.click("U0ADA", "deny:v1").acked, "a click is answered")

    assert office.world.request(request).state is State.DENIED
    office.until(lambda: _door(office).state is LegState.GOOD, "the leg stands again")


def test_in_socket_mode_no_http_door_is_open(office):
    """T-AUTH-13: what arrives by HTTP has no address to arrive at; the app listens nowhere."""
    assert not hasattr(office, "http")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{office.workspace.api_url.removesuffix('/api/')}/slack/events", data=b"{}")

    refused.value.close()
    assert refused.value.code in {403, 404, 405}


def _door(office):
    return office.legs.of(LegKind.SLACK_DOOR)[0]
