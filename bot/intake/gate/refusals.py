"""Refusals on record: of callers that are known one by one, of strangers as one event a minute.

Nothing that was sent is written down: a code, the place of the fault, the token's id. Above a bound per agent its refusals,
too, are counted only, so that nobody fills the audit trail by being refused. A count that could not be written is kept for
the next minute; what a crash takes with it is the current minute's count of strangers, and no refusal of a known caller.
"""

import asyncio
from collections import Counter
from typing import Final

import structlog

from approvals.errors import Clash, Refused, Unauthorised, Unavailable
from approvals.identity.tokens import Token, TokenKind
from approvals.usecases.intake.admit import Admit, TokenOver
from bot.intake.gate.rates import Buckets
from bot.intake.http.problems import OnRecord
from bot.observe.metrics import Metrics
from bot.runtime.pools import BoundedPool

log = structlog.get_logger(__name__)

EVERY_S: Final = 60.0
"""Between two events that tell the counts."""

MOST_COUNTS: Final = 500
"""How many codes and sources are told apart in one event."""


class Refusals:
    """Writes down who was refused. Called from the event loop only."""

    def __init__(self, admit: Admit, *, pool: BoundedPool, one_by_one: Buckets, metrics: Metrics) -> None:
        """Keep the verb that writes, its threads, and how many of one agent's refusals get an event of their own."""
        self._admit = admit
        self._pool = pool
        self._one_by_one = one_by_one
        self._metrics = metrics
        self._counts: Counter[str] = Counter()

    async def note(self, refused: Refused, *, token: Token | None, source: str) -> None:
        """Put *refused* on record before it is answered: as an event of its own where the caller is known, else counted."""
        self._metrics.refused(refused.code)
        if isinstance(refused, (OnRecord, Unavailable)):
            return  # The one is an escalation with its own event; the other is our failure, not the caller's.
        if isinstance(refused, TokenOver) and refused.token.kind is TokenKind.ALERTMANAGER:
            await self._still_delivers(refused.token)
        if token is None or isinstance(refused, Unauthorised):
            self._count(refused.code, source)
        elif self._one_by_one.take(f"{token.kind}:{token.holder}"):
            self._count(refused.code, f"agent:{token.holder}")
        else:
            await self._write(refused, token)

    async def tell_every_minute(self) -> None:
        """Write the counts down once a minute, until cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                await self.tell()
            except Exception:
                # The outermost loop: without it one fault would end the telling for good, and nobody would hear of it.
                log.exception("intake.counts_not_told")

    async def tell(self) -> None:
        """Write the counts down as one event, if there are any."""
        if not self._counts:
            return
        counts, self._counts = self._counts, Counter()
        try:
            await self._pool.run(lambda: self._admit.record_strangers(dict(counts)))
        except Exception as error:
            self._counts.update(counts)
            if not isinstance(error, Unavailable):
                raise
            log.warning("intake.counts_not_written", kept=len(self._counts))

    async def _still_delivers(self, token: Token) -> None:
        """Put on record that a monitor still delivers with a token that is over; beyond the bound it only counts."""
        if self._one_by_one.take(f"over:{token.id}"):
            return
        try:
            await self._pool.run(lambda: self._admit.record_over(token))
        except (Clash, Unavailable):
            log.warning("intake.monitor_not_recorded", token=token.id)

    async def _write(self, refused: Refused, token: Token) -> None:
        try:
            await self._pool.run(lambda: self._admit.record_refusal(token, refused))
        except (Clash, Unavailable):
            self._count(refused.code, f"agent:{token.holder}")

    def _count(self, code: str, source: str) -> None:
        name = f"{code} {source}"
        if name not in self._counts and len(self._counts) >= MOST_COUNTS:
            name = f"{code} elsewhere"
        self._counts[name] += 1
