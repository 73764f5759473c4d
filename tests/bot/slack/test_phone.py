"""The card on a phone: what is needed to decide stands on one screen, in a real browser, with the page's own type and spacing."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from playwright.async_api import Page

from approvals.change.risk import Risk
from bot.outbox.delivery import DrawReason
from tests.bot.slack.pictures import a_card, a_review, a_standing_of, words
from tests.builders import a_ruling
from tests.fixtures.browser import chromium, stage
from tests.sandbox.workspace.support import CHANNEL, client_of, running

__all__ = ["chromium", "stage"]

WIDTH, HEIGHT = 390, 844
LONGEST_NAME = "checkout-" + "x" * 235 + "-frontend"
LONGEST_NAMESPACE = "shop-" + "n" * 50 + "-payment"
LONGEST_ENVIRONMENT = "prod-" + "e" * 51 + "-europe"

LONG = replace(
    a_review(),
    title=f"Scale Deployment {LONGEST_NAME} 3 → 6 in {LONGEST_NAMESPACE}",
    target=f"Deployment {LONGEST_NAMESPACE}/{LONGEST_NAME}",
    environment=LONGEST_ENVIRONMENT,
    risk=Risk.HIGH,
    findings=("An autoscaler may set this back: checkout.",),
)

MEASURE = """card => {
    const place = one => one.getBoundingClientRect()
    const buttons = [...card.querySelectorAll('button')].map(one => [one.textContent.trim(), place(one)])
    const deny = buttons.find(([text]) => text === 'Deny')[1]
    const approve = buttons.find(([text]) => text === 'Approve')[1]
    let room = card.parentElement
    while (room && room.scrollHeight <= room.clientHeight) room = room.parentElement
    return {
        room: room ? room.clientHeight : innerHeight,
        top: place(card.querySelector('h1, h2, h3, [role=heading]')).top,
        bottom: Math.max(deny.bottom, approve.bottom),
        denyFirst: deny.top < approve.top || (deny.top === approve.top && deny.left < approve.left),
        wide: card.ownerDocument.documentElement.scrollWidth,
    }
}"""


@asynccontextmanager
async def _phone(stage, message, scheme):
    """Give the page on a phone, with *message* posted in the approvals channel."""
    async with running() as workspace:
        window = await stage.browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme=scheme)
        window.set_default_timeout(30_000)
        page: Page = await window.new_page()
        await page.goto(workspace.page_url)
        posted = await client_of(workspace).chat_postMessage(
            channel=CHANNEL, text=message.text, blocks=[dict(block) for block in message.blocks]
        )
        card = page.get_by_test_id(f"message-{posted['ts']}")
        await card.get_by_role("button", name="Deny", exact=False).first.wait_for()
        try:
            yield card
        finally:
            await window.close()


async def _measured(stage, message, scheme):
    async with asyncio.timeout(120), _phone(stage, message, scheme) as card:
        return await card.evaluate(MEASURE)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("review", "standing"),
    [(a_review(), a_standing_of()), (LONG, a_standing_of(said=words("word " * 2_000), deciding=a_ruling(), missing=1))],
    ids=["usual names", "longest names"],
)
def test_what_is_needed_to_decide_stands_on_one_screen(stage, review, standing, scheme):
    """From the top of the headline to the foot of both buttons a one-field change takes one screen; Deny comes before Approve."""
    message = a_card(standing, review, occasion=DrawReason.FIRST)

    found = stage.runner.run(_measured(stage, message, scheme))

    assert found["room"] < HEIGHT  # what the page's own bars leave of the screen
    assert found["bottom"] - found["top"] <= found["room"]
    assert found["denyFirst"] is True
    assert found["wide"] <= WIDTH
