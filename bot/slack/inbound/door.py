"""The approvers' door: Bolt's app with our listeners, and the two ways in which Slack reaches it.

Socket Mode envelopes come over the socket that our own token opened; HTTP requests come through
:mod:`bot.slack.inbound.signed_http`,
which verifies each before anything is parsed. Both are read by :mod:`bot.slack.inbound.reader` before the library sees
anything. In
Socket Mode no HTTP route exists, and in HTTP mode no socket is opened, so there is never a second, unguarded door. Listeners run
inline, so that what they commit is committed before Slack is answered. Whatever arrives is acknowledged, and answered where Slack
can show it; a form that came to nothing never closes as if it had worked.
"""

import logging
import re
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import structlog
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.error import BoltUnhandledRequestError
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.inbound import commands
from bot.slack.inbound.acting import BROKEN, Acting
from bot.slack.inbound.answers import Person, body_of
from bot.slack.inbound.commands import COMMAND
from bot.slack.inbound.deny_form import FORM, told
from bot.slack.inbound.listeners import Listeners
from bot.slack.inbound.reader import About, Unread, about_of, broken, person_of
from bot.slack.kit.text import escaped
from bot.slack.messages.buttons import APPROVE, DENY, DENY_WITH_REASON
from bot.slack.workspace.pin import Installed, belongs

log = structlog.get_logger(__name__)

NOT_OURS: Final = "Nothing was decided: that is not a card of Countersign in this workspace, so it cannot be answered."
NOT_HERE: Final = "Nothing was paused or resumed: Countersign works for another workspace."
NO_SUCH: Final = "Nothing was done: Countersign has no such command or form."
NOT_DONE: Final = "Nothing was denied, as far as can be told. Something broke on our side; look at the card."

_OK: Final = 200

EVENTS: Final = ("subteam_members_changed",)
"""What we ask Slack to tell us of."""


class App(AsyncApp):
    """Bolt's app behind the reader."""

    def __init__(self, acting: Acting, **settings: Any) -> None:
        """Keep how people are told; *settings* are the library's."""
        super().__init__(**settings)
        self._acting = acting

    async def answer(self, read: Callable[[], dict[str, Any]]) -> BoltResponse:
        """Return the answer to what *read* returns, or to what it refuses; an acknowledgement in any case."""
        try:
            body = read()
        except Unread as refused:
            return self.refuse(refused)
        except Exception as error:  # noqa: BLE001 - whatever broke, somebody waits for an answer
            return self.refuse(broken(error))
        # No header of the sender's: the library would take orders from some of them. The body is read already, whichever way
        # it came, and the mode says just that.
        return await self.async_dispatch(AsyncBoltRequest(body=body, mode="socket_mode"))

    def refuse(self, refused: Unread) -> BoltResponse:
        """Return the answer to what is acted on in no way; its sender is told, if there is one."""
        if refused.defect is not None:
            # Its own words may quote what arrived.
            log.error("reader.broken", error=type(refused.defect).__name__, where=_where(refused.defect))
        log.warning("payload.refused", about=refused.about.name.lower(), why=str(refused))
        return _answered(refused.about, refused.sentence, refused.person, self._acting)


def _where(error: Exception) -> str:
    """Return the place in the code where *error* was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "unknown"


def _answered(about: About, sentence: str, person: Person | None, acting: Acting) -> BoltResponse:
    """Return an acknowledgement that shows *sentence*; where it can show nothing, *person* is told apart."""
    match about:
        case About.COMMAND:
            return BoltResponse(status=_OK, body={"response_type": "ephemeral", **body_of(escaped(sentence))})
        case About.FORM:
            return BoltResponse(status=_OK, body={"response_action": "update", "view": told(sentence)})
        case _:
            if person is not None:
                acting.tell(person, escaped(sentence))
            return BoltResponse(status=_OK, body="")


def make_app(listeners: Listeners, *, client: AsyncWebClient, token: str) -> App:
    """Return Bolt's app with everything wired; nothing is asked of Slack here.

    Args:
        listeners: What people can do.
        client: Without a token of its own; it carries the address of the API.
        token: The bot's.
    """
    app = App(
        listeners.acting,
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
        return await listener({**body["event"], "team_id": body.get("team_id")})

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
        about = about_of(body)
        return _answered(about, NOT_HERE if about is About.COMMAND else NOT_OURS, person_of(body), acting)

    return pinned


def _answering_errors(acting: Acting) -> Callable[..., Awaitable[BoltResponse]]:
    """Return the handler of what no listener took or caught: it is answered, and logged without the body."""

    async def answer(error: Exception, body: dict[str, Any]) -> BoltResponse:
        about, person = about_of(body), person_of(body)
        if isinstance(error, BoltUnhandledRequestError):
            log.warning("payload.unknown", kind=str(body.get("type") or "command")[:40])
            return _answered(about, NO_SUCH, person, acting)
        log.error("listener.broken", error=type(error).__name__)
        words = {About.COMMAND: commands.BROKEN, About.FORM: NOT_DONE}.get(about, BROKEN)
        return _answered(about, words, person, acting)

    return answer


def _quiet_logger() -> logging.Logger:
    """Return a logger for the library, which writes whole payloads and requests below this level; ours says what matters."""
    logger = logging.getLogger("countersign.bolt")
    logger.setLevel(logging.CRITICAL)
    return logger
