"""Masking: what looks like a credential in words that somebody wrote, so that none is kept or shown."""

import re
from typing import Final

SECRET: Final = re.compile(
    r"xox[a-z]-[A-Za-z0-9-]{10,}|xapp-[A-Za-z0-9-]{10,}|cst_[A-Za-z0-9_-]{20,}"
    r"|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}|AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{30,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
)
"""What looks like a credential: Slack's, ours, signed tokens (a service account's is one), cloud and forge keys, key files."""

MASK: Final = "[looked like a secret]"


def masked(text: str) -> str:
    """Return *text* with everything in it that looks like a credential replaced."""
    return SECRET.sub(MASK, text)
