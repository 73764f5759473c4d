"""Credentials: who is calling? Every call is looked up in the store, so a revoked token is out at once; nothing is cached.

Nobody pays a brake before it is known that the credential is not good: strangers behind the same address cannot lock an agent
out. What a flood of made-up tokens may cost the store is bounded by the lane (:mod:`bot.intake.gate.lane`) instead. A token
that was
good lately does not stand in it; that memory lets nobody in, it only leaves the line.
"""

from collections import OrderedDict
from typing import Final

from starlette.types import Scope

from approvals.errors import Unauthorised
from approvals.identity.tokens import Token, TokenKind, token_hash
from approvals.usecases.intake.admit import Admit
from bot.intake.gate.lane import Found, TokenLookups
from bot.intake.gate.rates import Buckets
from bot.intake.http.calls import bearer_of
from bot.intake.http.problems import Throttled
from bot.runtime.pools import BoundedPool

MOST_KNOWN: Final = 1024
"""How many tokens that were good lately are remembered, by their hashes."""


class Credentials:
    """Tells who is calling, and bounds how often strangers may guess."""

    def __init__(self, admit: Admit, *, pool: BoundedPool, failures: Buckets) -> None:
        """Keep whom to ask, in which threads, and the count of failures by source."""
        self._which = admit.which
        self._lane = TokenLookups(admit.which, pool=pool)
        self._pool = pool
        self._failures = failures
        self._known: OrderedDict[str, None] = OrderedDict()

    async def caller(self, scope: Scope, kind: TokenKind, *, source: str) -> Token:
        """Return the good token of *kind* that the call from *source* shows.

        Raises:
            Unauthorised: It shows none. Missing, malformed, unknown, expired, revoked and of the other kind are not told apart.
            Throttled: It shows none, and too many calls from its address have failed lately.
            Unavailable: It cannot be looked up just now.
        """
        secret = bearer_of(scope)
        missing = Unauthorised("The credential is missing or not good.")
        found = missing if secret is None else await self._look_up(token_hash(secret), kind)
        if isinstance(found, Token):
            self._remember(found.hash)
            return found
        # Only now, when the credential is known to be no good one: those who share an address share no brake with a stranger.
        if after := self._failures.take(source):
            raise Throttled("Too many calls from your address have failed.", after=after, code="too_many_failures")
        raise found

    async def _look_up(self, hashed: str, kind: TokenKind) -> Found:
        """Return the good token with that hash; one that was good lately does not stand in the lane."""
        if hashed not in self._known:
            return await self._lane.find(hashed, kind)
        (found,) = await self._pool.run(lambda: self._which([(hashed, kind)]))
        if not isinstance(found, Token):
            self._known.pop(hashed, None)
        return found

    def _remember(self, hashed: str) -> None:
        self._known[hashed] = None
        self._known.move_to_end(hashed)
        if len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)
