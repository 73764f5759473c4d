"""The page in a real browser: a person reads cards, clicks, fills in modals, runs commands and changes who they are."""

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from playwright.async_api import Page, Route, expect

from sandbox.workspace import Strictness, Workspace
from tests.fixtures.browser import Stage
from tests.sandbox.workspace.support import (
    ADA,
    CHANNEL,
    Json,
    actions,
    bolt_app,
    button,
    client_of,
    connected,
    marked,
    modal,
    plain,
    reason,
    rich,
    running,
    section,
)

TRICKS = '<!channel> *bold* <https://evil.example|here> <img src=x onerror="alert(1)"> &lt;@U0ADA&gt; ```'


# A loaded machine is slow, not wrong: what is waited for is a state, and this is only when to give up.
expect.set_options(timeout=20_000)


def played(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run an async test in the loop of its stage."""

    @functools.wraps(test)
    def run(stage: Stage, **keywords: Any) -> None:
        async def to_the_end() -> None:
            async with asyncio.timeout(120):
                await test(stage, **keywords)

        stage.runner.run(to_the_end())

    return run


@asynccontextmanager
async def _browsing(stage: Stage, workspace: Workspace, **context: Any) -> AsyncIterator[Page]:
    """Give the page of a workspace; anything the page's console or script complains about fails the test."""
    complaints: list[str] = []
    window = await stage.browser.new_context(**context)
    window.set_default_timeout(20_000)
    page = await window.new_page()
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.goto(workspace.page_url)
    try:
        yield page
    finally:
        await window.close()
    assert complaints == []


async def _post(workspace: Workspace, *blocks: Json, **more: Any) -> str:
    client = client_of(workspace)
    arguments = {"channel": CHANNEL, "text": "A card", "blocks": list(blocks) or None, **more}
    return str((await client.chat_postMessage(**arguments))["ts"])


@played
async def test_a_card_is_drawn_with_all_its_blocks(stage):
    """Every block that the stand-in accepts is drawn, and none is left out with an excuse."""
    table = [[{"type": "raw_text", "text": "Field"}, rich()], [{"type": "raw_number", "value": 3}, rich()]]
    diff = {"type": "rich_text_preformatted", "language": "diff", "elements": [{"type": "text", "text": "-a\n+b"}]}
    blocks = [
        {"type": "header", "text": plain("Scale checkout :warning:")},
        section("*risk* <@U0ADA> <!subteam^S0PROD>", fields=[marked("one"), marked("two")], accessory=button("more")),
        {"type": "divider"},
        {"type": "context", "elements": [marked("<!date^0^{date_num} {time}|long ago>")]},
        {"type": "rich_text", "elements": [diff]},
        {
            "type": "rich_text",
            "elements": [
                {"type": "rich_text_list", "style": "bullet", "elements": [rich()["elements"][0]]},
                {"type": "rich_text_quote", "elements": [{"type": "text", "text": "so"}]},
            ],
        },
        {"type": "table", "rows": table, "column_settings": [{"align": "right"}]},
        {
            "type": "container",
            "title": plain("Checks"),
            "is_collapsible": True,
            "default_collapsed": True,
            "child_blocks": [section("inside")],
        },
        {"type": "image", "image_url": "https://example.org/x.png", "alt_text": "a chart of CPU"},
        actions(button(style="primary"), {"type": "static_select", "options": [{"text": plain("A"), "value": "a"}]}),
    ]
    async with running() as workspace, _browsing(stage, workspace, timezone_id="Asia/Tokyo", locale="en-GB") as page:
        ts = await _post(workspace, *blocks)
        card = page.get_by_test_id(f"message-{ts}")

        await expect(card.get_by_role("heading", name="Scale checkout ⚠️")).to_be_visible()
        await expect(card.locator("[data-mention=user]")).to_have_text("@Ada Lindqvist")
        await expect(card.locator("[data-mention=group]")).to_have_text("@prod-approvers")
        await expect(card.locator(".block-context")).to_have_text("01/01/1970 09:00")
        await expect(card.locator(".diff.removed")).to_have_text("-a")
        await expect(card.locator(".diff.added")).to_have_text("+b")
        await expect(card.get_by_role("columnheader", name="Field")).to_be_visible()
        await expect(card.get_by_text("inside")).to_be_hidden()
        await card.get_by_text("Checks").click()
        await expect(card.get_by_text("inside")).to_be_visible()
        await expect(card.get_by_role("img", name="a chart of CPU")).to_be_visible()
        await expect(card.locator("blockquote")).to_have_text("so")
        await expect(card.locator(".undrawable")).to_have_count(0)


@pytest.mark.parametrize("kind", ["rich text", "plain text", "escaped and verbatim"])
@played
async def test_untrusted_text_stays_text(stage, kind):
    """What a stranger writes is shown letter by letter: no markup, no element, no mention and no link comes of it."""
    escaped = TRICKS.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("*", "").replace("`", "")
    block = {
        "rich text": rich({"type": "text", "text": TRICKS}),
        "plain text": {"type": "section", "text": plain(TRICKS)},
        "escaped and verbatim": {"type": "section", "text": marked(escaped, verbatim=True)},
    }[kind]
    async with running() as workspace, _browsing(stage, workspace) as page:
        ts = await _post(workspace, block)
        blocks = page.get_by_test_id(f"message-{ts}").locator(".blocks")

        shown = TRICKS if kind != "escaped and verbatim" else TRICKS.replace("*", "").replace("`", "")
        await expect(blocks).to_have_text(shown)
        await expect(blocks.locator("a, img, .mention, strong, code, pre, script")).to_have_count(0)


@played
async def test_live_things_look_live(stage):
    """Text that an app let through raw is drawn as what it became, so that one can see the mistake."""
    async with running() as workspace, _browsing(stage, workspace) as page:
        ts = await _post(workspace, section("<!channel> see https://evil.example/x"))
        card = page.get_by_test_id(f"message-{ts}")

        await expect(card.locator("[data-mention=broadcast]")).to_have_text("@channel")
        await expect(card.get_by_role("link")).to_have_attribute("href", "https://evil.example/x")
        await expect(card.get_by_role("link")).to_have_attribute("rel", "noopener noreferrer")


@played
async def test_approving_changes_the_card_in_place(stage):
    """A click asks for confirmation where wanted, reaches the app, and the card and its thread change on the page."""
    question = {"title": plain("Apply?"), "text": marked("*3* to 6"), "confirm": plain("Apply"), "deny": plain("No")}
    async with running() as workspace:
        app = bolt_app(workspace)

        @app.action("approve")
        async def approve(ack, body, client):
            await ack()
            place = {"channel": body["channel"]["id"]}
            await client.chat_update(**place, ts=body["message"]["ts"], text="x", blocks=[section("Approved")])
            await client.chat_postMessage(**place, thread_ts=body["message"]["ts"], text="Executing")

        async with connected(workspace, app), _browsing(stage, workspace) as page:
            ts = await _post(workspace, section("Scale"), actions(button(confirm=question)))
            card = page.get_by_test_id(f"message-{ts}")
            await card.get_by_test_id("approve").click()
            await page.get_by_test_id("confirm-cancel").click()
            await expect(card).to_contain_text("Scale")
            await card.get_by_test_id("approve").click()
            await expect(page.get_by_test_id("confirm")).to_contain_text("3 to 6")
            await expect(page.get_by_test_id("confirm-cancel")).to_be_focused()
            await page.get_by_test_id("confirm-ok").click()

            await expect(card).to_contain_text("Approved")
            await expect(card.get_by_test_id("approve")).to_have_count(0)
            await card.get_by_test_id(f"thread-{ts}").click()
            await expect(page.get_by_test_id("thread-panel")).to_contain_text("Executing")


@played
async def test_a_person_sees_that_the_app_did_not_answer(stage):
    """Without an acknowledgement in time the card says so where one clicked, and can be used again."""
    async with (
        running(strictness=Strictness(ack_seconds=0.2)) as workspace,
        connected(workspace, bolt_app(workspace)),
        _browsing(stage, workspace) as page,
    ):
        ts = await _post(workspace, actions())
        card = page.get_by_test_id(f"message-{ts}")
        await card.get_by_test_id("approve").click()

        await expect(card.get_by_role("alert")).to_have_text(
            "The app did not answer within 0.2 seconds. Nothing tells whether it acted."
        )
        await expect(card.get_by_test_id("approve")).to_be_enabled()


@played
async def test_a_modal_is_filled_in_with_the_keyboard(stage):
    """The modal takes the focus, shows what is wrong under its field, keeps what was typed, and gives the focus back."""
    submitted: list[str] = []
    async with running() as workspace:
        app = bolt_app(workspace)

        @app.action("deny")
        async def deny(ack, body, client):
            await ack()
            await client.views_open(trigger_id=body["trigger_id"], view=modal())

        @app.view("deny")
        async def submit(ack, view):
            submitted.append(view["state"]["values"]["why"]["reason"]["value"])
            if len(submitted) == 1:
                await ack(response_action="errors", errors={"why": "Say more."})
            else:
                await ack()

        async with connected(workspace, app), _browsing(stage, workspace) as page:
            ts = await _post(workspace, actions(button("deny")))
            await page.get_by_test_id(f"message-{ts}").get_by_test_id("deny").focus()
            await page.keyboard.press("Enter")
            field = page.get_by_label("Reason")
            await expect(field).to_be_focused()
            await page.keyboard.press("Enter")
            await expect(page.get_by_test_id("field-error")).to_have_text("Please complete this required field.")
            await field.fill("no")
            await page.keyboard.press("Enter")
            await expect(page.get_by_test_id("field-error")).to_have_text("Say more.")
            await expect(field).to_have_value("no")
            await expect(field).to_have_attribute("aria-invalid", "true")
            await expect(field).to_be_focused()
            await page.keyboard.type(" way")
            await page.get_by_test_id("modal-submit").click()

            await expect(page.get_by_test_id("modal")).to_be_hidden()
            await expect(page.get_by_test_id("deny")).to_be_focused()
    assert submitted == ["no", "no way"]


@played
async def test_a_button_in_a_modal_turns_its_page(stage):
    """A click inside a modal reaches the app, whose update changes the modal and keeps what was typed."""
    async with running() as workspace:
        app = bolt_app(workspace)
        turn = actions(button("turn"), block_id="turn")

        @app.action("deny")
        async def deny(ack, body, client):
            await ack()
            await client.views_open(trigger_id=body["trigger_id"], view=modal(section("page 1"), turn, reason()))

        @app.action("turn")
        async def turned(ack, body, client):
            await ack()
            await client.views_update(view_id=body["view"]["id"], view=modal(section("page 2"), reason()))

        async with connected(workspace, app), _browsing(stage, workspace) as page:
            ts = await _post(workspace, actions(button("deny")))
            await page.get_by_test_id(f"message-{ts}").get_by_test_id("deny").click()
            await page.get_by_label("Reason").fill("half a thou")
            await page.get_by_test_id("turn").click()

            await expect(page.get_by_test_id("modal")).to_contain_text("page 2")
            await expect(page.get_by_label("Reason")).to_have_value("half a thou")


@played
async def test_escape_closes_a_modal(stage):
    """Escape is Cancel, also for the app that wants to know."""
    closed: list[str] = []
    async with running() as workspace:
        app = bolt_app(workspace)

        @app.action("deny")
        async def deny(ack, body, client):
            await ack()
            await client.views_open(trigger_id=body["trigger_id"], view=modal(notify_on_close=True))

        @app.view_closed("deny")
        async def on_close(ack, body):
            closed.append(body["user"]["id"])
            await ack()

        async with connected(workspace, app), _browsing(stage, workspace) as page:
            ts = await _post(workspace, actions(button("deny")))
            await page.get_by_test_id(f"message-{ts}").get_by_test_id("deny").click()
            await expect(page.get_by_test_id("modal")).to_be_visible()
            await page.keyboard.press("Escape")
            await expect(page.get_by_test_id("modal")).to_be_hidden()

        assert workspace.open_view(ADA) is None
    assert closed == [ADA]


@played
async def test_a_private_note_is_on_one_page_only(stage):
    """An ephemeral says that only its addressee sees it, and the next person does not."""
    async with running() as workspace, _browsing(stage, workspace) as page:
        await client_of(workspace).chat_postEphemeral(channel=CHANNEL, user=ADA, text="psst")
        await expect(page.get_by_test_id("ephemeral")).to_contain_text("Only visible to you")
        await page.get_by_test_id("act-as").select_option("U0BORIS")
        await expect(page.get_by_test_id("act-as")).to_have_value("U0BORIS")
        await _post(workspace, section("for all"))
        await expect(page.get_by_text("for all")).to_be_visible()

        await expect(page.get_by_test_id("ephemeral")).to_have_count(0)


@played
async def test_each_person_sees_their_own_channels_and_buttons(stage):
    """An outsider sees the shared channel only, and a button made for somebody else is not there."""
    async with running() as workspace, _browsing(stage, workspace) as page:
        ts = await _post(workspace, actions(button(), button("secret", visible_to_user_ids=["U0BORIS"])))
        card = page.get_by_test_id(f"message-{ts}")
        await expect(card.get_by_test_id("approve")).to_be_visible()
        await expect(card.get_by_test_id("secret")).to_have_count(0)
        await expect(page.get_by_test_id("channel-C0STAGING")).to_be_visible()
        await page.get_by_test_id("act-as").select_option("U0FAY")

        await expect(page.get_by_test_id("channel-C0STAGING")).to_have_count(0)
        await expect(card.get_by_test_id("approve")).to_be_visible()


@played
async def test_a_command_is_typed_into_the_message_box(stage):
    """A slash brings the hint, Return runs the command, its private answer appears; a thread refuses commands."""
    async with running() as workspace:
        app = bolt_app(workspace)

        @app.command("/agent-pause")
        async def pause(ack, command):
            await ack(f"Paused: {command['text']}")

        async with connected(workspace, app), _browsing(stage, workspace) as page:
            ts = await _post(workspace, section("card"))
            await expect(page.get_by_test_id(f"message-{ts}")).to_be_visible()
            composer = page.get_by_test_id("composer")
            await composer.fill("/ag")
            await expect(page.locator(".composer-hint").first).to_contain_text("status | on [scope]")
            await composer.fill("/agent-pause on  all")
            await composer.press("Enter")
            await expect(page.get_by_test_id("ephemeral")).to_contain_text("Paused: on  all")
            await expect(composer).to_have_value("")
            await composer.fill("/nothing")
            await composer.press("Enter")
            await expect(page.get_by_test_id("composer-error")).to_contain_text("/nothing is not a command")
            await page.get_by_test_id(f"thread-{ts}").click()
            await page.get_by_test_id("thread-composer").fill("/agent-pause on")
            await page.get_by_test_id("thread-composer").press("Enter")
            await expect(page.get_by_test_id("thread-composer-error")).to_contain_text("cannot be run in a thread")
            await page.get_by_test_id("thread-composer").fill("a word")
            await page.get_by_test_id("thread-composer").press("Enter")
            await expect(page.get_by_test_id("thread-panel")).to_contain_text("a word")

        assert [reply.text for reply in workspace.thread(CHANNEL, ts)] == ["a word"]


@played
async def test_the_page_stays_in_step(stage):
    """New, changed and deleted messages, other channels' counts, announcements and status lines arrive by themselves."""
    async with running() as workspace, _browsing(stage, workspace) as page:
        ts = await _post(workspace, text="Scale checkout from 3 to 6", blocks=[section("one")])
        card = page.get_by_test_id(f"message-{ts}")
        await expect(card).to_contain_text("one")
        await expect(page.locator("#announcer")).to_have_text("Countersign: Scale checkout from 3 to 6")
        await client_of(workspace).chat_update(channel=CHANNEL, ts=ts, text="two")
        await expect(card).to_contain_text("two (edited)")
        await client_of(workspace).chat_postMessage(channel="C0STAGING", text="elsewhere")
        await expect(page.get_by_test_id("channel-C0STAGING")).to_contain_text("1")
        await page.get_by_test_id("channel-C0STAGING").click()
        await expect(page.get_by_text("elsewhere", exact=True)).to_be_visible()
        await page.get_by_test_id(f"channel-{CHANNEL}").click()
        workspace.delete_message(CHANNEL, ts)
        await expect(card).to_have_count(0)
        workspace.set_status_line("cluster", "real loopback cluster")
        await expect(page.get_by_test_id("status-cluster")).to_have_text("real loopback cluster")


@played
async def test_a_redraw_keeps_what_the_reader_opened_and_where_they_are(stage):
    """An open container stays open and a focused button stays focused when the app draws the card again."""
    fold = {
        "type": "container",
        "block_id": "fold",
        "title": plain("More"),
        "is_collapsible": True,
        "default_collapsed": True,
        "child_blocks": [section("inside")],
    }
    async with running() as workspace, _browsing(stage, workspace) as page:
        ts = await _post(workspace, section("one"), fold, actions())
        card = page.get_by_test_id(f"message-{ts}")
        await card.get_by_text("More").click()
        await card.get_by_test_id("approve").focus()
        await client_of(workspace).chat_update(
            channel=CHANNEL, ts=ts, text="x", blocks=[section("two"), fold, actions()]
        )

        await expect(card).to_contain_text("two")
        await expect(card.get_by_text("inside")).to_be_visible()
        await expect(card.get_by_test_id("approve")).to_be_focused()


@asynccontextmanager
async def _whole_state_later(page: Page) -> AsyncIterator[None]:
    """Change the person, and let the state that follows arrive only at the end of the block."""
    held = asyncio.Event()

    async def hold(route: Route) -> None:
        await held.wait()
        await route.continue_()

    await page.route("**/page/feed", hold)
    await page.get_by_test_id("act-as").select_option("U0BORIS")
    yield
    held.set()
    await expect(page.locator("#viewer")).to_have_text("You act as Boris Okafor")


@played
async def test_a_new_state_leaves_the_focus_to_who_types(stage):
    """A state that arrives between two keys must not put the Return of a message on the button used last."""
    async with running() as workspace:
        app = bolt_app(workspace)

        @app.action("approve")
        async def approve(ack):
            await ack()

        async with connected(workspace, app), _browsing(stage, workspace) as page:
            ts = await _post(workspace, actions())
            await page.get_by_test_id(f"message-{ts}").get_by_test_id("approve").click()
            await expect(page.get_by_test_id("approve")).to_be_enabled()
            async with _whole_state_later(page):
                await page.get_by_test_id("composer").fill("a word")

            await expect(page.get_by_test_id("composer")).to_be_focused()


@played
@pytest.mark.parametrize("place", ["approve", "channel-C0STAGING"])
async def test_a_new_state_leaves_the_focus_where_it_was(stage, place):
    """Who works with the keyboard keeps their place, in a card or in the list of channels, when all is drawn again."""
    async with running() as workspace, _browsing(stage, workspace) as page:
        ts = await _post(workspace, actions())
        await expect(page.get_by_test_id(f"message-{ts}")).to_be_visible()
        async with _whole_state_later(page):
            await page.get_by_test_id(place).focus()

        await expect(page.get_by_test_id(place)).to_be_focused()


@played
async def test_a_permalink_leads_to_its_message(stage):
    """A link from a conversation with the app moves the page to the card, without leaving it."""
    async with running() as workspace, _browsing(stage, workspace) as page:
        ts = await _post(workspace, section("the card"))
        link = (await client_of(workspace).chat_getPermalink(channel=CHANNEL, message_ts=ts))["permalink"]
        await client_of(workspace).chat_postMessage(channel=ADA, text=f"Please look: <{link}|the card>")
        await page.get_by_test_id("channel-D0ADA").click()
        await page.get_by_role("link", name="the card").click()

        await expect(page.get_by_test_id(f"message-{ts}")).to_be_focused()
        assert page.url.startswith(workspace.page_url)


@played
async def test_the_page_says_when_its_run_is_over(stage):
    """When the workspace stops, the page says that it lost it instead of pretending."""
    workspace = Workspace()
    await workspace.start()
    window = await stage.browser.new_context()
    page = await window.new_page()
    await page.goto(workspace.page_url)
    await expect(page.get_by_test_id("act-as")).to_have_value(ADA)
    await workspace.stop()

    await expect(page.get_by_test_id("connection")).to_contain_text("Trying again")
    await window.close()


@played
async def test_a_phone_shows_the_card_whole(stage):
    """At 390 pixels nothing runs off the side, the menu opens and closes, and it is labelled a stand-in."""
    async with (
        running() as workspace,
        _browsing(stage, workspace, viewport={"width": 390, "height": 844}) as page,
    ):
        wide = {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": "x" * 300}]}
        ts = await _post(workspace, {"type": "rich_text", "elements": [wide]}, section("y" * 300), actions())
        await expect(page.get_by_test_id(f"message-{ts}")).to_be_visible()

        assert await page.evaluate("document.documentElement.scrollWidth") == 390
        await expect(page.get_by_text("Local stand-in, not Slack.")).to_be_visible()
        await expect(page.get_by_text("You act as Ada Lindqvist", exact=True)).to_be_visible()
        await expect(page.get_by_test_id("act-as")).to_be_hidden()
        await page.get_by_role("button", name="Open the menu").click()
        await expect(page.get_by_test_id("act-as")).to_be_focused()
        await page.keyboard.press("Escape")
        await expect(page.get_by_test_id("act-as")).to_be_hidden()
