"""The import contracts bite: each is broken on purpose, in a copy of the tree, and must say so."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("contracts")]

ROOT = Path(__file__).parents[2]
PACKAGES = ("approvals", "models", "bot", "migrations", "sandbox")

# what is planted: the contract that must notice, and the lines by file
PLANTS = {
    "the store looks outward": ("inward", {"models/__init__.py": "import bot.intake"}),
    "a noun knows a use case": ("rules-order", {"approvals/errors.py": "import approvals.usecases"}),
    "a verb knows a port": ("rules-order", {"approvals/verbs/verb.py": "import approvals.ports"}),
    "a module without a room": ("rules-order", {"approvals/newcomer.py": ""}),
    "a rule reads a clock": ("rules-pure", {"approvals/errors.py": "import time"}),
    "a rule uses a package": ("rules-pure", {"approvals/errors.py": "from pydantic import BaseModel"}),
    "two nouns know each other": (
        "acyclic",
        {"approvals/one.py": "import approvals.other", "approvals/other.py": "import approvals.one"},
    ),
    "doors know each other": ("doors", {"bot/intake/__init__.py": "import bot.cluster"}),
    "the store calls a use case": ("store-judges-nothing", {"models/__init__.py": "import approvals.usecases"}),
    "a migration knows a row": ("history", {"migrations/versions/0001_first.py": "import models"}),
    "the loopback cluster knows a rule": (
        "stand-ins",
        {"sandbox/devcluster/newcomer.py": "from approvals import errors"},
    ),
    "a stand-in knows a rule": ("stand-ins", {"sandbox/workspace/__init__.py": "from approvals import errors"}),
    "a door knows a stand-in": ("sandbox-out", {"bot/intake/__init__.py": "import sandbox.workspace"}),
    "the product knows the demo": ("sandbox-out", {"bot/wiring/newcomer.py": "def demo():\n    import sandbox.demo"}),
    "a table knows what is shown": ("store-order", {"models/store/tables.py": "import models.outbox.cards"}),
    "a check knows the service": ("doors-order", {"bot/checks/__init__.py": "import bot.wiring.serving"}),
    "a type alone goes round": (
        "acyclic",
        {
            "models/one.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import models.other",
            "models/other.py": "def late():\n    import models.one",
        },
    ),
    "intake talks to Kubernetes": ("kubernetes", {"bot/intake/__init__.py": "from kubernetes import client"}),
    "intake talks to Slack": ("slack", {"bot/intake/__init__.py": "from slack_sdk.web import WebClient"}),
    "intake talks to the database": ("sqlalchemy", {"bot/intake/__init__.py": "import sqlalchemy.orm"}),
    "intake makes jobs": ("apscheduler", {"bot/intake/__init__.py": "import apscheduler.schedulers"}),
}


@pytest.fixture
def tree(tmp_path):
    """A copy of the packages and their contracts."""
    return _copied(tmp_path)


@pytest.fixture(scope="module")
def held(tmp_path_factory):
    """Whether the contracts, all of them, hold for the tree as it stands: looked at once."""
    return _is_kept(_copied(tmp_path_factory.mktemp("clean")))


def _copied(folder):
    shutil.copy(ROOT / "pyproject.toml", folder)
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__", "static"))
    return folder


def _is_kept(tree, *contract):
    lint_imports = str(Path(sys.executable).with_name("lint-imports"))
    command = [lint_imports, "--no-logo", "--no-cache", *(f"--contract={one}" for one in contract)]
    result = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
    assert "Analyzed" in result.stdout, result.stdout + result.stderr
    return result.returncode == 0


@pytest.mark.parametrize(("contract", "lines"), PLANTS.values(), ids=PLANTS.keys())
def test_a_contract_notices_what_it_forbids(held, tree, contract, lines):
    """The contract holds for the tree as it stands, and breaks when what it forbids is planted."""
    for path, line in lines.items():
        with (tree / path).open("a") as file:
            file.write(f"\n{line}\n")

    assert (held, _is_kept(tree, contract)) == (True, False)
