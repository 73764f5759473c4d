"""Advisory locks: the numbers under which PostgreSQL knows the locks that we name."""

from hashlib import sha256


def advisory_key(name: str) -> int:
    """Return the number, 64 bits and signed, of the advisory lock called *name*."""
    return int.from_bytes(sha256(name.encode()).digest()[:8], "big", signed=True)
