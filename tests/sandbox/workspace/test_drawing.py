"""What a page is sent of a message: text as nodes, ids with their names, and nothing that is somebody else's."""

import pytest

from sandbox.workspace import Channel, Message, Workspace, default_seed
from sandbox.workspace.page.drawing import Drawing
from tests.sandbox.workspace.support import (
    ADA,
    CHANNEL,
    Json,
    actions,
    bolt_app,
    call,
    client_of,
    connected,
    keep_clicks,
    plain,
    post_card,
    rich,
    running,
    section,
    story,
)


def _drawn(*blocks: Json, text: str = "", viewer: str = ADA) -> Json:
    workspace = Workspace(default_seed())
    message = Message(channel=CHANNEL, ts="1.000001", user="U0COUNTERSIGN", text=text, blocks=list(blocks), bot_id="B")
    return Drawing(workspace._core, viewer).message(message)


def _text(words):
    return {"t": "text", "s": words}


@pytest.mark.parametrize(
    ("element", "node"),
    [
        ({"type": "text", "text": "a\n:x: b"}, [_text("a"), {"t": "br"}, {"t": "emoji", "s": "❌"}, _text(" b")]),
        (
            {"type": "text", "text": "a", "style": {"bold": True, "code": True}},
            [{"t": "code", "c": [{"t": "bold", "c": [_text("a")]}]}],
        ),
        (
            {"type": "link", "url": "https://a.example", "text": "go"},
            [{"t": "link", "url": "https://a.example", "c": [_text("go")]}],
        ),
        (
            {"type": "link", "url": "https://a.example"},
            [{"t": "link", "url": "https://a.example", "c": [_text("https://a.example")]}],
        ),
        ({"type": "link", "url": "javascript:alert(1)", "text": "go"}, [_text("go")]),
        (
            {"type": "date", "timestamp": 5, "format": "{date}", "fallback": "then"},
            [{"t": "date", "ts": 5, "format": "{date}", "fallback": "then"}],
        ),
        ({"type": "emoji", "name": "warning"}, [{"t": "emoji", "s": "⚠️"}]),
        ({"type": "emoji", "name": "no_such_thing"}, [{"t": "emoji", "s": ":no_such_thing:"}]),
        ({"type": "broadcast", "range": "channel"}, [{"t": "broadcast", "s": "channel"}]),
        ({"type": "user", "user_id": ADA}, [{"t": "user", "id": ADA, "s": "@Ada Lindqvist", "me": True}]),
        ({"type": "user", "user_id": "U0NOBODY"}, [{"t": "user", "id": "U0NOBODY", "s": "@unknown", "me": False}]),
        (
            {"type": "usergroup", "usergroup_id": "S0PROD"},
            [{"t": "group", "id": "S0PROD", "s": "@prod-approvers", "me": True}],
        ),
        (
            {"type": "usergroup", "usergroup_id": "S0NOBODY"},
            [{"t": "group", "id": "S0NOBODY", "s": "@unknown-group", "me": False}],
        ),
        ({"type": "channel", "channel_id": "C0PROD"}, [{"t": "channel", "id": "C0PROD", "s": "#prod-eu-1-approvals"}]),
        ({"type": "channel", "channel_id": "C0NOWHERE"}, [{"t": "channel", "id": "C0NOWHERE", "s": "C0NOWHERE"}]),
    ],
    ids=[
        "text",
        "styles",
        "link",
        "bare link",
        "unsafe link",
        "date",
        "emoji",
        "unknown emoji",
        "broadcast",
        "myself",
        "unknown user",
        "my group",
        "unknown group",
        "channel",
        "unknown channel",
    ],
)
def test_each_rich_text_element_becomes_nodes(element, node):
    """Strings stay strings, ids get names, and a link that a browser should not follow is only its words."""
    drawn = _drawn(rich(element))

    assert drawn["blocks"][0]["nodes"] == [{"t": "section", "c": node}]


