"""What ``python3 -m sandbox.devcluster`` says and returns, short of really starting a cluster."""

import subprocess
import sys

import pytest

from sandbox.devcluster import __main__ as command_line
from sandbox.devcluster import build, recipe
from sandbox.devcluster.layout import Layout, Phase, State
from tests.waiting import wait_until


@pytest.fixture
def directory(cache_root, tmp_path):
    """Where no cluster is; and no build in the cache either."""
    return tmp_path / "cluster"


def _failed(directory):
    Layout(directory).claim()
    Layout(directory).write_state(
        State(phase=Phase.FAILED, supervisor=1, born=0, build="0123456789abcdef", reason="etcd ended with status 1")
    )


def test_build_prints_progress_and_where_the_result_is(fake_go, cache_root, capsys):
    """The last line names the release and the folder."""
    fake_go.has_stages(recipe.STAGE_FILES)

    status = command_line.main(["build"])

    last = capsys.readouterr().out.splitlines()[-1]
    assert (status, last) == (
        0,
        f"Kubernetes v1.36.1 is built: {cache_root / recipe.key(go_version='go1.26.8')}",
    )


def test_a_failed_build_is_one_message_on_stderr(fake_go, cache_root, capsys):
    """No traceback: what happened and what to do, and status 1 so that make stops."""
    fake_go.fails("dial tcp: lookup modules.example: no such host")

    status = command_line.main(["build"])

    message = capsys.readouterr().err
    assert (status, message.startswith("devcluster: the build failed:\n")) == (1, True)
    assert "What to do: The module proxy could not be reached." in message


def test_a_build_that_is_told_to_end_takes_its_compiler_along(fake_go, cache_root):
    """SIGTERM, as from `make test` when it has failed already: nothing runs on, nothing half-made is kept."""
    fake_go.hold()
    build = subprocess.Popen(
        [sys.executable, "-m", "sandbox.devcluster", "build"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    wait_until(fake_go.has_begun, what="the build begins")

    build.terminate()
    _, said = build.communicate(timeout=30)  # Ends only when the compiler, which holds the other end too, has ended.

    assert (build.returncode, said) == (130, b"devcluster: interrupted; nothing half-made was kept\n")
    assert [path.name for path in cache_root.iterdir()] == ["build.lock"]


def test_starting_what_is_not_built_names_the_command(fake_go, directory, capsys):
    """``start`` never builds behind one's back."""
    status = command_line.main(["start", "--dir", str(directory)])

    assert (status, directory.exists()) == (1, False)
    assert "run: python3 -m sandbox.devcluster build" in capsys.readouterr().err


def test_stopping_nothing_is_no_error(directory, capsys):
    """``stop`` brings about a state; it may hold already."""
    status = command_line.main(["stop", "--dir", str(directory)])

    assert (status, capsys.readouterr().out) == (0, f"no cluster is running in {directory}\n")


def test_status_of_a_cluster_that_never_was(directory, capsys):
    """Not up is status 1, so that scripts can ask."""
    status = command_line.main(["status", "--dir", str(directory)])

    assert (status, capsys.readouterr().out) == (1, f"cluster in {directory}: never started\n")


def test_status_of_a_cluster_that_failed_says_why(directory, capsys):
    """The reason outlives the processes."""
    _failed(directory)

    status = command_line.main(["status", "--dir", str(directory)])

    assert (status, capsys.readouterr().out) == (1, f"cluster in {directory}: failed: etcd ended with status 1\n")


def test_interrupting_is_quiet(fake_go, cache_root, monkeypatch, capsys):
    """Ctrl-C prints one line and the shell's usual status."""

    def interrupted(report):
        raise KeyboardInterrupt

    monkeypatch.setattr(build, "build", interrupted)

    assert (command_line.main(["build"]), capsys.readouterr().err) == (
        130,
        "devcluster: interrupted; nothing half-made was kept\n",
    )
