"""Markdown has one sentence a line, so that a change of one sentence is a change of one line."""

import re
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in (".", "docs", "docs/adr", "deploy", "benchmarks", "sandbox/devcluster")
    for path in (ROOT / folder).glob("*.md")
)
FENCE = re.compile(r"^\s*(```|~~~)")
NO_PROSE = re.compile(r"^\s*($|#|\||<|---|===|\[[^\]]+\]: |!\[)")
"""Blank lines, headings, tables, HTML, rules, link targets and pictures."""
ITEM = re.compile(r"^\s*(?:[-*]|\d+\.)\s")
CODE = re.compile(r"`[^`]*`")
END = re.compile(r"(?<!\be\.g)(?<!\bi\.e)(?<!\bvs)(?<!^\d)(?<!\*\d)[.!?][\"”)*_]*\s+(?=[\"“(*_\[`]*[A-Z0-9/`])")
CLOSED = re.compile(r"[.!?:;,][\"”)*_]*$|\|$")


def prose(text: str) -> list[tuple[int, str]]:
    """Return the lines of prose with their numbers, code and names inside them blanked."""
    lines, fenced = [], False
    for number, line in enumerate(text.splitlines(), start=1):
        if FENCE.match(line):
            fenced = not fenced
        elif not fenced and not NO_PROSE.match(line):
            lines.append((number, CODE.sub(lambda found: "`" + "x" * (len(found[0]) - 2) + "`", line)))
    return lines


def faults(text: str) -> list[str]:
    """Return what is wrong, by line: two sentences on one, or a sentence that goes on on the next."""
    lines = prose(text)
    two = [f"line {number} holds two sentences" for number, line in lines if END.search(ITEM.sub("", line))]
    goes_on = [
        f"line {number} goes on on the next one"
        for (number, line), (following, after) in pairwise(lines)
        if following == number + 1 and not ITEM.match(after) and not CLOSED.search(line.rstrip())
    ]
    return two + goes_on


@pytest.mark.parametrize("page", PAGES)
def test_a_line_holds_one_sentence(page):
    """Each sentence of a paragraph or an item of a list begins a line and ends on it."""
    assert faults((ROOT / page).read_text()) == []


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("One. Two.", ["line 1 holds two sentences"]),
        ("One goes\non here.", ["line 1 goes on on the next one"]),
        ("One.\nTwo, e.g. `a. B` and 3.5 s.\n- an item\n- another\n\n```\nA. B.\n```\n| A. B. |", []),
    ],
)
def test_the_look_sees_what_it_is_for(text, wrong):
    """Two on a line and one on two lines are found; abbreviations, code, tables and items are none of them."""
    assert faults(text) == wrong
