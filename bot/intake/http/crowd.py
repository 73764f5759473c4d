"""The crowd: which connections may stay when there are too many. Knows nothing of HTTP or of sockets.

A connection *waits* until a whole call has come over it, and again once that is answered; in between it is *busy*. Whoever opens
connections and says nothing could hold them all, and a denial would find the door shut. So a newcomer is always let in where
anybody waits: it takes the place of the one that has waited longest, of the address that has the most waiting ones.
"""

from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable
from typing import Final, Protocol

MOST_CONNECTIONS: Final = 512
"""Half of the usual limit on open files, so that the store and Slack are never without."""

MOST_OF_ONE: Final = 256
"""Of one address that is no trusted proxy: more than an agent's longest polls need, and half of the room at most."""


class Member(Protocol):
    """One connection."""

    def put_out(self) -> None:
        """Close it at once."""


class Crowd:
    """Every open connection, by address. Lives on one event loop."""

    def __init__(
        self,
        *,
        most: int = MOST_CONNECTIONS,
        most_of_one: int = MOST_OF_ONE,
        is_shared: Callable[[str], bool] = lambda _: False,
    ) -> None:
        """Begin with nobody; *is_shared* tells whether an address stands for many callers, as a trusted proxy's does."""
        self.most = most
        self.most_of_one = most_of_one
        self._is_shared = is_shared
        self._source_of: dict[Member, str] = {}
        self._of_one: Counter[str] = Counter()
        self._waiting: defaultdict[str, OrderedDict[Member, None]] = defaultdict(OrderedDict)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._source_of)

    def enter(self, member: Member, source: str) -> bool:
        """Take *member* in, as one that waits, and put another out where there is no room; False where nobody can go."""
        if not self._has_room(source):
            return False
        self._source_of[member] = source
        self._of_one[source] += 1
        self._waiting[source][member] = None
        return True

    def waits(self, member: Member) -> None:
        """Take down that *member* waits from now on."""
        source = self._source_of.get(member)
        if source is not None:
            self._waiting[source].setdefault(member)

    def is_busy(self, member: Member) -> None:
        """Take down that a whole call of *member* is being answered: it is not put out."""
        source = self._source_of.get(member)
        if source is not None:
            self._no_longer_waits(member, source)

    def leave(self, member: Member) -> None:
        """Forget *member*; nothing happens where it is not known."""
        source = self._source_of.pop(member, None)
        if source is None:
            return
        self._of_one[source] -= 1
        if not self._of_one[source]:
            del self._of_one[source]
        self._no_longer_waits(member, source)

    def _has_room(self, source: str) -> bool:
        if not self._is_shared(source) and self._of_one[source] >= self.most_of_one and not self._put_one_out(source):
            return False
        return len(self) < self.most or self._put_one_out(self._most_crowded())

    def _most_crowded(self) -> str | None:
        return max(self._waiting, key=lambda source: len(self._waiting[source]), default=None)

    def _put_one_out(self, source: str | None) -> bool:
        waiting = None if source is None else self._waiting.get(source)
        if not waiting:
            return False
        oldest = next(iter(waiting))
        self.leave(oldest)
        oldest.put_out()
        return True

    def _no_longer_waits(self, member: Member, source: str) -> None:
        waiting = self._waiting.get(source)
        if waiting is None:
            return
        waiting.pop(member, None)
        if not waiting:
            del self._waiting[source]
