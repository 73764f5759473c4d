"""Loose JSON: a monitor's bytes as plain values, whatever can be made of them, and how much could not be taken as it came.

A monitor cannot correct itself: what is refused to it is an alarm that nobody hears. So where
:mod:`models.payloads.strict_json` refuses,
a broken character becomes U+FFFD here, a number stays the text that it was written as, and of two equal keys the first counts.
Nothing that is read so decides anything; it is shown to people, as a stranger's words, together with what was cut.
"""

import json
import re
from collections import Counter
from itertools import accumulate
from typing import Any, Final

from models.payloads.strict_json import STEP, Unreadable, brackets_of

DEEPEST: Final = 200
"""How many brackets may be open at once: what we read needs four, and Python's own reader ends at about a thousand."""

BROKEN: Final = "\ufffd"
"""What stands where a character was broken."""

_BOM: Final = b"\xef\xbb\xbf"
_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")


class Loose:
    """One body, read."""

    def __init__(self, data: bytes) -> None:
        """Read *data*.

        Raises:
            Unreadable: It is no JSON, or nests too deep.
        """
        self.broken = 0
        """How many characters were replaced so far."""
        self.doubled: Counter[int] = Counter()
        """For each object, by its ``id``, how many keys it gave again."""
        text = self._decoded(data)
        if any(depth > DEEPEST for depth in accumulate(map(STEP.__getitem__, brackets_of(text)))):
            raise Unreadable(f"The body nests deeper than {DEEPEST} levels.", code="too_deep")
        reader = json.JSONDecoder(
            object_pairs_hook=self._object, parse_int=str, parse_float=str, parse_constant=str, strict=False
        )
        try:
            self.value: Any = reader.decode(text)
        except json.JSONDecodeError as error:
            raise Unreadable(f"The body is not JSON; see line {error.lineno}, column {error.colno}.") from error

    def clean(self, text: str) -> str:
        """Return *text* with what no store holds replaced."""
        cleaned, found = _UNSTORABLE.subn(BROKEN, text)
        self.broken += found
        return cleaned

    def _decoded(self, data: bytes) -> str:
        text = data.removeprefix(_BOM).decode("utf-8", errors="replace")
        self.broken += text.count(BROKEN) - data.count(BROKEN.encode())
        return text

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            found.setdefault(key, value)
        if len(found) < len(pairs):
            self.doubled[id(found)] = len(pairs) - len(found)
        return found
