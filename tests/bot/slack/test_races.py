"""Repeats and slowness: the same bytes twice, two clicks at once, a verb that takes longer than Slack waits."""

import asyncio
import hashlib
import hmac
import json
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event
from urllib.parse import urlencode

import pytest

from approvals.workflow.request import State
from bot.slack.inbound.acting import BROKEN
from tests.bot.slack.office import PATIENT, SECRET, buttons_of
from tests.builders import ADA, BORIS


def signed_request(office, payload, *, secret=SECRET, at=None):
    """Return a signed interaction, ready to be sent as often as a test likes."""
    body = urlencode({"payload": json.dumps(payload)}).encode()
    stamp = str(int(time.time() if at is None else at))
    signature = hmac.new(secret.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    port = office._listening.getsockname()[1]
    return urllib.request.Request(
        f"http://127.0.0.1:{port}/slack/events",
        data=body,
        headers={
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Slack-Request-Timestamp": stamp,
            "X-Slack-Signature": f"v0={signature}",
        },
    )


def send(request):
    """Send a request and return the status of its answer."""
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def click_payload(office, user, action_id):
    """Return the payload of a click on the newest card."""
    card = office.card()
    element = next(one for one in buttons_of(card) if one["action_id"] == action_id)
    return {
        "type": "block_actions",
        "api_app_id": office.seed.app_id,
        "team": {"id": office.seed.team_id},
        "user": {"id": user, "team_id": office.seed.team_id},
        "channel": {"id": card.channel},
        "container": {"type": "message", "channel_id": card.channel, "message_ts": card.ts},
        "message": card.as_slack(),
        "actions": [{"action_id": action_id, "block_id": "b", "value": element["value"], "type": "button"}],
        "trigger_id": "1.2.3",
    }


def test_the_same_signed_bytes_twice_are_one_vote(make_office):
    """T-RACE-01: a signature proves where a request came from, not that it is new; the second changes nothing."""
    office = make_office(over_http=True)
    request = office.world.pending()
    office.step()
    signed = signed_request(office, click_payload(office, "U0ADA", "approve:v1"))

    answers = [urllib.request.urlopen(signed).status for _ in range(2)]

    assert answers == [200, 200]
    kinds = [kind for kind, _, _ in office.events(f"request:{request.id}")]
    assert kinds == ["request.opened", "request.voted", "request.approved", "execution.queued", "answer.refused"]


def test_two_people_at_the_same_moment_lead_to_one_outcome(office):
    """Approve and Deny at once: one of them is first, the other is told so, and the trail has both."""
    request = office.world.pending()
    office.step()
    card = office.card()

    with ThreadPoolExecutor(2) as both:
        clicks = [
            both.submit(office.click, "U0ADA", "approve:v1", card),
            both.submit(office.click, "U0BORIS", "deny:v1", card),
        ]
        assert all(click.result().acked for click in clicks)

    after = office.world.request(request)
    assert after.state is State.DENIED  # A denial counts after an approval, too, while nothing has started.
    assert after.decided_by == (BORIS,)
    voters = [actor for kind, actor, _ in office.events(f"request:{request.id}") if kind == "request.voted"]
    assert voters in ([ADA, BORIS], [BORIS])


@pytest.mark.parametrize("act", ["click", "form", "command"])
def test_what_takes_too_long_is_said_to_be_worked_on_and_then_told(make_office, monkeypatch, act):
    """Past the cut-off it is acknowledged as not done yet, no form closes, and when it is done they are told what came of it."""
    office = make_office(cut_off_seconds=0.2, strictness=replace(PATIENT, ack_seconds=0.6))
    request = office.world.pending()
    office.step()
    go_on = Event()
    if act == "form":
        office.click("U0ADA", "deny-reason:v1")
        office.loop.do(office.workspace.wait_for_view("U0ADA"))
    answered = office.directory.authority

    def slow(**asked):
        assert go_on.wait(10)
        return answered(**asked)

    monkeypatch.setattr(office.directory, "authority", slow)
    do = {
        "click": lambda: office.click("U0ADA", "deny:v1"),
        "form": lambda: office.loop.do(office.workspace.submit_view("U0ADA", {"reason": {"text": "No"}})),
        "command": lambda: office.loop.do(office.workspace.run_command("U0ADA", "C0PROD", "/agent-pause", "on")),
    }[act]

    outcome = do()
    if act == "form":
        at_once = json.dumps(office.loop.do(office.workspace.wait_for_view("U0ADA")).as_slack({}))
    else:
        at_once = office.note("U0ADA")
    go_on.set()

    assert outcome.acked is True
    assert "Not done yet: this is being worked on." in at_once
    assert office.note("U0ADA").startswith("*Paused: everything.*" if act == "command" else "Denied. Nothing will run.")
    assert (office.world.request(request).state is State.DENIED) == (act != "command")


def test_what_breaks_on_our_side_is_said(office, monkeypatch):
    """An error of ours is logged and told as what it is; it is never an answer."""
    request = office.world.pending()
    office.step()

    def broken(**asked):
        raise RuntimeError("a secret: xoxb-1")

    monkeypatch.setattr(office.directory, "authority", broken)

    outcome = office.click("U0ADA", "approve:v1")

    assert outcome.acked
    assert office.note("U0ADA") == BROKEN
    assert office.world.request(request).state is State.PENDING


def test_a_full_pool_says_not_now(office, monkeypatch):
    """I13: where too much waits already, the clicker is told at once instead of after Slack has given up."""
    request = office.world.pending()
    office.step()
    monkeypatch.setattr(office.pools.decide, "_most", 0)

    office.click("U0ADA", "approve:v1")
    said = office.note("U0ADA")
    office.click("U0ADA", "deny:v1")

    assert said == "Too much is going on just now; try again in a moment."
    assert office.world.request(request).state is State.DENIED


def test_a_payload_of_another_shape_is_answered_and_not_logged(make_office, capsys):
    """What Slack would never send is acknowledged, decides nothing, and its text reaches no log."""
    office = make_office(over_http=True)
    office.world.pending()
    office.step()
    payload = click_payload(office, "U0ADA", "approve:v1")
    payload["container"] = {"type": "message", "channel_id": "not a channel: private words"}

    status = urllib.request.urlopen(signed_request(office, payload)).status

    assert status == 200
    assert office.note("U0ADA") == "Nothing was decided: Slack's message lacks what it needs."
    out = capsys.readouterr()
    assert "private words" not in out.out + out.err


def test_nobody_is_left_untold_at_the_end(office):
    """Closing waits until everybody has been told."""
    told = []

    async def slowly():
        await asyncio.sleep(0.05)
        told.append(True)

    async def end():
        office.acting._later(slowly())
        await office.acting.close()

    office.loop.do(end())

    assert told == [True]
