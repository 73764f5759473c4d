"""Answers: what the person who clicked or typed is told, and only they. Nothing in here decides anything.

A private note in the channel first; where that cannot be (they are not in it, we are not), the address that came with the click.
Notes are best effort and vanish when the page is loaded anew: what was refused is in the audit trail, too.
"""

from dataclasses import dataclass
from typing import Any, Final

import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.slack.clients import is_loopback
from bot.slack.errors import CONNECTION_ERRORS, code_of
from bot.slack.kit import markup
from bot.slack.limits import SECTION
from bot.slack.text import cut

log = structlog.get_logger(__name__)

SECONDS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Whom to answer, and where."""

    account: str
    user: str
    channel: str
    response_url: str | None


class Answers:
    """Tells one person something."""

    def __init__(self, client: AsyncWebClient) -> None:
        """Keep the client."""
        self._client = client

    async def tell(self, person: Person, text: str) -> None:
        """Show *text*, which is markup of ours, to *person* alone. Where no way is open, it is logged that none was."""
        note = body_of(text)
        try:
            await self._client.chat_postEphemeral(
                channel=person.channel, user=person.user, parse="none", link_names=False, **note
            )
        except CONNECTION_ERRORS as error:
            why = code_of(error) if isinstance(error, SlackApiError) else type(error).__name__
            if not await self._by_url(person, note):
                log.warning("answer.not_shown", account=person.account, why=why)

    async def _by_url(self, person: Person, note: dict[str, Any]) -> bool:
        if person.response_url is None:
            return False
        webhook = AsyncWebhookClient(person.response_url, timeout=SECONDS, retry_handlers=[])
        if is_loopback(person.response_url):
            webhook.proxy = None
        try:
            answer = await webhook.send_dict({"response_type": "ephemeral", "replace_original": False, **note})
        except CONNECTION_ERRORS:
            return False
        return answer.status_code == 200  # noqa: PLR2004 - OK


def body_of(text: str) -> dict[str, Any]:
    """Return *text*, which is markup of ours, as the text and blocks of a note."""
    short = cut(text, SECTION)
    return {"text": short, "blocks": [markup("answer", short)]}
