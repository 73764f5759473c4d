"""Ownership: ``metadata.managedFields``, the server's note of who last wrote which field.

Countersign finds its own scale again by it, so it is kept as the server keeps it: an entry for each (manager,
subresource), a field belongs to whoever last *changed* it, and an entry without fields is gone.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from sandbox.cluster.jsontypes import JsonObject

Path = tuple[str, ...]

_MAPS: Final = ("labels", "annotations", "matchLabels", "limits", "requests", "nodeSelector")
_OWNED_METADATA: Final = ("labels", "annotations")


def transferred(
    entries: Iterable[Mapping[str, Any]],
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    *,
    manager: str,
    subresource: str = "",
    time: str = "",
) -> list[JsonObject]:
    """Return the entries once *manager* has changed *before* into *after*.

    Args:
        subresource: Where the write went through one.
        time: When; left out of the entry where empty, as it is for a scale.
    """
    old, new = _fields_of(before), _fields_of(after)
    changed = {path for path, value in new.items() if path not in old or old[path] != value}
    gone = old.keys() - new.keys()
    own = (manager, subresource)
    held: dict[tuple[str, str], JsonObject] = {
        (one["manager"], one.get("subresource", "")): dict(one) for one in entries
    }
    if changed:
        held.setdefault(own, _entry(manager, (), subresource, time))
    result = []
    for owner, entry in held.items():
        paths = set(_paths(entry["fieldsV1"]))
        kept = (paths - gone) | changed if owner == own else paths - gone - changed
        if kept == paths:
            result.append(entry)
        elif kept:
            written = time if owner == own else entry.get("time", "")
            result.append(_entry(entry["manager"], kept, owner[1], written))
    return result


def first_entry(created: Mapping[str, Any], *, manager: str, time: str) -> JsonObject:
    """Return the entry of whoever created an object: all of its fields."""
    return _entry(manager, _fields_of(created), "", time)


def status_entry(status: Mapping[str, Any], *, time: str) -> JsonObject:
    """Return the entry by which the controller owns a status."""
    fields = {("f:status", f"f:{name}") for name in status}
    return _entry("kube-controller-manager", fields, "status", time)


def _entry(manager: str, paths: Iterable[Path], subresource: str, time: str) -> JsonObject:
    entry: JsonObject = {"manager": manager, "operation": "Update", "apiVersion": "apps/v1"}
    if time:
        entry["time"] = time
    entry |= {"fieldsType": "FieldsV1", "fieldsV1": _tree(paths)}
    if subresource:
        entry["subresource"] = subresource
    return entry


def _fields_of(workload: Mapping[str, Any]) -> dict[Path, Any]:
    metadata = {name: workload["metadata"][name] for name in _OWNED_METADATA if name in workload["metadata"]}
    return dict(_leaves({"metadata": metadata, "spec": workload["spec"]}, ()))


def _leaves(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, dict) and value:
        if path and (path[-1].removeprefix("f:") in _MAPS or path[-1].startswith("k:")):
            yield (*path, "."), None
        for key, item in value.items():
            yield from _leaves(item, (*path, f"f:{key}"))
    elif isinstance(value, list) and value and all(isinstance(item, dict) and "name" in item for item in value):
        for item in value:
            yield from _leaves(item, (*path, f"k:{json.dumps({'name': item['name']}, separators=(',', ':'))}"))
    else:
        yield path, value


def _tree(paths: Iterable[Path]) -> JsonObject:
    root: JsonObject = {}
    for path in sorted(paths):
        node = root
        for step in path:
            node = node.setdefault(step, {})
    return root


def _paths(tree: Mapping[str, Any], path: Path = ()) -> Iterator[Path]:
    for key, inner in tree.items():
        if inner:
            yield from _paths(inner, (*path, key))
        else:
            yield (*path, key)
