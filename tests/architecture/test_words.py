"""One word for one thing: no class name twice in the product, and the field's words for its things."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
OUT = {
    *("Archive", "Ballot", "Bench", "Book", "Court", "Desk", "Exhibit", "Grounds", "Holding", "Lane", "Mark", "Office"),
    *("Panel", "Plea", "Stage", "Stake", "Standing", "Town", "Said", "Told", "Seen", "Asked", "Given"),
}
"""Words that the field does not use for these things."""


def classes(*folders: str) -> Iterator[tuple[str, str]]:
    """Yield name and file of every class under *folders*."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ClassDef):
                    yield node.name, str(path.relative_to(ROOT))


def test_no_class_name_is_defined_twice():
    """Whoever reads a name knows which thing it is, without looking where it was imported from."""
    places = defaultdict(list)
    for name, path in classes("approvals", "models", "bot"):
        places[name].append(path)

    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_words_that_are_not_the_fields_name_no_class():
    """The field's words come first; a picture is not a name."""
    used = {name: path for name, path in classes("approvals", "models", "bot") if name.strip("_") in OUT}

    assert used == {}
