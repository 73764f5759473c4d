"""Compiles the parts once into the cache, with visible progress, and says whether that has been done.

The result is a folder named by the recipe's key: ``bin/`` with the programs and ``stages/`` with KWOK's
own stage files. It is made under another name and renamed when complete, so a killed build leaves
nothing that could be taken for a result. What to build is :mod:`sandbox.devcluster.recipe`.
"""

import json
import math
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox.devcluster import cache, recipe, toolchain
from sandbox.devcluster.errors import BuildError, NotBuilt

#: The command that a message tells people to run when something needs the programs.
COMMAND = "python3 -m sandbox.devcluster build"

# Long enough to keep a CI log short, short enough that nobody thinks it hangs.
_SIGN_OF_LIFE_SECONDS = 15.0
_TWO_MINUTES = 120

_HINTS = (
    (
        "no space left on device",
        "Make room: about 5 GB where Go's caches lie (go env GOCACHE GOMODCACHE), 400 MB where ours does.",
    ),
    (
        "checksum mismatch",
        "The module does not match go.sum: do not use it. Run `go clean -modcache`, and try another GOPROXY.",
    ),
    (
        "dial tcp",
        "The module proxy could not be reached. Check the network, or set GOPROXY to a mirror that you can reach.",
    ),
    ("proxyconnect", "The HTTP proxy refused. Check HTTPS_PROXY, or set GOPROXY to a mirror that you can reach."),
    ("signal: killed", "The compiler was killed, most likely for memory: about 2 GB must be free."),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """A finished build: the folder that holds it."""

    directory: Path

    def path(self, name: str) -> Path:
        """Return the program of the part called *name*."""
        return self.directory / "bin" / name

    def stage_files(self) -> list[Path]:
        """Return KWOK's own stage files, in the recipe's order."""
        return [self.directory / "stages" / Path(file).name for file in recipe.STAGE_FILES]


def is_built() -> bool:
    """Say whether :func:`programs` would succeed now; nothing is built, a few files are read."""
    return _result(toolchain.find()).directory.is_dir()


def programs() -> Programs:
    """Return the programs built from exactly the present recipe.

    Raises:
        NotBuilt: They are not in the cache; the message names the command to run.
    """
    result = _result(toolchain.find())
    if not result.directory.is_dir():
        raise NotBuilt(f"the development cluster is not built (looked in {result.directory}); run: {COMMAND}")
    return result


def wait(report: Callable[[str], None]) -> bool:
    """Return when no other process is building, and say whether :func:`programs` would succeed then. Nothing is built.

    Args:
        report: Gets one line where there is something to wait for.
    """
    if not is_built():
        with cache.build_lock(cache.root(), on_wait=lambda: report("waiting for the cluster to be built")):
            pass
    return is_built()


def build(report: Callable[[str], None]) -> Programs:
    """Return the programs, compiling them first where the cache has none.

    Two calls at once, from any two processes, compile once.

    Args:
        report: Gets one line of progress at a time.

    Raises:
        ToolchainError: No Go, and none could be installed.
        BuildError: A part did not compile; the message says what to do.
    """
    go = toolchain.find()
    result = _result(go)
    if result.directory.is_dir():
        return result
    try:
        with cache.build_lock(cache.root(), on_wait=lambda: report("another build is running; waiting for it")):
            if not result.directory.is_dir():
                _build_into(result.directory, go, report)
    except OSError as error:
        raise BuildError(
            f"cannot build into {cache.root()}: {error}\n"
            "What to do: make room or give leave to write there, or set COUNTERSIGN_CACHE to another folder."
        ) from error
    return result


def _result(go: toolchain.Toolchain) -> Programs:
    return Programs(directory=cache.root() / recipe.key(go_version=go.version))


def _build_into(final: Path, go: toolchain.Toolchain, report: Callable[[str], None]) -> None:
    # The lock is held, so a folder with this name belongs to a build that was killed.
    temporary = final.with_name(f"{final.name}.partial")
    shutil.rmtree(temporary, ignore_errors=True)
    (temporary / "bin").mkdir(parents=True)
    began = time.monotonic()
    try:
        program = toolchain.provide(go, cache.root(), report)
        whole = _in_words(sum(part.usual_s for part in recipe.PARTS))
        report(f"building Kubernetes {recipe.VERSION} with {go.version}: usually {whole} on two cores the first time")
        seconds = {
            part.name: _compile(part, program, temporary, report, label=f"[{number}/{len(recipe.PARTS)}] {part.name}")
            for number, part in enumerate(recipe.PARTS, start=1)
        }
        _copy_stages(program, temporary)
        _write_record(temporary, go, seconds)
        temporary.rename(final)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    report(f"built in {time.monotonic() - began:.0f} s: {final}")


def _compile(part: recipe.Part, go: Path, temporary: Path, report: Callable[[str], None], *, label: str) -> float:
    """Return how many seconds the part took."""
    began = time.monotonic()
    report(f"{label} ... usually {_in_words(part.usual_s)}")
    output = temporary / "bin" / part.name
    flags = [*recipe.BUILD_FLAGS, "-ldflags", part.ldflags]
    command: list[str | Path] = [go, "build", *flags, "-o", output, part.package]
    log = temporary / f"{part.name}.log"
    _run(command, folder=recipe.SOURCE / part.module, log=log, alive=lambda: _say_elapsed(report, label, part, began))
    log.unlink()
    elapsed = time.monotonic() - began
    report(f"{label} done in {elapsed:.0f} s")
    return round(elapsed, 1)


def _say_elapsed(report: Callable[[str], None], label: str, part: recipe.Part, began: float) -> None:
    report(f"{label} ... {time.monotonic() - began:.0f} s of usually {_in_words(part.usual_s)}")


def _in_words(seconds: int) -> str:
    """Return a time as a person waits it: whole seconds up to two minutes, whole minutes beyond, rounded up."""
    return f"{seconds} s" if seconds <= _TWO_MINUTES else f"{math.ceil(seconds / 60)} min"


def _run(command: Sequence[str | Path], *, folder: Path, log: Path, alive: Callable[[], None]) -> None:
    with log.open("wb") as said:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=toolchain.environment(os.environ),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )
        try:
            while process.poll() is None:
                try:
                    process.wait(timeout=_SIGN_OF_LIFE_SECONDS)
                except subprocess.TimeoutExpired:
                    alive()
        finally:
            # Reached with a live process only when we are interrupted: Go must not go on writing to the folder.
            process.kill()
            process.wait()
    if process.returncode != 0:
        raise BuildError(explain(log.read_text(errors="replace")))


def explain(said: str) -> str:
    """Return the last lines of what Go *said*, and what to do about the faults we know."""
    tail = "\n".join(said.strip().splitlines()[-15:])
    hints = [hint for sign, hint in _HINTS if sign in said.lower()]
    return "\n".join([f"the build failed:\n{tail}", *(f"What to do: {hint}" for hint in hints)])


def _copy_stages(go: Path, temporary: Path) -> None:
    answer = subprocess.run(
        [go, "list", "-m", "-f", "{{.Dir}}", recipe.STAGES_MODULE],
        cwd=recipe.SOURCE / "kwok",
        env=toolchain.environment(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode != 0:
        raise BuildError(explain(answer.stderr))
    module = Path(answer.stdout.strip())
    (temporary / "stages").mkdir()
    for file in recipe.STAGE_FILES:
        # Copied, not linked: the cache must stand when Go's module cache is cleaned.
        shutil.copyfile(module / file, temporary / "stages" / Path(file).name)


def _write_record(temporary: Path, go: toolchain.Toolchain, seconds: dict[str, float]) -> None:
    record = {"kubernetes": recipe.VERSION, "go": go.version, "seconds": seconds}
    (temporary / "built.json").write_text(json.dumps(record, indent=2) + "\n")
