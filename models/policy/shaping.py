"""Shaping: what a file holds, as shapes, and pydantic's findings as mistakes in the words of the file.

A mistake in one entry does not hide those in others: faulty entries are left out and the rest is checked on, so that
all mistakes are told at once.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import NoneType
from typing import Any, Final, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from models.policy.fields import MISTAKE
from models.policy.mistakes import Path, did_you_mean, quoted
from models.policy.reading import Document, Tree
from models.policy.shapes import FileShape, PolicyShape, RuleShape

_REQUIRED: Final = ("version", "installation", "approvers", "pausing", "environments", "agents", "rules")
_RUNNING_ALONE: Final = frozenset({"allow", "approve", "auto_approve", "autoapprove", "auto", "permit", "allow_all"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """The part of a file that has the right shape, and the names that the whole of it declares."""

    shape: PolicyShape
    rules: tuple[tuple[int, RuleShape], ...]
    """With their places in the file's list."""
    declared: Mapping[str, frozenset[str]]
    """By section: also those whose entries are faulty, so that nothing is called unknown that is only wrong."""

    def names(self, section: str) -> frozenset[str]:
        """Return the names that *section* declares."""
        return self.declared.get(section, frozenset())


def shaped(document: Document) -> Sound:
    """Return the sound part of *document*, and note every mistake of shape in it."""
    tree = _sections(document)
    rules = tree.get("rules")
    places = range(len(rules)) if isinstance(rules, list) else range(0)
    faulty: set[Path] = set()
    try:
        shape = PolicyShape.model_validate(tree)
    except ValidationError as error:
        faulty |= {_tell(document, finding) for finding in error.errors(include_url=False)}
        shape = PolicyShape.model_validate(_without(tree, faulty))
    sound_places = [place for place in places if ("rules", place) not in faulty]
    return Sound(
        shape=shape,
        rules=tuple(zip(sound_places, shape.rules, strict=True)),
        declared={name: _names(section) for name, section in tree.items()},
    )


def _sections(document: Document) -> dict[str, Tree]:
    if not isinstance(document.tree, dict):
        document.mistake((), "A policy is a mapping that starts with `version: 1`.")
        return {}
    for name in _REQUIRED:
        if name not in document.tree:
            document.mistake((), f"`{name}` is missing: {PolicyShape.model_fields[name].description}.")
    return document.tree


def _names(section: Tree) -> frozenset[str]:
    return frozenset(section) if isinstance(section, dict) else frozenset()


def _without(tree: Mapping[str, Tree], faulty: Iterable[Path]) -> dict[str, Tree]:
    """Return *tree* without its *faulty* entries: named sections lose an entry, the others go whole."""
    dropped = frozenset(faulty)
    kept: dict[str, Tree] = {}
    for name, section in tree.items():
        if (name,) in dropped:
            continue
        if isinstance(section, dict):
            kept[name] = {inner: value for inner, value in section.items() if (name, inner) not in dropped}
        elif isinstance(section, list):
            kept[name] = [value for place, value in enumerate(section) if (name, place) not in dropped]
        else:
            kept[name] = section
    return kept


def _tell(document: Document, error: ErrorDetails) -> Path:
    """Note pydantic's finding as a mistake, and return the entry that must be left out to go on."""
    path = tuple(step for step in error["loc"] if step != "[key]")
    on_key = error["type"] == "extra_forbidden" or "[key]" in error["loc"]
    if error["type"] == "missing":
        document.mistake(path[:-1], _missing(path), key=True)
    elif path not in document.aliases:
        document.mistake(path, _sentence_of(error, path), key=on_key)
    return path[:1] if path[0] in {"version", "installation", "pausing"} else path[:2]


def _missing(path: Path) -> str:
    shape = shape_at(path[:-1])
    return f"`{path[-1]}` is missing: {shape.model_fields[str(path[-1])].description}." if shape else "It is missing."


def _sentence_of(error: ErrorDetails, path: Path) -> str:
    match error["type"]:
        case kind if kind == MISTAKE:
            return str(error["ctx"]["sentence"])
        case "extra_forbidden":
            return _unknown(path)
        case "list_type":
            return "A list is wanted here: `[one, two]`, or a line with `- ` for each."
        case _:
            return "A mapping is wanted here: a line `key: value` for each entry."


def _unknown(path: Path) -> str:
    name, shape = str(path[-1]), shape_at(path[:-1])
    known = tuple(shape.model_fields) if shape else ()
    if path[0] == "rules" and name.lower().replace("-", "_") in _RUNNING_ALONE:
        return f"There is no `{name}`: no rule can let anything run without a person. A rule has `deny` or `ask`."
    return f"There is no key {quoted(name)} here; the keys are {', '.join(known)}.{did_you_mean(name, known)}"


def shape_at(path: Path) -> type[FileShape] | None:
    """Return the shape of the mapping at *path*, or None where its keys are free."""
    kind: Any = PolicyShape
    for step in path:
        if isinstance(kind, type) and issubclass(kind, FileShape):
            found = kind.model_fields.get(str(step))
            kind = found.annotation if found else None
        else:
            kind = get_args(kind)[-1] if get_args(kind) else None
        kind = _bare(kind)
    return kind if isinstance(kind, type) and issubclass(kind, FileShape) else None


def _bare(kind: Any) -> Any:
    """Return *kind* without None."""
    if NoneType in get_args(kind):
        return next(one for one in get_args(kind) if one is not NoneType)
    return kind
