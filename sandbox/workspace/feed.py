"""Tells open pages what changed, each only what its viewer may see.

A subscription is a bounded queue. A page that reads too slowly loses its
subscription rather than growing it, reconnects, and is given the state anew.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from sandbox.workspace.records import Ephemeral, Message, View

_WAITING_MOST = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that happened; the page decides how to draw it.

    Attributes:
        kind: What happened. ``people`` covers users, groups and memberships: the page asks for its state again.
        record: The message, note or view it happened to, where there is one.
    """

    kind: Literal[
        "message", "message_deleted", "ephemeral", "ephemeral_deleted", "view", "view_closed", "status", "people"
    ]
    record: Message | Ephemeral | View | None = None


class Subscription:
    """Changes for one viewer, in order; ended when ``next`` returns None."""

    def __init__(self, viewer: str) -> None:
        self.viewer = viewer
        self._queue: asyncio.Queue[Change | None] = asyncio.Queue(_WAITING_MOST + 1)
        self.ended = False

    def put(self, change: Change) -> None:
        """Add a change, or end the subscription when too many wait."""
        if self.ended:
            return
        if self._queue.qsize() >= _WAITING_MOST:
            self.end()
        else:
            self._queue.put_nowait(change)

    def end(self) -> None:
        """Let the reader finish what waits, then stop."""
        if not self.ended:
            self.ended = True
            self._queue.put_nowait(None)

    async def next(self) -> Change | None:
        """Return the next change, or None at the end."""
        return await self._queue.get()


class Feed:
    """All subscriptions."""

    def __init__(self) -> None:
        self._subscriptions: set[Subscription] = set()
        self._pulse = asyncio.Event()

    def subscribe(self, viewer: str) -> Subscription:
        """Return a new subscription that sees what *viewer* may see."""
        subscription = Subscription(viewer)
        self._subscriptions.add(subscription)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """Forget a subscription."""
        subscription.end()
        self._subscriptions.discard(subscription)

    def publish(self, change: Change, *, to: Callable[[str], bool] = lambda _viewer: True) -> None:
        """Send *change* to every viewer that *to* names."""
        self._pulse.set()
        self._pulse = asyncio.Event()
        for subscription in tuple(self._subscriptions):
            if to(subscription.viewer):
                subscription.put(change)

    async def next_change(self) -> None:
        """Return when the next change is published, whoever it is for."""
        await self._pulse.wait()

    def end(self) -> None:
        """End all subscriptions; used when the server stops."""
        for subscription in tuple(self._subscriptions):
            subscription.end()
