"""What is built, from which modules, with which flags, and the key that names the result.

The key covers everything that can change a program: module files, our own Go source, flags, Go
version and platform. Compiling is :mod:`sandbox.devcluster.build`; finding Go is :mod:`sandbox.devcluster.toolchain`.
"""

import hashlib
import json
import platform
import sys
from dataclasses import dataclass
from pathlib import Path

#: The Kubernetes release that the control plane is built from and reports as its own.
VERSION = "v1.36.1"

#: The folder of this package: Go modules, manifests and pins lie beside the Python files.
SOURCE = Path(__file__).resolve().parent

_COMPONENT_VERSION = "k8s.io/component-base/version"

# Without these a self-built Kubernetes calls itself v0.0.0 and refuses features by version.
_KUBERNETES_LDFLAGS = (
    f"-s -w -X {_COMPONENT_VERSION}.gitVersion={VERSION}"
    f" -X {_COMPONENT_VERSION}.gitMajor=1 -X {_COMPONENT_VERSION}.gitMinor=36"
)

#: Flags common to every part. VCS stamping is off: it would tie the program to a commit of this repository.
BUILD_FLAGS = ("-trimpath", "-buildvcs=false")

#: The module whose own stage files make its simulated nodes and pods behave; copied beside the programs.
STAGES_MODULE = "sigs.k8s.io/kwok"

#: Relative to the module's folder, in the order in which they are given to KWOK.
STAGE_FILES = (
    "kustomize/stage/node/fast/node-initialize.yaml",
    "kustomize/stage/node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
    "kustomize/stage/pod/fast/pod-ready.yaml",
    "kustomize/stage/pod/fast/pod-complete.yaml",
    "kustomize/stage/pod/fast/pod-delete.yaml",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One program: its name in the cache, the Go module to build in, the package, and linker flags.

    Attributes:
        usual_s: Seconds that it takes on two idle cores when everything before it has been compiled and nothing of it yet,
            the download of its modules included. Said to the person who waits; no part of the key.
    """

    name: str
    module: str
    package: str
    usual_s: int
    ldflags: str = "-s -w"


PARTS = (
    Part(name="etcd", module="controlplane", package="go.etcd.io/etcd/server/v3", usual_s=57),
    *(
        Part(
            name=name,
            module="controlplane",
            package=f"k8s.io/kubernetes/cmd/{name}",
            usual_s=usual_s,
            ldflags=_KUBERNETES_LDFLAGS,
        )
        for name, usual_s in (
            ("kube-apiserver", 197),
            ("kube-controller-manager", 68),
            ("kube-scheduler", 5),
            ("kubectl", 34),
        )
    ),
    Part(name="kwok", module="kwok", package="sigs.k8s.io/kwok/cmd/kwok", usual_s=76),
    Part(name="pki", module="pki", package=".", usual_s=1),
)


def key(*, go_version: str) -> str:
    """Return 16 hex digits that change whenever a built program could.

    Args:
        go_version: As Go prints it, such as ``go1.26.8``.
    """
    recipe = {
        "go": go_version,
        "platform": [sys.platform, platform.machine()],
        "flags": BUILD_FLAGS,
        "parts": [[part.name, part.module, part.package, part.ldflags] for part in PARTS],
        "stages": [STAGES_MODULE, *STAGE_FILES],
        "sources": {str(path.relative_to(SOURCE)): _digest(path) for path in _go_sources()},
    }
    canonical = json.dumps(recipe, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def _go_sources() -> list[Path]:
    modules = sorted({part.module for part in PARTS})
    return [path for module in modules for path in sorted((SOURCE / module).iterdir()) if _is_go_source(path)]


def _is_go_source(path: Path) -> bool:
    return path.name in {"go.mod", "go.sum"} or path.suffix == ".go"


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
