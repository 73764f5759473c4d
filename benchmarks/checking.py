"""The checks of a cluster: what ``serve`` asks before changes may start, with many agents in many namespaces, each call slow.

The cluster is a stand-in with what our own manifests make in it. It answers every call after 30 ms, which is an API server across
a region; it runs in this process, so its own work is in the time as well.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.bars import Figure
from benchmarks.timing import spread_of
from bot.cluster.rights.access import Grant
from sandbox.cluster import StandIn
from sandbox.cluster.faults import Delay
from tests.bot.cluster.stages import ENVIRONMENT, Stage, StandInGround, seed_of

PART: Final = "checks"
MOST_CALLS: Final = 2500
AT_MOST_S: Final = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much there is to look at, and how slow it is."""

    agents: int = 10
    namespaces: int = 12
    delay_s: float = 0.03


def measure(sizes: Sizes, folder: Path, said: Callable[[str], None]) -> Iterable[Figure]:
    """Return how many calls and how long the checks of one cluster take; *said* is told how far it is."""
    grants = tuple(
        Grant(agent=f"agent-{agent}", namespace=f"ns-{place}", verbs=("restart", "scale"))
        for agent in range(sizes.agents)
        for place in range(sizes.namespaces)
    )
    said(f"{PART}: {sizes.agents} agents in {sizes.namespaces} namespaces, {sizes.delay_s * 1e3:.0f} ms a call")
    with StandIn(folder, seed_of(grants)) as cluster:
        cluster.inject(Delay(seconds=sizes.delay_s), times=100 * MOST_CALLS)
        door = Stage.on(StandInGround(cluster, "ns-0")).door
        started = time.perf_counter()
        found = door.findings(ENVIRONMENT, grants)
        took, calls = time.perf_counter() - started, len(cluster.requests)
    assert found == (), found
    what = f"{sizes.agents} agents in {sizes.namespaces} namespaces"
    for measured, unit, at_most in ((float(calls), "calls", float(MOST_CALLS)), (took, "s", AT_MOST_S)):
        yield Figure(part=PART, store="", what=what, measured=spread_of([measured]), unit=unit, at_most=at_most)
