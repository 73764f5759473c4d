"""The lane: tokens that were not good lately are looked up here, many in one look, one look at a time.

A flood of made-up tokens costs the store one thread and one connection, however many callers there are. Everybody in it is
answered, in the order of arrival: a good token that this process has not met yet, as after a restart, waits for a look or two and
passes. What is unknown, expired, revoked or of the other kind takes the same way as what is good, so time tells nothing.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final

from approvals.errors import Unauthorised
from approvals.identity.tokens import Token, TokenKind
from bot.runtime.pools import BoundedPool

MOST_IN_ONE: Final = 64
"""Tokens in one look: some 20 ms of PostgreSQL's time."""

PAUSE_S: Final = 0.02
"""Between two looks, so that the lane takes half of one connection's time at most."""

Asked = tuple[str, TokenKind]
"""The hash of a token, and of which kind it should be."""

Found = Token | Unauthorised
"""A good token, or why there is none."""

Which = Callable[[Sequence[Asked]], tuple[Found, ...]]


class TokenLookups:
    """Those who wait for a look. Lives on one event loop; the connections bound how many there are."""

    def __init__(self, which: Which, *, pool: BoundedPool, pause_s: float = PAUSE_S) -> None:
        """Keep who looks tokens up, and in which threads."""
        self._which = which
        self._pool = pool
        self._pause = pause_s
        self._waiting: OrderedDict[Asked, asyncio.Future[Found]] = OrderedDict()
        self._looking: asyncio.Task[None] | None = None

    async def find(self, hashed: str, kind: TokenKind) -> Found:
        """Return the good token with that hash and of that kind, or why there is none.

        Raises:
            approvals.errors.Unavailable: It cannot be looked up just now.
        """
        asked = (hashed, kind)
        if asked not in self._waiting:
            self._waiting[asked] = asyncio.get_running_loop().create_future()
        answer = self._waiting[asked]
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())
        # One caller that goes away takes nobody along who shows the same token.
        return await asyncio.shield(answer)

    async def _look(self) -> None:
        try:
            while self._waiting:
                taken = [self._waiting.popitem(last=False) for _ in range(min(MOST_IN_ONE, len(self._waiting)))]
                await self._answer(taken)
                if self._waiting:
                    await asyncio.sleep(self._pause)
        finally:
            self._looking = None

    async def _answer(self, taken: Sequence[tuple[Asked, "asyncio.Future[Found]"]]) -> None:
        asked = [one for one, _ in taken]
        try:
            found = await self._pool.run(lambda: self._which(asked))
        except BaseException as error:
            for _, answer in taken:
                answer.set_exception(error if isinstance(error, Exception) else asyncio.CancelledError())
                answer.exception()  # Taken note of: whoever asked may have gone.
            if not isinstance(error, Exception):
                raise
            return
        for (_, answer), token in zip(taken, found, strict=True):
            answer.set_result(token)
