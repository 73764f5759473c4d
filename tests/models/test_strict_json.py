"""Strict JSON has one reading or none."""

import json
import time
import tracemalloc
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from models.payloads.strict_json import DEEPEST, MOST_KEYS, Unreadable, parse, pointer

REFUSED = {
    "a key twice": (b'{"verb": "scale", "verb": "restart"}', "duplicate_key", "/verb"),
    "a key twice, once escaped": (b'{"a": [0, {"x~/y": 1, "\\u0078~/y": 2}]}', "duplicate_key", "/a/1/x~0~1y"),
    "NaN": (b'{"confidence": NaN}', "not_a_number", "/confidence"),
    "Infinity": (b"[1, Infinity]", "not_a_number", "/1"),
    "minus Infinity": (b"[-Infinity]", "not_a_number", "/0"),
    "1e400": (b'{"confidence": 1e400}', "number_too_large", "/confidence"),
    "an exponent that Decimal refuses": (b"[1e99999999999999999999]", "number_too_large", "/0"),
    "a number smaller than anything measured": (b"[1e-31]", "number_too_large", "/0"),
    "a fraction that does not end": (b"[0." + b"3" * 39 + b"]", "number_too_large", "/0"),
    "20 digits": (b"[12345678901234567890]", "number_too_large", "/0"),
    "minus and 20 digits": (b"[-12345678901234567890]", "number_too_large", "/0"),
    "5,000 digits": (b'{"replicas": ' + b"9" * 5000 + b"}", "number_too_large", "/replicas"),
    "200,000 open brackets": (b"[" * 200_000, "too_deep", None),
    "100,000 nested lists": (b"[" * 100_000 + b"]" * 100_000, "too_deep", None),
    "40,000 nested objects": (b'{"a":' * 40_000, "too_deep", None),
    "one level too many": (b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1), "too_deep", None),
    "half a surrogate pair": (b'{"rationale": "\\ud800"}', "lone_surrogate", "/rationale"),
    "half a surrogate pair in a key": (b'{"parameters": {"\\udfff": 1}}', "lone_surrogate", "/parameters"),
    "a surrogate written in UTF-8": (b'"\xed\xa0\x80"', "not_utf8", None),
    "NUL, escaped": (b'{"rationale": "a\\u0000b"}', "nul", "/rationale"),
    "NUL, raw": (b'{"rationale": "a\0b"}', "nul", None),
    "UTF-16 with its mark": ('{"a": 1}'.encode("utf-16"), "not_utf8", None),
    "UTF-16, little end first": ('{"a": 1}'.encode("utf-16-le"), "not_utf8", None),
    "UTF-16, big end first": ('{"a": 1}'.encode("utf-16-be"), "not_utf8", None),
    "UTF-32": ('{"a": 1}'.encode("utf-32-be"), "not_utf8", None),
    "Latin-1": (b'"\xe9"', "not_utf8", None),
    "a byte order mark": (b"\xef\xbb\xbf{}", "bom", None),
    "two values": (b"{} {}", "not_json", None),
    "a comma too many": (b'{"a": 1,}', "not_json", None),
    "a comment": (b"// yes\n{}", "not_json", None),
    "a leading zero": (b"[012]", "not_json", None),
    "single quotes": (b"{'a': 1}", "not_json", None),
    "a raw line break in a text": (b'"a\nb"', "not_json", None),
    "nothing": (b"", "not_json", None),
    "spaces only": (b" " * 200_000, "not_json", None),
    "quotes that never close": (b'"' + b'\\"' * 100_000, "not_json", None),
    "quotes without end": (b'"' * 200_000, "not_json", None),
    "backslashes without end": (b'"' + b"\\" * 200_001, "not_json", None),
    "a key 4,000 times": (b"{" + b",".join([b'"a":0'] * 4000) + b"}", "duplicate_key", "/a"),
    "too many keys": (json.dumps(dict.fromkeys(map(str, range(MOST_KEYS + 1)))).encode(), "too_many_keys", ""),
}


@pytest.mark.parametrize(("data", "code", "field"), REFUSED.values(), ids=REFUSED.keys())
def test_whatever_has_two_readings_is_refused_at_once(data, code, field):
    """T-AUTH-09: each is refused with its code and pointer, within 50 ms of work, however busy the machine is."""
    tries = [timed_refusal(data) for _ in range(3)]

    assert {(refused.code, refused.field) for refused, _ in tries} == {(code, field)}
    assert min(seconds for _, seconds in tries) < 0.050


def timed_refusal(data):
    """Return how *data* is refused, and how many seconds of this thread's time that took."""
    started = time.thread_time()
    with pytest.raises(Unreadable) as caught:
        parse(data)
    return caught.value, time.thread_time() - started


