"""The approvers' door: Bolt's app with our listeners, and the two ways in which Slack reaches it.

Socket Mode envelopes come over the socket that our own token opened; HTTP requests come through :mod:`bot.slack.signed_http`,
which verifies each before anything is parsed. In Socket Mode no HTTP route exists, and in HTTP mode no socket is opened, so there
is never a second, unguarded door. Listeners run inline, so that what they commit is committed before Slack is answered.
"""

import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any, Final

import structlog
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.error import BoltUnhandledRequestError
from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.acting import BROKEN, Acting
from bot.slack.answers import Person
from bot.slack.buttons import APPROVE, DENY, DENY_WITH_REASON
from bot.slack.commands import COMMAND
from bot.slack.deny_form import FORM
from bot.slack.listeners import Listeners
from bot.slack.pin import Installed, belongs

log = structlog.get_logger(__name__)

NOT_OURS: Final = "That is not a card of Countersign in this workspace, so it cannot be answered. Nothing was decided."

_OK: Final = 200
_NOT_FOUND: Final = 404

EVENTS: Final = ("subteam_members_changed",)
"""What we ask Slack to tell us of."""


def make_app(listeners: Listeners, *, client: AsyncWebClient, token: str) -> AsyncApp:
    """Return Bolt's app with everything wired; nothing is asked of Slack here.

    Args:
        listeners: What people can do.
        client: Without a token of its own; it carries the address of the API.
        token: The bot's.
    """
    app = AsyncApp(
        logger=_quiet_logger(),
        name="countersign",
        client=client,
        signing_secret="",  # HTTP requests are verified before they get here.
        request_verification_enabled=False,
        ssl_check_enabled=False,
        attaching_function_token_enabled=False,
        attaching_conversation_kwargs_enabled=False,
        process_before_response=True,
        raise_error_for_unhandled_request=True,
        authorize=_authorized(listeners.installed, token),
    )
    app.use(_pinned(listeners.installed, listeners.acting))
    app.error(_answering_errors(listeners.acting))
    app.action(APPROVE)(_with_body(listeners.approve))
    app.action(DENY)(_with_body(listeners.deny))
    app.action(DENY_WITH_REASON)(_with_body(listeners.ask_reason))
    app.action(re.compile(".*", re.DOTALL))(_with_body(listeners.unknown))
    app.view(FORM)(_with_body(listeners.deny_with_reason))
    app.command(COMMAND)(_with_body(listeners.pause))
    app.event(EVENTS[0])(_with_event(listeners.group_changed))
    return app


Listener = Callable[[dict[str, Any]], Awaitable[BoltResponse]]


def _with_body(listener: Listener) -> Callable[..., Awaitable[BoltResponse]]:
    async def listen(body: dict[str, Any]) -> BoltResponse:
        return await listener(body)

    return listen


def _with_event(listener: Listener) -> Callable[..., Awaitable[BoltResponse]]:
    async def listen(body: dict[str, Any]) -> BoltResponse:
        return await listener({"team_id": body.get("team_id"), **body["event"]})

    return listen


def _authorized(installed: Installed, token: str) -> Callable[..., Awaitable[AuthorizeResult]]:
    """Return Bolt's question for the token, answered without asking Slack: a click must not wait for that."""

    async def authorize() -> AuthorizeResult:
        return AuthorizeResult(
            enterprise_id=None,
            team_id=installed.team,
            bot_token=token,
            bot_id=installed.bot_id,
            bot_user_id=installed.bot_user,
        )

    return authorize


def _pinned(installed: Installed, acting: Acting) -> Callable[..., Awaitable[BoltResponse | None]]:
    """Return the middleware that lets only what is about our own app in our own workspace through."""

    async def pinned(body: dict[str, Any], next_: Callable[[], Awaitable[None]]) -> BoltResponse | None:
        if belongs(body, installed):
            await next_()
            return None
        log.warning("payload.not_ours", kind=str(body.get("type") or "command")[:40])
        if (person := _somebody(body)) is not None:
            acting.tell(person, NOT_OURS)
        return BoltResponse(status=_OK, body="")

    return pinned


def _answering_errors(acting: Acting) -> Callable[..., Awaitable[BoltResponse]]:
    """Return the handler of what no listener caught: it is answered, and logged without the body."""

    async def answer(error: Exception, body: dict[str, Any]) -> BoltResponse:
        if isinstance(error, BoltUnhandledRequestError):
            log.warning("payload.unknown", kind=str(body.get("type") or "command")[:40])
            return BoltResponse(status=_NOT_FOUND, body="")
        log.error("listener.broken", error=type(error).__name__)
        if (person := _somebody(body)) is not None:
            acting.tell(person, BROKEN)
        return BoltResponse(status=_OK, body="")

    return answer


def _somebody(body: dict[str, Any]) -> Person | None:
    """Return whom a payload that we do not act on came from, as far as can be told; used for an answer and nothing else."""
    user, channel, url = body.get("user"), body.get("channel"), body.get("response_url")
    user_id = user.get("id") if isinstance(user, dict) else body.get("user_id")
    channel_id = channel.get("id") if isinstance(channel, dict) else body.get("channel_id")
    if not isinstance(user_id, str) or not isinstance(channel_id, str):
        return None
    return Person(account=user_id, user=user_id, channel=channel_id, response_url=url if isinstance(url, str) else None)


def _quiet_logger() -> logging.Logger:
    """Return a logger for the library, which writes whole payloads and requests below this level; ours says what matters."""
    logger = logging.getLogger("countersign.bolt")
    logger.setLevel(logging.CRITICAL)
    return logger
