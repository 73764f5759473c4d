"""``countersign demo``: one command, nothing else set up, and within a moment there is a page with cards on it."""

import json
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from bot.policies import read_policy
from sandbox import devcluster
from sandbox.demo.clusters import a_cluster
from sandbox.demo.show import write_policy
from tests.acceptance.ground import Ground, findings
from tests.acceptance.place import ROOT, Place, Said
from tests.waiting import wait_until

HOSTILE = {
    "KUBECONFIG": "/nonexistent/production.kubeconfig",
    "COUNTERSIGN_KUBECONFIG": "/nonexistent/production.kubeconfig",
    "COUNTERSIGN_DATABASE_URL": "postgresql+psycopg://nobody@127.0.0.1:9/none",
    "SLACK_BOT_TOKEN": "xoxb-of-a-real-workspace-0",
    "SLACK_APP_TOKEN": "xapp-of-a-real-workspace-0",
    "SLACK_API_URL": "http://127.0.0.1:9/api/",
}
"""An environment that points elsewhere; nothing of it may be looked at."""


@dataclass(frozen=True, kw_only=True)
class Demo:
    """A running demo."""

    folder: Path
    output: Path

    @property
    def text(self) -> str:
        """Everything that it has said so far."""
        return self.output.read_text()

    @property
    def page_url(self) -> str:
        """The address that it prints; empty until then."""
        found = re.search(r"Open +(http://127\.0\.0\.1:\d+/\?key=[0-9a-f]+)", self.text)
        return found[1] if found else ""


