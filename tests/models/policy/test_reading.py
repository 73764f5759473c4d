"""YAML has one reading here, or none: what a person reads is what the program reads."""

from decimal import Decimal

import pytest

from models.policy.file import load_policy
from models.policy.reading import LARGEST_FILE, Scalar, read_document
from tests.models.policy.texts import BASE, changed, mistakes_in

BORROWED = {
    "a key given twice": (
        changed(("limits:\n", "people:\n  eve: [T0LOCAL:U0EVE]\nlimits:\n")),
        ["27:1: people: `people` is given twice; the first is on line 3. Keep one of them."],
    ),
    "a key given twice, once in quotes": (
        changed(("    unit: share\n", "    unit: share\n    'unit': cores\n")),
        ["31:5: limits.cpu.unit: `unit` is given twice; the first is on line 30. Keep one of them."],
    ),
    "mistakes inside what is given twice": (
        changed(("    unit: share\n", "    unit: share\n    unit: &u cores\n")),
        [
            "31:5: limits.cpu.unit: `unit` is given twice; the first is on line 30. Keep one of them.",
            "31:11: limits.cpu.unit (again): The anchor `&u` is not taken. Remove it.",
        ],
    ),
    "an anchor": (
        changed(("[ops, dba]", "&both [ops, dba]")),
        ["13:14: pausing.may_pause: The anchor `&both` is not taken. Remove it."],
    ),
    "an anchor and its alias": (
        changed(("[ops, dba]", "&all [ops]"), ("may_resume: [ops]", "may_resume: *all")),
        [
            "13:14: pausing.may_pause: The anchor `&all` is not taken. Remove it.",
            "14:15: pausing.may_resume: The alias `*all` is not taken. Write the value out here.",
        ],
    ),
    "an anchor on a key": (
        changed(("  cpu:", "  &c cpu:")),
        ["28:3: limits.cpu: The anchor `&c` is not taken. Remove it."],
    ),
    "a merge key": (
        changed(("    unit: share\n", "    <<: {unit: share}\n    unit: cores\n")),
        ["30:5: limits.cpu: The merge key `<<` is not taken. Write the entries out here."],
    ),
    "a tag": (
        changed(("quorum: 1", "quorum: !!int '1'")),
        [
            "38:15: rules[0].ask.quorum: A whole number is wanted here, without quotes, not `1`.",
            "38:15: rules[0].ask.quorum: The tag `tag:yaml.org,2002:int` is not taken. Remove it.",
        ],
    ),
    "a tag that asks for code": (
        changed(("    unit: share", "    unit: !!python/name:os.system share")),
        ["30:11: limits.cpu.unit: The tag `tag:yaml.org,2002:python/name:os.system` is not taken. Remove it."],
    ),
    "a directive": (
        b"%YAML 1.1\n---\n" + BASE.encode(),
        ["1:1: `%` directives are not taken. Remove the line."],
    ),
    "a second document": (
        BASE.encode() + b"---\nversion: 1\n",
        ["40:1: A second document starts here; only one is taken. Remove the `---` and what follows."],
    ),
    "a wildcard without quotes": (
        changed(("{environments: [demo]}", "{environments: [*]}")),
        ["34:28: A `*` without quotes is an alias in YAML, and aliases are not taken. Put a pattern in quotes."],
    ),
    "a tab": (
        changed(("    zone: Europe/Berlin", "\tzone: Europe/Berlin")),
        ["18:1: A tab stands where YAML takes only spaces. Indent with spaces."],
    ),
    "a bracket that does not close": (
        changed(("[ops, dba]", "[ops, dba")),
        ["14:13: This is not YAML: while parsing a flow sequence expected ',' or ']', but got ':'."],
    ),
    "a list as key": (
        changed(("  cpu:", "  ? [cpu]\n  :")),
        ["28:5: A key is a single word, not a list, a mapping or an alias."],
    ),
    "an empty key": (changed(("  cpu:", "  '':")), ["28:3: limits: A key has no name."]),
    "eleven levels": (
        changed(("{demo: [shop]}", "{demo: [[[[[[[[shop]]]]]]]]}")),
        ["25:31: Nothing in a policy is nested deeper than 10 levels."],
    ),
    "nothing": (b"", ["1:1: The file is empty, so it would deny everything. Write a policy."]),
    "comments only": (b"# later\n", ["1:1: The file is empty, so it would deny everything. Write a policy."]),
    "an empty document": (b"---\n", ["2:1: A policy is a mapping that starts with `version: 1`."]),
    "a list": (b"- version: 1\n", ["1:1: A policy is a mapping that starts with `version: 1`."]),
    "too much": (BASE.encode() + b"#" * LARGEST_FILE, ["1:1: The file is larger than 256 KiB."]),
    "Latin-1": (
        changed(("Keeps the shop fast.", "Hält")).replace("ä".encode(), b"\xe4"),
        ["22:15: This is not UTF-8. Save the file as UTF-8."],
    ),
    "a byte order mark": (
        b"\xef\xbb\xbf" + BASE.encode(),
        ["1:1: The character U+FEFF cannot be seen and is not taken. Remove it."],
    ),
    "UTF-16": (BASE.encode("utf-16-le"), ["1:2: The character U+0000 cannot be seen and is not taken. Remove it."]),
    "text that turns its direction": (
        changed(("charter: Keeps", "charter: \u202eKeeps")),
        ["22:14: The character U+202E cannot be seen and is not taken. Remove it."],
    ),
    "a line break that editors do not show": (
        changed(("Keeps the shop fast.", "Keeps\u2028the shop fast.")),
        ["22:19: The character U+2028 cannot be seen and is not taken. Remove it."],
    ),
    "half a character written as escape": (
        changed(("Keeps the shop fast.", '"Keeps\\ud800fast."')),
        ["22:14: agents.scaler.charter: The character U+D800 cannot be seen and is not taken. Remove it."],
    ),
    "a turn of direction written as escape": (
        changed(("Keeps the shop fast.", '"Keeps\\u202efast."')),
        ["22:14: agents.scaler.charter: The character U+202E cannot be seen and is not taken. Remove it."],
    ),
    "a control character written as escape": (
        changed(("Keeps the shop fast.", '"Keeps\\0fast."')),
        ["22:14: agents.scaler.charter: The character U+0000 cannot be seen and is not taken. Remove it."],
    ),
}


