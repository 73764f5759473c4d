"""The lane of tokens that were not good lately: many in one look, one look at a time, everybody answered."""

import asyncio
from collections.abc import Sequence

import pytest

from approvals.errors import Unauthorised, Unavailable
from approvals.identity.tokens import TokenKind
from bot.intake.gate.lane import MOST_IN_ONE, Asked, Found, TokenLookups
from bot.runtime.pools import BoundedPool
from tests.builders import a_token

GOOD = a_token()
BAD = Unauthorised("no")


class Looks:
    """Looks tokens up, and remembers how many each time."""

    def __init__(self) -> None:
        """Begin with none."""
        self.sizes: list[int] = []
        self.down = False

    def which(self, asked: Sequence[Asked]) -> tuple[Found, ...]:
        """Return the one good token wherever it is asked for."""
        if self.down:
            raise Unavailable("The store is away.", code="store_away")
        self.sizes.append(len(asked))
        return tuple(GOOD if one == (GOOD.hash, GOOD.kind) else BAD for one in asked)


def test_a_flood_shares_few_looks_and_the_good_one_passes():
    """A thousand made-up tokens cost sixteen looks, one after the other; the good one among them is found."""
    looks, pool = Looks(), BoundedPool("intake", threads=4, queue=8)

    async def flood() -> list[Found]:
        lane = TokenLookups(looks.which, pool=pool, pause_s=0.0)
        made_up = [lane.find(f"{number:064x}", TokenKind.AGENT) for number in range(1000)]
        return await asyncio.gather(*made_up, lane.find(GOOD.hash, GOOD.kind))

    found = asyncio.run(flood())
    pool.close()

    assert (found[:-1], found[-1]) == ([BAD] * 1000, GOOD)
    assert (len(looks.sizes), max(looks.sizes)) == (16, MOST_IN_ONE)


def test_one_token_shown_by_many_is_looked_up_once():
    """Whoever shows the same token shares the look, and one that goes away takes nobody along."""
    looks, pool = Looks(), BoundedPool("intake", threads=1, queue=8)

    async def crowd() -> list[object]:
        lane = TokenLookups(looks.which, pool=pool)
        callers = [asyncio.create_task(lane.find(GOOD.hash, GOOD.kind)) for _ in range(5)]
        await asyncio.sleep(0)
        callers[0].cancel()
        return list(await asyncio.gather(*callers, return_exceptions=True))

    found = asyncio.run(crowd())
    pool.close()

    assert isinstance(found[0], asyncio.CancelledError)
    assert (found[1:], looks.sizes) == ([GOOD] * 4, [1])


def test_a_look_that_fails_is_told_to_all_and_the_next_one_works():
    """A store that is away is nobody's guess: everybody hears of it, and the lane goes on."""
    looks, pool = Looks(), BoundedPool("intake", threads=1, queue=8)
    looks.down = True

    async def twice() -> Found:
        lane = TokenLookups(looks.which, pool=pool)
        with pytest.raises(Unavailable):
            await lane.find(GOOD.hash, GOOD.kind)
        looks.down = False
        return await lane.find(GOOD.hash, GOOD.kind)

    found = asyncio.run(twice())
    pool.close()

    assert found == GOOD
