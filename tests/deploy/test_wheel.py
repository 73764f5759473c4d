"""The wheel: what is installed in production, and what stays with the source tree."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
BUILD = "import sys, hatchling.build; print(hatchling.build.build_wheel(sys.argv[1]))"
RUN = """
import sys
from pathlib import Path

installed, source = sys.argv[1:3]
sys.path = [installed, *(one for one in sys.path if one and Path(one).resolve() != Path(source))]
sys.argv = ["countersign", "demo"]
from bot.__main__ import main

main()
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder into which the wheel is unpacked, as an installation does it."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-c", BUILD, str(folder)], cwd=ROOT, capture_output=True, check=True)
    (wheel,) = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "installed")
    return folder / "installed"


def test_the_wheel_holds_the_product_and_nothing_that_plays(installed):
    """Rules, store, doors and migrations, with the mark of their types; no stand-in, demo, test or loopback cluster."""
    packages = {path.name for path in installed.iterdir() if path.suffix != ".dist-info"}
    typed = {str(path.relative_to(installed)) for path in installed.rglob("py.typed")}

    assert packages == {"approvals", "bot", "migrations", "models"}
    assert typed == {"approvals/py.typed", "bot/py.typed", "models/py.typed"}


def test_the_demo_of_an_installed_product_says_where_to_get_it(installed, tmp_path):
    """`countersign demo` needs the sandbox, which is no part of the wheel: it is refused in a sentence, not by a traceback."""
    command = [sys.executable, "-c", RUN, str(installed), str(ROOT)]

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env=dict(os.environ))

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "countersign: The demo is not part of the installed product. Get the source of this version (the project's page names"
        " the repository), and run there: make demo [no_demo]\n"
    )
