"""The poster: sends messages at Slack's pace. It implements :class:`bot.delivery.Poster`.

One call is one request, with nothing unfolded and no name made live that we did not write as a mention. What a failure means is
:mod:`bot.slack.errors`; whether to try again is the relay's to say.
"""

from collections.abc import Callable
from threading import Lock
from typing import Any, Final

from slack_sdk.errors import SlackApiError
from slack_sdk.web.client import WebClient

from bot.delivery import Later, Rejected, Uncertain, Unsendable
from bot.slack.errors import CONNECTION_ERRORS, meaning_of
from bot.slack.message import Message, checked

POSTS_A_SECOND: Final = 1.0
"""In one channel: beyond about this, Slack may drop messages without a word."""

POSTS_AT_ONCE: Final = 2
UPDATES_A_SECOND: Final = 0.8
"""Fifty a minute is what Slack allows for the whole workspace."""

UPDATES_AT_ONCE: Final = 10
DOWN_SECONDS: Final = 2.0
"""How long nothing is tried after the workspace could not be reached."""


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


class SlackPoster:
    """Posts and updates as the app's bot."""

    def __init__(self, client: WebClient, *, monotonic: Callable[[], float]) -> None:
        """Keep the client; *monotonic* returns seconds that never step back."""
        self._client = client
        self._monotonic = monotonic
        self._lock = Lock()
        self._channels: dict[str, Bucket] = {}
        self._updates = Bucket(per_second=UPDATES_A_SECOND, at_once=UPDATES_AT_ONCE, now=monotonic())
        self._quiet_until = {"chat.postMessage": 0.0, "chat.update": 0.0}

    def may_post(self, channel: str) -> bool:
        """Tell whether a post in *channel* would be within the pace right now."""
        now = self._monotonic()
        with self._lock:
            return now >= self._quiet_until["chat.postMessage"] and self._bucket(channel, now).has_one(now)

    def may_update(self) -> bool:
        """Tell whether an update would be within the pace right now."""
        now = self._monotonic()
        with self._lock:
            return now >= self._quiet_until["chat.update"] and self._updates.has_one(now)

    def post(self, channel: str, message: Message, *, thread: str | None = None) -> str:
        """Return the timestamp of a new message in ``TEAM:CHANNEL``.

        Raises:
            Later, Gone, Rejected, Uncertain: It was not delivered, or may have been.
        """
        _check(message)
        now = self._monotonic()
        with self._lock:
            self._bucket(channel, now).take(now)
        more: dict[str, Any] = {} if thread is None else {"thread_ts": thread}
        ts = self._call(
            "chat.postMessage",
            lambda: self._client.chat_postMessage(
                channel=_channel_id(channel),
                text=message.text,
                blocks=message.blocks,
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

    def update(self, channel: str, ts: str, message: Message) -> None:
        """Change one of our messages in place.

        Raises:
            Later, Gone, Rejected, Uncertain: It was not delivered, or may have been.
        """
        _check(message)
        with self._lock:
            self._updates.take(self._monotonic())
        # Unlike a post, an update makes bare names live unless it is told not to.
        self._call(
            "chat.update",
            lambda: self._client.chat_update(
                channel=_channel_id(channel),
                ts=ts,
                text=message.text,
                blocks=message.blocks,
                parse="none",
                link_names=False,
            ),
        )

    def _call(self, method: str, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except (SlackApiError, *CONNECTION_ERRORS) as error:
            meaning = meaning_of(error)
            if isinstance(meaning, Later):
                seconds = DOWN_SECONDS if meaning.wait is None else meaning.wait.total_seconds()
                with self._lock:
                    self._quiet_until[method] = self._monotonic() + seconds
            raise meaning from error

    def _bucket(self, channel: str, now: float) -> Bucket:
        if channel not in self._channels:
            self._channels[channel] = Bucket(per_second=POSTS_A_SECOND, at_once=POSTS_AT_ONCE, now=now)
        return self._channels[channel]


def _check(message: Message) -> None:
    """Return if *message* may leave; looked at here again, so that no way to Slack leads around it."""
    try:
        checked(message)
    except Unsendable as error:
        raise Rejected("unsendable") from error


def _channel_id(channel: str) -> str:
    return channel.partition(":")[2]
