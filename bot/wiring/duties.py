"""Duties: what the leader does, made anew for each of its turns and bound to the lease of that turn."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

from approvals.identity.names import Channel
from bot.outbox.delivery import Pace, Poster
from bot.outbox.digests import DigestPost

M = TypeVar("M")

SETTLE_SECONDS: Final = 45.0
"""How long a leader that is told to stop waits for its own calls to the cluster: longer than the longest of them."""


class Work(Protocol):
    """The worker, as far as its end is concerned."""

    def settle(self, seconds: float) -> bool:
        """Return when it looks at nothing any more, or after that many seconds; whether it does not."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Duties(Generic[M]):
    """Each is one step, called again and again while the lease holds."""

    execute: Callable[[], object]
    relay: Callable[[], object]
    seal: Callable[[], object]
    digests: DigestPost[M]
    say_standstills: Callable[[], object]
    follow_revocations: Callable[[], object]
    show_pauses: Callable[[], object]
    show_policy: Callable[[], object]
    ask_for_resumes: Callable[[], object]
    watch_unseen: Callable[[], object]
    count_people: Callable[[], object]
    lead_policy: Callable[[], object]
    worker: Work
    forget: Callable[[], object]
    """Takes back what only a leader can say: figures and legs that nobody here renews any more."""

    def end(self) -> None:
        """Take back what only a leader can say of how things stand."""
        self.forget()

    def settle(self) -> None:
        """Return when no execution is being looked at any more: its outcome is written while the lease is still ours."""
        self.worker.settle(SETTLE_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class LedPoster(Generic[M]):
    """A poster that sends nothing once the lease has lapsed by our own clock. Implements :class:`bot.outbox.delivery.Poster`."""

    poster: Poster[M]
    check: Callable[[], None]
    """Raises :class:`models.store.fence.LeaseLost` then."""

    def may_post(self, channel: Channel, pace: Pace = Pace.DECISION) -> bool:
        """Tell whether a post in *channel* would be within the pace right now."""
        return self.poster.may_post(channel, pace)

    def may_update(self, pace: Pace = Pace.DECISION) -> bool:
        """Tell whether an update would be within the pace right now."""
        return self.poster.may_update(pace)

    def post(self, channel: Channel, message: M, *, thread: str | None = None, pace: Pace = Pace.DECISION) -> str:
        """Return the timestamp of a new message."""
        self.check()
        return self.poster.post(channel, message, thread=thread, pace=pace)

    def update(self, channel: Channel, ts: str, message: M, *, pace: Pace = Pace.DECISION) -> None:
        """Change one of our messages in place."""
        self.check()
        self.poster.update(channel, ts, message, pace=pace)
