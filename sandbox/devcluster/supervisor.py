"""The process that owns one running cluster: starts the parts, waits for them, ends them.

:mod:`sandbox.devcluster.cluster` runs it as ``python -m sandbox.devcluster.supervisor``. It is a process of its own so
that the parts can be tied to it with Linux' parent-death signal: that signal follows the *thread* that
started a child, and a test runner's threads come and go. The chain holds either way the end comes:

- the caller ends, however: the supervisor notices that its parent changed, and stops the parts in order;
- the supervisor itself is killed: the kernel kills the parts.

It has one thread and writes what it knows to the state record; nobody talks to it but by SIGTERM.
"""

import argparse
import ctypes
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import FrameType

from sandbox.devcluster import build, components, kubeconfig, nodes, ports
from sandbox.devcluster.client import Client
from sandbox.devcluster.errors import DevclusterError, StartError
from sandbox.devcluster.layout import Layout, Phase, Started, State, born_at

_READY_SECONDS = 150.0  # five seconds on an idle machine; a busy CI machine may take many times that
_STOP_SECONDS = 10.0  # for one part to end by itself before it is killed
_POLL_SECONDS = 0.1  # while starting or stopping
_WATCH_SECONDS = 0.5  # while running: how late a dead part or a dead caller is noticed
_PORT_ATTEMPTS = 5

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


class PortTaken(StartError):
    """Somebody took a port between our choosing it and the part's binding it."""


class Interrupted(Exception):
    """The cluster is wanted no longer: SIGTERM arrived, or the caller has ended."""