@contextmanager
def a_demo(folder: Path, *arguments: str, **changed: str) -> Iterator[Demo]:
    """Run the demo for the length of the block; it has to end well when it is interrupted."""
    demo = Demo(folder=folder / "demo", output=folder / "output")
    with demo.output.open("wb") as output:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", *_command(demo.folder, *arguments)],
            cwd=ROOT,
            env=_environment(**changed),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        wait_until(lambda: demo.page_url or process.poll() is not None, what="it says where", within_s=90.0)
        assert process.poll() is None, demo.text
        yield demo
    finally:
        process.send_signal(signal.SIGINT)
        try:
            code = process.wait(30.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
    assert (code, "Traceback" in demo.text) == (0, False), demo.text


def _command(folder: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "bot", "demo", "--directory", str(folder), *arguments]


def _environment(**changed: str) -> dict[str, str]:
    return Place(folder=Path()).environment() | {"COUNTERSIGN_POLICY": "/nonexistent/policy.yml"} | changed


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The demo on a machine where no cluster was ever built, in an environment that points elsewhere."""
    folder = tmp_path_factory.mktemp("demo")
    (folder / "cache").mkdir()
    with a_demo(folder, **HOSTILE, COUNTERSIGN_CACHE=str(folder / "cache")) as made:
        yield made


def test_the_first_card_stands_there_within_90_seconds(chromium: object, browser: Browser, demo: Demo):
    """With nothing but the product there is a page, it says what it is, and the first card can be approved to its end."""
    window = browser.new_context()
    page = window.new_page()
    page.set_default_timeout(90_000)
    page.goto(demo.page_url)
    card = page.locator("#messages > li.message").filter(has_text="Scale Deployment checkout 3 → 6").first

    expect(card).to_contain_text("Needs 1 approval", timeout=90_000)
    page.get_by_test_id("act-as").select_option("U0ADA")
    expect(page.locator("#viewer")).to_have_text("You act as Ada Lindqvist")
    card.get_by_test_id("approve:v1").click()

    expect(card).to_contain_text("Applied and done.", timeout=60_000)
    expect(page.get_by_test_id("status-Cluster")).to_contain_text("a small stand-in")
    expect(page.locator(".banner")).to_contain_text("Local stand-in, not Slack.")
    window.close()


def test_nothing_of_the_environment_is_looked_at(demo: Demo):
    """A kubeconfig, a database and tokens in the environment do not reach the demo; its settings name its own."""
    settings = (demo.folder / "settings.env").read_text()

    assert "nonexistent" not in settings + demo.text
    assert f"COUNTERSIGN_DATABASE_URL=sqlite:///{demo.folder / 'countersign.db'}" in settings


def test_other_commands_can_look_at_it(demo: Demo):
    """The line that the demo prints works: status says which cluster it is, and the trail verifies."""
    place = Place(folder=demo.folder)
    look = {name: value for name, value in place.environment().items() if not name.startswith("COUNTERSIGN_")}

    said = [
        subprocess.run(
            [sys.executable, "-m", "bot", *command],
            cwd=ROOT,
            env={**look, "COUNTERSIGN_SETTINGS": str(demo.folder / "settings.env")},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        for command in (["status"], ["audit", "verify"])
    ]

    assert [one.returncode for one in said] == [0, 0], said
    assert "a small stand-in" in said[0].stdout
    assert said[1].stdout.startswith("Consistent, unanchored")


def test_everything_that_it_serves_is_on_loopback(demo: Demo):
    """The page's own address is on 127.0.0.1, and so is the API's; without its key the page is closed."""
    addresses = re.findall(r"http://([^/\s]+)/", demo.text)

    assert addresses
    assert {address.partition(":")[0] for address in addresses} == {"127.0.0.1"}
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(f"http://{addresses[0]}/", timeout=10)


def _refused(folder: Path, *arguments: str, typed: str = "") -> Said:
    done = subprocess.run(
        _command(folder / "demo", *arguments),
        cwd=ROOT,
        env=_environment(),
        input=typed,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Said(code=done.returncode, out=done.stdout, err=done.stderr)


def test_a_cluster_elsewhere_needs_a_typed_yes(tmp_path: Path):
    """A server that is not on loopback is touched only after a yes at a terminal; what comes from a pipe is none."""
    kubeconfig = tmp_path / "production.kubeconfig"
    kubeconfig.write_text(json.dumps(_kubeconfig("https://192.0.2.7:6443")))

    said = _refused(tmp_path, "--kubeconfig", str(kubeconfig), "--context", "prod", typed="yes\n")

    assert said.code == 1
    assert "https://192.0.2.7:6443 is not on this machine." in said.err
    assert "Nobody typed yes, so nothing was touched. [not_confirmed]" in said.err


def _kubeconfig(server: str) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "contexts": [{"name": "prod", "context": {"cluster": "prod", "user": "me"}}],
        "clusters": [{"name": "prod", "cluster": {"server": server}}],
        "users": [{"name": "me", "user": {"token": "of-an-administrator"}}],
    }


def test_a_cluster_is_named_whole_and_must_be_usable(tmp_path: Path):
    """A kubeconfig without its context is refused, and so is one that cannot be read: the demo guesses nothing."""
    half = _refused(tmp_path, "--kubeconfig", str(tmp_path / "some.kubeconfig"))
    absent = _refused(tmp_path, "--kubeconfig", str(tmp_path / "absent.kubeconfig"), "--context", "prod")

    assert (half.code, half.err.endswith("[cluster_half_named]\n")) == (1, True), half
    assert (absent.code, absent.err.endswith("[cluster_unusable]\n")) == (1, True), absent


def test_a_cluster_that_does_not_answer_is_said_not_to(tmp_path: Path):
    """A server on loopback where nobody listens ends the demo with a sentence, not with a traceback."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    kubeconfig = tmp_path / "gone.kubeconfig"
    kubeconfig.write_text(json.dumps(_kubeconfig(f"https://127.0.0.1:{port}")))

    said = _refused(tmp_path, "--kubeconfig", str(kubeconfig), "--context", "prod")

    why = (
        "The cluster does not answer: nothing listens there (connection refused). See that it runs, and check the port."
    )
    assert (said.code, said.err) == (3, f"countersign: {why} [cluster_unavailable]\n")


def test_it_runs_on_the_cluster_that_was_named(tmp_path: Path, ground: Ground):
    """With --kubeconfig and --context of a real cluster on loopback it puts the shop there and serves over it."""
    cluster: devcluster.Cluster = ground.cluster

    with a_demo(tmp_path, "--kubeconfig", str(cluster.kubeconfig), "--context", cluster.context) as demo:
        wait_until(lambda: "asked (over the limit): 202" in demo.text, what="the agent asked", within_s=60.0)

        assert "the cluster that was named" in demo.text
        assert ground.replicas("checkout") == 3


def test_the_demo_waits_for_its_fences(tmp_path: Path, ground: Ground):
    """A cluster notices new admission policies a second late; the demo begins when they hold, or would refuse to start."""
    file = write_policy(tmp_path)
    policy, _ = read_policy(file)

    with a_cluster(tmp_path, policy, kubeconfig=ground.cluster.kubeconfig, context=ground.cluster.context) as made:
        found = findings(made.kubeconfig, file)

    assert found == []


def test_an_account_that_may_not_install_is_said_not_to(tmp_path: Path, ground: Ground):
    """The demo needs an administrator's kubeconfig; another account's ends it with a sentence that says so."""
    said = _refused(tmp_path, "--kubeconfig", str(ground.kubeconfig), "--context", "countersign")

    assert (said.code, "Traceback" in said.err) == (1, False), said
    assert "does not let this account put in what the demo needs" in said.err
    assert said.err.endswith("[not_administrator]\n")
