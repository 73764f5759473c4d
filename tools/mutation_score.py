"""The share of planted faults that the court's tests noticed, held against a floor. Called by `make mutate`.

A mutant that no test reaches counts as one that lived; one that made the tests hang was noticed.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

STATISTICS = Path("mutants/mutmut-cicd-stats.json")


def score(counts: Mapping[str, int]) -> tuple[int, int]:
    """Return how many mutants were noticed, and of how many."""
    return counts["killed"] + counts["timeout"], counts["total"] - counts["skipped"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figure; return 0 where it reaches the floor, 1 where it does not or the run is not whole."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--floor", type=float, required=True, help="least share in percent")
    parser.add_argument("--statistics", type=Path, default=STATISTICS, help="what mutmut exported")
    options = parser.parse_args(arguments)

    counts = json.loads(options.statistics.read_text())
    noticed, planted = score(counts)
    if not planted or counts["check_was_interrupted_by_user"]:
        print("No whole run of mutmut to judge: make mutate")
        return 1
    share = 100 * noticed / planted
    print(f"{noticed} of {planted} planted faults noticed: {share:.1f} % (at least {options.floor:g} %)")
    if share < options.floor:
        print("What lived: .venv/bin/mutmut results; one of them: .venv/bin/mutmut show NAME")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
