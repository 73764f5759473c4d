"""The files of one cluster's directory, the record of its state, and the guard over whose folder it is.

The directory holds an administrator's key, so it is made for its owner only. What is inside belongs to
one life of the cluster: the next start removes it.
"""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from sandbox.devcluster.errors import StartError

_MARKER = ".countersign-devcluster"


class Phase(StrEnum):
    """How far a cluster is; ``failed`` and ``stopped`` are ends."""

    STARTING = "starting"
    READY = "ready"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """One running program: its process id and the address that tells whether it is healthy."""

    pid: int
    health: str


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What the supervisor last wrote about its cluster.

    ``born`` is the start of the supervisor in kernel ticks since boot: with it, a process id that was
    given to somebody else meanwhile is not mistaken for ours.
    """

    phase: Phase
    supervisor: int
    born: int
    build: str
    server: str = ""
    reason: str = ""
    parts: Mapping[str, Started] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Layout:
    """Names every file in the directory of one cluster."""

    directory: Path

    @property
    def pki(self) -> Path:
        """Keys and certificates, made anew at each start."""
        return self.directory / "pki"

    @property
    def logs(self) -> Path:
        """One log a part, and the supervisor's."""
        return self.directory / "logs"

    @property
    def etcd(self) -> Path:
        """The data of etcd."""
        return self.directory / "etcd"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.directory / "kubeconfig"

    @property
    def audit_log(self) -> Path:
        """The API server's audit log, JSON lines."""
        return self.logs / "audit.log"

    @property
    def supervisor_log(self) -> Path:
        """What the supervisor had to say that it could not write to the record; empty in ordinary times."""
        return self.directory / "supervisor.log"

    @property
    def stages(self) -> Path:
        """All stages that KWOK plays, ours among them."""
        return self.directory / "stages.yaml"

    def log_of(self, part: str) -> Path:
        """Return the log of *part*."""
        return self.logs / f"{part}.log"

    def pid_file_of(self, part: str) -> Path:
        """Return the pid file of *part*."""
        return self.directory / "run" / f"{part}.pid"

    def certificate(self, name: str) -> Path:
        """Return the certificate called *name*."""
        return self.pki / f"{name}.crt"

    def key(self, name: str) -> Path:
        """Return the private key called *name*."""
        return self.pki / f"{name}.key"

    def claim(self) -> None:
        """Make the directory ours and private; nothing in it is touched.

        Raises:
            StartError: The directory holds files and none of them says that it is ours.
        """
        marker = self.directory / _MARKER
        try:
            self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not marker.exists() and any(self.directory.iterdir()):
                raise StartError(f"{self.directory} is neither empty nor a cluster's directory; choose another one")
            self.directory.chmod(0o700)
            marker.touch()
        except OSError as error:
            raise StartError(f"cannot use {self.directory}: {error.strerror or error}") from error

    def clear(self) -> None:
        """Remove what an earlier life of a cluster left in a directory that :meth:`claim` made ours."""
        for name in ("pki", "logs", "etcd", "run", "home"):
            shutil.rmtree(self.directory / name, ignore_errors=True)
            (self.directory / name).mkdir(mode=0o700)
        for path in (self.kubeconfig, *self.directory.glob("*.kubeconfig")):
            path.unlink(missing_ok=True)

    def write_state(self, state: State) -> None:
        """Replace the record; a reader sees the old one or the new one, never half."""
        path = self.directory / "state.json"
        temporary = path.with_suffix(".new")
        temporary.write_text(json.dumps(asdict(state), indent=2) + "\n")
        temporary.replace(path)

    def read_state(self) -> State | None:
        """Return the record, or None where no cluster was ever started.

        Raises:
            StartError: The record is of another version of this package, so nobody can tell what runs there.
        """
        path = self.directory / "state.json"
        try:
            stored: dict[str, Any] = json.loads(path.read_text())
            parts = {name: Started(**part) for name, part in stored.pop("parts").items()}
            return State(**(stored | {"phase": Phase(stored["phase"]), "parts": parts}))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise StartError(
                f"{path} was written by another version; stop that cluster with the version that started it, "
                "then remove the directory"
            ) from error


def born_at(pid: int) -> int | None:
    """Return when the process *pid* started, in kernel ticks since boot; None when there is none.

    A process that has ended and only waits to be collected counts as gone.
    """
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field is the program's name in parentheses and may itself hold spaces and parentheses.
    fields = status.rpartition(")")[2].split()
    return None if fields[0] in {"Z", "X"} else int(fields[19])


def is_running(state: State | None) -> bool:
    """Say whether the supervisor that wrote *state* still lives."""
    return state is not None and born_at(state.supervisor) == state.born


def private_file(path: Path, text: str) -> None:
    """Write *text* to a new file that only its owner may read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
