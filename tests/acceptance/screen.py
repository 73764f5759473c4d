"""A person at the page: what they see of a card, what they click and type. Whom they act as changes as often as a story wants."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from tests.acceptance.town import Town
from tests.waiting import wait_until

PATIENCE_MS: Final = 30_000
"""When to give up on a state that should come; a loaded machine is slow, not wrong."""

expect.set_options(timeout=PATIENCE_MS)

ADA, BORIS, CHEN, DINA, ELI, FAY = "U0ADA", "U0BORIS", "U0CHEN", "U0DINA", "U0ELI", "U0FAY"


@dataclass(frozen=True, kw_only=True)
class Screen:
    """The page of one workspace."""

    page: Page
    town: Town

    def act_as(self, who: str) -> None:
        """Be that person from now on."""
        people = self.page.get_by_test_id("act-as")
        people.select_option(who)
        name = people.locator("option:checked").inner_text().split(" (")[0]
        # Drawn from the state that arrives: until then the page still shows the one before.
        expect(self.page.locator("#viewer")).to_have_text(f"You act as {name}")

    def card(self, escalation: str) -> Locator:
        """Return the card of one escalation, once it is in the channel."""
        wait_until(lambda: self.town.cards_of(escalation), what="its card is posted", within_s=PATIENCE_MS / 1000)
        card = self.page.get_by_test_id(f"message-{self.town.cards_of(escalation)[0].ts}")
        card.wait_for()
        return card

    def approve(self, escalation: str, *, as_: str, sure: bool = False) -> None:
        """Click Approve; *sure* answers the question that comes before a risky one."""
        self.act_as(as_)
        self.card(escalation).get_by_test_id("approve:v1").click()
        if sure:
            self.page.get_by_test_id("confirm-ok").click()

    def deny_with_reason(self, escalation: str, reason: str, *, as_: str) -> None:
        """Open the form, say why, and send it."""
        self.act_as(as_)
        self.card(escalation).get_by_test_id("deny-reason:v1").click()
        modal = self.page.get_by_test_id("modal")
        modal.locator("textarea").fill(reason)
        modal.get_by_test_id("modal-submit").click()
        expect(modal).to_be_hidden()

    def type_line(self, line: str, *, as_: str) -> None:
        """Type a line into the message box and send it."""
        self.act_as(as_)
        box = self.page.get_by_test_id("composer")
        box.fill(line)
        box.press("Enter")
        expect(box).to_have_value("")

    @property
    def last_note(self) -> Locator:
        """The newest private note that this person sees."""
        return self.page.locator("#messages").get_by_test_id("ephemeral").last


@contextmanager
def a_browser(launch: dict[str, Any]) -> Iterator[Browser]:
    """Give a browser for the length of the block."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**launch)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def a_screen(browser: Browser, town: Town) -> Iterator[Screen]:
    """Give a fresh window on the workspace's page; anything its console complains about fails the story."""
    complaints: list[str] = []
    window = browser.new_context(viewport={"width": 1280, "height": 900})
    window.set_default_timeout(PATIENCE_MS)
    page = window.new_page()
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(town.page_url)
    try:
        yield Screen(page=page, town=town)
    finally:
        window.close()
    assert complaints == []
