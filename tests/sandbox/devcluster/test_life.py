"""How a cluster ends: whoever dies first, nothing is left running and nothing half-alive is called a cluster.

These start clusters of their own, because they kill them.
"""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox import devcluster
from sandbox.devcluster import __main__ as command_line
from sandbox.devcluster import cluster as clusters
from sandbox.devcluster.errors import StartError
from sandbox.devcluster.layout import Layout, Phase, State, born_at, is_running
from sandbox.devcluster.recipe import SOURCE
from tests.waiting import wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

_START_AND_WAIT = """
import sys
from pathlib import Path
from sandbox import devcluster
devcluster.start(Path(sys.argv[1]))
print("ready", flush=True)
input()
"""

# The first set of ports that the supervisor chooses has one that is taken.
_SUPERVISE_WITH_A_TAKEN_PORT = """
import sys
from dataclasses import replace
from sandbox.devcluster import ports, supervisor
free, taken = ports.choose, int(sys.argv.pop(1))
sets = iter([replace(free(), {field}=taken)])

def choose():
    chosen = next(sets, None) or free()
    print(chosen.{field}, file=sys.stderr, flush=True)
    return chosen

ports.choose = choose
sys.exit(supervisor.main())
"""


def _read(directory: Path) -> State:
    state = Layout(directory).read_state()
    assert state is not None
    return state


def _pids(state: State) -> set[int]:
    return {part.pid for part in state.parts.values()}


def _wait_until_gone(pids: set[int]) -> None:
    wait_until(lambda: not any(born_at(pid) for pid in pids), what=f"none of {pids} runs any more", within_s=60)


def test_a_cluster_dies_with_the_process_that_started_it(tmp_path):
    """A test run killed with -9 leaves no API server behind."""
    starter = subprocess.Popen(
        [sys.executable, "-c", _START_AND_WAIT, tmp_path],
        cwd=SOURCE.parents[1],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert starter.stdout is not None
    with starter:
        assert starter.stdout.readline() == b"ready\n"
        state = _read(tmp_path)
        running = _pids(state)

        starter.kill()

    assert len(running) == 5
    _wait_until_gone(running | {state.supervisor})
    assert _read(tmp_path).phase is Phase.STOPPED


def test_the_parts_die_with_their_supervisor(tmp_path):
    """Even kill -9 of the supervisor leaves nothing: the kernel ends the parts."""
    cluster = devcluster.start(tmp_path)

    os.kill(cluster.state.supervisor, signal.SIGKILL)

    _wait_until_gone(_pids(cluster.state))
    assert devcluster.find(tmp_path) is None
    cluster.stop()


def test_a_cluster_that_lost_a_part_is_no_cluster(tmp_path):
    """When one part dies the rest is ended too, and the record says which part it was."""
    cluster = devcluster.start(tmp_path)

    os.kill(cluster.state.parts["kube-scheduler"].pid, signal.SIGKILL)

    _wait_until_gone(_pids(cluster.state))
    cluster.stop()
    state = _read(tmp_path)
    assert (state.phase, state.reason.partition(";")[0]) == (Phase.FAILED, "kube-scheduler ended with status -9")
    assert state.parts == {}


def test_the_command_line_starts_reports_and_stops(tmp_path, capsys):
    """The cluster of ``make cluster`` outlives the command, is found again, is not started twice, and stops."""
    directory = tmp_path / "cluster"
    command = [sys.executable, "-m", "sandbox.devcluster", "start", "--dir", str(directory)]

    started = subprocess.run(command, cwd=SOURCE.parents[1], capture_output=True, text=True, check=True)
    state = _read(directory)
    try:
        assert command_line.main(["start", "--dir", str(directory)]) == 0
        again = capsys.readouterr().out
        assert command_line.main(["status", "--dir", str(directory)]) == 0
        report = capsys.readouterr().out.splitlines()
        with pytest.raises(StartError, match=r"is running in .* already"):
            devcluster.start(directory)
    finally:
        status = command_line.main(["stop", "--dir", str(directory)])

    kubectl = f"kubectl --kubeconfig {directory}/kubeconfig --context devcluster get nodes"
    where = [f"Kubernetes v1.36.1 is running at {state.server}", f"  {kubectl}"]
    assert (started.stdout.splitlines(), again.splitlines()) == (["starting ...", *where], where)
    assert report[0] == f"cluster in {directory}: ready, server {state.server}"
    assert [(line.split()[0], line.split()[-1]) for line in report[1:]] == [(name, "up") for name in state.parts]
    assert (status, capsys.readouterr().out, is_running(state)) == (0, "stopped\n", False)
    _wait_until_gone(_pids(state))


@pytest.mark.parametrize("part", ["etcd", "api_server", "kwok"])
def test_a_port_that_was_taken_meanwhile_is_replaced(tmp_path, monkeypatch, part):
    """Between choosing a port and binding it anybody may take it; the cluster starts on others."""
    with socket.socket() as rival:
        rival.bind(("127.0.0.1", 0))
        rival.listen()
        taken = rival.getsockname()[1]
        script = _SUPERVISE_WITH_A_TAKEN_PORT.format(field=part)
        monkeypatch.setattr(clusters, "SUPERVISOR", (sys.executable, "-c", script, str(taken)))

        with devcluster.running(tmp_path) as cluster:
            addresses = [started.health for started in cluster.state.parts.values()]

    chosen = [int(port) for port in Layout(tmp_path).supervisor_log.read_text().split()]
    assert (chosen[0], len(chosen), len(addresses)) == (taken, 2, 5)
    assert not [address for address in addresses if f":{taken}/" in address]


def test_a_part_that_cannot_start_is_shown_with_its_last_words(tmp_path, monkeypatch):
    """Whoever waits for the cluster gets the part's own complaint, not a time-out, and everything is ended."""
    broken = tmp_path / "programs"
    (broken / "bin").mkdir(parents=True)
    original = devcluster.build.programs()
    for program in original.directory.glob("bin/*"):
        (broken / "bin" / program.name).symlink_to(program)
    (broken / "stages").symlink_to(original.directory / "stages")
    (broken / "bin" / "kube-apiserver").unlink()
    (broken / "bin" / "kube-apiserver").write_text("#!/bin/sh\necho cannot find my glasses >&2\nexit 3\n")
    (broken / "bin" / "kube-apiserver").chmod(0o755)
    monkeypatch.setattr(devcluster.build, "programs", lambda: devcluster.build.Programs(directory=broken))

    with pytest.raises(StartError) as refused:
        devcluster.start(tmp_path / "cluster")

    log = tmp_path / "cluster" / "logs" / "kube-apiserver.log"
    assert str(refused.value) == (
        f"kube-apiserver ended with status 3; its last lines ({log}):\ncannot find my glasses"
    )
    assert not list((tmp_path / "cluster" / "run").iterdir())
