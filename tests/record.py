"""The record of a long run: what was counted and measured, a line each, for whoever reads it afterwards.

``COUNTERSIGN_RECORD`` names the file that the lines are added to; without it they are told to nobody.
"""

import os
from pathlib import Path


def note(line: str) -> None:
    """Add *line* to the record."""
    if file := os.environ.get("COUNTERSIGN_RECORD"):
        with Path(file).open("a") as record:
            record.write(f"{line}\n")


def spread(values: list[float]) -> str:
    """Return how many *values* there are, with their median and their greatest, in seconds."""
    if not values:
        return "none"
    ordered = sorted(values)
    return f"{len(ordered)}, median {ordered[len(ordered) // 2]:.2f} s, longest {ordered[-1]:.2f} s"
