"""The poster: sends messages at Slack's pace. It implements :class:`bot.outbox.delivery.Poster`.

One call is one request, with nothing unfolded and no name made live that we did not write as a mention. What a failure means is
:mod:`bot.slack.workspace.errors`; whether to try again is the relay's to say.
"""

from collections.abc import Callable
from datetime import timedelta
from threading import Lock
from typing import Any, Final

from slack_sdk.errors import SlackApiError
from slack_sdk.web.client import WebClient
from typing_extensions import override

from approvals.identity.names import Channel, id_of
from bot.outbox.delivery import Later, Pace, Poster, Rejected, Uncertain, Unsendable
from bot.slack.kit.message import Message, checked
from bot.slack.workspace.errors import CONNECTION_ERRORS, is_rate_limit, meaning_of

POSTS_A_SECOND: Final = 1.0
"""In one channel: beyond about this, Slack may drop messages without a word."""

POSTS_AT_ONCE: Final = 2
UPDATES_A_SECOND: Final = 0.8
"""Fifty a minute is what Slack allows for the whole workspace."""

UPDATES_AT_ONCE: Final = 10

AGAIN_A_SECOND: Final = 0.2
AGAIN_AT_ONCE: Final = 5
"""What further tries may take of either pace while anything else waits for it: one in five."""

INFORMATION_A_SECOND: Final = 0.25
INFORMATION_AT_ONCE: Final = 5
"""What informs takes no more than twenty posts in any minute of one channel, and twenty updates of the workspace's fifty."""


class Bucket:
    """So many at once, then so many a second."""

    def __init__(self, *, per_second: float, at_once: int, now: float) -> None:
        """Begin full."""
        self._per_second = per_second
        self._most = float(at_once)
        self._left = float(at_once)
        self._at = now

    def has_one(self, now: float) -> bool:
        """Tell whether one may be taken."""
        self._left = min(self._most, self._left + (now - self._at) * self._per_second)
        self._at = now
        return self._left >= 1.0

    def take(self, now: float) -> None:
        """Take one, or go into debt for it."""
        self.has_one(now)
        self._left -= 1.0


class Shared:
    """One pace and what its users may take of it: decisions all of it, further tries and information a bounded part."""

    def __init__(self, *, per_second: float, at_once: int, now: float) -> None:
        """Begin full."""
        self._whole = Bucket(per_second=per_second, at_once=at_once, now=now)
        self._parts = {
            Pace.AGAIN: Bucket(per_second=AGAIN_A_SECOND, at_once=AGAIN_AT_ONCE, now=now),
            Pace.INFORMATION: Bucket(per_second=INFORMATION_A_SECOND, at_once=INFORMATION_AT_ONCE, now=now),
        }

    def has_one(self, pace: Pace, now: float) -> bool:
        """Tell whether one may be taken on the account of *pace*."""
        part = self._parts.get(pace)
        return self._whole.has_one(now) and (part is None or part.has_one(now))

    def take(self, pace: Pace, now: float) -> None:
        """Take one, or go into debt for it."""
        self._whole.take(now)
        if (part := self._parts.get(pace)) is not None:
            part.take(now)


class SlackPoster(Poster[Message]):
    """Posts and updates as the app's bot."""

    def __init__(self, client: WebClient, *, monotonic: Callable[[], float]) -> None:
        """Keep the client; *monotonic* returns seconds that never step back."""
        self._client = client
        self._monotonic = monotonic
        self._lock = Lock()
        self._channels: dict[str, Shared] = {}
        self._updates = Shared(per_second=UPDATES_A_SECOND, at_once=UPDATES_AT_ONCE, now=monotonic())
        self._quiet_until = {"chat.postMessage": 0.0, "chat.update": 0.0}

    @override
    def may_post(self, channel: Channel, pace: Pace = Pace.DECISION) -> bool:
        """Tell whether a post in *channel* would be within the pace right now."""
        now = self._monotonic()
        with self._lock:
            return now >= self._quiet_until["chat.postMessage"] and self._shared(channel, now).has_one(pace, now)

    @override
    def may_update(self, pace: Pace = Pace.DECISION) -> bool:
        """Tell whether an update would be within the pace right now."""
        now = self._monotonic()
        with self._lock:
            return now >= self._quiet_until["chat.update"] and self._updates.has_one(pace, now)

    @override
    def post(self, channel: Channel, message: Message, *, thread: str | None = None, pace: Pace = Pace.DECISION) -> str:
        """Return the timestamp of a new message in ``TEAM:CHANNEL``.

        Raises:
            Later, Gone, Stuck, Rejected, Uncertain: It was not delivered, or may have been.
        """
        _check(message)
        now = self._monotonic()
        with self._lock:
            self._shared(channel, now).take(pace, now)
        more: dict[str, Any] = {} if thread is None else {"thread_ts": thread}
        ts = self._call(
            "chat.postMessage",
            lambda: self._client.chat_postMessage(
                channel=_channel_id(channel),
                text=message.text,
                blocks=list(message.blocks),
                unfurl_links=False,
                unfurl_media=False,
                parse="none",
                link_names=False,
                **more,
            )["ts"],
        )
        if not isinstance(ts, str):
            # Without it nobody would find the message again, and the next update would go to no message at all.
            raise Uncertain("reply_lost")
        return ts

    @override
    def update(self, channel: Channel, ts: str, message: Message, *, pace: Pace = Pace.DECISION) -> None:
        """Change one of our messages in place.

        Raises:
            Later, Gone, Stuck, Rejected, Uncertain: It was not delivered, or may have been.
        """
        _check(message)
        with self._lock:
            self._updates.take(pace, self._monotonic())
        # Unlike a post, an update makes bare names live unless it is told not to.
        self._call(
            "chat.update",
            lambda: self._client.chat_update(
                channel=_channel_id(channel),
                ts=ts,
                text=message.text,
                blocks=list(message.blocks),
                parse="none",
                link_names=False,
            ),
        )

    def _call(self, method: str, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except (SlackApiError, *CONNECTION_ERRORS) as error:
            meaning = meaning_of(error)
            if isinstance(error, SlackApiError) and is_rate_limit(error) and isinstance(meaning, Later):
                # Slack holds back the method for the whole workspace. Whatever else goes wrong may be one channel's affair.
                self._hold_back(method, meaning.wait)
            raise meaning from error

    def _hold_back(self, method: str, wait: timedelta | None) -> None:
        seconds = 1.0 if wait is None else wait.total_seconds()
        with self._lock:
            self._quiet_until[method] = max(self._quiet_until[method], self._monotonic() + seconds)

    def _shared(self, channel: Channel, now: float) -> "Shared":
        if channel not in self._channels:
            self._channels[channel] = Shared(per_second=POSTS_A_SECOND, at_once=POSTS_AT_ONCE, now=now)
        return self._channels[channel]


def _check(message: Message) -> None:
    """Return if *message* may leave; looked at here again, so that no way to Slack leads around it."""
    try:
        checked(message)
    except Unsendable as error:
        raise Rejected("unsendable") from error


def _channel_id(channel: Channel) -> str:
    return id_of(channel)
