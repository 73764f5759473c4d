"""Where built programs and the persistent cluster lie, and the lock that keeps two builds apart.

Nothing here builds or starts anything. One folder holds everything, so removing it undoes all that
this package ever did outside Go's own caches.
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def root() -> Path:
    """Return the folder for everything of ours: COUNTERSIGN_CACHE, else the user's cache folder."""
    if chosen := os.environ.get("COUNTERSIGN_CACHE"):
        base = Path(chosen)
    else:
        # The XDG convention says to ignore a relative path; so does an empty value.
        xdg = Path(os.environ.get("XDG_CACHE_HOME", ""))
        base = (xdg if xdg.is_absolute() else Path.home() / ".cache") / "countersign"
    return base.absolute() / "devcluster"


def persistent_directory() -> Path:
    """Return where the cluster of ``make cluster`` keeps its state unless told otherwise."""
    return root() / "cluster"


@contextmanager
def build_lock(folder: Path, *, on_wait: Callable[[], None]) -> Iterator[None]:
    """Hold the only right to build into *folder*.

    The kernel drops the lock with the process, so a killed build never blocks the next one.

    Args:
        folder: Made when absent.
        on_wait: Called once when another process holds the lock, before waiting for it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "build.lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
