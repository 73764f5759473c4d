"""Diffs: what differs between an object as it is and as a dry run says it would be.

Everything that differs is a change, whoever caused it, so that a mutating webhook's addition is shown
like our own. Left out is only what the server keeps for itself. List items are matched by ``name`` where all have one;
that such items change places is a change of the list itself, because some lists mean their order.
Values that may be secret are replaced by a keyed hash before they can be shown or stored.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from approvals.change.plan import Change, Leaf, Redacted, json_text

Mac = Callable[[str], str]
"""Returns a keyed hash of a value that is not shown."""

_BOOKKEEPING: Final = frozenset({"managedFields", "resourceVersion", "generation", "creationTimestamp"})
"""Keys of ``metadata`` that the server moves by itself."""

_SHADOWS: Final = frozenset(
    {
        "deployment.kubernetes.io/revision",
        "kubectl.kubernetes.io/last-applied-configuration",
        "countersign.dev/request-id",
    }
)
"""Annotations that restate the object, or are our own mark."""

_SECRET_NAME: Final = re.compile(
    r"pass(word|wd|phrase)?|secret|token|credential|api[-_]?key|private[-_]?key|dsn|auth", re.IGNORECASE
)


def changes_between(before: Mapping[str, Any], after: Mapping[str, Any], *, mac: Mac) -> tuple[Change, ...]:
    """Return what differs between two objects, ordered by path, secrets redacted.

    Args:
        before: The object as it is, raw.
        after: The same object as the dry run answered it.
        mac: Makes the keyed hash that stands for a hidden value.
    """
    was, becomes = substance(before), substance(after)
    moved = {path: (" ".join(one), " ".join(other)) for path, one, other in _moved(was, becomes)}
    old, new = dict(_leaves(was)), dict(_leaves(becomes))
    changed = {
        path: (_shown(path, old.get(path), mac), _shown(path, new.get(path), mac))
        for path in old.keys() | new.keys()
        if (path in old) != (path in new) or json_text(old.get(path)) != json_text(new.get(path))
    }
    return tuple(
        Change(path=pointer(path), before=one, after=other)
        for path, (one, other) in sorted({**moved, **changed}.items())
    )


Path = tuple[str, ...]


def substance(thing: Mapping[str, Any]) -> dict[str, Any]:
    """Return *thing* without its status and what the server and we ourselves keep in its metadata."""
    substance = {key: value for key, value in thing.items() if key != "status"}
    metadata = {key: value for key, value in dict(thing.get("metadata") or {}).items() if key not in _BOOKKEEPING}
    if metadata.get("annotations"):
        metadata["annotations"] = {key: value for key, value in metadata["annotations"].items() if key not in _SHADOWS}
    if not metadata.get("annotations"):
        metadata.pop("annotations", None)
    return {**substance, "metadata": metadata}


def _leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield whatever holds nothing further, raw: 1 and True, or an empty list and its text, are not the same."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _leaves(inner, (*path, str(key)))
    elif isinstance(value, list) and value:
        for key, inner in zip(item_keys(value), value, strict=True):
            yield from _leaves(inner, (*path, key))
    else:
        yield path, value


def _moved(before: Any, after: Any, path: Path = ()) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Yield each list whose items are the same by name but stand in another order: init containers run in theirs."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in before.keys() & after.keys():
            yield from _moved(before[key], after[key], (*path, str(key)))
    elif isinstance(before, list) and isinstance(after, list):
        old, new = dict(zip(item_keys(before), before, strict=True)), dict(zip(item_keys(after), after, strict=True))
        kept, then = [key for key in old if key in new], [key for key in new if key in old]
        if kept != then:
            yield path, kept, then
        for key in kept:
            yield from _moved(old[key], new[key], (*path, key))


def item_keys(items: list[Any]) -> list[str]:
    """Return what to call the items of a list: their names where each has its own, else their places."""
    names = [item.get("name") if isinstance(item, Mapping) else None for item in items]
    if all(isinstance(name, str) for name in names) and len(set(names)) == len(names):
        return [f"[{name}]" for name in names]
    return [f"[{place}]" for place in range(len(items))]


def pointer(path: Path) -> str:
    """Return *path* as a JSON pointer (RFC 6901); named list items stand in brackets."""
    return "".join(f"/{part.replace('~', '~0').replace('/', '~1')}" for part in path)


def _shown(path: Path, value: Any, mac: Mac) -> Leaf:
    if value is None:
        return None
    if is_secret(path):
        return Redacted(mac=mac(json_text([list(path), value])))
    if isinstance(value, (bool, int, str)):
        return value
    return json_text(value)  # an empty mapping or list, or a number with a fraction


def is_secret(path: Path) -> bool:
    """Tell whether the name of a field says that its value may be secret."""
    if len(path) > 1 and path[-1] == "value" and path[-3:-2] == ("env",):
        return True
    return any(part not in _NEVER_SECRET and _SECRET_NAME.search(part) for part in path)


_NEVER_SECRET: Final = frozenset({"automountServiceAccountToken", "imagePullSecrets", "serviceAccountToken"})
"""Field names of Kubernetes that sound secret and hold none."""
