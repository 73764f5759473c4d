"""A second verifier of the audit trail, written from ``docs/audit-format.md`` alone; it shares no code with the product.

It reads SQLite's three tables with the bare driver, or an export from whichever database, and both forms of the chain. It has
encoders of its own, and can be run by whoever does not believe us:
``python tests/acceptance/second_verifier.py FILE.db|EXPORT.jsonl [HEAD]``.
"""

import hashlib
import json
import sqlite3
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

LARGEST = 2**53 - 1
MOST_BITS = 127
DEEPEST = 64
QUERY = """
    SELECT seals.number, seals.stream, seals.sequence, seals.chain, events.body, events.hash
    FROM seals JOIN events ON events.stream = seals.stream AND events.sequence = seals.sequence
    ORDER BY seals.number
"""


TEXTS = """
    SELECT name, coalesce(salt, ''), text FROM untrusted_texts
    WHERE stream = ? AND sequence = ? AND text IS NOT NULL ORDER BY name
"""


class Row(NamedTuple):
    """A seal and the event that it seals."""

    number: int
    stream: str
    sequence: int
    chain: str
    body: bytes
    hash: str
    texts: tuple[tuple[str, str, str], ...] = ()
    """Name, salt and text of what stands beside the event and was not erased."""
    shown: tuple[Any, Any] | None = None
    """What an export shows to be the event, and the bytes of its seal."""


@dataclass(frozen=True)
class Finding:
    """The verdict: how many records hold from the beginning on, which one is the first bad, where the head was met."""

    good: int
    head: str
    bad: tuple[int, str, int] | None
    """Number, stream and sequence, as they stand in the row."""
    met: int | None


class NotCanonical(ValueError):
    """The bytes are not the one encoding of a value."""


# RFC 8785, of which the trail needs no floating-point numbers.

ESCAPES = {0x08: "\\b", 0x09: "\\t", 0x0A: "\\n", 0x0C: "\\f", 0x0D: "\\r", 0x22: '\\"', 0x5C: "\\\\"}
ESCAPED = {code: f"\\u{code:04x}" for code in range(0x20)} | ESCAPES


def encoded(value: Any, depth: int = 0) -> bytes:
    """Return the one encoding of *value*."""
    if depth > DEEPEST:
        raise NotCanonical("nested too deep")
    if value is None or value is True or value is False:
        return {None: b"null", True: b"true", False: b"false"}[value]
    if isinstance(value, int):
        if abs(value) > LARGEST:
            raise NotCanonical("too large an integer")
        return b"%d" % value
    if isinstance(value, str):
        return f'"{value.translate(ESCAPED)}"'.encode()
    if isinstance(value, list):
        return b"[" + b",".join(encoded(item, depth + 1) for item in value) + b"]"
    if isinstance(value, dict):
        entries = sorted(value.items(), key=lambda entry: entry[0].encode("utf-16-be"))
        return b"{" + b",".join(encoded(k) + b":" + encoded(v, depth + 1) for k, v in entries) + b"}"
    raise NotCanonical("there are no floating-point numbers")


def decoded(data: bytes) -> Any:
    """Return the value whose one encoding *data* is."""
    try:
        value = json.loads(data.decode())
        if encoded(value) != data:
            raise NotCanonical("another encoding of the same value")
    except (ValueError, RecursionError) as error:
        raise NotCanonical("no JSON, or not canonical") from error
    return value


def hash_of(value: Any) -> str:
    """Return the hash of one object."""
    return hashlib.sha256(encoded(value)).hexdigest()


# The framed encoding, of the chain before.


