"""The browser for the tests of the page."""

from tests.fixtures.browser import chromium, stage

__all__ = ["chromium", "stage"]
