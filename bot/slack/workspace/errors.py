"""What Slack's errors mean: in words of ours, once. Nobody else reads Slack's error codes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from typing import Final
from urllib.error import URLError

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError

from bot.causes import OTHER, cause_of
from bot.clock import seconds as seconds_now
from bot.outbox.delivery import Later, MessageGone, Rejected, Stuck, Uncertain, Undelivered

RATE_LIMITED: Final = frozenset({"ratelimited", "rate_limited"})
_PERHAPS_DONE: Final = frozenset({"internal_error", "fatal_error"})
"""Slack says of these that part of what was asked may have happened."""

_UNREADABLE: Final = "http_200"
"""Slack took the request, and its answer is cut, or is none of Slack's: what was asked may well have happened."""

_GONE: Final = frozenset({"message_not_found", "thread_not_found"})
_STUCK: Final = frozenset({"cant_update_message", "edit_window_closed", "is_inactive", "streaming_state_conflict"})
_FINAL: Final = frozenset(
    {
        "invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long", "message_too_long", "no_text",
        "block_mismatch", "too_many_attachments", "invalid_arguments", "invalid_array_arg",
    }
)  # fmt: skip
"""What is said of the message itself. The list is short on purpose: a code that is not on it, known or not, can pass."""

MOST_WAIT: Final = timedelta(hours=1)
"""The most that anybody can have us wait: Slack asks for a minute or so, and a number without end would silence us for good."""

_SERVER_ERRORS: Final = 500


def code_of(error: SlackApiError) -> str:
    """Return Slack's error code, or the HTTP status where the answer was none of Slack's."""
    answer = error.response
    if isinstance(answer, aiohttp.ClientResponse):
        # The loop's client hands on what it could not read as it came, not as an answer of Slack's.
        return f"http_{answer.status}"
    code = answer.get("error") if isinstance(answer.data, dict) else None
    plain = isinstance(code, str) and code.replace("_", "").isalnum()
    return str(code) if plain else f"http_{answer.status_code}"


def retry_after(error: SlackApiError) -> timedelta | None:
    """Return how long Slack asks us to wait, a second at least and :data:`MOST_WAIT` at most; None where it does not say."""
    asked = seconds_asked(error.response.headers)
    return None if asked is None else timedelta(seconds=max(1.0, asked))


