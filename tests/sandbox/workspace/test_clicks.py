"""Clicks, answered by a real Bolt app over Socket Mode: what they carry, who can, and what triggers are good for."""

import asyncio
from typing import Any

import pytest

from sandbox.workspace import NotThere, Outcome, Strictness
from tests.sandbox.workspace.support import (
    ADA,
    CHANNEL,
    Clock,
    actions,
    bolt_app,
    button,
    call,
    client_of,
    connected,
    keep_clicks,
    keep_triggers,
    modal,
    plain,
    post_card,
    running,
    story,
)

QUICK = Strictness(ack_seconds=0.3)


@story
async def test_a_click_carries_who_where_and_what():
    """A block_actions payload has all that an approval looks at, in Slack's shape."""
    kept: list[Any] = []
    async with running() as workspace:
        app = bolt_app(workspace)
        keep_clicks(app, kept)
        async with connected(workspace, app):
            ts = await post_card(workspace, button(value="esc_1", style="primary"))
            outcome = await workspace.click(ADA, CHANNEL, ts, "approve")
            message = workspace.messages(CHANNEL)[0].as_slack()

    [body] = kept
    secrets = {name: body.pop(name) for name in ("token", "trigger_id", "response_url")}
    action_ts = body["actions"][0].pop("action_ts")
    assert body == {
        "type": "block_actions",
        "user": {"id": ADA, "username": "ada", "name": "ada", "team_id": "T0COUNTERSIGN"},
        "api_app_id": "A0COUNTERSIGN",
        "enterprise": None,
        "is_enterprise_install": False,
        "container": {"type": "message", "message_ts": ts, "channel_id": CHANNEL, "is_ephemeral": False},
        "team": {"id": "T0COUNTERSIGN", "domain": "harbour"},
        "channel": {"id": CHANNEL, "name": "prod-eu-1-approvals"},
        "message": message,
        "state": {"values": {}},
        "actions": [
            {
                "type": "button",
                "action_id": "approve",
                "block_id": "b",
                "text": plain("Approve"),
                "value": "esc_1",
                "style": "primary",
            }
        ],
    }
    assert all(secrets.values())
    assert float(action_ts) > float(ts)
    assert outcome == Outcome(acked=True, seconds=outcome.seconds)


@story
async def test_an_outsiders_click_names_both_teams():
    """Over Slack Connect the payload's team is the app's and the user's team is the clicker's."""
    kept: list[Any] = []
    async with running() as workspace:
        app = bolt_app(workspace)
        keep_clicks(app, kept)
        async with connected(workspace, app):
            await workspace.click("U0FAY", CHANNEL, await post_card(workspace), "approve")

    assert (kept[0]["team"]["id"], kept[0]["user"]["team_id"]) == ("T0COUNTERSIGN", "T0PARTNER")


@story
async def test_a_click_in_a_thread_or_a_note_says_so():
    """The container tells a reply and an ephemeral apart from a message."""
    kept: list[Any] = []
    async with running() as workspace:
        app = bolt_app(workspace)
        keep_clicks(app, kept)
        async with connected(workspace, app):
            ts = await post_card(workspace)
            reply = await post_card(workspace, thread_ts=ts)
            note = await client_of(workspace).chat_postEphemeral(
                channel=CHANNEL, user=ADA, text="x", blocks=[actions()]
            )
            await workspace.click(ADA, CHANNEL, reply, "approve")
            await workspace.click(ADA, CHANNEL, note["message_ts"], "approve")
            with pytest.raises(NotThere):
                await workspace.click("U0BORIS", CHANNEL, note["message_ts"], "approve")

    assert [(body["container"]["is_ephemeral"], body["container"].get("thread_ts")) for body in kept] == [
        (False, ts),
        (True, None),
    ]


@story
async def test_one_clicks_only_what_one_sees():
    """No message, no such button, no access and a button shown to others are not clicks at all."""
    async with running() as workspace:
        ts = await post_card(workspace, button(), button("secret", visible_to_user_ids=["U0BORIS"]))
        workspace.set_channel_members(CHANNEL, [ADA])
        for user, place, action in (
            (ADA, "1.000000", "approve"),
            (ADA, ts, "nothing"),
            (ADA, ts, "secret"),
            ("U0FAY", ts, "approve"),
            ("U0ELI", ts, "approve"),
        ):
            with pytest.raises(NotThere):
                await workspace.click(user, CHANNEL, place, action)


@story
async def test_an_app_that_does_not_answer_in_time_has_failed_for_the_clicker():
    """After the acknowledgement time the person is told, although the listener goes on."""
    finished = asyncio.Event()
    async with running(strictness=QUICK) as workspace:
        app = bolt_app(workspace)

        @app.action("approve")
        async def approve(ack):
            await asyncio.sleep(0.5)
            await ack()
            finished.set()

        async with connected(workspace, app):
            outcome = await workspace.click(ADA, CHANNEL, await post_card(workspace), "approve")
            await finished.wait()

    assert outcome.acked is False
    assert outcome.error == "The app did not answer within 0.3 seconds. Nothing tells whether it acted."
    assert outcome.seconds >= 0.3


@story
async def test_an_app_that_is_not_connected_hears_nothing():
    """Nothing is queued for an app that holds no connection: the person is told at once."""
    async with running() as workspace:
        outcome = await workspace.click(ADA, CHANNEL, await post_card(workspace), "approve")

    assert outcome == Outcome(acked=False, error="The app is not connected, so nothing happened.")


@story
async def test_a_trigger_opens_one_modal_soon():
    """A trigger_id works once and for three seconds; the switches forgive each."""
    triggers: list[Any] = []
    clock = Clock()
    async with running(now=clock) as workspace:
        app = bolt_app(workspace)
        keep_triggers(app, triggers)
        async with connected(workspace, app):
            ts = await post_card(workspace)
            await workspace.click(ADA, CHANNEL, ts, "approve")
            await workspace.click(ADA, CHANNEL, ts, "approve")
        opened = await call(workspace, "views.open", trigger_id=triggers[0], view=modal())
        again = await call(workspace, "views.open", trigger_id=triggers[0], view=modal())
        clock.go_on(3.01)
        late = await call(workspace, "views.open", trigger_id=triggers[1], view=modal())
        made_up = await call(workspace, "views.open", trigger_id="1.2.3", view=modal())

        assert opened["ok"] is True
        assert opened["view"]["callback_id"] == "deny"
        assert (again["error"], late["error"]) == ("trigger_exchanged", "expired_trigger_id")
        assert made_up["error"] == "invalid_arguments"
        assert made_up["response_metadata"] == {"messages": ["[ERROR] invalid `trigger_id`"]}


@story
async def test_the_triggers_strictness_can_be_broken_on_purpose():
    """With both switches off a trigger works late and again."""
    triggers: list[Any] = []
    clock = Clock()
    async with running(now=clock, strictness=Strictness(trigger_seconds=None, trigger_single_use=False)) as workspace:
        app = bolt_app(workspace)
        keep_triggers(app, triggers)
        async with connected(workspace, app):
            await workspace.click(ADA, CHANNEL, await post_card(workspace), "approve")
        clock.go_on(60)
        answers = [await call(workspace, "views.open", trigger_id=triggers[0], view=modal()) for _ in range(2)]

    assert [answer["ok"] for answer in answers] == [True, True]
