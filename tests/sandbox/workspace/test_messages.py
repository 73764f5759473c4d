"""Posting, updating, private notes, links: what stays, what goes, and what is refused."""

import pytest

from sandbox.workspace import Strictness
from tests.sandbox.workspace.support import (
    ADA,
    CHANNEL,
    Clock,
    actions,
    call,
    call_fully,
    client_of,
    marked,
    rich,
    running,
    section,
    story,
)


@story
async def test_a_message_has_slacks_shape():
    """A posted message carries its author's ids, and blocks get ids where the app gave none."""
    async with running() as workspace:
        answer = await client_of(workspace).chat_postMessage(
            channel=CHANNEL, text="hi", blocks=[section(block_id="s")], unfurl_links=False, unfurl_media=False
        )

        assert answer["channel"] == CHANNEL
        assert answer["message"] == {
            "type": "message",
            "user": "U0COUNTERSIGN",
            "ts": answer["ts"],
            "text": "hi",
            "team": "T0COUNTERSIGN",
            "bot_id": "B0COUNTERSIGN",
            "app_id": "A0COUNTERSIGN",
            "blocks": [section(block_id="s")],
        }


@story
async def test_timestamps_are_unique_while_the_clock_stands_still():
    """Two messages never share a ts, which is their only name."""
    async with running(now=Clock(), strictness=Strictness(post_rate=None)) as workspace:
        posted = [(await call(workspace, "chat.postMessage", channel=CHANNEL, text="hi"))["ts"] for _ in range(20)]

        assert len(set(posted)) == 20
        assert posted == sorted(posted)


@story
async def test_a_message_needs_something_to_say():
    """Neither text nor blocks is no message; attachments are not offered, but may be emptied."""
    async with running() as workspace:
        empty = await call(workspace, "chat.postMessage", channel=CHANNEL)
        attached = await call(workspace, "chat.postMessage", channel=CHANNEL, text="x", attachments=[{"text": "y"}])
        emptied = await call(workspace, "chat.postMessage", channel=CHANNEL, text="x", attachments=[])

        assert (empty["error"], attached["error"], emptied["ok"]) == ("no_text", "invalid_attachments", True)


@story
async def test_a_very_long_text_is_cut_and_says_so():
    """Slack cuts text at 40,000 characters instead of refusing it."""
    async with running() as workspace:
        answer = await call(workspace, "chat.postMessage", channel=CHANNEL, text="x" * 40_001)

        assert len(answer["message"]["text"]) == 40_000
        assert answer["response_metadata"] == {"warnings": ["message_truncated"]}


@story
async def test_posting_is_paced_for_each_channel():
    """A small burst, then one a second in a channel; 429 says how long to wait, and another channel is free."""
    clock = Clock()
    async with running(now=clock) as workspace:
        statuses = [(await call_fully(workspace, "chat.postMessage", channel=CHANNEL, text="x"))[1] for _ in range(4)]
        _, _, headers = await call_fully(workspace, "chat.postMessage", channel=CHANNEL, text="x")
        elsewhere = await call(workspace, "chat.postMessage", channel="C0STAGING", text="x")
        clock.go_on(1.0)
        later = await call(workspace, "chat.postMessage", channel=CHANNEL, text="x")
        again = await call(workspace, "chat.postMessage", channel=CHANNEL, text="x")

        assert statuses == [200, 200, 200, 429]
        assert headers["Retry-After"] == "1"
        assert (elsewhere["ok"], later["ok"], again.get("error")) == (True, True, "ratelimited")
        assert len(workspace.messages(CHANNEL)) == 4


@story
async def test_the_blocks_of_one_message_have_a_total_limit():
    """Blocks that are each fine may be too long together; response_metadata does not help, as on Slack."""
    blocks = [section("x" * 2_900) for _ in range(5)]
    async with running() as workspace:
        refused = await call(workspace, "chat.postMessage", channel=CHANNEL, text="x", blocks=blocks)
        fits = await call(workspace, "chat.postMessage", channel=CHANNEL, text="x", blocks=blocks[:4])
    async with running(strictness=Strictness(block_total_characters=None)) as workspace:
        lenient = await call(workspace, "chat.postMessage", channel=CHANNEL, text="x", blocks=blocks)

    assert (refused, fits["ok"], lenient["ok"]) == ({"ok": False, "error": "msg_blocks_too_long"}, True, True)


@story
async def test_an_update_replaces_what_it_names():
    """Blocks keep the edited mark off; text alone removes the blocks and sets it."""
    async with running() as workspace:
        client = client_of(workspace)
        ts = (await client.chat_postMessage(channel=CHANNEL, text="one", blocks=[actions()]))["ts"]
        blocks = await client.chat_update(channel=CHANNEL, ts=ts, text="two", blocks=[section(block_id="b")])
        text = await client.chat_update(channel=CHANNEL, ts=ts, text="three")

        assert blocks["message"]["blocks"] == [section(block_id="b")]
        assert "edited" not in blocks["message"]
        assert "blocks" not in text["message"]
        assert (text["text"], text["message"]["edited"]["user"]) == ("three", "U0COUNTERSIGN")