def test_deep_nesting_costs_no_memory():
    """T-AUTH-09: refusing 200,000 brackets needs a few copies of them and no more."""
    data = b"[" * 200_000
    tracemalloc.start()

    with pytest.raises(Unreadable):
        parse(data)

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * len(data)


def test_a_sentence_repeats_nothing_from_outside():
    """A refusal's sentence is made of our words: what came in may be hostile to whoever reads it."""
    with pytest.raises(Unreadable) as duplicate:
        parse(b'{"<!channel>": 1, "<!channel>": 2}')
    with pytest.raises(Unreadable) as syntax:
        parse(b'{\n  "a": <!channel>}')

    assert duplicate.value.sentence == "The same key is given twice in one object."
    assert syntax.value.sentence == "The body is not JSON; see line 2, column 8."


def test_an_overlong_key_is_cut_in_the_pointer():
    """A pointer stays short however long the stranger's keys are."""
    assert pointer(("a", 3, "k" * 65)) == "/a/3/" + "k" * 64 + "..."
    assert pointer(("k" * 64,)) == "/" + "k" * 64
    assert pointer(()) == ""


def test_the_deepest_and_the_longest_are_still_taken():
    """The bounds include their ends."""
    nested = b"[" * DEEPEST + b"]" * DEEPEST
    keys = dict.fromkeys(map(str, range(MOST_KEYS)))

    assert json.dumps(parse(nested)).encode() == nested
    assert parse(b"[9999999999999999999, -9999999999999999999]") == [9999999999999999999, -9999999999999999999]
    assert parse(b"[1e18, 1e-30, 0.1, -0.5]") == [Decimal("1e18"), Decimal("1e-30"), Decimal("0.1"), Decimal("-0.5")]
    assert parse(json.dumps(keys).encode()) == keys


def test_brackets_in_texts_nest_nothing():
    """Depth is counted outside texts, whatever they escape."""
    text = '[{"\\' * 100

    assert parse(json.dumps([text]).encode()) == [text]


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
NUMBERS = st.integers(-(10**19) + 1, 10**19 - 1) | st.decimals(-1000, 1000, places=6)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXTS, inner, max_size=5),
    max_leaves=20,
)


def written(value, *, escaped):
    """Return *value* as JSON text, Decimals as they are."""
    match value:
        case Decimal():
            return format(value, "f")
        case list():
            return "[" + ", ".join(written(item, escaped=escaped) for item in value) + "]"
        case dict():
            pairs = (
                f"{json.dumps(key, ensure_ascii=escaped)}:{written(item, escaped=escaped)}"
                for key, item in value.items()
            )
            return "{" + ",\n".join(pairs) + "}"
        case _:
            return json.dumps(value, ensure_ascii=escaped)


@given(VALUES, st.booleans())
def test_what_is_written_is_read(value, escaped):
    """Any value within the bounds comes back equal and of the same types, escaped or not."""
    got = parse(written(value, escaped=escaped).encode())

    assert got == value
    assert repr(got) == repr(value)


@given(st.binary(max_size=200) | st.text('[]{}",:\\u0e1-.ntf \n', max_size=60).map(str.encode))
def test_nothing_is_taken_that_another_reader_refuses(data):
    """Strictness only narrows: what is taken, Python's own reader takes, and reads alike but for exact fractions."""
    try:
        value = parse(data)
    except Unreadable:
        return

    assert json.loads(data, parse_float=Decimal) == value


ESCAPES = [r"\ud83d", r"\uDE00", r"\udc00", r"\uD83D\ude00", r"\u0000", r"\u00e9", r"\\", r"\\u0000", r"\n", r"\/"]
PIECES = st.lists(st.sampled_from([*ESCAPES, "a", "é", "😀", "u0000"]), max_size=6).map("".join)


@given(PIECES, st.booleans())
@example(r"\\ud83d\udc00", False)
@example(r"\ud83d\ud83d\udc00", False)
@example(r"\ud83d\udc00\udc00", True)
def test_whatever_an_escape_hides_is_found(piece, is_key):
    """NUL and half a pair come by an escape: whatever stands beside it, in text or key, it is refused, and no other is."""
    data = f'{{"{piece}": 1}}' if is_key else f'["{piece}"]'
    (text,) = json.loads(data)
    halves = [unit for unit in text if "\ud800" <= unit <= "\udfff"]
    expected = "nul" if "\0" in text else "lone_surrogate" if halves else None

    try:
        parse(data.encode())
    except Unreadable as refusal:
        found: str | None = refusal.code
    else:
        found = None

    assert found == expected
