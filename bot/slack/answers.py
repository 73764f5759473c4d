"""Answers: what the person who clicked or typed is told, and only they. Nothing in here decides anything.

A private note in the channel first; where that cannot be (they are not in it, we are not), the address that came with the click:
only where it is one of Slack's, because it came from outside and whatever it names would be called from inside.
Notes are best effort and vanish when the page is loaded anew: what was refused is in the audit trail, too.
"""

import ipaddress
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.errors import CONNECTION_ERRORS, code_of
from bot.slack.kit import context, markup
from bot.slack.limits import SECTION
from bot.slack.text import cut

log = structlog.get_logger(__name__)

SECONDS: Final = 10

HOOK_HOSTS: Final = frozenset({"hooks.slack.com", "hooks.slack-gov.com"})
"""Where Slack takes answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Whom to answer, and where."""

    account: str
    user: str
    channel: str
    response_url: str | None
    about: str = ""
    """What they acted on: several cards may wait, and a note stands below them all."""


class Answers:
    """Tells one person something."""

    def __init__(self, client: AsyncWebClient) -> None:
        """Keep the client."""
        self._client = client

    async def tell(self, person: Person, text: str) -> None:
        """Show *text*, which is markup of ours, to *person* alone. Where no way is open, it is logged that none was."""
        note = body_of(text, about=person.about)
        try:
            await self._client.chat_postEphemeral(
                channel=person.channel, user=person.user, parse="none", link_names=False, **note
            )
        except CONNECTION_ERRORS as error:
            why = code_of(error) if isinstance(error, SlackApiError) else type(error).__name__
            if not await self._by_url(person, note):
                log.warning("answer.not_shown", account=person.account, why=why)

    async def _by_url(self, person: Person, note: dict[str, Any]) -> bool:
        url = person.response_url
        if url is None or not may_answer_at(url, self._client.base_url):
            return False
        body = {"response_type": "ephemeral", "replace_original": False, **note}
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=SECONDS)) as session,
                # Not followed elsewhere, and what comes back is not read: its first line says all there is to know.
                session.post(url, json=body, allow_redirects=False, proxy=self._client.proxy) as answer,
            ):
                return answer.status == 200  # noqa: PLR2004 - OK
        except CONNECTION_ERRORS:
            return False


def may_answer_at(url: str, api_url: str) -> bool:
    """Tell whether an answer may go to *url*: https on one of Slack's hosts for that, or where the API itself is.

    Plain http goes to this machine alone, wherever the API is: what is said there is for one person's eyes.
    """
    try:
        asked, api = urlsplit(url), urlsplit(api_url)
        if asked.username is not None or asked.password is not None:
            return False
        if (asked.scheme, asked.netloc.lower()) == (api.scheme, api.netloc.lower()):
            return asked.scheme == "https" or (asked.scheme == "http" and _is_loopback(asked.hostname or ""))
        return asked.scheme == "https" and asked.hostname in HOOK_HOSTS and asked.port in {None, 443}
    except ValueError:  # a port that is no number, brackets that do not close
        return False


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.rstrip(".").lower() == "localhost"


def body_of(text: str, *, about: str = "") -> dict[str, Any]:
    """Return *text*, which is markup of ours, as the text and blocks of a note; *about* is what it answers, in small print."""
    short = cut(text, SECTION)
    return {"text": short, "blocks": [markup("answer", short), *([context("about", about)] if about else [])]}
