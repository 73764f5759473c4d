"""Bars: what was measured beside what it may be, and the table in which a run shows them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from rich.console import Console
from rich.table import Table

from benchmarks.timing import Spread

_KEPT: Final = {True: "[green]kept[/]", False: "[bold red]missed[/]", None: ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured figure."""

    part: str
    store: str
    """Empty where none is involved."""
    what: str
    measured: Spread
    unit: str
    """``x`` for a ratio."""
    at_most: float | None = None
    """The bar; None for a figure that only explains another."""
    beside: str = ""
    """What stands beside it: the absolute figures, which are this machine's own."""

    @property
    def kept(self) -> bool | None:
        """Whether the bar is kept, by the median; None where there is no bar."""
        return None if self.at_most is None else self.measured.middle <= self.at_most


def table_of(figures: Iterable[Figure]) -> Table:
    """Return *figures* as a table."""
    table = Table(title="Countersign's bars", caption="median (least to most) over the repetitions of this run")
    for name in ("part", "store", "what", "measured", "bar", "", "beside it"):
        table.add_column(name, justify="right" if name in {"measured", "bar"} else "left")
    for one in figures:
        table.add_row(one.part, one.store, one.what, measured_text(one), _bar_text(one), _KEPT[one.kept], one.beside)
    return table


def measured_text(figure: Figure) -> str:
    """Return the figure with its spread, such as ``2.1 x (2.0 to 2.3)``."""
    low, middle, high = (
        f"{value:.3g}" for value in (figure.measured.least, figure.measured.middle, figure.measured.most)
    )
    return f"{middle} {figure.unit}" if low == high else f"{middle} {figure.unit} ({low} to {high})"


def _bar_text(figure: Figure) -> str:
    return "" if figure.at_most is None else f"{figure.at_most:g} {figure.unit}"


def show(console: Console, figures: Iterable[Figure]) -> bool:
    """Print *figures* and return whether every bar is kept."""
    shown = list(figures)
    console.print(table_of(shown))
    missed = [one for one in shown if one.kept is False]
    if missed:
        console.print(f"[bold red]{len(missed)} of {sum(one.kept is not None for one in shown)} bars missed[/]")
    return not missed