def test_code_keeps_its_letters():
    """Emoji shortcodes and names inside code are left alone."""
    block = {
        "type": "rich_text",
        "elements": [{"type": "rich_text_preformatted", "elements": [{"type": "text", "text": ":x:"}]}],
    }
    drawn = _drawn(block, section("`:x:` :x:"))

    assert drawn["blocks"][0]["nodes"] == [{"t": "pre", "c": [_text(":x:")], "language": ""}]
    assert drawn["blocks"][1]["text"]["nodes"] == [
        {"t": "code", "c": [_text(":x:")]},
        _text(" "),
        {"t": "emoji", "s": "❌"},
    ]


def test_plain_text_has_no_markup():
    """Plain text is its lines and emoji, whatever marks stand in it."""
    drawn = _drawn({"type": "header", "text": plain("*a* <@U0ADA>\n:bell:")})

    assert drawn["blocks"][0]["text"] == {
        "nodes": [_text("*a* <@U0ADA>"), {"t": "br"}, {"t": "emoji", "s": "🔔"}],
        "plain": True,
    }


def test_the_announcement_is_one_line():
    """A screen reader hears the message's own text with names for ids, dates and line breaks spelled out."""
    drawn = _drawn(text="<@U0ADA>: *scale*\nby <!date^5^{date}|Friday>, see <#C0PROD> <https://a.example|here> :bell:")

    assert drawn["summary"] == "@Ada Lindqvist: scale by Friday, see #prod-eu-1-approvals here 🔔"


def test_a_button_for_somebody_else_is_not_even_sent():
    """What a viewer may not see is left out of what their page gets."""
    secret = {"type": "button", "action_id": "a", "text": plain("x"), "visible_to_user_ids": ["U0BORIS"]}

    assert _drawn(actions(secret))["blocks"][0]["elements"] == []
    assert len(_drawn(actions(secret), viewer="U0BORIS")["blocks"][0]["elements"]) == 1


def test_nested_blocks_are_drawn_too():
    """Containers, fields, options and confirm dialogs have nodes for every text in them."""
    select = {"type": "static_select", "action_id": "s", "options": [{"text": plain("A"), "value": "a"}]}
    container = {"type": "container", "title": plain("t"), "child_blocks": [section("*x*", accessory=select)]}
    [drawn] = _drawn(container)["blocks"]

    assert drawn["title"]["nodes"] == [_text("t")]
    assert drawn["child_blocks"][0]["text"]["nodes"] == [{"t": "bold", "c": [_text("x")]}]
    assert drawn["child_blocks"][0]["accessory"]["options"] == [
        {"text": {"nodes": [_text("A")], "plain": True}, "value": "a"}
    ]


@story
async def test_private_and_direct_channels_have_slacks_names():
    """A payload calls a private channel privategroup and a conversation with the app directmessage."""
    kept: list[Json] = []
    seed = default_seed()
    private = Channel(id="C0QUIET", name="quiet", members=(ADA,), private=True)
    world = type(seed)(
        **{name: getattr(seed, name) for name in type(seed).__slots__} | {"channels": (*seed.channels, private)}
    )
    async with running(seed=world) as workspace:
        app = bolt_app(workspace)
        keep_clicks(app, kept)
        async with connected(workspace, app):
            for channel in ("C0QUIET", ADA):
                answer = await client_of(workspace).chat_postMessage(channel=channel, text="x", blocks=[actions()])
                await workspace.click(ADA, answer["channel"], answer["ts"], "approve")
        direct = await call(workspace, "conversations.info", channel="D0ADA")

    assert [body["channel"] for body in kept] == [
        {"id": "C0QUIET", "name": "privategroup"},
        {"id": "D0ADA", "name": "directmessage"},
    ]
    assert (direct["error"], direct["needed"]) == ("missing_scope", "im:read")


@story
async def test_a_select_tells_what_was_chosen():
    """Choosing from a select in a message sends the option, also out of a group of options."""
    kept: list[Json] = []
    option = {"text": plain("B"), "value": "b"}
    select = {
        "type": "static_select",
        "action_id": "approve",
        "option_groups": [{"label": plain("g"), "options": [{"text": plain("A"), "value": "a"}, option]}],
    }
    async with running() as workspace:
        app = bolt_app(workspace)
        keep_clicks(app, kept)
        async with connected(workspace, app):
            await workspace.click(ADA, CHANNEL, await post_card(workspace, select), "approve", chosen="b")

    assert kept[0]["actions"][0]["selected_option"] == option
