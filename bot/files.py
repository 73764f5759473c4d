"""Files that a setting names: read whole, and never more than a file of that kind can have.

A path is typed by a person, so it may be a device without an end, a file that grew by a mishap, or no path at all.
"""

import errno
from pathlib import Path


def read_whole(path: Path, *, most: int) -> bytes:
    """Return what is in the file at *path*.

    Args:
        path: As it was typed.
        most: How many bytes it may have; not many more are read.

    Raises:
        OSError: It cannot be read, has more bytes than that, or *path* is none; ``strerror`` says which.
    """
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except ValueError as error:  # a NUL, which no path has
        raise OSError(errno.EINVAL, "no path holds a NUL") from error
    if len(data) > most:
        raise OSError(errno.EFBIG, f"it has more than {most:,} bytes")
    return data
