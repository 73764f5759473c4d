"""Timing: medians of many, taken turn by turn with what they are compared to, so that a busy machine slows both alike.

What is timed stands in the parts' own modules; whether a figure is good enough is :mod:`benchmarks.bars`.
"""

import gc
import math
import statistics
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

Timed = Callable[[], Awaitable[float]]
"""Does something once and returns how long it took, in seconds: what it needs beforehand is not counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """The middle of several figures, and how far apart they lay."""

    least: float
    middle: float
    most: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """How long one thing took, in units of another."""

    ratio: Spread
    """Of the ratios of the repetitions, each the ratio of two medians."""
    ours_s: float
    base_s: float
    """The medians of the repetitions' medians, in seconds."""


def spread_of(figures: Iterable[float]) -> Spread:
    """Return the least, the median and the most of *figures*."""
    ordered = sorted(figures)
    return Spread(least=ordered[0], middle=statistics.median(ordered), most=ordered[-1])


def percentile(figures: Sequence[float], percent: int) -> float:
    """Return the least figure that *percent* of all *figures* do not exceed."""
    return sorted(figures)[math.ceil(len(figures) * percent / 100) - 1]


def compared(pairs: Iterable[tuple[float, float]]) -> Compared:
    """Return the comparison of repetitions, each given as (ours, base) in seconds."""
    both = list(pairs)
    return Compared(
        ratio=spread_of(ours / base for ours, base in both),
        ours_s=statistics.median(ours for ours, _ in both),
        base_s=statistics.median(base for _, base in both),
    )


async def in_turns(ours: Timed, base: Timed, *, times: int) -> tuple[float, float]:
    """Return the medians of both, in seconds, each done so many *times*, by turns."""
    gc.collect()
    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(times):
        taken[1].append(await base())
        taken[0].append(await ours())
    return statistics.median(taken[0]), statistics.median(taken[1])


async def took(work: Awaitable[object]) -> float:
    """Return how many seconds *work* takes."""
    started = time.perf_counter()
    await work
    return time.perf_counter() - started
