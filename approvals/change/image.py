"""Images: what an object was to look like after a change, kept so that a later look can say what differs, and nothing else.

An image is made of the whole object as the last dry run before the start answered it, and is stored with the start record. It
holds each field under its path: a short plain value as it is, everything else as a keyed hash, which tells whether it differs
and not what it is. What the server and its controllers move by themselves is left out, on both sides.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from approvals import framed
from approvals.canonical import LARGEST, tagged_hash
from approvals.change.diff import Mac, Path, is_secret, item_keys, pointer, substance
from approvals.change.plan import Change, Leaf, Redacted, json_text
from approvals.masking import masked

MOST_BYTES: Final = 48_000
"""How much one image may take. A larger object is kept in less detail: what lies deep is hashed together."""

PLAIN: Final = 120
"""How long a text may be, in characters, to be kept as it is."""

MOST_CHANGES: Final = 20
"""How many fields are kept and told of what differs; the rest are counted."""

_DEPTHS: Final = (32, 8, 6, 5, 4, 3, 2, 1)
_MAC: Final = 32
"""How many hex digits of a keyed hash are kept: 128 bits."""

_WORDS_OF_COMMANDS: Final = frozenset({"args", "command"})
_CONTROLLERS: Final = "deployment.kubernetes.io/"
"""How the annotations begin that the deployment controller writes."""

_INSIDE_SECRET: Final = re.compile(r"://[^/\s]*:[^/\s]*@|(pass|secret|token|key|auth)\w*\s*[=:]", re.IGNORECASE)

_ORDER: Final = "[order]"


def image_of(thing: Mapping[str, Any], *, mac: Mac) -> bytes:
    """Return the image of *thing*, a raw object, at most :data:`MOST_BYTES` where it has any depth to lose."""
    data = b""
    for depth in _DEPTHS:
        leaves = {pointer(path): _plain(leaf) for path, leaf in _kept(thing, mac, depth)}
        data = json_text({"depth": depth, "leaves": leaves}).encode()
        if len(data) <= MOST_BYTES:
            break
    return data


def image_hash(image: bytes) -> str:
    """Return the hash under which an image is kept and a start record names it."""
    return tagged_hash("countersign/image/2", image=image.decode())


def is_image(image: bytes, hashed: str) -> bool:
    """Tell whether *image* is the one that a start record names by its hash, made as now or before RFC 8785."""
    return hashed in {image_hash(image), framed.tagged_hash("countersign/image/1", image)}


def deviations(image: bytes, thing: Mapping[str, Any], *, mac: Mac) -> tuple[Change, ...]:
    """Return what *thing* has otherwise than its image, by path: ``before`` is what was approved, ``after`` what is there.

    Args:
        image: As :func:`image_of` made it.
        thing: The raw object as it is now.
        mac: The same keyed hash as when the image was made.
    """
    kept = json.loads(image)
    approved = {path: _leaf(value) for path, value in kept["leaves"].items()}
    actual = {pointer(path): leaf for path, leaf in _kept(thing, mac, int(kept["depth"]))}
    return tuple(
        Change(path=path, before=approved.get(path), after=actual.get(path))
        for path in sorted(approved.keys() | actual.keys())
        if not _same(approved.get(path), actual.get(path))
    )


def _same(one: Leaf, other: Leaf) -> bool:
    """Tell whether two leaves are one value; 1 and true are not."""
    return type(one) is type(other) and one == other


def _kept(thing: Mapping[str, Any], mac: Mac, depth: int) -> Iterator[tuple[Path, Leaf]]:
    for path, value in _leaves(_steady(thing), (), depth):
        if value is not None:  # a field that is null is one that is not there
            yield path, _shown(path, value, mac)


def _steady(thing: Mapping[str, Any]) -> dict[str, Any]:
    """Return *thing* without what the server and the deployment controller keep for themselves."""
    steady = substance(thing)
    metadata = dict(steady["metadata"])
    metadata.pop("selfLink", None)
    annotations = metadata.pop("annotations", None) or {}
    kept = {key: value for key, value in annotations.items() if not key.startswith(_CONTROLLERS)}
    return {**steady, "metadata": {**metadata, **({"annotations": kept} if kept else {})}}


def _leaves(value: Any, path: Path, depth: int) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, Mapping) and value and len(path) < depth:
        for key, inner in value.items():
            yield from _leaves(inner, (*path, str(key)), depth)
    elif isinstance(value, list) and value and len(path) < depth:
        keys = item_keys(value)
        for key, inner in zip(keys, value, strict=True):
            yield from _leaves(inner, (*path, key), depth)
        if len(keys) > 1:
            yield (*path, _ORDER), keys
    else:
        yield path, value


def _shown(path: Path, value: Any, mac: Mac) -> Leaf:
    if isinstance(value, bool | int) and abs(value) <= LARGEST and not is_secret(path):
        return value
    if isinstance(value, str) and not is_secret(path) and _is_harmless(path, value):
        return value
    return Redacted(mac=mac(json_text([list(path), value]))[:_MAC])


def _is_harmless(path: Path, text: str) -> bool:
    if len(text) > PLAIN or _WORDS_OF_COMMANDS.intersection(path):
        return False
    return masked(text) == text and not _INSIDE_SECRET.search(text)


def _plain(leaf: Leaf) -> object:
    return {"mac": leaf.mac} if isinstance(leaf, Redacted) else leaf


def _leaf(value: Any) -> Leaf:
    return Redacted(mac=value["mac"]) if isinstance(value, dict) else cast("Leaf", value)
