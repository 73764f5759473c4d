"""Modals: what a submission carries, how the app may answer it, and what never reaches the app."""

from typing import Any

import pytest

from tests.sandbox.workspace.support import (
    ADA,
    CHANNEL,
    actions,
    bolt_app,
    button,
    call,
    connected,
    keep_triggers,
    modal,
    plain,
    post_card,
    reason,
    running,
    section,
    story,
)


def _denies(app, submissions, answer):
    """Let *app* open a modal on Approve and answer its submission with *answer*."""

    @app.action("approve")
    async def approve(ack, body, client):
        await ack()
        await client.views_open(trigger_id=body["trigger_id"], view=modal(private_metadata="esc_1"))

    @app.view("deny")
    async def deny(ack, body):
        submissions.append(body)
        await ack(**answer)


async def _open_modal(workspace, user=ADA):
    await workspace.click(user, CHANNEL, await post_card(workspace), "approve")
    return await workspace.wait_for_view(user)


@story
async def test_a_submission_carries_what_was_typed():
    """view_submission has the state of the inputs, the private metadata, and closes the modal when acknowledged."""
    submissions: list[Any] = []
    async with running() as workspace:
        app = bolt_app(workspace)
        _denies(app, submissions, {})
        async with connected(workspace, app):
            view = await _open_modal(workspace)
            outcome = await workspace.submit_view(ADA, {"why": {"reason": "no"}})

        assert workspace.open_view(ADA) is None
    assert outcome.acked is True
    [body] = submissions
    assert body["type"] == "view_submission"
    assert body["user"]["id"] == ADA
    assert body["view"]["id"] == view.id
    assert body["view"]["private_metadata"] == "esc_1"
    assert body["view"]["state"] == {"values": {"why": {"reason": {"type": "plain_text_input", "value": "no"}}}}
    assert body["response_urls"] == []


@story
async def test_an_outsiders_submission_names_the_installing_team():
    """Over Slack Connect a modal's team is the person's and app_installed_team_id is the app's."""
    submissions: list[Any] = []
    async with running() as workspace:
        app = bolt_app(workspace)
        _denies(app, submissions, {})
        async with connected(workspace, app):
            await _open_modal(workspace, "U0FAY")
            await workspace.submit_view("U0FAY", {"why": {"reason": "no"}})

    assert submissions[0]["team"] == {"id": "T0PARTNER", "domain": "t0partner"}
    assert submissions[0]["view"]["app_installed_team_id"] == "T0COUNTERSIGN"


@story
async def test_the_app_can_find_fault_with_an_input():
    """response_action errors keeps the modal open with messages under its inputs."""
    async with running() as workspace:
        app = bolt_app(workspace)
        _denies(app, [], {"response_action": "errors", "errors": {"why": "Somebody was faster."}})
        async with connected(workspace, app):
            view = await _open_modal(workspace)
            outcome = await workspace.submit_view(ADA, {"why": {"reason": "no"}})

        assert outcome.field_errors == {"why": "Somebody was faster."}
        assert workspace.open_view(ADA) is view


@story
async def test_the_app_can_replace_the_modal():
    """response_action update shows another view in place, and clear closes it."""
    result = {"type": "modal", "title": plain("Done"), "blocks": [section("It was approved meanwhile.")]}
    async with running() as workspace:
        app = bolt_app(workspace)
        _denies(app, [], {"response_action": "update", "view": result})
        async with connected(workspace, app):
            await _open_modal(workspace)
            await workspace.submit_view(ADA, {"why": {"reason": "no"}})
            shown = workspace.open_view(ADA)
            closed = await workspace.close_view(ADA)

        assert shown is not None
        assert shown.content["title"] == plain("Done")
        assert (closed.acked, workspace.open_view(ADA)) == (True, None)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({"response_action": "errors", "errors": {"nothing": "x"}}, "errors must name input blocks"),
        ({"response_action": "push", "view": modal()}, "response_action push is not offered"),
        ({"response_action": "update", "view": modal(title=plain("x" * 25))}, "must be less than 25 characters"),
    ],
    ids=["an input that is not there", "push", "a view Slack would refuse"],
)
@story
async def test_an_answer_that_slack_would_not_show_is_told_to_the_person(answer, told):
    """A broken answer to a submission leaves the modal open and says why."""
    async with running() as workspace:
        app = bolt_app(workspace)
        _denies(app, [], answer)
        async with connected(workspace, app):
            view = await _open_modal(workspace)
            outcome = await workspace.submit_view(ADA, {"why": {"reason": "no"}})

        assert outcome.acked is False
        assert told in (outcome.error or "")
        assert workspace.open_view(ADA) is view


