"""The start of a command: the processor time, of user and system, that a process spends from its first instruction to its last.

The clock would tell how busy the machine is. Modules are compiled beforehand, as an installation does.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.bars import Figure
from benchmarks.places import Place
from benchmarks.timing import spread_of

PART: Final = "start"
HELP_AT_MOST_S: Final = 0.25
STATUS_AT_MOST_S: Final = 0.6
_POLICY: Final = Path("policy.example.yml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How often each command is started."""

    starts: int = 9


def measure(place: Place, sizes: Sizes, folder: Path, said: Callable[[str], None]) -> Iterable[Figure]:
    """Return what help and status cost on *place*; *folder* takes the compiled modules, *said* is told how far it is."""
    database = place.new_database()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | {
        "PYTHONPYCACHEPREFIX": str(folder),
        "COUNTERSIGN_DATABASE_URL": database,
        "COUNTERSIGN_POLICY": str(_POLICY.resolve()),
    }
    for command, at_most in (("--help", HELP_AT_MOST_S), ("status", STATUS_AT_MOST_S)):
        said(f"{PART} on {place.name}: countersign {command}")
        _cpu_of(command, environment)
        yield Figure(
            part=PART,
            store=place.name,
            what=f"countersign {command}",
            measured=spread_of(_cpu_of(command, environment) for _ in range(sizes.starts)),
            unit="s of CPU",
            at_most=at_most,
        )


def _cpu_of(command: str, environment: dict[str, str]) -> float:
    """Return the seconds of processor time that *command* took."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bot", command],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, f"countersign {command} ended with {process.returncode}"
    return used.ru_utime + used.ru_stime