@story
async def test_only_own_messages_that_exist_can_be_updated():
    """A deleted message, another author's, and a note are three ways to fail; the switch allows the second."""
    async with running() as workspace:
        theirs = workspace.say(ADA, CHANNEL, "mine").ts
        gone = (await client_of(workspace).chat_postMessage(channel=CHANNEL, text="x"))["ts"]
        note = (await client_of(workspace).chat_postEphemeral(channel=CHANNEL, user=ADA, text="x"))["message_ts"]
        workspace.delete_message(CHANNEL, gone)
        errors = [
            (await call(workspace, "chat.update", channel=CHANNEL, ts=ts, text="y"))["error"]
            for ts in (theirs, gone, note)
        ]
    async with running(strictness=Strictness(own_messages_only=False)) as workspace:
        theirs = workspace.say(ADA, CHANNEL, "mine").ts
        lenient = await call(workspace, "chat.update", channel=CHANNEL, ts=theirs, text="y")

    assert errors == ["cant_update_message", "message_not_found", "message_not_found"]
    assert lenient["ok"] is True


@story
async def test_an_updates_text_is_shorter_than_a_posts():
    """chat.update refuses text over 4,000 characters that chat.postMessage accepts."""
    async with running() as workspace:
        ts = (await call(workspace, "chat.postMessage", channel=CHANNEL, text="x" * 4_001))["ts"]
        fits = await call(workspace, "chat.update", channel=CHANNEL, ts=ts, text="x" * 4_000)
        refused = await call(workspace, "chat.update", channel=CHANNEL, ts=ts, text="x" * 4_001)

    assert (fits["ok"], refused) == (True, {"ok": False, "error": "msg_too_long"})


@pytest.mark.parametrize(
    ("before", "after"),
    [(rich(block_id="b"), section(block_id="b")), (section(block_id="b"), rich(block_id="b"))],
    ids=["rich text becomes a section", "a section becomes rich text"],
)
@story
async def test_a_rich_text_block_keeps_its_type_under_one_id(before, after):
    """Giving a rich_text block's id to another type is block_mismatch; a new id is fine; the switch forgives."""
    async with running() as workspace:
        ts = (await call(workspace, "chat.postMessage", channel=CHANNEL, text="x", blocks=[before]))["ts"]
        same = await call(workspace, "chat.update", channel=CHANNEL, ts=ts, text="x", blocks=[after])
        fresh = await call(
            workspace, "chat.update", channel=CHANNEL, ts=ts, text="x", blocks=[after | {"block_id": "c"}]
        )
    async with running(strictness=Strictness(update_block_mismatch=False)) as workspace:
        ts = (await call(workspace, "chat.postMessage", channel=CHANNEL, text="x", blocks=[before]))["ts"]
        lenient = await call(workspace, "chat.update", channel=CHANNEL, ts=ts, text="x", blocks=[after])

    assert (same, fresh["ok"], lenient["ok"]) == ({"ok": False, "error": "block_mismatch"}, True, True)


@story
async def test_replies_belong_to_their_thread():
    """A reply to a reply joins the same thread; a reply to nothing is refused."""
    async with running() as workspace:
        client = client_of(workspace)
        parent = (await client.chat_postMessage(channel=CHANNEL, text="parent"))["ts"]
        first = await client.chat_postMessage(channel=CHANNEL, text="first", thread_ts=parent)
        second = await client.chat_postMessage(channel=CHANNEL, text="second", thread_ts=first["ts"])
        lost = await call(workspace, "chat.postMessage", channel="C0STAGING", text="x", thread_ts="1.000000")

        assert second["message"]["thread_ts"] == parent
        assert [message.text for message in workspace.thread(CHANNEL, parent)] == ["first", "second"]
        assert lost["error"] == "thread_not_found"


@story
async def test_a_private_note_reaches_one_person():
    """An ephemeral is on its addressee's page only, and only where that person is."""
    async with running() as workspace:
        await client_of(workspace).chat_postEphemeral(channel=CHANNEL, user=ADA, text="psst")
        outside = await call(workspace, "chat.postEphemeral", channel="C0STAGING", user="U0FAY", text="x")
        nobody = await call(workspace, "chat.postEphemeral", channel=CHANNEL, user="U0NOBODY", text="x")

        assert [note.text for note in workspace.ephemerals(ADA)] == ["psst"]
        assert (workspace.ephemerals("U0BORIS"), workspace.messages(CHANNEL)) == ([], [])
        assert outside["error"] == nobody["error"] == "user_not_in_channel"
        assert (await workspace.next_ephemeral(ADA)).text == "psst"
        assert workspace.ephemerals(ADA) == []


