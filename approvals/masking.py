"""Masking: what looks like a credential in words that somebody wrote, so that none is kept or shown.

A credential is looked for as a reader sees it: characters that draw nothing, put inside one, do not get it past the mask.
"""

import re
import unicodedata
from typing import Final

SECRET: Final = re.compile(
    r"xox[a-z](?:\.xox[a-z])?-[A-Za-z0-9%-]{10,}|xapp-[A-Za-z0-9-]{10,}|cst_[A-Za-z0-9_-]{20,}"
    r"|hooks\.slack(?:-gov)?\.com/(?:services|triggers|workflows)/[A-Za-z0-9/_-]{20,}"
    r"|eyJ(?:[A-Za-df-z0-9_-]|e(?!yJ))*+\.[A-Za-z0-9_-]{8,}+\.[A-Za-z0-9_-]*+"
    r"|(?:AKIA|ASIA)[0-9A-Z]{16}"
    r"|gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{22,}|gl(?:pat|rt|dt|ptt|cbt)-[A-Za-z0-9_-]{20,}"
    r"|AIza[A-Za-z0-9_-]{35}|\bya29\.[A-Za-z0-9_-]{20,}|\b(?:npm|hf)_[A-Za-z0-9]{30,}|\bpypi-[A-Za-z0-9_-]{30,}"
    r"|\bhv[sbr]\.[A-Za-z0-9_-]{20,}|\bgls?a_[A-Za-z0-9_]{30,}|\bdo[opr]_v1_[0-9a-f]{40,}|\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"
    r"|\bsk-(?:ant|proj|svcacct|admin|or)-[A-Za-z0-9_-]{20,}"
    r"|\bsk-(?:[a-z]+-)?[A-Za-z0-9_]{32,}|\b[sr]k_live_[A-Za-z0-9]{20,}|\bwhsec_[A-Za-z0-9+/]{20,}"
    r"|(?<=://)[^\s/:@]{0,64}:[^\s/@]{3,256}(?=@)"
    r"|[Bb]earer [A-Za-z0-9._~+/-]{20,}=*|[Bb]asic [A-Za-z0-9+/]{16,}=*"
    r"|AccountKey=[A-Za-z0-9+/]{40,}=*|AGE-SECRET-KEY-1[0-9A-Z]{40,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----|\Z)"
)
"""What looks like a credential: Slack's, ours, signed tokens (a service account's is one), those of clouds, forges, registries
and model vendors, what follows an HTTP scheme, a password in an address, key files.

It takes time linear in the text, which a stranger may choose: a signed token's first part holds its mark only at its beginning,
so nothing is read again from each of a million marks.
"""

MASK: Final = "[looked like a secret]"

_DRAWS_NOTHING: Final = frozenset(
    {
        *range(0x115F, 0x1161),
        *range(0x17B4, 0x17B6),
        *range(0x180B, 0x1810),
        *range(0xFE00, 0xFE10),
        0x034F,
        0x2800,
        0x3164,
        0xFFA0,
        *range(0xE0100, 0xE01F0),
    }
)
"""Letters and marks that draw nothing, although Unicode calls them printable."""


def masked(text: str) -> str:
    """Return *text* with everything in it that looks like a credential replaced."""
    if text.isascii() and not _controls(text):
        return SECRET.sub(MASK, text)
    places = [place for place, character in enumerate(text) if not is_invisible(character)]
    if len(places) == len(text):
        return SECRET.sub(MASK, text)
    parts: list[str] = []
    done = 0
    for found in SECRET.finditer("".join(text[place] for place in places)):
        parts += [text[done : places[found.start()]], MASK]
        done = places[found.end() - 1] + 1
    return "".join([*parts, text[done:]])


def is_invisible(character: str) -> bool:
    """Tell whether *character* draws nothing where it stands; line ends and tabs part words, so they are not among these."""
    return ord(character) in _DRAWS_NOTHING or (character not in "\n\r\t" and unicodedata.category(character)[0] == "C")


def _controls(text: str) -> bool:
    return not text.replace("\n", "").replace("\t", "").replace("\r", "").isprintable()
