"""What an interaction hands to the app for a short while: trigger ids and response URLs.

Both are secrets that stand for a person at a place. They are kept in order of
issue and the oldest are forgotten, so that memory stays bounded.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sandbox.workspace.ids import opaque, secret
from sandbox.workspace.strictness import Strictness

_KEPT_MOST = 5_000


@dataclass(slots=True, kw_only=True)
class Trigger:
    """Lets the app open a view for *user*, soon and once."""

    user: str
    issued_at: float
    used: bool = False


@dataclass(slots=True, kw_only=True)
class ResponseUrl:
    """Lets the app answer *user* in *channel*, and replace or delete the message *ts* it belongs to."""

    user: str
    channel: str
    ts: str | None
    ephemeral: bool
    thread_ts: str | None
    issued_at: float
    uses: int = 0


class Tickets:
    """Issues and redeems both kinds."""

    def __init__(self, *, strictness: Strictness, now: Callable[[], float]) -> None:
        self._strictness = strictness
        self._now = now
        self._triggers: dict[str, Trigger] = {}
        self._urls: dict[str, ResponseUrl] = {}

    def issue_trigger(self, user: str) -> str:
        """Return a new trigger_id for *user*, whose clock starts now."""
        issued_at = self._now()
        trigger_id = f"{int(issued_at * 1000)}.{opaque(size=4)}.{opaque(size=16)}".lower()
        self._triggers[trigger_id] = Trigger(user=user, issued_at=issued_at)
        _forget_oldest(self._triggers)
        return trigger_id

    def redeem_trigger(self, trigger_id: str) -> tuple[str, str | None]:
        """Return the user a trigger stands for, and the error that refuses it or None."""
        trigger = self._triggers.get(trigger_id)
        if trigger is None:
            return "", "invalid_trigger_id"
        if trigger.used and self._strictness.trigger_single_use:
            return trigger.user, "trigger_exchanged"
        life = self._strictness.trigger_seconds
        if life is not None and self._now() - trigger.issued_at > life:
            return trigger.user, "expired_trigger_id"
        trigger.used = True
        return trigger.user, None

    def issue_url(
        self, *, user: str, channel: str, ts: str | None, ephemeral: bool = False, thread_ts: str | None = None
    ) -> str:
        """Return the secret last part of a new response_url."""
        token = secret()
        self._urls[token] = ResponseUrl(
            user=user, channel=channel, ts=ts, ephemeral=ephemeral, thread_ts=thread_ts, issued_at=self._now()
        )
        _forget_oldest(self._urls)
        return token

    def redeem_url(self, token: str) -> tuple[ResponseUrl | None, str | None]:
        """Count one use of a response_url; return what it stands for, and the error that refuses it or None."""
        url = self._urls.get(token)
        if url is None:
            return None, "invalid_url"
        life, uses = self._strictness.response_url_seconds, self._strictness.response_url_uses
        if life is not None and self._now() - url.issued_at > life:
            return url, "expired_url"
        if uses is not None and url.uses >= uses:
            return url, "used_url"
        url.uses += 1
        return url, None


def _forget_oldest(kept: dict[str, Trigger] | dict[str, ResponseUrl]) -> None:
    while len(kept) > _KEPT_MOST:
        del kept[next(iter(kept))]
