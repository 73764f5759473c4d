"""The browser for the tests of the page."""

from tests.fixtures.browser import chromium

__all__ = ["chromium"]
