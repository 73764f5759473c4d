"""Makes the pictures in docs/images: runs the demo with its stand-ins, and photographs its first card, wide and on a phone.

Run it as ``.venv/bin/python tools/card_picture.py`` where Debian's Chromium is installed.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, sync_playwright

ROOT: Final = Path(__file__).parents[1]
IMAGES: Final = ROOT / "docs" / "images"
CHROMIUM: Final = "/usr/bin/chromium"
FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
STARTING_SECONDS: Final = 90.0
SETTLING_MS: Final = 4000


def main() -> None:
    """Make both pictures."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        # An empty cache hides a real cluster that may be built: the pictures are the same everywhere.
        environment = {**os.environ, "COUNTERSIGN_CACHE": folder}
        demo = subprocess.Popen(  # noqa: S603 - our own program
            [ROOT / ".venv/bin/countersign", "demo", "--directory", f"{folder}/demo"],
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        try:
            address = _address(demo)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
                _picture(browser, address, IMAGES / "card.png", width=1100, height=1300, card_only=True)
                _picture(browser, address, IMAGES / "phone.png", width=390, height=844, card_only=False)
                browser.close()
        finally:
            demo.send_signal(signal.SIGINT)
            demo.wait(30)


def _address(demo: subprocess.Popen[str]) -> str:
    until = time.monotonic() + STARTING_SECONDS
    while time.monotonic() < until and demo.stdout is not None:
        line = demo.stdout.readline()
        if found := re.search(r"http://127\.0\.0\.1:\d+/\?key=\S+", line):
            return found[0]
    sys.exit("the demo did not say where it is")


def _picture(browser: Browser, address: str, file: Path, *, width: int, height: int, card_only: bool) -> None:
    page = browser.new_page(viewport={"width": width, "height": height}, device_scale_factor=1.25)
    page.goto(address)
    card = page.locator('[data-testid^="message-"]').first
    card.wait_for(timeout=STARTING_SECONDS * 1000)
    page.wait_for_timeout(SETTLING_MS)
    if card_only:
        card.screenshot(path=file)
    else:
        card.locator("button").first.scroll_into_view_if_needed()
        page.screenshot(path=file)
    page.close()


if __name__ == "__main__":
    main()
