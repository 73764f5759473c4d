"""Mounts: on what kind of file system a file lies. SQLite's write-ahead log needs memory shared by one machine."""

from pathlib import Path
from typing import Final

MOUNTS: Final = Path("/proc/self/mounts")

_NETWORK: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ceph", "glusterfs", "fuse.glusterfs", "fuse.sshfs", "lustre"}
)


def refuse_network_file_system(path: Path, *, mounts: Path = MOUNTS) -> None:
    """Return if *path* lies on a local disk, as far as this machine tells.

    Raises:
        ValueError: It lies on a network file system, where two machines could each believe themselves the only writer.
    """
    kind = _kind_of(path.resolve(), mounts)
    if kind in _NETWORK:
        raise ValueError(f"SQLite cannot live on a network file system ({kind}); use PostgreSQL, or a local disk")


def _kind_of(path: Path, mounts: Path) -> str | None:
    """Return the kind of the mount that is nearest above *path*, or None where this machine does not say."""
    if not mounts.exists():
        return None
    found: dict[Path, str] = {}
    for line in mounts.read_text().splitlines():
        _, point, kind, *_ = line.split(" ")
        found[Path(point.replace("\\040", " "))] = kind
    return next((found[above] for above in (path, *path.parents) if above in found), None)
