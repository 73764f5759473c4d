"""Polls: callers that wait for an escalation to change, all of them watched by one look at the store every so often.

A waiting call holds no thread and no connection to the store. The look compares versions with what each caller has seen, so
a change between its own read and the first look is not missed. It sees other processes' changes too, and it sees tokens: a
call whose token has ended is closed at once.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import structlog

from approvals.errors import Unauthorised, Unavailable
from approvals.identity.tokens import Token
from bot.intake.deps import MOST_POLLS, MOST_POLLS_OF_ONE
from bot.intake.http.problems import Throttled
from bot.runtime.pools import BoundedPool

log = structlog.get_logger(__name__)

EVERY_S: Final = 0.25
"""Between two looks, while anybody waits: sooner than an agent notices, and a tenth of what a look can cost."""

RARELY_S: Final = 1.0
"""The same while other processes tell what they change; a command at the command line tells nobody."""

GATHERING_S: Final = 0.03
"""How long after a word of a change it is looked: what changes in the same moment is one look."""

AFTER_S: Final = 5.0
"""When to come back where too many wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PollLook:
    """What one look found."""

    versions: Mapping[str, int]
    """Of the escalations looked for, by id."""
    good: frozenset[str]
    """The hashes of those tokens looked for that are still good."""


Look = Callable[[frozenset[str], frozenset[str]], PollLook]
"""Looks for escalations by id and tokens by hash, in one consistent read; runs in a thread."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Waiter:
    escalation: str
    version: int
    token: Token
    changed: "asyncio.Future[None]"


class Polls:
    """Everybody who waits. Used from the event loop only."""

    def __init__(
        self, look: Look, *, pool: BoundedPool, failed: Callable[[str], None], hears: Callable[[], bool] = lambda: False
    ) -> None:
        """Keep how to look and where.

        Args:
            look: Looks once.
            pool: In a thread of it.
            failed: Is told when a look raised what it should not.
            hears: Whether :meth:`news` comes of what others change, so that it need be looked rarely.
        """
        self._hears = hears
        self._news = asyncio.Event()
        self._look = look
        self._pool = pool
        self._failed = failed
        self._waiting: set[_Waiter] = set()
        self._of_one: Counter[str] = Counter()
        self._somebody = asyncio.Event()
        self._closed = False

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._waiting)

    async def wait(self, escalation: str, token: Token, *, version: int, seconds: float) -> None:
        """Return when *escalation* is not at *version* any more, or *seconds* are over, or the server stops.

        Raises:
            Unauthorised: The token has ended meanwhile.
            Throttled: Too many wait already.
        """
        if self._closed:
            return
        if len(self._waiting) >= MOST_POLLS or self._of_one[token.holder] >= MOST_POLLS_OF_ONE:
            raise Throttled("Too many calls wait already.", after=AFTER_S, code="too_many_polls")
        waiter = _Waiter(
            escalation=escalation, version=version, token=token, changed=asyncio.get_running_loop().create_future()
        )
        self._waiting.add(waiter)
        self._of_one[token.holder] += 1
        self._somebody.set()
        self._news.set()  # What has changed since its own read was told before it waited.
        try:
            async with asyncio.timeout(seconds):
                await waiter.changed
        except TimeoutError:
            return
        finally:
            self._leave(waiter)

    def news(self) -> None:
        """Look soon: something has changed."""
        self._news.set()

    def close(self) -> None:
        """Let everybody go with what stands now, and let nobody wait any more."""
        self._closed = True
        for waiter in self._waiting:
            _let_go(waiter)

    async def watch(self) -> None:
        """Look again and again while anybody waits, until cancelled."""
        while True:
            await self._somebody.wait()
            await self._until_it_is_time()
            if not self._waiting:
                self._somebody.clear()
                continue
            try:
                await self._look_once()
            except Unavailable:
                continue  # They wait on; whoever's time is over meanwhile is told by its own read.
            except Exception:
                # The outermost loop: without it every poll would just sleep to its end.
                log.exception("polls.look_failed")
                self._failed("polls")

    async def _until_it_is_time(self) -> None:
        """Return when something has changed, or when it was not looked for long enough."""
        if not self._hears():
            await asyncio.sleep(EVERY_S)
        else:
            with suppress(TimeoutError):
                async with asyncio.timeout(RARELY_S):
                    await self._news.wait()
            await asyncio.sleep(GATHERING_S)
        self._news.clear()

    async def _look_once(self) -> None:
        escalations = frozenset(waiter.escalation for waiter in self._waiting)
        tokens = frozenset(waiter.token.hash for waiter in self._waiting)
        seen = await self._pool.run(lambda: self._look(escalations, tokens))
        for waiter in self._waiting:
            if waiter.token.hash in tokens - seen.good:
                _let_go(waiter, Unauthorised("The credential is missing or not good."))
            elif seen.versions.get(waiter.escalation, waiter.version) != waiter.version:
                _let_go(waiter)

    def _leave(self, waiter: _Waiter) -> None:
        self._waiting.discard(waiter)
        self._of_one[waiter.token.holder] -= 1
        if not self._of_one[waiter.token.holder]:
            del self._of_one[waiter.token.holder]


def _let_go(waiter: _Waiter, why: Exception | None = None) -> None:
    if waiter.changed.done():
        return
    if why is None:
        waiter.changed.set_result(None)
    else:
        waiter.changed.set_exception(why)
