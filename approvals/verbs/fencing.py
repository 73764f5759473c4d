"""Fencing: the building blocks of what admission lets an executor's write change, as CEL expressions.

A fence lists what may change; a list of what may not is never complete. So two maps are compared key by key, with the keys
that they have when a write is judged, and everything but the named ones has to be equal on both sides: a field that nobody
thought of, or that a later version of Kubernetes brings, is refused. Which fields are named is the verb's to say
(:mod:`approvals.verbs`); the expressions become policies in the cluster's door.
"""

from collections.abc import Iterable, Iterator
from typing import Final

_CAP: Final = 10
"""How many updating managers the API server records; it merges the oldest of more into one entry of this name:"""

_ANCIENT: Final = "ancient-changes"

_NUMBER: Final = (("f:spec", "f:replicas"),)
"""What the API server splits off a writer's entry when a scale that changes nothing comes by."""


def same_but(field: str, *free: str) -> str:
    """Return that the map at *field* (the object itself where empty) is as it was in every key but the *free* ones.

    A key of it that is not free can neither come nor go nor change. What a free one may change to is not said here.
    """
    new, old = _sides(field)
    names = _listed(free)
    return (
        f"{new}.all(k, k in {names} || (k in {old} && {new}[k] == {old}[k]))"
        f" && {old}.all(k, k in {names} || k in {new})"
    )


def only_annotation(field: str, key: str, form: str) -> str:
    """Return that of the annotations in the metadata at *field* only *key* came or changed, and has a value of a *form*.

    Args:
        field: Where the metadata are, such as ``spec.template.metadata``.
        key: The annotation that may come or change. It has to be there afterwards.
        form: A regular expression for its whole value; it bounds the length.
    """
    new, old = (f"{side}.?annotations.orValue({{}})" for side in _sides(field))
    return (
        f"'{key}' in {new} && {new}['{key}'].matches('{form}')"
        f" && {new}.all(k, k == '{key}' || (k in {old} && {new}[k] == {old}[k]))"
        f" && {old}.all(k, k in {new})"
    )


def keeps_owners(fields: Iterable[tuple[str, ...]]) -> str:
    """Return that ``metadata.managedFields`` changed as the server changes it for a write of *fields*, and not otherwise.

    A bearer can send that list along: an empty one wipes it, any other replaces it, and a mark would be gone or forged. The name
    of a writer proves nothing, since a bearer may write under any. So an entry, whoever's, may come to own or cease to own
    *fields* and nothing else; it goes only if it owned nothing else; at most one writer is new, and owns nothing else either.
    Entries of a subresource, such as the mark of a scale, and of an apply are never new. Beyond ten writers the server merges the
    oldest into one entry, which is let through where it can happen only.

    Whoever scales to the number that is there already leaves its owner with two entries under one name, one of them for the
    number alone; the next write of anybody, a rightful restart too, drops that one. So the half of a pair goes, and only it.

    Args:
        fields: Paths as ``fieldsV1`` spells them, such as ``("f:metadata", "f:annotations", "f:x")``.
    """
    paths = tuple(fields)
    new, old = (f"{side}.?managedFields.orValue([])" for side in _sides("metadata"))
    ancient = f"e.?manager.orValue('') == '{_ANCIENT}'"
    merged = f"({old}.size() >= {_CAP} && {new}.exists(e, {ancient}))"
    plain = "e.?operation.orValue('') == 'Update' && e.?subresource.orValue('') == ''"
    only, same = _owns_only("e", paths), _same("o", "e")
    stayed = f"e in {new} || {new}.exists(o, {same} && {_owns_alike('o', 'e', paths)})"
    went = f"!{new}.exists(o, {same}) && {only}"
    twin = f"{old}.exists(o, o != e && {same}) && {new}.exists(o, {same}) && {_owns_only('e', _NUMBER)}"
    was_there = f"e in {old} || {old}.exists(o, {same} && {_owns_alike('e', 'o', paths)})"
    came = f"!{old}.exists(o, {same}) && {plain} && {only}"
    return "\n&& ".join(
        (
            f"({old}.size() == 0 || {new}.size() > 0)",
            f"({merged} || {old}.all(e, {stayed} || ({went}) || ({twin})))",
            f"{new}.all(e, {was_there} || ({came}) || ({merged} && {ancient}))",
            f"{new}.filter(e, !({ancient}) && !{old}.exists(o, {same})).size() <= 1",
        )
    )


def _sides(field: str) -> tuple[str, str]:
    path = f".{field}" if field else ""
    return f"object{path}", f"oldObject{path}"


def _listed(names: Iterable[str]) -> str:
    quoted = (f"'{name}'" for name in names)
    return f"[{', '.join(quoted)}]"


def _owns_alike(new: str, old: str, paths: tuple[tuple[str, ...], ...]) -> str:
    """Return that two managedFields entries own the same but for *paths*."""
    return " && ".join(
        (
            *(
                f"{_at(new, way)}.all(k, k in {free} || (k in {_at(old, way)} && {_at(new, way)}[k] == {_at(old, way)}[k]))"
                f" && {_at(old, way)}.all(k, k in {free} || k in {_at(new, way)})"
                for way, free in _ways(paths)
            ),
            *(f"({one} || '{way[-1]}' in {_at(old, way[:-1])})" for way, one in _not_whole(new, paths)),
        )
    )


def _owns_only(entry: str, paths: tuple[tuple[str, ...], ...]) -> str:
    """Return that a managedFields entry owns nothing but *paths*."""
    return " && ".join(
        (
            *(f"{_at(entry, way)}.all(k, k in {free})" for way, free in _ways(paths)),
            *(f"({one})" for _, one in _not_whole(entry, paths)),
        )
    )


def _not_whole(entry: str, paths: tuple[tuple[str, ...], ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Give, for each map on the way to another one, that an entry does not own it whole: nothing below it means all of it."""
    for way in sorted({path[:depth] for path in paths for depth in range(1, len(path) - 1)}):
        yield way, f"!('{way[-1]}' in {_at(entry, way[:-1])}) || {_at(entry, way)}.size() > 0"


def _ways(paths: tuple[tuple[str, ...], ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Give every map on the way to *paths* with the keys of it that may differ; a map's own ownership is the key ``.``."""
    for way in sorted({path[:depth] for path in paths for depth in range(len(path))}):
        ends = {path[len(way)]: len(path) == len(way) + 1 for path in paths if path[: len(way)] == way}
        yield way, _listed((*sorted(ends), *(["."] if any(ends.values()) else [])))


def _at(entry: str, way: tuple[str, ...]) -> str:
    steps = "".join(f"[?'{step}']" for step in way)
    return f"{entry}.?fieldsV1{steps}.orValue({{}})"


def _same(one: str, other: str) -> str:
    """Return that two entries are the same writer's, by the same way of writing."""
    return " && ".join(
        f"{one}.?{field}.orValue('') == {other}.?{field}.orValue('')"
        for field in ("manager", "operation", "subresource", "apiVersion")
    )
