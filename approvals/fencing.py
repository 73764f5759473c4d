"""Fencing: the building blocks of what admission lets an executor's write change, as CEL expressions.

A fence lists what may change; a list of what may not is never complete. So two maps are compared key by key, with the keys
that they have when a write is judged, and everything but the named ones has to be equal on both sides: a field that nobody
thought of, or that a later version of Kubernetes brings, is refused. Which fields are named is the verb's to say
(:mod:`approvals.verbs`); the expressions become policies in the cluster's door.
"""

from collections.abc import Iterable
from typing import Final

_CAP: Final = 10
"""How many updating managers the API server records; it merges the oldest of more into one entry of this name:"""

_ANCIENT: Final = "ancient-changes"


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

    A bearer can send that list along: an empty one wipes it, any other replaces it, and a mark would be gone or forged. So an
    entry stays as it is, unless it owned one of *fields* and loses it, or is the writer's own; entries of a subresource, such
    as the mark of a scale, and of an apply are never the writer's; at most one writer is new. Beyond ten writers the server
    merges the oldest into one entry, which is let through where it can happen only.

    Args:
        fields: Paths as ``fieldsV1`` spells them, such as ``("f:metadata", "f:annotations", "f:x")``.
    """
    new, old = (f"{side}.?managedFields.orValue([])" for side in _sides("metadata"))
    merged = f"({old}.size() >= {_CAP} && {new}.exists(n, n.?manager.orValue('') == '{_ANCIENT}'))"
    owns = " || ".join(_owns("e", path) for path in fields)
    return "\n&& ".join(
        (
            f"({old}.size() == 0 || {new}.size() > 0)",
            f"({merged} || {old}.all(e, e in {new} || {owns} || ({_plain('e')} && {new}.exists(n, {_same('n', 'e')}))))",
            f"({merged} || {old}.filter(e, !(e in {new}) && !({owns})).size() <= 1)",
            f"{new}.all(e, e in {old} || {_plain('e')})",
            f"{new}.filter(e, e.?manager.orValue('') != '{_ANCIENT}' && !{old}.exists(o, {_same('o', 'e')})).size() <= 1",
        )
    )


def _sides(field: str) -> tuple[str, str]:
    path = f".{field}" if field else ""
    return f"object{path}", f"oldObject{path}"


def _listed(names: Iterable[str]) -> str:
    quoted = (f"'{name}'" for name in names)
    return f"[{', '.join(quoted)}]"


def _owns(entry: str, path: tuple[str, ...]) -> str:
    """Return that a managedFields entry owns the field at *path*."""
    *way, leaf = path
    steps = "".join(f"[?'{step}']" for step in way)
    return f"'{leaf}' in {entry}.?fieldsV1{steps}.orValue({{}})"


def _plain(entry: str) -> str:
    return f"{entry}.?operation.orValue('') == 'Update' && {entry}.?subresource.orValue('') == ''"


def _same(one: str, other: str) -> str:
    """Return that two entries are the same writer's, by the same way of writing."""
    return " && ".join(
        f"{one}.?{field}.orValue('') == {other}.?{field}.orValue('')"
        for field in ("manager", "operation", "subresource")
    )
