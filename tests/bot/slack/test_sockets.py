"""Socket Mode: clicks come in again after a drop, a refresh and an outage, and no other door is open."""

import asyncio
import urllib.error
import urllib.request
from dataclasses import replace

import pytest
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler

from approvals.request import State
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


def test_an_outage_that_outlasts_the_librarys_patience_ends_in_a_new_connection(impatient):
    """The library tries one stale address for ever; the watch gives it up and begins anew."""
    office = impatient
    request = office.world.pending()
    office.step()
    office.change(lambda: office.workspace.set_outage(on=True))
    office.until(lambda: office.sockets._handler is None or not _is_connected(office), "the outage is seen")
    first = office.sockets._handler
    office.until(lambda: office.sockets._handler is not first, "the first handler is given up")

    office.change(lambda: office.workspace.set_outage(on=False))
    office.until(lambda: office.click("U0ADA", "deny:v1").acked, "a click is answered")

    assert office.world.request(request).state is State.DENIED


def test_a_goodbye_that_never_ends_leaves_nothing_open(make_office, monkeypatch):
    """The library frees what it holds only after the goodbye: where that hangs, its connection is closed all the same."""
    office = make_office(closing_seconds=0.05)
    held = office.sockets._handler.client

    async def hang(self):
        await self.client.disconnect()
        await asyncio.Event().wait()

    monkeypatch.setattr(AsyncSocketModeHandler, "close_async", hang)
    office.loop.do(office.sockets.close())

    assert held.aiohttp_client_session.closed
    office.until(lambda: held.message_processor.done() and held.message_receiver.done(), "its tasks have ended")


def test_in_socket_mode_no_http_door_is_open(office):
    """T-AUTH-13: what arrives by HTTP has no address to arrive at; the app listens nowhere."""
    assert not hasattr(office, "http")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{office.workspace.api_url.removesuffix('/api/')}/slack/events", data=b"{}")

    refused.value.close()
    assert refused.value.code in {403, 404, 405}


def _is_connected(office):
    return office.loop.do(office.sockets.is_connected())
