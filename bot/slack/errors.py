"""What Slack's errors mean: in words of ours, once. Nobody else reads Slack's error codes."""

from datetime import timedelta
from typing import Final
from urllib.error import URLError

from slack_sdk.errors import SlackApiError, SlackClientError

from bot.delivery import Gone, Later, Rejected, Uncertain, Undelivered

RATE_LIMITED: Final = frozenset({"ratelimited", "rate_limited"})
_TRANSIENT: Final = frozenset({"service_unavailable", "request_timeout", "team_added_to_org"})
_PERHAPS_DONE: Final = frozenset({"internal_error", "fatal_error"})
"""Slack says of these that part of what was asked may have happened."""

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
    code = error.response.get("error") if isinstance(error.response.data, dict) else None
    plain = isinstance(code, str) and code.replace("_", "").isalnum()
    return str(code) if plain else f"http_{error.response.status_code}"


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
    if code in _PERHAPS_DONE or error.response.status_code >= _SERVER_ERRORS:
        return Uncertain(code)
    if code in _GONE:
        return Gone(code)
    return Rejected(code, mendable=code in _MENDABLE)


def _of_connection(error: Exception) -> Undelivered:
    """Return what a broken connection means: the library wraps what goes wrong before the request is out, and only that."""
    return Later("no_connection") if isinstance(error, URLError) else Uncertain("reply_lost")


CONNECTION_ERRORS: Final = (SlackClientError, URLError, OSError, ValueError)
"""Everything that the client raises for a call that did not come back well; :class:`SlackApiError` is among the first."""
