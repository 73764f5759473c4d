"""``python -m benchmarks``: measures every part on both stores and says which bars are kept; exit code 1 when one is missed.

Parts can be named, so that one can be looked at while it is worked on: ``python -m benchmarks decision --store sqlite``.
"""

import os
import platform
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from benchmarks import auditing, checking, decision, idle, intake, pausing, refusals, spending, start, sweep
from benchmarks.bars import Figure, show
from benchmarks.places import Place, file_system_of, postgresql_place, scratch, sqlite_place
from tests.fixtures.postgres import BINARIES, PACKAGE

_NO_DISK: Final = frozenset({"tmpfs", "ramfs"})

Said = Callable[[str], None]


class Part(StrEnum):
    """What can be measured."""

    DECISION = "decision"
    SPENDING = "spending"
    INTAKE = "intake"
    REFUSALS = "refusals"
    SWEEP = "sweep"
    PAUSING = "pausing"
    AUDIT = "audit"
    START = "start"
    CHECKS = "checks"
    IDLE = "idle"


class Stores(StrEnum):
    """On what it is measured."""

    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"
    BOTH = "both"


def run(
    parts: Annotated[list[Part] | None, typer.Argument(help="What to measure; everything if left out.")] = None,
    store: Annotated[Stores, typer.Option(help="On which store.")] = Stores.BOTH,
    repetitions: Annotated[int, typer.Option(help="How often each ratio is taken.", min=1)] = 5,
    pending: Annotated[int, typer.Option(help="How many requests wait in the large sweep.", min=2)] = 1_000_000,
    events: Annotated[int, typer.Option(help="How long the trail is that is verified.", min=1)] = 1_000_000,
    idle_seconds: Annotated[float, typer.Option(help="How long the service idles before it is weighed.", min=1)] = 60.0,
) -> None:
    """Measure Countersign against the bare alternatives, as ratios of one run."""
    wanted = parts or list(Part)
    console = Console(width=None if sys.stdout.isatty() else 150)
    with scratch() as folder, ExitStack() as stack:
        _say_where(console, folder)
        with console.status("making the databases") as status:
            places = list(_places(stack, store, folder))
            figures = list(
                _measured(
                    wanted, places, folder, repetitions, pending, events, idle_seconds, _saying(console, status.update)
                )
            )
        kept = show(console, figures)
    raise typer.Exit(0 if kept else 1)


def _measured(
    parts: list[Part],
    places: list[Place],
    folder: Path,
    repetitions: int,
    pending: int,
    events: int,
    idle_seconds: float,
    said: Said,
) -> Iterator[Figure]:
    ways: dict[Part, Callable[[Place], Iterable[Figure]]] = {
        Part.DECISION: lambda place: decision.measure(place, decision.Sizes(repetitions=repetitions), said),
        Part.SPENDING: lambda place: spending.measure(place, spending.Sizes(), said),
        Part.INTAKE: lambda place: intake.measure(place, intake.Sizes(repetitions=repetitions), said),
        Part.REFUSALS: lambda place: refusals.measure(place, refusals.Sizes(repetitions=repetitions), said),
        Part.SWEEP: lambda place: sweep.measure(place, sweep.Sizes(repetitions=repetitions, many=pending), said),
        Part.PAUSING: lambda place: pausing.measure(place, pausing.Sizes(repetitions=repetitions), said),
        Part.AUDIT: lambda place: auditing.measure(place, auditing.Sizes(events=events), said),
        Part.START: lambda place: start.measure(place, start.Sizes(), folder / "compiled", said),
    }
    for part, measure in ways.items():
        if part in parts:
            for place in places:
                yield from measure(place)
    if Part.CHECKS in parts:
        yield from checking.measure(checking.Sizes(), folder / "cluster", said)
    if Part.IDLE in parts:
        yield from idle.measure(places, idle.Sizes(seconds=idle_seconds), folder / "idle", said)


def _places(stack: ExitStack, store: Stores, folder: Path) -> Iterator[Place]:
    if store is not Stores.POSTGRESQL:
        yield stack.enter_context(sqlite_place(folder))
    if store is not Stores.SQLITE:
        if not BINARIES.exists():
            raise typer.BadParameter(f"{BINARIES} is missing: install {PACKAGE}, or take --store sqlite")
        yield stack.enter_context(postgresql_place())


def _saying(console: Console, update: Callable[[str], None]) -> Said:
    """Return how a part says how far it is: in one line that changes, or in lines where nobody watches."""
    return update if console.is_terminal else console.print


def _say_where(console: Console, folder: Path) -> None:
    kind = file_system_of(folder)
    console.print(
        f"Python {platform.python_version()}, {len(os.sched_getaffinity(0))} cores, databases on {kind};"
        f" load {os.getloadavg()[0]:.1f} before the run"
    )
    if kind in _NO_DISK:
        console.print("[bold red]That is memory, so nothing is durable there:[/] set TMPDIR to a folder on a disk.")


if __name__ == "__main__":
    typer.run(run)
