"""The decision: a signed click on Approve, from its first byte to Slack's answer, against the least that anybody could do.

Ours: size and signature checked, Bolt dispatches, the payload is read, the copy is known, the request is looked up, authority
is fetched (at once: the directory is a table), the row is locked, everything is judged on fresh reads, vote, request, execution
and their audit events are committed. The base: Bolt checks the signature of the same bytes, dispatches an empty listener
inline, and the bare driver commits one row.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse

from approvals.workflow.request import State
from benchmarks.bars import Figure
from benchmarks.places import POSTGRESQL, SQLITE, Bare, Place, opened
from benchmarks.product import INSTALLED, SECRET, Click, Clicks, SlackDoor, a_world, slack_door
from benchmarks.timing import Compared, compared, in_turns, took
from bot import clock
from bot.slack.messages.buttons import APPROVE
from models.store.store import SqlStore

ALONE: Final = {SQLITE: 2.5, POSTGRESQL: 3.0}
AT_ONCE: Final = 3.5
CLICKERS: Final = 16
PART: Final = "decision"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much is measured."""

    repetitions: int = 5
    alone: int = 100
    """Clicks of each repetition, one after the other."""
    at_once: int = 160
    """Clicks of each repetition with several people at it."""


def measure(place: Place, sizes: Sizes, said: Callable[[str], None]) -> Iterable[Figure]:
    """Return how decisions compare to the base; *said* is told how far it is."""
    return asyncio.run(_measured(place, sizes, said))


async def _measured(place: Place, sizes: Sizes, said: Callable[[str], None]) -> Iterable[Figure]:
    with opened(place) as database:
        store = SqlStore(database, host_clock=clock.utc_now, new_salt=clock.new_salt)
        world = a_world(store)
        clicks, bare = Clicks(world, store), place.new_bare()
        with slack_door(world, store) as door:
            base = Base(bare)
            for click in clicks.make(_WARM_UP):
                await base.take(click)
                await door.take(click)
            alone, at_once = [], []
            for number in range(1, sizes.repetitions + 1):
                said(f"{PART} on {place.name}: repetition {number} of {sizes.repetitions}")
                alone.append(await _alone(door, base, clicks.make(sizes.alone)))
                at_once.append(await _at_once(door, base, clicks.make(sizes.at_once)))
            await bare.let_go()
        _check(store, _WARM_UP + sizes.repetitions * (sizes.alone + sizes.at_once))
    return (
        _figure(place, "alone", compared(alone), at_most=ALONE[place.name]),
        _figure(place, f"{CLICKERS} at once", compared(at_once), at_most=AT_ONCE),
    )


_WARM_UP: Final = 24


class Base:
    """Bolt with an empty listener, and one durable insert."""

    def __init__(self, bare: Bare) -> None:
        """Keep where rows go."""
        self._bare = bare
        self._app = AsyncApp(signing_secret=SECRET, process_before_response=True, authorize=_authorized)
        self._app.action(APPROVE)(_nothing)

    async def take(self, click: Click) -> None:
        """Take one click alone."""
        await self.dispatch(click)
        self._bare.insert()

    async def take_among_others(self, click: Click) -> None:
        """Take one click while others do."""
        await self.dispatch(click)
        await self._bare.insert_among_others()

    async def dispatch(self, click: Click) -> None:
        """Take one click as far as Bolt goes, without the insert."""
        headers: dict[str, str | Sequence[str]] = {name.decode(): value.decode() for name, value in click.headers}
        answer = await self._app.async_dispatch(AsyncBoltRequest(body=click.body.decode(), headers=headers))
        assert answer.status == 200, answer.status


async def _nothing() -> BoltResponse:
    return BoltResponse(status=200, body="")


async def _authorized() -> AuthorizeResult:
    return AuthorizeResult(
        enterprise_id=None,
        team_id=INSTALLED.team,
        bot_token="xoxb-unused",  # noqa: S106 - it opens nothing
        bot_id=INSTALLED.bot_id,
        bot_user_id=INSTALLED.bot_user,
    )


async def _alone(door: SlackDoor, base: Base, clicks: list[Click]) -> tuple[float, float]:
    for_ours, for_base = iter(clicks), iter(clicks)
    return await in_turns(
        lambda: took(door.take(next(for_ours))), lambda: took(base.take(next(for_base))), times=len(clicks)
    )


async def _at_once(door: SlackDoor, base: Base, clicks: list[Click]) -> tuple[float, float]:
    """Return the seconds that one click takes of the whole, with several people clicking, for ours and the base."""
    before = await _crowd(base.take_among_others, clicks[: len(clicks) // 2])
    ours = await _crowd(door.take, clicks)
    after = await _crowd(base.take_among_others, clicks[len(clicks) // 2 :])
    return ours / len(clicks), (before + after) / len(clicks)


async def _crowd(take: Callable[[Click], Awaitable[None]], clicks: list[Click]) -> float:
    waiting = iter(clicks)

    async def person() -> None:
        for click in waiting:
            await take(click)

    return await took(asyncio.gather(*(person() for _ in range(CLICKERS))))


def _check(store: SqlStore, clicks: int) -> None:
    """Return if every click of the run was a decision; what did less work must not count as fast."""
    with store.reading() as reading:
        page = reading.requests_of("scaler", state=State.APPROVED.value, limit=clicks + 1, cursor=None)
    assert len(page.requests) == clicks, f"{len(page.requests)} of {clicks} clicks approved something"


def _figure(place: Place, what: str, found: Compared, *, at_most: float) -> Figure:
    return Figure(
        part=PART,
        store=place.name,
        what=what,
        measured=found.ratio,
        unit="x",
        at_most=at_most,
        beside=f"{found.ours_s * 1e3:.2f} ms against {found.base_s * 1e3:.2f} ms",
    )
