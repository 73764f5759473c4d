"""Clients of Slack's Web API: no retries of their own, short timeouts, and no proxy for a server on this machine.

A library's retry would post a card twice or sleep inside a click. What is worth another try is decided where its meaning is
known: by the relay for messages, by the person for clicks.
"""

from ipaddress import ip_address
from typing import Final, TypeVar
from urllib.parse import urlsplit

from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.client import WebClient

POSTING_SECONDS: Final = 10
"""For messages: nobody waits for them but the relay."""

ASKING_SECONDS: Final = 2
"""For what a click waits for: it must be answered within three."""

C = TypeVar("C", WebClient, AsyncWebClient)


def client(token: str | None, api_url: str, *, timeout_seconds: int) -> WebClient:
    """Return a client for threads."""
    return _direct(WebClient(token=token, base_url=api_url, timeout=timeout_seconds, retry_handlers=[]), api_url)


def async_client(token: str | None, api_url: str, *, timeout_seconds: int) -> AsyncWebClient:
    """Return a client for the event loop."""
    return _direct(AsyncWebClient(token=token, base_url=api_url, timeout=timeout_seconds, retry_handlers=[]), api_url)


def is_loopback(api_url: str) -> bool:
    """Tell whether *api_url* is a server on this machine."""
    host = urlsplit(api_url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _direct(made: C, api_url: str) -> C:
    # The library takes a proxy from the environment and knows no exceptions for it.
    if is_loopback(api_url):
        made.proxy = None
    return made
