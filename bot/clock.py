"""The only wall clock and the only randomness: ids, salts, tokens, waiting. Everybody else gets these as arguments."""

import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no letters that look like digits."""

_TIME_DIGITS: Final = 10
_RANDOM_DIGITS: Final = 16
_BITS_A_DIGIT: Final = 5

TOKEN_PREFIX: Final = "cst_"  # noqa: S105 - what a token starts with is no secret
"""By which secret scanners and people recognise an agent token."""


def utc_now() -> datetime:
    """Return the host's instant, aware, in UTC."""
    return datetime.now(UTC)


def seconds() -> float:
    """Return the seconds since 1970, as signatures carry them."""
    return time.time()


def new_id(prefix: str) -> str:
    """Return a fresh id, such as ``esc_01JD...``: 48 bits of milliseconds, then 80 random bits, so ids sort by time."""
    return (
        f"{prefix}_{_digits(time.time_ns() // 1_000_000, _TIME_DIGITS)}{_digits(secrets.randbits(80), _RANDOM_DIGITS)}"
    )


def new_secret() -> str:
    """Return a fresh agent token with 256 random bits."""
    return f"{TOKEN_PREFIX}{secrets.token_urlsafe(32)}"


def new_salt() -> str:
    """Return 128 random bits, in hex, to stand before a private text when it is hashed."""
    return secrets.token_hex(16)


def new_key() -> bytes:
    """Return 256 random bits."""
    return secrets.token_bytes(32)


def chance() -> float:
    """Return a number from 0 up to 1."""
    return secrets.randbits(53) / 2**53


wait: Final[Callable[[float], None]] = time.sleep
"""Waits that many seconds; only outermost loops are given it."""


def _digits(number: int, length: int) -> str:
    return "".join(_ALPHABET[(number >> (_BITS_A_DIGIT * place)) & 31] for place in reversed(range(length)))
