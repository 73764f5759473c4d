"""Reading: YAML with one reading, as plain values whose every place in the file is known.

YAML has many ways for a person to read one thing and a program another: a key given twice, values borrowed from
elsewhere (anchors, aliases, merge keys), types guessed from a value's looks (``no``, ``012``, ``09:00``, dates), a second
document below the first. None is taken: each scalar stays the text that stands there, and what kind of value it has to be
is said by the field it is in (:mod:`models.policy.fields`). Which keys there are is :mod:`models.policy.shapes`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import yaml

from models.policy.mistakes import Path, PolicyMistake, PolicyMistakes, path_text, quoted

LARGEST_FILE: Final = 256 * 1024
"""In bytes: a policy of a hundred agents has about a tenth of it."""

DEEPEST: Final = 10
"""Levels; the deepest entry of a policy is on the fifth."""

UNSEEN: Final = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
"""Control characters, other line breaks, halves of characters, and marks that turn the direction of writing: they hide
what is read. YAML's escapes can write every one of them."""

_IN_ALIAS: Final = "while scanning an alias"
"""What the YAML reader was doing when it stumbled over a ``*`` without quotes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalar:
    """One value that is neither a list nor a mapping: the text that stands there."""

    text: str
    plain: bool
    """Whether it stands without quotes."""


Tree: TypeAlias = "Scalar | list[Tree] | dict[str, Tree]"
Place: TypeAlias = tuple[int, int]
"""Line and column, from 1."""


@dataclass(slots=True, kw_only=True)
class Document:
    """What was read, where everything stands, and the mistakes so far. Collected while a file is checked, then dropped."""

    tree: Tree = field(default_factory=dict)
    values: dict[Path, Place] = field(default_factory=dict)
    keys: dict[Path, Place] = field(default_factory=dict)
    aliases: set[Path] = field(default_factory=set)
    """Where an alias stands in for a value; that is mistake enough."""
    faulty: set[Path] = field(default_factory=set)
    """What a mistake was noted on: nothing more is to be said of the same value."""
    mistakes: list[PolicyMistake] = field(default_factory=list)

    def place(self, path: Path, *, key: bool = False) -> Place:
        """Return where the entry at *path*, or its key, stands; where there is none, its nearest ancestor."""
        for end in range(len(path), 0, -1):
            found = self.keys.get(path[:end]) if key or end < len(path) else None
            if found := found or self.values.get(path[:end]):
                return found
        return self.values[()]

    def mistake(self, path: Path, sentence: str, *, key: bool = False) -> None:
        """Note a mistake at *path*, on its value or its key."""
        self.add(self.place(path, key=key), path, sentence)
        if not key:
            self.faulty.add(path)

    def add(self, place: Place, path: Path, sentence: str) -> None:
        """Note a mistake at a place in the file."""
        self.mistakes.append(PolicyMistake(line=place[0], column=place[1], path=path_text(path), sentence=sentence))


def read_document(data: bytes) -> Document:
    """Return what *data* holds, together with those mistakes that do not keep it from being read further.

    Raises:
        PolicyMistakes: It cannot be read on.
    """
    document = Document()
    text = _text_of(data, document)
    reader = _Reader(document, yaml.parse(text, Loader=yaml.SafeLoader))
    try:
        reader.read()
    except yaml.MarkedYAMLError as error:
        document.add(_syntax_place(error), (), _syntax_sentence(error))
        raise PolicyMistakes(document.mistakes) from error
    return document


def _syntax_place(error: yaml.MarkedYAMLError) -> Place:
    mark = error.context_mark if error.context == _IN_ALIAS else error.problem_mark or error.context_mark
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


def _syntax_sentence(error: yaml.MarkedYAMLError) -> str:
    if error.context == _IN_ALIAS:
        return "A `*` without quotes is an alias in YAML, and aliases are not taken. Put a pattern in quotes."
    if "'\\t'" in (error.problem or ""):
        return "A tab stands where YAML takes only spaces. Indent with spaces."
    why = " ".join(part for part in (error.context, error.problem) if part)
    return f"This is not YAML: {why}."


def _text_of(data: bytes, document: Document) -> str:
    if len(data) > LARGEST_FILE:
        raise _fatal(document, (1, 1), f"The file is larger than {LARGEST_FILE // 1024} KiB.")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start].decode()
        raise _fatal(document, _place_after(before), "This is not UTF-8. Save the file as UTF-8.") from error
    if found := UNSEEN.search(text):
        sentence = f"The character U+{ord(found[0]):04X} cannot be seen and is not taken. Remove it."
        raise _fatal(document, _place_after(text[: found.start()]), sentence)
    return text


def _place_after(before: str) -> Place:
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


def _fatal(document: Document, place: Place, sentence: str) -> PolicyMistakes:
    document.add(place, (), sentence)
    return PolicyMistakes(document.mistakes)


class _Reader:
    """Builds the tree from YAML's events, so that nothing is resolved, guessed or merged on the way."""

    def __init__(self, document: Document, events: Iterator[Any]) -> None:
        self._document = document
        self._events = events

    def read(self) -> None:
        """Read the one document there may be."""
        next(self._events)  # the stream's start
        event = next(self._events)
        if isinstance(event, yaml.StreamEndEvent):
            raise _fatal(self._document, (1, 1), "The file is empty, so it would deny everything. Write a policy.")
        if event.version or event.tags:
            self._document.add(_place(event), (), "`%` directives are not taken. Remove the line.")
        self._document.tree = self._value(next(self._events), ())
        next(self._events)  # the document's end
        event = next(self._events)
        if isinstance(event, yaml.DocumentStartEvent):
            sentence = "A second document starts here; only one is taken. Remove the `---` and what follows."
            raise _fatal(self._document, _place(event), sentence)

    def _value(self, event: Any, path: Path) -> Tree:
        place = _place(event)
        self._document.values[path] = place
        if len(path) > DEEPEST:
            raise _fatal(self._document, place, f"Nothing in a policy is nested deeper than {DEEPEST} levels.")
        self._check_borrowing(event, path)
        match event:
            case yaml.MappingStartEvent():
                return self._mapping(path)
            case yaml.SequenceStartEvent():
                return self._list(path)
            case yaml.ScalarEvent():
                return Scalar(text=event.value, plain=event.implicit[0])
            case _:  # an alias
                return Scalar(text="", plain=True)

    def _check_borrowing(self, event: Any, path: Path) -> None:
        place = _place(event)
        if isinstance(event, yaml.AliasEvent):
            self._document.aliases.add(path)
            self._document.faulty.add(path)
            self._document.add(place, path, f"The alias `*{event.anchor}` is not taken. Write the value out here.")
            return
        if event.anchor is not None:
            self._document.add(place, path, f"The anchor `&{event.anchor}` is not taken. Remove it.")
        if event.tag is not None:
            self._document.add(place, path, f"The tag {quoted(event.tag)} is not taken. Remove it.")

    def _list(self, path: Path) -> list[Tree]:
        items: list[Tree] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._value(event, (*path, len(items))))
        return items

    def _mapping(self, path: Path) -> dict[str, Tree]:
        entries: dict[str, Tree] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._key(event, path)
            inner = (*path, key)
            if key in entries:
                first = self._document.keys[inner][0]
                sentence = f"{quoted(key)} is given twice; the first is on line {first}. Keep one of them."
                self._document.add(_place(event), inner, sentence)
                self._value(next(self._events), (*path, f"{key} (again)"))
            elif _is_refused(event):
                self._value(next(self._events), inner)
            else:
                self._document.keys[inner] = _place(event)
                entries[key] = self._value(next(self._events), inner)
        return entries

    def _key(self, event: Any, path: Path) -> str:
        place = _place(event)
        if not isinstance(event, yaml.ScalarEvent):
            raise _fatal(self._document, place, "A key is a single word, not a list, a mapping or an alias.")
        key: str = event.value
        self._check_borrowing(event, (*path, key))
        if _is_refused(event):
            sentence = "The merge key `<<` is not taken. Write the entries out here." if key else "A key has no name."
            self._document.add(place, path, sentence)
        return key


def _is_refused(event: Any) -> bool:
    return not event.value or (event.value == "<<" and event.implicit[0])


def _place(event: Any) -> Place:
    return event.start_mark.line + 1, event.start_mark.column + 1
