"""The README's thirty minutes, as a stranger walks them: its own code blocks, on a fresh real cluster, to a change carried out.

Nothing is filled in but what the README marks as the reader's, in angle brackets, and the installation's name, which it tells to
choose. Around it stands what a stranger has: two contexts in ``~/.kube/config``, of which the wrong one is first and current, no
namespaces, and no ``countersign`` on the PATH. Three things are ours: ``make setup`` is what this run began with, SLACK_API_URL
points at the embedded workspace, whose ids the example policy has, and the API listens at a port that is free.
"""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Timer

import pytest

from sandbox import devcluster
from sandbox.devcluster.build import programs
from tests.acceptance.place import ROOT
from tests.acceptance.town import CHANNEL, Town
from tests.fixtures.programs import free_port, required
from tests.waiting import wait_until

README = (ROOT / "README.md").read_text()
SECTION = README.partition("## Thirty minutes")[2].partition("\n## ")[0]
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", SECTION, re.MULTILINE | re.DOTALL)
YOURS = re.compile(r"(?<!<)<(?!<)([^<>\n]+)>")
SETUP = "make setup\n"
LISTEN = "127.0.0.1:8080"
INSTALLATION = "walkers"
"""Chosen by the reader: no command may know the name that the example has."""
ADA = "U0ADA"
DONE = "@@ done\n"
"""Printed after each block. A shell that has ended prints nothing more."""
_PATIENCE_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Terminal:
    """A shell that a stranger types into."""

    shell: subprocess.Popen[str]
    log: Path

    def type(self, block: str) -> str:
        """Type a block, wait for its end, and return what it printed; one that does not end is ended."""
        assert self.shell.stdin is not None
        assert self.shell.stdout is not None
        # What a block prints need not end its last line.
        self.shell.stdin.write(f"{block}\nprintf '\\n%s\\n' '{DONE.strip()}'\n")
        self.shell.stdin.flush()
        lines: list[str] = []
        timer = Timer(_PATIENCE_S, os.killpg, (self.shell.pid, 9))
        timer.start()
        try:
            while (line := self.shell.stdout.readline()) != DONE:
                assert line, f"it ended in:\n{block}\n{''.join(lines)}{self.log.read_text()}"
                lines.append(line)
        finally:
            timer.cancel()
        return "".join(lines)

    def type_and_leave(self, block: str) -> None:
        """Type a block whose last command stays."""
        assert self.shell.stdin is not None
        self.shell.stdin.write(f"{block}\n")
        self.shell.stdin.flush()


@contextmanager
def a_terminal(folder: Path, environment: dict[str, str], name: str) -> Iterator[Terminal]:
    """Give a shell in *folder* for the length of the block. It ends, and is found ended, where a command fails."""
    log = folder / f"{name}.log"
    with log.open("w") as errors:
        shell = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", "bash", "--noprofile", "--norc", "-euo", "pipefail"],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            bufsize=1,
            start_new_session=True,
        )
    try:
        yield Terminal(shell=shell, log=log)
    finally:
        if shell.poll() is None:
            os.killpg(shell.pid, 15)
        shell.communicate(timeout=_PATIENCE_S)


def _kubeconfig(cluster: devcluster.Cluster, path: Path) -> None:
    """Write what a stranger has: a cluster that is away is first and current, theirs is the other context."""
    own = json.loads(cluster.kubeconfig.read_text())
    away = {"name": "away", "cluster": {"server": "https://127.0.0.1:9"}}
    (context,) = own["contexts"]
    own["contexts"] = [
        {"name": "away", "context": {"cluster": "away", "user": context["context"]["user"]}},
        {**context, "name": "mine"},
    ]
    own |= {"clusters": [away, *own["clusters"]], "current-context": "away"}
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(own))