def seconds_asked(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that ``Retry-After`` asks for, :data:`MOST_WAIT` at most; None where it does not say.

    It says so in seconds, or, as HTTP allows, with an instant.
    """
    # The client gives the one header under two spellings of its name.
    said = {str(value).strip() for name, value in headers.items() if name.lower() == "retry-after"}
    seconds = _seconds(said.pop()) if len(said) == 1 else None
    return None if seconds is None else min(max(0.0, seconds), MOST_WAIT.total_seconds())


def _seconds(said: str) -> float | None:
    if _NUMBER.fullmatch(said):
        return float(said)
    try:
        until = parsedate_to_datetime(said)
    except ValueError:
        return None
    return until.timestamp() - seconds_now()


_NUMBER: Final = re.compile(r"[0-9]{1,18}(\.[0-9]{1,6})?", re.ASCII)


def is_rate_limit(error: SlackApiError) -> bool:
    """Tell whether we were too fast."""
    return error.response.status_code == 429 or code_of(error) in RATE_LIMITED  # noqa: PLR2004 - Too Many Requests


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """Why Slack did not answer a question, for an operator."""

    code: str
    """Slack's own, or one of :mod:`bot.causes`."""
    sentence: str
    """What it is and what to do; nothing of it is text from outside but Slack's names of scopes, checked for shape."""
    may_pass: bool
    """Whether asking again may help without anybody doing anything."""


_COPY: Final = "Copy it anew from the app's settings."
_WHY: Final = {
    "invalid_auth": f"Slack does not know this token (invalid_auth). {_COPY}",
    "not_authed": f"Slack got no token (not_authed). {_COPY}",
    "token_revoked": "The token was revoked (token_revoked). Install the app again and copy the new one.",
    "token_expired": "The token has expired (token_expired). Install the app again and copy the new one.",
    "account_inactive": "The app was uninstalled, or its bot user deactivated (account_inactive). Install the app again.",
    "not_allowed_token_type": (
        "The token is of the wrong kind (not_allowed_token_type). SLACK_BOT_TOKEN starts with xoxb- and SLACK_APP_TOKEN with"
        " xapp-, both of the same app."
    ),
    "no_permission": "The app lacks a permission (no_permission). Update it from manifest.yml and install it again.",
    "ekm_access_denied": "The organisation's key management denies access (ekm_access_denied). Ask its administrators.",
    "access_denied": "The workspace denies access to the app (access_denied). Ask its administrators.",
    "team_access_not_granted": (
        "The app is not granted access to this workspace (team_access_not_granted). Have an administrator of the organisation"
        " add it to the workspace."
    ),
    "channel_not_found": (
        "There is no such channel, or the bot is not in it. Invite the bot: type /invite @Countersign in it, or name another"
        " channel in the policy."
    ),
    "no_such_subteam": "There is no such user group. Name another one in the policy.",
    "subteam_not_found": "There is no such user group. Name another one in the policy.",
    "plan_upgrade_required": "The workspace's plan has no user groups. Name people in the policy instead.",
}  # fmt: skip
_SCOPE: Final = re.compile(r"[a-z._-]{1,40}:[a-z._-]{1,40}(,[a-z._-]{1,40}:[a-z._-]{1,40}){0,9}")


def why_of(error: Exception) -> Why:
    """Return why a question to Slack got no good answer, each cause with its own sentence."""
    if not isinstance(error, SlackApiError):
        return _why_unreached(error)
    code = code_of(error)
    if code == "missing_scope":
        needed = str(error.response.get("needed") or "") if isinstance(error.response.data, dict) else ""
        which = f" {needed}" if _SCOPE.fullmatch(needed) else ""
        sentence = f"The app lacks the scope{which} (missing_scope). Update it from manifest.yml and install it again."
        return Why(code=code, sentence=sentence, may_pass=False)
    if code in _WHY:
        return Why(code=code, sentence=_WHY[code], may_pass=False)
    if is_rate_limit(error):
        return Why(code="ratelimited", sentence="Slack asks for patience (ratelimited).", may_pass=True)
    return Why(code=code, sentence=f"Slack refuses for the time being ({code}).", may_pass=True)


def _why_unreached(error: Exception) -> Why:
    cause = cause_of(error)
    if cause is OTHER and not isinstance(error, OSError):
        sentence = "What answers at SLACK_API_URL does not answer as Slack does, or its answer was cut."
        return Why(code="unreadable", sentence=sentence, may_pass=True)
    sentence = f"Slack cannot be reached: {cause.words}. Check SLACK_API_URL and the way out to the internet."
    return Why(code=cause.code, sentence=sentence, may_pass=True)


def meaning_of(error: Exception) -> Undelivered:
    """Return what an error of a call that sends a message means for the message."""
    if not isinstance(error, SlackApiError):
        return _of_connection(error)
    code = code_of(error)
    asked = retry_after(error)
    if is_rate_limit(error):
        return Later(code, wait=asked or timedelta(seconds=1))
    if code in _PERHAPS_DONE or code == _UNREADABLE or error.response.status_code >= _SERVER_ERRORS:
        return Uncertain(code)
    if code in _GONE:
        return MessageGone(code)
    if code in _STUCK:
        return Stuck(code)
    return Rejected(code) if code in _FINAL else Later(code, wait=asked)


def _of_connection(error: Exception) -> Undelivered:
    """Return what a broken connection means: the library wraps what goes wrong before the request is out, and only that.

    Everything else comes up while the reply is read: its first line, its headers, its body and what the body means. By then the
    request was out, so it may have done what it asked for.
    """
    return Later("no_connection") if isinstance(error, URLError) else Uncertain("reply_lost")


CONNECTION_ERRORS: Final = (
    SlackClientError, OSError,
    HTTPException,  # the threads' client: a reply that is cut or that is no HTTP
    aiohttp.ClientError,  # the loop's client: the same, and a connection that does not come about
    ValueError, LookupError, AttributeError, RecursionError,  # either: a body that is no text, no JSON, or no object
)  # fmt: skip
"""Everything that a client raises for a call that did not come back well; :class:`SlackApiError` is among the first.

:class:`URLError` and every timeout are an ``OSError``; a body that is no text is a ``ValueError``, one in an encoding that nobody
knows a ``LookupError``; one that is a list or a number is asked for its ``ok`` all the same, which is an ``AttributeError``.
"""
