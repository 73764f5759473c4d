"""One word for one thing: no class name twice in the product, and every noun of the rules in the glossary."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
GLOSSARY = ROOT / "docs" / "glossary.md"
NOUNS = ("agents", "audit", "change", "identity", "limits", "policy", "presentation", "verbs", "workflow")
"""The rooms of the rules in which nouns live; ports and use cases are named by what they do."""

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


def words_of(name: str) -> str:
    """Return a class name as the words that it is made of."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()


def explained() -> frozenset[str]:
    """Return the words that the glossary explains: those of its first column."""
    rows = [line.split("|")[1] for line in GLOSSARY.read_text().splitlines() if line.startswith("| ")]
    return frozenset(word.strip().lower() for row in rows for word in row.split(","))


def test_no_class_name_is_defined_twice():
    """Whoever reads a name knows which thing it is, without looking where it was imported from."""
    places = defaultdict(list)
    for name, path in classes("approvals", "models", "bot"):
        places[name].append(path)

    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_every_noun_of_the_rules_is_in_the_glossary():
    """A public class of the rules is a word that people use; what it means here is written down in one place."""
    rooms = [f"approvals/{room}" for room in NOUNS if (ROOT / "approvals" / room).is_dir()]
    known = explained()

    lacking = {words_of(name): path for name, path in classes(*rooms) if not name.startswith("_")}

    assert {word: path for word, path in lacking.items() if word not in known} == {}


def test_words_that_are_not_the_fields_name_no_class():
    """The field's words come first; a picture is not a name."""
    used = {name: path for name, path in classes("approvals", "models", "bot") if name.strip("_") in OUT}

    assert used == {}
