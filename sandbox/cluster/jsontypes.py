"""JSON as the API speaks it: reading it strictly, comparing it, and patching it.

Plain functions over plain values; nothing here knows what a Deployment is.
"""

import json
from collections.abc import Iterator
from typing import Any, Final, NoReturn

JsonObject = dict[str, Any]

ABSENT: Final = object()
"""Stands for a field that is not there, which is not the same as null."""

_DEPTH_MOST: Final = 100
"""How deep an object may be nested; deeper than any workload, and far from the interpreter's own limit."""


class NotJson(ValueError):
    """The bytes are not one JSON object."""


class _Pairs(list[tuple[str, Any]]):
    """An object as it was written, so that repeated keys can still be seen."""


def read_object(data: bytes) -> tuple[JsonObject, tuple[str, ...]]:
    """Return the object in *data*, and the dotted paths of keys that were written twice (the last one counts).

    Raises:
        NotJson: *data* is no JSON, no object, nested too deeply, or holds NaN or an infinity.
    """
    try:
        parsed = json.loads(data, object_pairs_hook=_Pairs, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise NotJson("unexpected end of JSON input" if not data.strip() else "invalid JSON") from error
    if not isinstance(parsed, _Pairs):
        raise NotJson("json: cannot unmarshal into Go value of type map[string]interface {}")
    repeated: list[str] = []
    return _plain(parsed, (), repeated), tuple(repeated)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _plain(value: Any, path: tuple[str, ...], repeated: list[str]) -> Any:
    if len(path) > _DEPTH_MOST:
        raise NotJson("exceeded max depth")
    if isinstance(value, _Pairs):
        result: JsonObject = {}
        for key, item in value:
            if key in result:
                repeated.append(".".join((*path, key)).replace(".[", "["))
            result[key] = _plain(item, (*path, key), repeated)
        return result
    if isinstance(value, list):
        return [_plain(item, (*path, f"[{index}]"), repeated) for index, item in enumerate(value)]
    return value


def merge(target: Any, patch: Any) -> Any:
    """Return *target* changed by the JSON merge patch *patch* (RFC 7386); neither is changed itself."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result


def changed_pointers(before: Any, after: Any, pointer: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield (JSON pointer, before, after) for each place where the two differ; :data:`ABSENT` where there is nothing.

    Objects are compared key by key, also where only one side has one; lists are compared as a whole.
    """
    inner = (before, after)
    if any(isinstance(side, dict) for side in inner) and all(
        isinstance(side, dict) or side is ABSENT for side in inner
    ):
        old, new = (side if isinstance(side, dict) else {} for side in inner)
        for key in sorted(old.keys() | new.keys()):
            step = key.replace("~", "~0").replace("/", "~1")
            yield from changed_pointers(old.get(key, ABSENT), new.get(key, ABSENT), f"{pointer}/{step}")
    elif before is ABSENT or after is ABSENT or before != after:
        yield pointer, before, after