@dataclass(slots=True)
class Supervisor:
    """One cluster's life, from an empty directory to the last part's end."""

    layout: Layout
    programs: build.Programs
    born: int
    parent: int | None
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    healths: dict[str, str] = field(default_factory=dict)
    server: str = ""
    deadline: float = 0.0
    stop_requested: bool = False

    def run(self) -> int:
        """Start the cluster, keep it until it is wanted no longer, and return the exit status."""
        signal.signal(signal.SIGTERM, self._request_stop)
        signal.signal(signal.SIGINT, self._request_stop)
        try:
            self._start()
            self._record(Phase.READY)
            while True:
                self._pause(_WATCH_SECONDS)
        except Interrupted:
            self._stop()
            self._record(Phase.STOPPED)
            return 0
        except DevclusterError as error:
            self._stop()
            self._record(Phase.FAILED, reason=str(error))
            return 1

    def _start(self) -> None:
        for attempt in range(1, _PORT_ATTEMPTS + 1):
            try:
                self._start_on(ports.choose())
            except PortTaken:
                self._stop()
                if attempt == _PORT_ATTEMPTS:
                    raise
            else:
                return

    def _start_on(self, chosen: ports.Ports) -> None:
        self.deadline = time.monotonic() + _READY_SECONDS
        self.layout.clear()
        self.server = f"https://{ports.LOOPBACK}:{chosen.api_server}"
        self._record(Phase.STARTING)
        self._make_keys()
        kubeconfig.write(self.layout.kubeconfig, layout=self.layout, server=self.server, user="admin")
        client = Client.of(self.layout)
        etcd, api_server, *others = components.in_order(self.layout, self.programs, chosen)
        # Each of these two is useless, and noisy in its log, before the one ahead of it is ready.
        self._bring_up(client, [etcd])
        self._bring_up(client, [api_server])
        self._bring_up(client, others)
        for name in nodes.NAMES:
            self._wait_for(name, partial(client.create_node, self.server, nodes.manifest(name)))
        self._wait_for("the nodes", lambda: client.ready_nodes(self.server) == len(nodes.NAMES))

    def _bring_up(self, client: Client, together: Sequence[components.Component]) -> None:
        for component in together:
            self._spawn(component)
        for component in together:
            self._wait_for(component.name, partial(client.is_healthy, component.health))

    def _make_keys(self) -> None:
        answer = subprocess.run(
            [self.programs.path("pki"), self.layout.pki], capture_output=True, text=True, check=False
        )
        if answer.returncode != 0:
            raise StartError(f"the cluster's keys could not be made: {answer.stderr.strip()}")

    def _spawn(self, component: components.Component) -> None:
        with self.layout.log_of(component.name).open("wb") as log:
            self.processes[component.name] = subprocess.Popen(
                component.argv,
                cwd=self.layout.directory,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=_die_with(os.getpid()),  # noqa: PLW1509 - this process has one thread
            )
        self.healths[component.name] = component.health
        self.layout.pid_file_of(component.name).write_text(f"{self.processes[component.name].pid}\n")

    def _environment(self) -> dict[str, str]:
        # Nothing of the caller's: proxies, KUBECONFIG, ETCD_* or a ~/.kwok would change what the parts do.
        return {"PATH": os.defpath, "HOME": str(self.layout.directory / "home")}

    def _wait_for(self, what: str, is_done: Callable[[], bool]) -> None:
        while not is_done():
            if time.monotonic() > self.deadline:
                raise StartError(f"{what} was not ready after {_READY_SECONDS:.0f} s; see {self.layout.logs}")
            self._pause(_POLL_SECONDS)

    def _pause(self, seconds: float) -> None:
        """Wait a moment, unless there is a reason not to go on.

        Raises:
            Interrupted: Asked to stop, or the caller is gone.
            StartError: A part has ended by itself.
        """
        time.sleep(seconds)
        if self.stop_requested or (self.parent is not None and os.getppid() != self.parent):
            raise Interrupted
        for name, process in self.processes.items():
            if process.poll() is not None:
                raise self._death_of(name, process)

    def _death_of(self, name: str, process: subprocess.Popen[bytes]) -> StartError:
        log = self.layout.log_of(name)
        tail = "\n".join(log.read_text(errors="replace").strip().splitlines()[-10:])
        kind = PortTaken if "address already in use" in tail else StartError
        return kind(f"{name} ended with status {process.returncode}; its last lines ({log}):\n{tail}")

    def _stop(self) -> None:
        for name in reversed(self.processes):
            process = self.processes[name]
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(timeout=_STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
            self.layout.pid_file_of(name).unlink(missing_ok=True)
        self.processes.clear()
        self.healths.clear()

    def _record(self, phase: Phase, *, reason: str = "") -> None:
        parts = {name: Started(pid=process.pid, health=self.healths[name]) for name, process in self.processes.items()}
        self.layout.write_state(
            State(
                phase=phase,
                supervisor=os.getpid(),
                born=self.born,
                build=self.programs.directory.name,
                server=self.server,
                reason=reason,
                parts=parts,
            )
        )

    def _request_stop(self, _signal: int, _frame: FrameType | None) -> None:
        self.stop_requested = True


def _die_with(parent: int) -> Callable[[], None]:
    """Return what a child does before it becomes its program: ask to be killed when *parent* ends."""

    def prepare() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        # The parent may have ended before the request was made; then no signal will ever come.
        if os.getppid() != parent:
            os._exit(1)

    return prepare


def main(arguments: Sequence[str] | None = None) -> int:
    """Supervise one cluster until it is wanted no longer; return 0, or 1 with the reason in the state record."""
    parser = argparse.ArgumentParser(prog="sandbox.devcluster.supervisor")
    parser.add_argument("--directory", type=Path, required=True, help="claimed already")
    parser.add_argument("--programs", type=Path, required=True, help="a finished build")
    parser.add_argument("--parent", type=int, help="end with this process; without it only SIGTERM ends the cluster")
    options = parser.parse_args(arguments)
    layout = Layout(options.directory)
    born = born_at(os.getpid())
    if born is None:
        sys.exit("the development cluster needs Linux: /proc has no entry for this process")
    with (layout.directory / "lock").open("w") as lock:
        try:
            # Held for life: two supervisors in one directory would clear each other's files.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit("another supervisor has this directory")
        programs = build.Programs(directory=options.programs)
        return Supervisor(layout=layout, programs=programs, born=born, parent=options.parent).run()


if __name__ == "__main__":
    sys.exit(main())
