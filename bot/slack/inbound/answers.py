"""Answers: what the person who clicked or typed is told, and only they. Nothing in here decides anything.

A private note in the channel first; where that cannot be (they are not in it, we are not), the address that came with the click:
only where it is one of Slack's, because it came from outside and whatever it names would be called from inside.
Both ways are tried again for some seconds. Notes vanish when the page is loaded anew: what was refused is in the trail, too.
"""

import asyncio
import ipaddress
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from approvals.identity.names import Account
from bot.slack.kit.blocks import context, markup
from bot.slack.kit.limits import SECTION
from bot.slack.kit.text import cut
from bot.slack.workspace.errors import CONNECTION_ERRORS, code_of, retry_after

log = structlog.get_logger(__name__)

SECONDS: Final = 10

WAITS: Final = (1.0, 4.0)
"""Before each further try: whoever clicked still looks at the card, and after that would not know any more what it is about."""

MOST_SECONDS: Final = 15.0
"""The longest that Slack can have one answer wait."""

HOOK_HOSTS: Final = frozenset({"hooks.slack.com", "hooks.slack-gov.com"})
"""Where Slack takes answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Whom to answer, and where."""

    account: Account
    user: str
    channel: str
    response_url: str | None
    about: str = ""
    """What they acted on: several cards may wait, and a note stands below them all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Refused:
    """Why a note was not shown."""

    why: str
    wait_seconds: float = 0.0
    """How long Slack asks us to wait."""


class Answers:
    """Tells one person something."""

    def __init__(self, client: AsyncWebClient, *, waits: tuple[float, ...] = WAITS) -> None:
        """Keep the client, and how many seconds pass before each further try."""
        self._client = client
        self._waits = waits
        self._closing = asyncio.Event()

    def close(self) -> None:
        """Try nothing again from now on: whoever waits for the answers to be given would wait for Slack to come back."""
        self._closing.set()

    async def tell(self, person: Person, text: str) -> None:
        """Show *text*, which is markup of ours, to *person* alone. Where no way is open in time, it is logged that none was.

        A refusal may pass within seconds, as may an outage: both ways are tried again, a few times.
        """
        note = body_of(text, about=person.about)
        for wait in (*self._waits, None):
            refused = await self._by_note(person, note)
            if refused is None or await self._by_url(person, note):
                return
            if wait is None or await self._closes_within(max(wait, min(refused.wait_seconds, MOST_SECONDS))):
                log.warning("answer.not_shown", account=person.account, why=refused.why)
                return

    async def _closes_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._closing.wait(), seconds)
        except TimeoutError:
            return False
        return True

    async def _by_note(self, person: Person, note: dict[str, Any]) -> "_Refused | None":
        try:
            await self._client.chat_postEphemeral(
                channel=person.channel, user=person.user, parse="none", link_names=False, **note
            )
        except SlackApiError as error:
            asked = retry_after(error)
            return _Refused(why=code_of(error), wait_seconds=0.0 if asked is None else asked.total_seconds())
        except CONNECTION_ERRORS as error:
            return _Refused(why=type(error).__name__)
        return None

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