def framed(value: Any, depth: int = 0) -> bytes:
    """Return the one framed encoding of *value*."""
    if depth > DEEPEST:
        raise NotCanonical("nested too deep")
    if value is None:
        return b"n"
    if isinstance(value, bool):
        return b"t" if value else b"f"
    if isinstance(value, int):
        return b"i%d;" % value
    if isinstance(value, str):
        raw = value.encode()
        return b"s%d:%s" % (len(raw), raw)
    if isinstance(value, float):
        raise NotCanonical("there are no floating-point numbers")
    if isinstance(value, list):
        return b"l%d:" % len(value) + b"".join(framed(item, depth + 1) for item in value)
    entries = sorted(value.items(), key=lambda entry: entry[0].encode())
    return b"m%d:" % len(entries) + b"".join(framed(k, depth + 1) + framed(v, depth + 1) for k, v in entries)


def unframed(data: bytes) -> Any:
    """Return the value whose one framed encoding *data* is."""
    value, end = _value(data, 0, 0)
    if end != len(data):
        raise NotCanonical("something follows the value")
    if framed(value) != data:
        raise NotCanonical("another encoding of the same value")
    return value


def _value(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    if depth > DEEPEST:
        raise NotCanonical("nested too deep")
    kind = data[at : at + 1]
    if kind in {b"n", b"f", b"t"}:
        return {b"n": None, b"f": False, b"t": True}[kind], at + 1
    if kind == b"i":
        return _integer(data, at + 1)
    if kind == b"s":
        length, start = _length(data, at + 1)
        raw = data[start : start + length]
        if len(raw) != length:
            raise NotCanonical("a text is cut off")
        return raw.decode(), start + length
    if kind == b"l":
        return _list(data, at + 1, depth)
    if kind == b"m":
        return _mapping(data, at + 1, depth)
    raise NotCanonical(f"no value begins with {kind!r}")


def _integer(data: bytes, at: int) -> tuple[int, int]:
    end = data.find(b";", at, at + 42)
    digits = data[at:end]
    if end < 0 or not digits.removeprefix(b"-").isdigit():
        raise NotCanonical("no integer")
    value = int(digits)
    if value.bit_length() > MOST_BITS:
        raise NotCanonical("too large an integer")
    return value, end + 1


def _length(data: bytes, at: int) -> tuple[int, int]:
    end = data.find(b":", at, at + 20)
    if end < 0 or not data[at:end].isdigit():
        raise NotCanonical("no length")
    return int(data[at:end]), end + 1


def _list(data: bytes, at: int, depth: int) -> tuple[list[Any], int]:
    number, at = _length(data, at)
    items = []
    for _ in range(number):
        item, at = _value(data, at, depth + 1)
        items.append(item)
    return items, at


def _mapping(data: bytes, at: int, depth: int) -> tuple[dict[str, Any], int]:
    number, at = _length(data, at)
    entries: dict[str, Any] = {}
    for _ in range(number):
        key, at = _value(data, at, depth + 1)
        if not isinstance(key, str):
            raise NotCanonical("a key is no text")
        entries[key], at = _value(data, at, depth + 1)
    return entries, at


def framed_hash(tag: str, *parts: bytes) -> str:
    """Return the tagged hash of framed *parts*."""
    hashed = hashlib.sha256()
    for part in (tag.encode(), *parts):
        hashed.update(b"%d:" % len(part))
        hashed.update(part)
    return hashed.hexdigest()


# Checking.


def check(rows: Iterable[Row], head: str | None = None) -> Finding:
    """Return what the rows, in the order of their numbers, come to."""
    good, chain, met, was_framed = 0, "0" * 64, None, None
    last_of: dict[str, int] = {}
    for row in rows:
        is_framed = row.body[:1] == b"m"
        is_bad = not _holds(row, good + 1, last_of.get(row.stream, 0) + 1, chain)
        if is_bad or (was_framed not in {None, is_framed} and not _begins(row, good, chain)):
            return Finding(good=good, head=chain, bad=(row.number, row.stream, row.sequence), met=met)
        good, chain, was_framed = row.number, row.chain, is_framed
        last_of[row.stream] = row.sequence
        if chain == head:
            met = good
    return Finding(good=good, head=chain, bad=None, met=met)


def _begins(row: Row, number: int, chain: str) -> bool:
    """Tell whether a row is of RFC 8785 and names the seal that the framed chain before it ended with."""
    if row.body[:1] == b"m":
        return False
    event = decoded(row.body)
    return (event["kind"], event["data"]) == ("chain.begun", {"follows": {"number": number, "chain": chain}})


def _holds(row: Row, number: int, sequence: int, chain: str) -> bool:
    if (row.number, row.sequence) != (number, sequence):
        return False
    if hashlib.sha256(row.body).hexdigest() != row.hash or _seal(row, chain) != row.chain:
        return False
    event = _event(row.body)
    if event is None or (event.get("stream"), event.get("sequence")) != (row.stream, row.sequence):
        return False
    return all(_is_hashed(event, *text) for text in row.texts) and _shows(row, event, chain)


def _seal(row: Row, previous: str) -> str:
    return hashlib.sha256(_sealed(row, previous)).hexdigest()


def _sealed(row: Row, previous: str) -> bytes:
    """Return the bytes whose hash a row's chain hash is."""
    if row.body[:1] == b"m":
        parts = (b"countersign/seal/1", previous.encode(), framed([row.number, row.stream, row.sequence, row.hash]))
        return b"".join(b"%d:%s" % (len(part), part) for part in parts)
    members = {"previous": previous, "number": row.number, "stream": row.stream, "sequence": row.sequence}
    return encoded({**members, "hash": row.hash, "tag": "countersign/seal/2"})


def _event(body: bytes) -> dict[str, Any] | None:
    """Return what a body says; None where it is no event."""
    try:
        event = unframed(body) if body[:1] == b"m" else decoded(body)
    except (NotCanonical, UnicodeDecodeError):
        return None
    if not isinstance(event, dict):
        return None
    return event if event.get("version") == 1 or event.get("tag") == "countersign/event/2" else None


def _is_hashed(event: dict[str, Any], name: str, salt: str, text: str) -> bool:
    if "version" in event:
        expected = framed_hash("countersign/private/1", salt.encode(), text.encode())
    else:
        expected = hash_of({"salt": salt, "text": text, "tag": "countersign/private/2"})
    return bool(event["private"].get(name) == expected)


def _shows(row: Row, event: dict[str, Any], previous: str) -> bool:
    """Tell whether an export shows of its row what the hashed bytes say."""
    if row.shown is None:
        return True
    said = {name: value for name, value in event.items() if name != "tag"}
    # As text, since Python takes 1, 1.0 and true for the same.
    expected = json.dumps((said, _sealed(row, previous).decode()), sort_keys=True)
    return json.dumps(row.shown, sort_keys=True) == expected


def rows_of(database: sqlite3.Connection) -> Iterator[Row]:
    """Give every seal with its event. Whoever tampers may leave a text where bytes should be; its bytes are looked at."""
    for number, stream, sequence, chain, body, hashed in database.execute(QUERY):
        texts = tuple(database.execute(TEXTS, (stream, sequence)))
        yield Row(number, stream, sequence, chain, body.encode() if isinstance(body, str) else body, hashed, texts)


def rows_of_export(lines: Iterable[str]) -> Iterator[Row]:
    """Give every seal with its event, from the lines of an export."""
    for line in lines:
        one = json.loads(line)
        body = (one["body"] or "").encode()
        shown = (one["event"], one["seal"])
        yield Row(one["number"], one["stream"], one["sequence"], one["chain"], body, one["hash"], shown=shown)


def main(path: str, head: str | None = None) -> int:
    """Check one file and say what came of it."""
    if path.endswith(".jsonl"):
        with Path(path).open(encoding="utf-8") as lines:
            finding = check(rows_of_export(lines), head)
    else:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            finding = check(rows_of(database), head)
    sys.stdout.write(f"{finding}\n")
    return 1 if finding.bad or (head and finding.met is None) else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