@pytest.mark.parametrize(("data", "expected"), BORROWED.values(), ids=BORROWED.keys())
def test_what_could_be_read_otherwise_is_refused(data, expected):
    """T-TOC-08: duplicate keys, anchors, aliases, merge keys, tags, hidden characters, second documents: each with its place."""
    assert mistakes_in(data) == expected


def test_a_scalar_stays_the_text_that_stands_there():
    """T-TOC-08: nothing is guessed from looks; a field says what it wants."""
    document = read_document(b"[no, on, 012, 09:00, 2026-11-21, 1e3, ~, 'no', '']")

    assert document.tree == [
        Scalar(text="no", plain=True),
        Scalar(text="on", plain=True),
        Scalar(text="012", plain=True),
        Scalar(text="09:00", plain=True),
        Scalar(text="2026-11-21", plain=True),
        Scalar(text="1e3", plain=True),
        Scalar(text="~", plain=True),
        Scalar(text="no", plain=False),
        Scalar(text="", plain=False),
    ]


def test_texts_that_look_like_other_things_stay_texts():
    """T-TOC-08: a namespace may be called ``no``, a unit ``012`` and a reason be a date, quoted or not."""
    policy = load_policy(
        changed(
            ("{demo: [shop]}", "{no: [no, on, y, '012']}"),
            ("  demo:\n", "  no:\n"),
            ("{environments: [demo]}", "{environments: [no]}"),
            ("    unit: share", "    unit: 012"),
            ("    description: Room for one lost node.", "    description: 2026-11-21"),
        )
    )

    assert policy.charters["scaler"].namespaces == {"no": frozenset({"no", "on", "y", "012"})}
    assert set(policy.environments) == {"no"}
    assert (policy.limits["cpu"].unit, policy.limits["cpu"].description) == ("012", "2026-11-21")
    assert policy.limits["cpu"].ceiling == Decimal("0.80")


def test_a_place_is_known_for_every_value_and_key():
    """Line and column count from 1, whatever the style."""
    document = read_document(b"a:\n  - b: {c: d}\n")

    assert document.values == {
        (): (1, 1),
        ("a",): (2, 3),
        ("a", 0): (2, 5),
        ("a", 0, "b"): (2, 8),
        ("a", 0, "b", "c"): (2, 12),
    }
    assert document.keys == {("a",): (1, 1), ("a", 0, "b"): (2, 5), ("a", 0, "b", "c"): (2, 9)}
    assert document.place(("a", 0, "x", "y")) == (2, 5)
    assert document.place(("a",), key=True) == (1, 1)
