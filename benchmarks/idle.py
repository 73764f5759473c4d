"""The idle service: how soon ``countersign serve`` listens, what it weighs after a while of nothing, and what it has loaded.

Workspace and cluster stand in another process, so that what is weighed is the service alone. Beside it stands what a process
weighs that has only imported the same libraries: what is left over is ours.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import sandbox.demo
from benchmarks.bars import Figure
from benchmarks.places import Place
from benchmarks.stand_ins import POLICY, SETTINGS
from benchmarks.timing import spread_of
from tests.waiting import wait_until

PART: Final = "idle serve"
AT_MOST_MB: Final = 180.0
DOORS_WITHIN_S: Final = 3.0
"""From the start of the process until the API listens, on the demo's policy."""
NEVER_LOADED: Final = ("alembic", "matplotlib")
"""One is for upgrades, the other for pictures: neither has to be in memory day and night."""

_OURS: Final = frozenset({"approvals", "models", "bot", "migrations", "benchmarks", "__main__", "__mp_main__"})
_STARTS_WITHIN_S: Final = 60.0
_STEP_S: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How long it idles."""

    seconds: float = 60.0


def measure(places: Iterable[Place], sizes: Sizes, folder: Path, said: Callable[[str], None]) -> Iterable[Figure]:
    """Return what an idle service weighs on each of *places*, all at the same time; *said* is told how far it is."""
    with ExitStack() as stack:
        services = [stack.enter_context(_serving(place, folder / place.name)) for place in places]
        _idle(sizes.seconds, said)
        return [figure for service in services for figure in _weighed(service)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Service:
    store: str
    process: subprocess.Popen[bytes]
    loaded: Path
    """Where it writes what it has loaded, when it is asked."""
    doors_s: float
    """How long after its start the API listened."""


@contextmanager
def _serving(place: Place, folder: Path) -> Iterator[_Service]:
    folder.mkdir(parents=True)
    shutil.copyfile(Path(str(sandbox.demo.__file__)).with_name("policy.yml"), folder / POLICY)
    with ExitStack() as stack:
        stack.enter_context(
            _running([sys.executable, "-m", "benchmarks.stand_ins", str(folder)], folder / "stand-ins.log")
        )
        wait_until((folder / SETTINGS).exists, what="the stand-ins run", within_s=_STARTS_WITHIN_S)
        with (folder / SETTINGS).open("a", encoding="utf-8") as settings:
            settings.write(f"COUNTERSIGN_DATABASE_URL={place.new_database()}\n")
        loaded, log = folder / "loaded", folder / "serve.log"
        started = time.monotonic()
        service = stack.enter_context(
            _running(
                [sys.executable, "-m", "benchmarks.weighed", "serve", str(loaded)],
                log,
                COUNTERSIGN_SETTINGS=str(folder / SETTINGS),
            )
        )
        listens = _wait_for("api.listens", service, log)
        _wait_for("service.runs", service, log)
        yield _Service(store=place.name, process=service, loaded=loaded, doors_s=listens - started)


def _wait_for(word: str, process: subprocess.Popen[bytes], log: Path) -> float:
    """Return the instant, as :func:`time.monotonic` tells it, at which the service's log says *word*."""

    def is_said() -> bool:
        text = log.read_text(encoding="utf-8", errors="replace")
        assert process.poll() is None, text
        return word in text

    wait_until(is_said, what=f"serve says {word} (log: {log})", within_s=_STARTS_WITHIN_S)
    return time.monotonic()


@contextmanager
def _running(arguments: list[str], log: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program for the length of the block; it ends by the end of its standard input, or by SIGTERM."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            arguments, stdin=subprocess.PIPE, stdout=output, stderr=output, env={**_environment(), **environment}
        )
    try:
        yield process
    finally:
        if process.stdin is not None:
            process.stdin.close()
        process.terminate()
        process.wait(20)


def _environment() -> dict[str, str]:
    """Return the environment without anybody's settings of the product."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("COUNTERSIGN_", "SLACK_"))}


def _idle(seconds: float, said: Callable[[str], None]) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        said(f"{PART}: {left:.0f} s of nothing to go")
        time.sleep(min(left, _STEP_S))


def _weighed(service: _Service) -> Iterable[Figure]:
    weight = _resident_mb(service.process.pid)
    service.process.send_signal(signal.SIGUSR1)
    wait_until(service.loaded.exists, what="serve has said what it loaded")
    loaded = service.loaded.read_text(encoding="utf-8").splitlines()
    foreign = sorted(name for name in loaded if name.partition(".")[0] not in _OURS)
    bare = _bare_mb(foreign)
    never = sum(name.partition(".")[0] in NEVER_LOADED for name in loaded)
    yield Figure(
        part=PART,
        store=service.store,
        what="resident memory",
        measured=spread_of([weight]),
        unit="MB",
        at_most=AT_MOST_MB,
        beside=f"{bare:.0f} MB for the bare imports",
    )
    yield Figure(
        part=PART,
        store=service.store,
        what="its doors stand",
        measured=spread_of([service.doors_s]),
        unit="s",
        at_most=DOORS_WITHIN_S,
    )
    yield Figure(
        part=PART,
        store=service.store,
        what=f"modules of {' and '.join(NEVER_LOADED)}",
        measured=spread_of([float(never)]),
        unit="loaded",
        at_most=0,
        beside=f"of {len(loaded):,} modules",
    )


def _bare_mb(modules: Iterable[str]) -> float:
    """Return what a process weighs that has imported *modules* and nothing else; what cannot be imported alone is left out."""
    done = subprocess.run(
        [sys.executable, "-c", _IMPORT], input="\n".join(modules).encode(), check=True, capture_output=True
    )
    return int(done.stdout) / 1024


_IMPORT: Final = """
import contextlib, importlib, sys
for name in sys.stdin.read().splitlines():
    with contextlib.suppress(Exception):
        importlib.import_module(name)
line = next(line for line in open("/proc/self/status") if line.startswith("VmRSS:"))
print(line.split()[1])
"""


def _resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")) / 1024
