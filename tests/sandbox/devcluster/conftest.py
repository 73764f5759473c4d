"""A Go that builds in no time, and a cache of its own for each test."""

import os
import stat
import sys
from pathlib import Path

import pytest

# Notes each call, answers what the build asks for, and fails in the way that GO_FAILS names.
_GO = """#!{python}
import os, sys, time
from pathlib import Path
arguments = sys.argv[1:]
here = Path(__file__).parent
with (here / "calls").open("a") as calls:
    calls.write(" ".join(arguments) + "\\n")
if arguments[0] == "env":
    print((here / "version").read_text())
elif arguments[0] == "list":
    print(here / "module")
elif arguments[0] == "build":
    package = arguments[-1]
    while (here / "hold").exists():
        time.sleep(0.01)
    if (here / "fails").exists() and package == "sigs.k8s.io/kwok/cmd/kwok":
        sys.exit((here / "fails").read_text())
    Path(arguments[arguments.index("-o") + 1]).write_text(package)
"""


class FakeGo:
    """Stands for the Go toolchain on PATH; :meth:`calls` tells what it was asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.program = folder / "go"
        self.program.write_text(_GO.format(python=sys.executable))
        self.program.chmod(self.program.stat().st_mode | stat.S_IXUSR)
        self.is_version("go1.26.8")

    def is_version(self, version: str) -> None:
        """Set what it says its release is."""
        (self.folder / "version").write_text(version)

    def fails(self, message: str) -> None:
        """Let it fail at KWOK, after the other big parts, with *message*."""
        (self.folder / "fails").write_text(message)

    def works(self) -> None:
        """Let it fail no longer."""
        (self.folder / "fails").unlink()

    def hold(self) -> None:
        """Let every build take until :meth:`release`."""
        (self.folder / "hold").touch()

    def release(self) -> None:
        """Let builds end."""
        (self.folder / "hold").unlink()

    def has_stages(self, files: tuple[str, ...]) -> None:
        """Put the stage *files*, each with its own name in it, into the module that it finds."""
        for file in files:
            path = self.folder / "module" / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"# {file}\n")

    def has_begun(self) -> bool:
        """Tell whether it was asked to build anything yet."""
        return (self.folder / "calls").exists() and bool(self.built())

    def built(self) -> list[str]:
        """Return the packages it was asked to build, in order."""
        calls = (self.folder / "calls").read_text().splitlines()
        return [call.split()[-1] for call in calls if call.startswith("build ")]


@pytest.fixture
def cache_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of this test's own."""
    monkeypatch.setenv("COUNTERSIGN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "devcluster"


@pytest.fixture
def fake_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeGo:
    """A Go of release 1.26.8, first on PATH."""
    folder = tmp_path / "go"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return FakeGo(folder)
