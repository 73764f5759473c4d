"""Words: the single values at like places of a file, whether or not what stands around them is sound.

A misspelt name is told also where its entry has a fault of another kind; so whoever looks names up reads them here, and not in
shapes, of which a faulty entry has none.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from models.policy.mistakes import Path
from models.policy.reading import Document, Scalar, Tree

ANY: Final = None
"""Every key of a mapping, every place of a list."""

Way = tuple[str | int | None, ...]
"""A path with :data:`ANY` for some of its steps."""


def words_at(document: Document, *way: str | int | None) -> Iterator[tuple[Path, str]]:
    """Yield path and text of every single value at *way*, in the file's order; those that are faulty themselves left out."""
    for path, found in entries_at(document, *way):
        if isinstance(found, Scalar) and path not in document.faulty:
            yield path, found.text


def entries_at(document: Document, *way: str | int | None) -> Iterator[tuple[Path, Tree]]:
    """Yield path and content of everything at *way*, in the file's order."""
    yield from _below((), document.tree, way)


def _below(path: Path, tree: Tree, way: Way) -> Iterator[tuple[Path, Tree]]:
    if not way:
        yield path, tree
        return
    for step, inner in _steps(tree):
        if way[0] is ANY or way[0] == step:
            yield from _below((*path, step), inner, way[1:])


def _steps(tree: Tree) -> Iterable[tuple[str | int, Tree]]:
    if isinstance(tree, dict):
        return tree.items()
    return enumerate(tree) if isinstance(tree, list) else ()
