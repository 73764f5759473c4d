"""What Slack's errors mean: in words of ours, once. Nobody else reads Slack's error codes."""

from datetime import timedelta
from http.client import HTTPException
from typing import Final
from urllib.error import URLError

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError

from bot.delivery import Gone, Later, Rejected, Uncertain, Undelivered

RATE_LIMITED: Final = frozenset({"ratelimited", "rate_limited"})
_TRANSIENT: Final = frozenset({"service_unavailable", "request_timeout", "team_added_to_org"})
_PERHAPS_DONE: Final = frozenset({"internal_error", "fatal_error"})
"""Slack says of these that part of what was asked may have happened."""

_UNREADABLE: Final = "http_200"
"""Slack took the request, and its answer is cut, or is none of Slack's: what was asked may well have happened."""

_GONE: Final = frozenset(
    {"message_not_found", "thread_not_found", "cant_update_message", "edit_window_closed", "is_inactive"}
)
_MENDABLE: Final = frozenset(
    {
        "not_in_channel", "channel_not_found", "is_archived", "restricted_action", "missing_scope", "not_allowed_token_type",
        "invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "access_denied", "no_permission",
    }
)  # fmt: skip
"""What an administrator can set right, so that another try is worth it: an invitation, a scope, a token."""

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


def retry_after(error: SlackApiError) -> timedelta:
    """Return how long Slack asks us to wait; a second where it does not say."""
    headers = {name.lower(): value for name, value in error.response.headers.items()}
    value = str(headers.get("retry-after", ""))
    return timedelta(seconds=max(1, int(value) if value.isdecimal() else 1))


def is_rate_limit(error: SlackApiError) -> bool:
    """Tell whether we were too fast."""
    return error.response.status_code == 429 or code_of(error) in RATE_LIMITED  # noqa: PLR2004 - Too Many Requests


def meaning_of(error: Exception) -> Undelivered:
    """Return what an error of a call that sends a message means for the message."""
    if not isinstance(error, SlackApiError):
        return _of_connection(error)
    code = code_of(error)
    if is_rate_limit(error):
        return Later(code, wait=retry_after(error))
    if code in _TRANSIENT:
        return Later(code)
    if code in _PERHAPS_DONE or code == _UNREADABLE or error.response.status_code >= _SERVER_ERRORS:
        return Uncertain(code)
    if code in _GONE:
        return Gone(code)
    return Rejected(code, mendable=code in _MENDABLE)


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
