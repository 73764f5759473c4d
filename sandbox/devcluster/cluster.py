"""Starting, finding and stopping a cluster: what tests, the demo and the command line use.

The work is done in a process of its own, :mod:`sandbox.devcluster.supervisor`; this module starts that process,
reads its record and signals it.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sandbox.devcluster import build, kubeconfig
from sandbox.devcluster.errors import StartError
from sandbox.devcluster.layout import Layout, Phase, State, is_running
from sandbox.devcluster.recipe import SOURCE

#: How the process that owns a cluster is called.
SUPERVISOR = (sys.executable, "-m", "sandbox.devcluster.supervisor")

_POLL_SECONDS = 0.05
# Every part gets its own time to end; after this long the supervisor is killed and the kernel ends them.
_STOP_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A running cluster on loopback; all of it ends with :meth:`stop`."""

    directory: Path
    #: The API server's address, such as ``https://127.0.0.1:40123``.
    server: str
    #: What the supervisor's record said when the cluster was ready.
    state: State
    #: Set where this process started the cluster, so that the ended supervisor can be collected.
    process: subprocess.Popen[bytes] | None = None

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig (group ``system:masters``), certificates embedded."""
        return Layout(self.directory).kubeconfig

    @property
    def context(self) -> str:
        """The kubeconfig's one context."""
        return kubeconfig.CONTEXT

    @property
    def ca_file(self) -> Path:
        """The certificate that signed the API server's."""
        return Layout(self.directory).certificate("ca")

    @property
    def audit_log(self) -> Path:
        """The API server's audit log: one JSON event a line, metadata only."""
        return Layout(self.directory).audit_log

    def stop(self) -> None:
        """End all parts and return when they are gone; ended ones are no error."""
        _end(self.state)
        if self.process is not None:
            self.process.wait()


@contextmanager
def running(directory: Path) -> Iterator[Cluster]:
    """Give a fresh cluster in *directory* and stop it at the end; see :func:`start`."""
    cluster = start(directory)
    try:
        yield cluster
    finally:
        cluster.stop()


def start(directory: Path, *, detached: bool = False) -> Cluster:
    """Start a fresh, empty cluster and return it when two nodes are ready, some five seconds later.

    Args:
        directory: For state, keys and logs; empty, absent, or used for a cluster before. What an earlier
            cluster left there is removed.
        detached: Keep the cluster running when this process ends. Otherwise it ends with this process,
            even when that is killed.

    Raises:
        NotBuilt: The programs are not in the cache; the message names the command to run.
        StartError: A cluster runs in *directory* already, the directory is somebody else's, or a part
            did not come up.
    """
    programs = build.programs()
    layout = Layout(directory.absolute())
    layout.claim()
    if is_running(layout.read_state()):
        raise StartError(f"a cluster is running in {directory} already")
    process = _launch(layout, programs, detached=detached)
    try:
        state = _await_ready(layout, process)
    except BaseException:
        # Also on Ctrl-C: nobody else knows of this process yet.
        process.terminate()
        process.wait()
        raise
    return Cluster(directory=layout.directory, server=state.server, state=state, process=process)


def find(directory: Path) -> Cluster | None:
    """Return the cluster that is ready in *directory*, whoever started it, or None."""
    state = Layout(directory.absolute()).read_state()
    if state is None or state.phase is not Phase.READY or not is_running(state):
        return None
    return Cluster(directory=directory.absolute(), server=state.server, state=state)


def stop(directory: Path) -> bool:
    """End the cluster in *directory*, ready or not, whoever started it; say whether there was one."""
    state = Layout(directory.absolute()).read_state()
    if state is None or not is_running(state):
        return False
    _end(state)
    return True


def _end(state: State) -> None:
    deadline = time.monotonic() + _STOP_SECONDS
    _signal(state, signal.SIGTERM)
    while is_running(state):
        if time.monotonic() > deadline:
            _signal(state, signal.SIGKILL)
        time.sleep(_POLL_SECONDS)


def _signal(state: State, number: signal.Signals) -> None:
    if is_running(state):
        # It may end between the question and the signal; then the wish is fulfilled.
        with suppress(ProcessLookupError):
            os.kill(state.supervisor, number)


def _launch(layout: Layout, programs: build.Programs, *, detached: bool) -> subprocess.Popen[bytes]:
    command = [*SUPERVISOR, f"--directory={layout.directory}", f"--programs={programs.directory}"]
    if not detached:
        command.append(f"--parent={os.getpid()}")
    with layout.supervisor_log.open("wb") as log:
        return subprocess.Popen(
            command,
            # Where the package is found: it need not be installed.
            cwd=SOURCE.parents[1],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # Ctrl-C in a terminal goes to the whole group; the cluster must outlive the tests' own cleaning up.
            start_new_session=True,
        )


def _await_ready(layout: Layout, process: subprocess.Popen[bytes]) -> State:
    while True:
        ended = process.poll() is not None
        state = layout.read_state()
        # A record by another process is left from an earlier cluster.
        if state is not None and state.supervisor == process.pid:
            if state.phase is Phase.READY:
                return state
            if state.phase is Phase.FAILED:
                raise StartError(state.reason)
        if ended:
            said = layout.supervisor_log.read_text(errors="replace").strip()
            raise StartError(f"the cluster's supervisor ended with status {process.returncode}: {said}")
        time.sleep(_POLL_SECONDS)