@story
async def test_posting_to_a_person_opens_their_conversation():
    """A user id as channel gives a D id, which only that person can open; bots have none."""
    async with running() as workspace:
        answer = await client_of(workspace).chat_postMessage(channel=ADA, text="hi")
        again = await client_of(workspace).chat_postMessage(channel=ADA, text="hi")
        to_bot = await call(workspace, "chat.postMessage", channel="U0SHIPBOT", text="hi")

        assert answer["channel"] == again["channel"] == "D0ADA"
        assert to_bot["error"] == "channel_not_found"
        assert len(workspace.messages("D0ADA")) == 2


@story
async def test_a_permalink_names_channel_and_message():
    """The link carries no key: who has it still needs the page's own address."""
    async with running() as workspace:
        client = client_of(workspace)
        ts = (await client.chat_postMessage(channel=CHANNEL, text="x"))["ts"]
        reply = (await client.chat_postMessage(channel=CHANNEL, text="x", thread_ts=ts))["ts"]
        link = (await client.chat_getPermalink(channel=CHANNEL, message_ts=ts))["permalink"]
        reply_link = (await client.chat_getPermalink(channel=CHANNEL, message_ts=reply))["permalink"]
        lost = await call(workspace, "chat.getPermalink", channel=CHANNEL, message_ts="1.0")
        nowhere = await call(workspace, "chat.getPermalink", channel="C0NOWHERE", message_ts=ts)

        origin = workspace.api_url.removesuffix("/api/")
        assert link == f"{origin}/archives/{CHANNEL}/p{ts.replace('.', '')}"
        assert reply_link == f"{origin}/archives/{CHANNEL}/p{reply.replace('.', '')}?thread_ts={ts}&cid={CHANNEL}"
        assert (lost["error"], nowhere["error"]) == ("message_not_found", "channel_not_found")


@story
async def test_updates_parse_names_where_posts_do_not():
    """A bare @channel in text is dead in a post and alive after an update, unless parse says none."""
    async with running() as workspace:
        ts = (await call(workspace, "chat.postMessage", channel=CHANNEL, text="@channel"))["ts"]
        posted = workspace.live_things(workspace.messages(CHANNEL)[0])
        await call(workspace, "chat.update", channel=CHANNEL, ts=ts, text="@channel")
        updated = workspace.live_things(workspace.messages(CHANNEL)[0])
        await call(workspace, "chat.update", channel=CHANNEL, ts=ts, text="@channel", parse="none")
        unparsed = workspace.live_things(workspace.messages(CHANNEL)[0])

    assert (posted, updated, unparsed) == ([], [("broadcast", "channel")], [])


@story
async def test_what_is_live_in_a_message_can_be_asked():
    """Mentions in blocks are found wherever they hide; verbatim and rich_text keep strings dead."""
    async with running() as workspace:
        blocks = [
            {"type": "context", "elements": [marked("<@U0ADA> @here", verbatim=True)]},
            section("see #general and https://example.org/x."),
            rich({"type": "text", "text": "<!channel> @here"}, {"type": "usergroup", "usergroup_id": "S0PROD"}),
        ]
        await call(workspace, "chat.postMessage", channel=CHANNEL, text="<!here>", blocks=blocks)

        assert workspace.live_things(workspace.messages(CHANNEL)[0]) == [
            ("user", "U0ADA"),
            ("channel", "#general"),
            ("link", "https://example.org/x"),
            ("group", "S0PROD"),
            ("broadcast", "here"),
        ]


@story
async def test_a_channels_history_is_bounded():
    """The oldest message is dropped when a channel is full, so that a flood cannot fill the memory."""
    async with running(history=3, strictness=Strictness(post_rate=None)) as workspace:
        for number in range(5):
            await call(workspace, "chat.postMessage", channel=CHANNEL, text=str(number))

        assert [message.text for message in workspace.messages(CHANNEL)] == ["2", "3", "4"]


@story
async def test_metadata_is_kept_through_updates():
    """Metadata stays until it is replaced, and is refused where it is none."""
    async with running() as workspace:
        data = {"event_type": "card", "event_payload": {"id": "esc_1"}}
        ts = (await call(workspace, "chat.postMessage", channel=CHANNEL, text="x", metadata=data))["ts"]
        kept = await call(workspace, "chat.update", channel=CHANNEL, ts=ts, text="y")
        broken = await call(workspace, "chat.postMessage", channel=CHANNEL, text="x", metadata={"no": 1})

        assert kept["message"]["metadata"] == data
        assert broken["error"] == "invalid_metadata_format"
