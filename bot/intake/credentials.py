"""Credentials: who is calling? Every call is looked up in the store, so a revoked token is out at once; nothing is cached.

Whoever fails too often from one address is put off without a lookup. A token that was good lately is looked up all the same,
so that a stranger behind the same proxy cannot lock an agent out; that memory lets nobody in, it only leaves the line.
"""

import ipaddress
from collections import OrderedDict
from typing import Final

from starlette.types import Scope

from approvals.errors import Unauthorised
from approvals.tokens import Token, TokenKind, token_hash
from approvals.usecases.admit import Admit
from bot.intake.calls import bearer_of
from bot.intake.problems import Throttled
from bot.intake.rates import Buckets
from bot.pools import Pool

MOST_KNOWN: Final = 1024
"""How many tokens that were good lately are remembered, by their hashes."""

NETWORK_BITS: Final = 64
"""An IPv6 caller can have as many addresses as it likes below this prefix, so the prefix is its address."""


class Credentials:
    """Tells who is calling, and bounds how often strangers may guess."""

    def __init__(self, admit: Admit, *, pool: Pool, failures: Buckets) -> None:
        """Keep whom to ask, in which threads, and the count of failures by source."""
        self._admit = admit
        self._pool = pool
        self._failures = failures
        self._known: OrderedDict[str, None] = OrderedDict()

    async def caller(self, scope: Scope, kind: TokenKind) -> Token:
        """Return the good token of *kind* that the call shows.

        Raises:
            Unauthorised: It shows none. Missing, malformed, unknown, expired, revoked and of the other kind are not told apart.
            Throttled: Too many calls from its address have failed lately, and this one is no token known to be good.
            Unavailable: It cannot be looked up just now.
        """
        source, secret = source_of(scope), bearer_of(scope)
        hashed = None if secret is None else token_hash(secret)
        known = hashed in self._known
        if not known and (after := self._failures.take(source)):
            raise Throttled("Too many calls from your address have failed.", after=after, code="too_many_failures")
        if secret is None or hashed is None:
            raise Unauthorised("The credential is missing or not good.")
        try:
            token = await self._pool.run(lambda: self._admit.who(secret, kind))
        except Unauthorised:
            self._known.pop(hashed, None)
            raise
        if not known:
            self._failures.give_back(source)
        self._remember(hashed)
        return token

    def _remember(self, hashed: str) -> None:
        self._known[hashed] = None
        self._known.move_to_end(hashed)
        if len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)


def source_of(scope: Scope) -> str:
    """Return where the call came from, by its socket: an IPv4 address or an IPv6 network."""
    client = scope.get("client")
    if not client:
        return "unknown"
    address = ipaddress.ip_address(client[0].partition("%")[0])
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, NETWORK_BITS), strict=False))
