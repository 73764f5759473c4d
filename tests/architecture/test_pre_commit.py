"""The hooks for a commit run what the gate runs."""

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]


def _without_target(command):
    """A command of the gate as a hook names it: its program in .venv, without the folder that it is told to look at."""
    return command.replace("$(BIN)", ".venv/bin").strip().removesuffix(" .")


def test_the_hooks_are_the_checks_of_the_gate():
    """Each step of `make check` is a hook and each hook is such a step, so that neither passes what the other refuses."""
    recipe = re.search(r"^check:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert recipe is not None
    steps = re.findall(r"\$\(BIN\)/[^|>&\n]+", recipe[1])
    (local,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]

    assert local["repo"] == "local"
    assert [hook["entry"] for hook in local["hooks"]] == [_without_target(step) for step in steps]
