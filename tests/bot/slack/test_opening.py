"""Opening: the door opens once it is known who we are, and a fault on the way is told and does not keep it shut."""

import asyncio
from typing import Any

import pytest

from bot.health.legs import LegKind, Legs, LegState
from bot.slack.inbound.opening import Opening
from bot.slack.workspace.pin import Installed
from tests.world import HandClock

US = Installed(team="T0", bot_id="B0", bot_user="U0")


class Door:
    """Stands for the sockets: remembers that it was opened and closed."""

    def __init__(self):
        self.seen: list[str] = []

    async def open(self):
        """Note it."""
        self.seen.append("open")

    async def close(self):
        """Note it."""
        self.seen.append("close")


async def _open_and_close(opening, door):
    await opening.open()
    async with asyncio.timeout(10):
        while "open" not in door.seen:  # noqa: ASYNC110 - the door is a fake, and has no event
            await asyncio.sleep(0.01)
    await opening.close()


@pytest.mark.parametrize("faults", [0, 2], ids=["at once", "after two defects"])
def test_a_defect_on_the_way_is_told_and_the_door_opens_all_the_same(faults):
    """Nobody's click would ever count if one fault ended the waiting, and nobody would hear why."""
    legs, told = Legs(now=HandClock()), []
    door: Any = Door()

    def build(installed):
        assert installed == US
        told.append([(leg.state, leg.code) for leg in legs.of(LegKind.SLACK_DOOR)])
        if len(told) <= faults:
            raise RuntimeError("on purpose")
        return "app"

    opening = Opening(
        installed=lambda: US, build=build, sockets=lambda _: door, signed=None, legs=legs, again_seconds=0.01
    )
    asyncio.run(_open_and_close(opening, door))

    assert door.seen == ["open", "close"]
    assert told == [[(LegState.UNKNOWN, "not_yet")], *([[(LegState.FAILING, "defect")]] * faults)]
