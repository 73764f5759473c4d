"""Slash commands, response URLs and events: what the app is sent, and how it may answer."""

from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from sandbox.workspace import NotThere, Strictness, default_seed
from tests.sandbox.workspace.support import (
    ADA,
    CHANNEL,
    Clock,
    Json,
    actions,
    bolt_app,
    client_of,
    connected,
    keep_clicks,
    post_card,
    running,
    story,
    until,
)


@story
async def test_a_command_is_a_form_and_its_answer_is_private():
    """A slash command carries Slack's fields; names in its text arrive as ids; the answer only the person sees."""
    kept: list[Any] = []
    async with running() as workspace:
        app = bolt_app(workspace)

        @app.command("/agent-pause")
        async def pause(ack, command):
            kept.append(command)
            await ack(text="Paused.")

        async with connected(workspace, app):
            text = "on @chen #staging-approvals @prod-approvers <b> & co @nobody"
            outcome = await workspace.run_command(ADA, CHANNEL, "/agent-pause", text)

        assert outcome.acked is True
        assert [note.text for note in workspace.ephemerals(ADA)] == ["Paused."]
        assert workspace.messages(CHANNEL) == []
    [command] = kept
    assert command["text"] == (
        "on <@U0CHEN|chen> <#C0STAGING|staging-approvals> <!subteam^S0PROD> &lt;b&gt; &amp; co @nobody"
    )
    assert {name: command[name] for name in ("user_id", "team_id", "channel_id", "command")} == {
        "user_id": ADA,
        "team_id": "T0COUNTERSIGN",
        "channel_id": CHANNEL,
        "command": "/agent-pause",
    }


@story
async def test_a_command_may_answer_everybody():
    """response_type in_channel posts; an answer Slack would refuse is told to the person; none says nothing."""
    answers: list[Json] = [{"text": "All stop.", "response_type": "in_channel"}, {"blocks": [{"type": "x"}]}, {}]
    async with running() as workspace:
        app = bolt_app(workspace)

        @app.command("/agent-pause")
        async def pause(ack):
            await ack(**answers.pop(0))

        async with connected(workspace, app):
            await workspace.run_command(ADA, CHANNEL, "/agent-pause")
            broken = await workspace.run_command(ADA, CHANNEL, "/agent-pause")
            silent = await workspace.run_command(ADA, CHANNEL, "/agent-pause")

        assert [message.text for message in workspace.messages(CHANNEL)] == ["All stop."]
        assert "unsupported type: x" in (broken.error or "")
        assert (silent.acked, silent.error, workspace.ephemerals(ADA)) == (True, None, [])


@story
async def test_commands_belong_to_the_workspace_and_its_people():
    """Unknown commands, people of other companies, and an app without the scope get nothing through."""
    async with running() as workspace:
        unknown = await workspace.run_command(ADA, CHANNEL, "/other")
        outsider = await workspace.run_command("U0FAY", CHANNEL, "/agent-pause")
        with pytest.raises(NotThere):
            await workspace.run_command("U0FAY", "C0STAGING", "/agent-pause")
    async with running(seed=replace(default_seed(), bot_scopes=("chat:write",))) as workspace:
        scopeless = await workspace.run_command(ADA, CHANNEL, "/agent-pause")

    assert [each.error for each in (unknown, outsider, scopeless)] == [
        "/other is not a command that you can use here.",
        "/agent-pause is not a command that you can use here.",
        "/agent-pause is not a command that you can use here.",
    ]


async def _response_url(workspace, app):
    kept: list[Any] = []
    keep_clicks(app, kept)
    async with connected(workspace, app):
        ts = await post_card(workspace)
        await workspace.click(ADA, CHANNEL, ts, "approve")
    return kept[0]["response_url"], ts


async def _post(url, **body):
    async with aiohttp.ClientSession() as session, session.post(url, json=body) as response:
        return response.status, await response.text()


@story
async def test_a_response_url_answers_five_times():
    """By default a response_url answers privately, and the sixth time not at all; the switch forgives."""
    async with running() as workspace:
        url, _ = await _response_url(workspace, bolt_app(workspace))
        answers = [await _post(url, text=str(number)) for number in range(6)]
        texts = [note.text for note in workspace.ephemerals(ADA)]
    async with running(strictness=Strictness(response_url_uses=None)) as workspace:
        url, _ = await _response_url(workspace, bolt_app(workspace))
        lenient = [await _post(url, text="x") for _ in range(6)]

    assert answers == [(200, "ok")] * 5 + [(404, "used_url")]
    assert texts == ["0", "1", "2", "3", "4"]
    assert lenient[-1] == (200, "ok")


@story
async def test_a_response_url_lives_half_an_hour():
    """At thirty minutes it still answers, a moment later it does not, and one that was made up never does."""
    clock = Clock()
    async with running(now=clock) as workspace:
        url, _ = await _response_url(workspace, bolt_app(workspace))
        clock.go_on(1_800)
        at_the_end = await _post(url, text="x")
        clock.go_on(0.1)
        late = await _post(url, text="x")
        made_up = await _post(url + "0", text="x")

    assert (at_the_end, late, made_up) == ((200, "ok"), (404, "expired_url"), (404, "invalid_url"))


@story
async def test_a_response_url_can_replace_delete_and_post():
    """replace_original, in_channel and delete_original do what they say; unknown fields and bad blocks are refused."""
    async with running() as workspace:
        url, ts = await _response_url(workspace, bolt_app(workspace))
        await _post(url, text="replaced", replace_original=True)
        replaced = workspace.messages(CHANNEL)[0].text
        await _post(url, text="for all", response_type="in_channel")
        refused = await _post(url, text="x", blocks=[{"type": "x"}])
        unknown = await _post(url, txt="x")
        await _post(url, delete_original=True)

        assert replaced == "replaced"
        assert [message.text for message in workspace.messages(CHANNEL)] == ["for all"]
        assert (refused[0], unknown[0]) == (400, 400)
        assert ts not in {message.ts for message in workspace.messages(CHANNEL)}


@story
async def test_a_note_is_replaced_and_deleted_by_its_response_url_only():
    """The only way to change an ephemeral is the response_url of a click in it."""
    kept: list[Any] = []
    async with running() as workspace:
        app = bolt_app(workspace)
        keep_clicks(app, kept)
        async with connected(workspace, app):
            note = await client_of(workspace).chat_postEphemeral(
                channel=CHANNEL, user=ADA, text="x", blocks=[actions()]
            )
            await workspace.click(ADA, CHANNEL, note["message_ts"], "approve")
        await _post(kept[0]["response_url"], text="better", replace_original=True)
        replaced = [(each.ts, each.text) for each in workspace.ephemerals(ADA)]
        await _post(kept[0]["response_url"], delete_original=True)

        assert replaced == [(note["message_ts"], "better")]
        assert workspace.ephemerals(ADA) == []


@story
async def test_group_changes_are_told_as_events():
    """subteam_members_changed names the group and who came and went."""
    kept: list[Any] = []
    async with running() as workspace:
        app = bolt_app(workspace)

        @app.event("subteam_members_changed")
        async def changed(event, body):
            kept.append((event, body["event_id"]))

        async with connected(workspace, app):
            delivered = await workspace.set_group_members("S0PROD", ["U0BORIS", "U0DINA"])
            await until(lambda: kept, what="the event reaches its listener")

    [(event, event_id)] = kept
    assert delivered is True
    assert event_id.startswith("Ev")
    assert (event["subteam_id"], event["added_users"], event["removed_users"]) == ("S0PROD", ["U0DINA"], ["U0ADA"])