@pytest.mark.parametrize(
    ("element", "typed", "told"),
    [
        ({}, "", "Please complete this required field."),
        ({"min_length": 3}, "no", "Between 3 and 3000 characters, please; this has 2."),
        ({"max_length": 3}, "nope", "Between 0 and 3 characters, please; this has 4."),
    ],
    ids=["nothing", "too little", "too much"],
)
@story
async def test_slacks_client_checks_inputs_before_it_sends(element, typed, told):
    """What Slack's own client would not submit never reaches the app."""
    triggers: list[Any] = []
    submissions: list[Any] = []
    async with running() as workspace:
        app = bolt_app(workspace)
        keep_triggers(app, triggers)

        @app.view("deny")
        async def deny(ack, body):
            submissions.append(body)
            await ack()

        async with connected(workspace, app):
            await workspace.click(ADA, CHANNEL, await post_card(workspace), "approve")
            await call(workspace, "views.open", trigger_id=triggers[0], view=modal(reason(**element)))
            outcome = await workspace.submit_view(ADA, {"why": {"reason": typed}})

    assert outcome.field_errors == {"why": told}
    assert submissions == []


@story
async def test_inputs_keep_what_the_app_filled_in():
    """An untouched input is submitted with its initial value, and a select with its option."""
    triggers: list[Any] = []
    submissions: list[Any] = []
    choice = {"text": plain("Now"), "value": "now"}
    picker = {
        "type": "input",
        "block_id": "when",
        "label": plain("When"),
        "element": {"type": "static_select", "action_id": "pick", "options": [choice], "initial_option": choice},
    }
    async with running() as workspace:
        app = bolt_app(workspace)
        keep_triggers(app, triggers)

        @app.view("deny")
        async def deny(ack, body):
            submissions.append(body["view"]["state"]["values"])
            await ack()

        async with connected(workspace, app):
            await workspace.click(ADA, CHANNEL, await post_card(workspace), "approve")
            await call(
                workspace, "views.open", trigger_id=triggers[0], view=modal(reason(initial_value="as asked"), picker)
            )
            await workspace.submit_view(ADA, {})

    assert submissions == [
        {
            "why": {"reason": {"type": "plain_text_input", "value": "as asked"}},
            "when": {"pick": {"type": "static_select", "selected_option": choice}},
        }
    ]


@story
async def test_closing_is_told_only_where_asked():
    """view_closed arrives for a view with notify_on_close, and for no other."""
    closed: list[Any] = []
    triggers: list[Any] = []
    async with running() as workspace:
        app = bolt_app(workspace)
        keep_triggers(app, triggers)

        @app.view_closed("deny")
        async def on_close(ack, body):
            closed.append((body["type"], body["is_cleared"]))
            await ack()

        async with connected(workspace, app):
            ts = await post_card(workspace)
            for number, more in enumerate(({}, {"notify_on_close": True})):
                await workspace.click(ADA, CHANNEL, ts, "approve")
                await call(workspace, "views.open", trigger_id=triggers[number], view=modal(**more))
                await workspace.close_view(ADA)

    assert closed == [("view_closed", False)]


@story
async def test_a_button_inside_a_modal_can_change_the_modal():
    """A click in a view carries the view and no message, and views.update checks the hash."""
    kept: list[Any] = []
    triggers: list[Any] = []
    async with running() as workspace:
        app = bolt_app(workspace)
        keep_triggers(app, triggers)

        @app.action("next")
        async def turn(ack, body):
            kept.append(body)
            await ack()

        async with connected(workspace, app):
            await workspace.click(ADA, CHANNEL, await post_card(workspace), "approve")
            view = modal(section("page 1"), actions(button("next")))
            opened = (await call(workspace, "views.open", trigger_id=triggers[0], view=view))["view"]
            await workspace.click_in_view(ADA, "next")
        second = modal(section("page 2"))
        turned = await call(workspace, "views.update", view_id=opened["id"], hash=opened["hash"], view=second)
        stale = await call(workspace, "views.update", view_id=opened["id"], hash=opened["hash"], view=second)
        lost = await call(workspace, "views.update", view_id="V0NOWHERE", view=second)

    assert kept[0]["container"] == {"type": "view", "view_id": opened["id"]}
    assert "message" not in kept[0]
    assert (turned["ok"], stale["error"], lost["error"]) == (True, "hash_conflict", "not_found")


@story
async def test_an_external_id_is_used_once():
    """A second open view cannot have the same external_id, and views.update finds a view by it."""
    triggers: list[Any] = []
    async with running() as workspace:
        app = bolt_app(workspace)
        keep_triggers(app, triggers)
        async with connected(workspace, app):
            ts = await post_card(workspace)
            await workspace.click(ADA, CHANNEL, ts, "approve")
            await workspace.click("U0BORIS", CHANNEL, ts, "approve")
        view = modal(external_id="esc_1")
        first = await call(workspace, "views.open", trigger_id=triggers[0], view=view)
        second = await call(workspace, "views.open", trigger_id=triggers[1], view=view)
        found = await call(workspace, "views.update", external_id="esc_1", view=view)

    assert (first["ok"], second["error"], found["ok"]) == (True, "duplicate_external_id", True)