def _surroundings(tmp_path: Path, cluster: devcluster.Cluster, town: Town, listen: str) -> tuple[Path, dict[str, str]]:
    """Return the folder in which the stranger stands, as after ``make setup``, and the environment of their shells."""
    folder, home, bin_ = (tmp_path / name for name in ("repository", "home", "bin"))
    for one in (folder, bin_):
        one.mkdir()
    for name in ("policy.example.yml", "manifest.yml"):
        shutil.copy(ROOT / name, folder / name)
    command = folder / ".venv/bin/countersign"
    command.parent.mkdir(parents=True)
    command.write_text(
        f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec setpriv --pdeathsig KILL -- "{sys.executable}" -m bot "$@"\n'
    )
    command.chmod(0o755)
    (bin_ / "kubectl").symlink_to(programs().path("kubectl"))
    _kubeconfig(cluster, home / ".kube/config")
    ours = ("COUNTERSIGN_", "SLACK_", "KUBE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    path = f"{bin_}:{Path(required(Path('/usr/bin/curl'), package='curl')).parent}:/bin"
    environment = {
        **kept,
        "HOME": str(home),
        "PATH": path,
        "SLACK_API_URL": town.settings["SLACK_API_URL"],
        "COUNTERSIGN_LISTEN": listen,
    }
    return folder, environment


def _filled(block: str, yours: dict[str, str], listen: str) -> str:
    """Return a block with what is the reader's filled in; a mark that nobody knows is a mistake of the README's."""
    return YOURS.sub(lambda mark: yours[mark[1]], block).replace(LISTEN, listen)


def _name_the_installation(policy: Path) -> None:
    """Edit the policy as the README tells to; the ids in it are the embedded workspace's already."""
    text = policy.read_text()
    assert text.count("installation: acme\n") == 1
    policy.write_text(text.replace("installation: acme\n", f"installation: {INSTALLATION}\n"))


def _is_private(path: Path) -> bool:
    return stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.cluster
def test_the_thirty_minutes_hold_word_by_word(tmp_path: Path, town: Town):
    """Policy, cluster, settings, service, question, approval: each block does what it says, and the Deployment scales."""
    listen = f"127.0.0.1:{free_port()}"
    yours = {
        "the context of your cluster; kubectl config get-contexts -o name lists them": "mine",
        "the same context": "mine",
        "the name of your installation, as policy.yml has it": INSTALLATION,
        "the bot token, xoxb-...": town.settings["SLACK_BOT_TOKEN"],
        "the app-level token, xapp-...": town.settings["SLACK_APP_TOKEN"],
    }
    assert set(YOURS.findall("\n".join(BLOCKS))) == set(yours)
    (serving,) = [number for number, block in enumerate(BLOCKS) if "countersign serve" in block]
    (asking,) = [number for number, block in enumerate(BLOCKS) if "curl" in block]
    assert BLOCKS[0].startswith(SETUP)
    blocks = [_filled(block, yours, listen) for block in (BLOCKS[0].removeprefix(SETUP), *BLOCKS[1:])]

    with devcluster.running(tmp_path / "cluster") as cluster:
        folder, environment = _surroundings(tmp_path, cluster, town, listen)
        with a_terminal(folder, environment, "first") as first, a_terminal(folder, environment, "second") as second:
            for block in blocks[:serving]:
                first.type(block)
                if block.startswith("cp policy.example.yml"):
                    _name_the_installation(folder / "policy.yml")
            first.type_and_leave(blocks[serving])
            wait_until(lambda: _serves(first), what="it serves", within_s=_PATIENCE_S)
            for block in blocks[serving + 1 : asking]:
                second.type(block)
            escalation = str(json.loads(second.type(blocks[asking]))["id"])
            wait_until(lambda: town.cards_of(escalation), what="its card is posted", within_s=_PATIENCE_S)
            town.click(ADA, town.cards_of(escalation)[0], "approve:v1")
            looking = "kubectl --context mine --namespace shop get deployment checkout -o jsonpath='{.spec.replicas} '"
            wait_until(
                lambda: second.type(looking).split() == ["6"], what="it scales", within_s=_PATIENCE_S, every_s=0.5
            )
            said = "".join(second.type(block) for block in blocks[asking + 1 :])

    assert "checkout" in said
    assert [name for name in ("bot.kubeconfig", "bot.token", "settings.env") if not _is_private(folder / name)] == []
    _check_that_nothing_of_an_administrator_is_in(folder, cluster_file=tmp_path / "home/.kube/config")


def _serves(terminal: Terminal) -> bool:
    log = terminal.log.read_text()
    assert terminal.shell.poll() is None, log
    return "api.listens" in log


def _check_that_nothing_of_an_administrator_is_in(folder: Path, *, cluster_file: Path) -> None:
    """The service is given one account, which may only mint: no key, certificate or token of the reader's own."""
    secrets = [
        form
        for user in json.loads(cluster_file.read_text())["users"]
        for name, value in user["user"].items()
        if name.endswith("-data")
        for form in (value.encode(), b64decode(value))
    ]
    given = b"\n".join(path.read_bytes() for path in folder.iterdir() if path.is_file())
    assert len(secrets) >= 4
    assert [secret for secret in secrets if secret in given] == []
    assert CHANNEL.encode() in given
