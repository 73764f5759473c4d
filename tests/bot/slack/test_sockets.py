"""Socket Mode: clicks come in again after a drop, a refresh and an outage, and no other door is open."""

import urllib.error
import urllib.request

import pytest

from approvals.request import State


@pytest.mark.parametrize("how", ["dropped", "refreshed"])
def test_a_connection_that_ends_is_made_anew(office, how):
    """Slack ends connections every few hours, networks whenever they like: clicks work again by themselves."""
    request = office.world.pending()
    office.step()
    if how == "dropped":
        office.change(office.workspace.drop_sockets)
    else:
        office.loop.do(office.workspace.refresh_sockets())
    office.until(lambda: not _is_connected(office), "the end of the connection is seen") if how == "dropped" else None
    office.loop.do(office.workspace.wait_for_connections(1))
    office.until(lambda: _is_connected(office), "the new connection is seen")

    outcome = office.click("U0ADA", "approve:v1")

    assert outcome.acked
    assert office.world.request(request).state is State.APPROVED


def test_an_outage_that_outlasts_the_librarys_patience_ends_in_a_new_connection(office):
    """The library tries one stale address for ever; the watch gives it up and begins anew."""
    request = office.world.pending()
    office.step()
    office.change(lambda: office.workspace.set_outage(on=True))
    office.until(lambda: office.sockets._handler is None or not _is_connected(office), "the outage is seen")
    first = office.sockets._handler
    office.until(lambda: office.sockets._handler is not first, "the first handler is given up")

    office.change(lambda: office.workspace.set_outage(on=False))
    office.loop.do(office.workspace.wait_for_connections(1))

    assert office.click("U0ADA", "deny:v1").acked
    assert office.world.request(request).state is State.DENIED


def test_in_socket_mode_no_http_door_is_open(office):
    """T-AUTH-13: what arrives by HTTP has no address to arrive at; the app listens nowhere."""
    assert not hasattr(office, "http")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{office.workspace.api_url.removesuffix('/api/')}/slack/events", data=b"{}")

    refused.value.close()
    assert refused.value.code in {403, 404, 405}


def _is_connected(office):
    return office.loop.do(office.sockets.is_connected())
