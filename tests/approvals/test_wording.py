"""Wording: whatever may have been meant as a stop stops at least that, and nothing like *off* ever does."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.errors import NotEligible, Unavailable
from approvals.presentation.wording import (
    LONGEST_REASON,
    MOST_READ,
    NEVER,
    SEVERAL,
    STOPS,
    UNKNOWN_FORM,
    Stop,
    duration_of,
    never_stops,
    stop_of,
    storable,
    unpaused,
)
from approvals.workflow.pause import Scope, ScopeKind

ALL = Scope(kind=ScopeKind.ALL)
SCALER = Scope(kind=ScopeKind.AGENT, name="scaler")
SHOP = Scope(kind=ScopeKind.NAMESPACE, name="prod-eu-1/shop")
HALF_AN_HOUR = timedelta(minutes=30)

LIKE_ON = (
    *STOPS, "onn", "oon", "ob", "no", "in", "stp", "sotp", "stpo", "stoop", "stopp", "puase", "pasue", "paus", "pauze", "hatl",
    "hlat", "frezee", "freez", "all", "everything", "now", "agent:scaler", "namespace:prod-eu-1/shop", "ns:prod-eu-1/shop",
    "stop-everything", "on,all", "stop!now",
)  # fmt: skip
LIKE_OFF = (
    *NEVER, "of", "offf", "ofg", "0ff", "oof", "fof", "onff", "ofn", "off,all", "off-now", "resum", "rseume", "edn", "unpuase",
    "npause", "un-pause", "status?", "stauts", "unfreez", "not", "dont", "don't", "do", "is", "can", "what", "show", "go", "ok",
    "start", "continue", "cancel",
)  # fmt: skip
NOT_EITHER = ("x", "o", "n", "shrug", "pause_01JD0000000000000000000000", "u m", "o ff")

STOPPING = (
    "oh", "om", "0n", "no!", "non", "in", "an", "one", "own", "or", "ob", "oj", "ohn", "onm", "ion", "oo", "nn", "On.",
    "ON!!!", "on,", "on;", "(on)", "on\u2026", ":on", "/on", "-on", "--on", "\u2014on", "\u2022on", ">on", "`on`",
    "```on```", "*on*", "_on_", "~on~", "\uff2f\uff2e", "\uff4f\uff4e\uff0e", "\uff33\uff34\uff2f\uff30", "\u201con\u201d",
    "\u2018on\u2019", "'on'", "\xabstop\xbb", "\u201estop\u201c", "stop's", "stop\u2019", "on?", "stop?", "halt?", "[on]",
    "<on>", "on\\", "{on}", "o-n", "o.n", "\U0001f6d1stop", "stop\U0001f6d1", "on\U0001f6d1", ":stop:", "\u24de\u24dd",
    "\U0001d428\U0001d427", "\U0001d4fc\U0001d4fd\U0001d4f8\U0001d4f9", "\u014fn", "\xf8n", "\xf6n", "o\xf1", "\u043en",
    "s\u0442op", "paus\xe9", "pausa", "paude", "pase", "cause", "oause", "pauise", "halr", "haltt", "hault", "freze",
    "freexe", "srop", "dtop", "atop", "stoo", "stol", "top", "step", "shop", "st0p", "tsop", "stoppp", "stopstop", "ALL.",
    "NOW!", "stop-all", "on.agent:scaler", "on,agent:scaler", "on=all", "stop:agent:scaler", "stopall", "onall", "onon",
    "stopnow", "onagent:scaler", "pauseall", "freezeall", "stopagent",
)  # fmt: skip
"""Each stops everything."""

STOPPING_PHRASES = (
    "o n", "st op", "p ause", "> on", "\U0001f6d1 on", "on \U0001f6d1", "stop it", "stop please", "on off", "pause off",
    "on pause", "stop no", "an alle", "on prod", "on scaler", "on @scaler", "on *", "on -n prod", "on only agent:scaler",
    "on the agent:scaler", "on; drop table", "on\nall", "\xa0on", "\u3000on", "\u2028on", "\u202eon", "\u2067on\u2069",
    "o\u0338n", "\uff53\uff54\uff4f\uff50\u3000\uff41\uff4c\uff4c", "STOP STOP STOP",
)  # fmt: skip
"""Each stops everything, too."""

STOPPING_NOTHING = (
    "Off.", "of", "offf.", "\uff2f\uff26\uff26", "\u0151ff", "\xf6ff", "\xf8ff", "\u043eff", "off?", "0ff", "pff", "iff",
    "ogg", "odd", "ff", "offall", "onoff", "on/off", "offnow", "help!", "hlep", "hekp", "hepl", "--help", "-h", "h", "?",
    "??", "/?", "stat", "stats", "stauts", "staus", "Status.", "star", "strat", "list", "show", "start", "begin", "enable",
    "disable", "cancel", "kill", "abort", "hold", "wait", "quit", "ende", "enf", "edn", "fin", "finish", "lift", "release",
    "go", "continue", "contine", "restart", "undo", "clear", "free", "unfreeze", "defreeze", "unstop", "un-pause", "unpuase",
    "npause", "rseume", "spot", "inn", "aus", "\u0441\u0442\u043e\u043f", "\u0449\u0442", "1", "0", "y", "yes", "true",
    "prod>", "\U0001f6d1", ":octagonal_sign:", "allstop", "is",
)  # fmt: skip
"""None of these stops anything."""

ASKING_PHRASES = (
    "o ff", "off all", "off everything", "of all", "turn on", "turn off", "please stop", "do not stop", "don't stop",
    "never stop", "why stop", "what is on", "is it on", "is on?", "hold on", "go on", "help me", "un pause", "un freeze",
    "no stop", "no on", "emergency stop",
)  # fmt: skip
"""Nor does any of these: it says the opposite, asks, or begins with a word that is no slip of a stop."""


def _wide(word: str) -> str:
    return "".join(chr(ord(one) + 0xFEE0) if "!" <= one <= "~" else one for one in word)


dressed = st.sampled_from(
    [
        str, str.upper, str.title, _wide, "“{}”".format, "'{}'".format, "«{}»".format, "`{}`".format, "*{}*".format,
        "_{}_".format, "{}.".format, "{}!".format, "...{}…".format, "({})".format, "\ufeff{}".format, "{}\u200b".format,
        "\x00{}".format, "{}\ud800".format, "\u3164{}".format, "{}\u0301".format, " \u00a0{}\t".format, "{},".format,
        ":octagonal_sign: {}".format,
    ]
)  # fmt: skip
said_after = st.sampled_from(["", " the sale", " 30m", " please", " \x00\ud800", " " + "x" * 10_000])


@given(st.sampled_from(LIKE_ON), dressed, dressed, said_after)
def test_what_is_like_on_always_stops(word, dress, over, after):
    """Case, quotes, punctuation, full width, what draws nothing, and one slip: it stops, whatever comes after."""
    assert stop_of(over(dress(word)) + after) is not None


@pytest.mark.parametrize(
    "text", ["*:octagonal_sign: agent:scaler*", "* agent:scaler*", "*:octagonal_sign: agent:scaler* now"]
)
def test_what_is_bold_with_its_picture_stops_what_it_names(text):
    """The star at its end belongs to the one before the picture, and makes no pattern of the name."""
    stop = stop_of(text)

    assert stop is not None
    assert stop.scope == Scope(kind=ScopeKind.AGENT, name="scaler")


@given(st.sampled_from(LIKE_OFF), dressed, dressed, said_after)
def test_what_is_like_off_never_stops(word, dress, over, after):
    """What takes a stop back, asks, or is as close to either as to a stop stops nothing, whatever comes after."""
    assert stop_of(over(dress(word)) + after) is None


@pytest.mark.parametrize(
    "text", ["", " ", "?", "…", "\u200b", *NOT_EITHER, "no pause", "un pause", "non-stop", "dont stop"]
)
def test_what_says_too_little_or_something_else_stops_nothing(text):
    """A stop by mistake takes two people to undo, so what is no slip of one stops nothing, which the answer says."""
    assert stop_of(text) is None


@pytest.mark.parametrize("text", [*STOPPING, *STOPPING_PHRASES])
def test_a_slip_of_a_stop_stops_everything(text):
    """A neighbouring key, a stuck or stray space bar, a key held down, and every quote that a keyboard puts around it."""
    stop = stop_of(text)

    assert stop is not None
    assert stop.scope == ALL


@pytest.mark.parametrize("text", [*STOPPING_NOTHING, *ASKING_PHRASES])
def test_no_slip_of_its_opposite_stops(text):
    """Whoever asks, resumes or begins with another word must not stop everything by that."""
    assert stop_of(text) is None


@pytest.mark.parametrize(
    ("words", "remark"),
    [
        ("agent:scaler*", UNKNOWN_FORM),
        ("agent:*", UNKNOWN_FORM),
        ("ns:prod/sh*", UNKNOWN_FORM),
        ("ns:prod/*", UNKNOWN_FORM),
        ("ns:*/shop", UNKNOWN_FORM),
        ("<agent:scaler*>", UNKNOWN_FORM),
        *(
            (f"agent:a {joint} agent:b", SEVERAL)
            for joint in ("and", "plus", "or", "with", "also", "and also", "Plus", "&", "+")
        ),
        ("agent:a, agent:b", SEVERAL),
        ("agent:a with ns:prod", SEVERAL),
        ("agent:a plus agent:b*", SEVERAL),
    ],
)
def test_a_stop_is_never_smaller_than_what_was_typed(words, remark):
    """A name with a star, and every scope that a joining word adds: everything is stopped, and that is said."""
    assert stop_of(f"on {words}") == Stop(scope=ALL, reason=words, remark=remark)


@pytest.mark.parametrize(
    ("words", "reason"), [("with errors", "with errors"), ("or so it seems", "or so it seems"), ("and", ""), ("*", "")]
)
def test_a_joining_word_alone_makes_no_second_scope(words, reason):
    """It belongs to the reason where no scope comes after it."""
    assert stop_of(f"on agent:scaler {words}") == Stop(scope=SCALER, reason=reason)


def test_no_more_is_read_than_a_scope_can_need():
    """What stands behind the first 4,000 characters changes nothing, so it holds nobody's click up; spaces do not count."""
    assert MOST_READ == 4_000
    assert stop_of("on" + " \t\n" * 20_000 + "agent:scaler") == Stop(scope=SCALER)
    for full in ("on " + "x" * 3_997, "on " + ": " * 2_000, "?" * 4_000, "x " * 2_000, "\u0338" * 4_000):
        assert stop_of(full + " on agent:scaler off" * 10) == stop_of(full[:MOST_READ])


@given(st.text(max_size=40))
def test_any_text_is_read(text):
    """Nothing that can be typed is an error, and what is kept of it can be written down."""
    stop = stop_of(text)

    assert stop is None or stop.reason.encode() is not None


@pytest.mark.parametrize(
    ("text", "stop"),
    [
        ("on", Stop(scope=ALL)),
        ("on all", Stop(scope=ALL)),
        ("all", Stop(scope=ALL)),
        ("stop everything 30m now", Stop(scope=ALL, duration=HALF_AN_HOUR, reason="now")),
        ("on Agent:SCALER.", Stop(scope=SCALER)),
        ("on “agent:scaler”, 30 min", Stop(scope=SCALER, reason="30 min")),
        ("on agent:scaler 30min it misbehaves", Stop(scope=SCALER, duration=HALF_AN_HOUR, reason="it misbehaves")),
        ("on 30m agent:scaler", Stop(scope=SCALER, duration=HALF_AN_HOUR)),
        ("on agent:scaler 30m 1h", Stop(scope=SCALER, duration=HALF_AN_HOUR, reason="1h")),
        ("on agent:scaler - https://grafana/x", Stop(scope=SCALER, reason="https://grafana/x")),
        ("on agent:scaler agent:scaler", Stop(scope=SCALER)),
        ("on namespace:prod-eu-1/shop", Stop(scope=SHOP)),
        ("ns:prod-eu-1/shop", Stop(scope=SHOP)),
        ("on all agent:scaler", Stop(scope=ALL)),
        ("on the sale", Stop(scope=ALL, reason="the sale")),
        ("on\u200ball", Stop(scope=ALL)),
        ("on a\x00b\ud800", Stop(scope=ALL, reason="a b")),
        ("on 10:30 it began", Stop(scope=ALL, reason="10:30 it began")),
        ("on agent:scaler and ns:prod-eu-1/shop", Stop(scope=ALL, reason="agent:scaler and ns:prod-eu-1/shop", remark=SEVERAL)),
        ("on agent:scaler ns=shop", Stop(scope=ALL, reason="agent:scaler ns=shop", remark=SEVERAL)),
    ],
)  # fmt: skip
def test_a_stop_is_read_as_typed(text, stop):
    """A scope and a time in either order, then the reason; two scopes stop everything."""
    found = stop_of(text)

    assert found is not None
    assert (found.scope, found.duration, found.remark) == (stop.scope, stop.duration, stop.remark)
    assert "".join(found.reason.split()) == "".join(stop.reason.split())


@pytest.mark.parametrize(
    "words",
    [
        "namespace:prod", "ns:prod", "ns:", "namespace:a/b/c", "agent:", "agent: scaler", "agent scaler", "agnet:scaler",
        "prod-eu-1/shop", "env=prod", "environment:prod", "agent:a,agent:b", "agent:a_b", "Namespace prod-eu-1/shop", "only shop",
    ],
)  # fmt: skip
def test_a_scope_of_another_form_stops_everything_and_says_so(words):
    """It may mean more than can be known, so at least that is stopped; the words stay as the reason."""
    assert stop_of(f"on {words}") == Stop(scope=ALL, reason=words, remark=UNKNOWN_FORM)


@pytest.mark.parametrize(
    ("word", "duration"),
    [
        ("90s", timedelta(seconds=90)),
        ("30M.", HALF_AN_HOUR),
        ("30minutes", HALF_AN_HOUR),
        ("\uff12h", timedelta(hours=2)),
        ("1day", timedelta(days=1)),
        ("99999d", timedelta(days=7)),
        ("0m", None),
        ("30", None),
        ("m", None),
        ("1e3m", None),
    ],
)
def test_a_time_has_a_unit_and_is_a_week_at_most(word, duration):
    """A longer one is a week: the resume is asked for earlier, and the stop goes on all the same."""
    assert duration_of(word) == duration


def test_a_reason_is_kept_as_far_as_it_can_be():
    """Halves of characters are shown as such, NUL and other controls left out, lines kept, and one paragraph is enough."""
    assert storable("a\x00b\x1b[31m\nc\td\ud800e") == "ab[31m\nc\td\ufffde"
    assert storable("x" * 10_000) == "x" * LONGEST_REASON


def test_nothing_typed_asks():
    """No words at all are no stop."""
    assert never_stops([]) is True


def test_a_refused_stop_says_first_that_nothing_was_paused():
    """Where the reply of the store may have been all that was lost, it says that this is not certain."""
    no, busy, lost = NotEligible("You may not."), Unavailable("Too much.", code="busy"), Unavailable("Lost.")

    assert [unpaused(one) for one in (no, busy, lost)] == [
        "Nothing was paused. You may not.",
        "Nothing was paused. Too much.",
        (
            "Nothing was paused, as far as can be told. Lost. If it stays so, call whoever runs Countersign:"
            " `countersign status` says why."
        ),
    ]
    assert unpaused(lost, to_operator=True) == "Nothing was paused, as far as can be told. Lost."
    assert unpaused(NotEligible("Nothing was paused: so it is.")) == "Nothing was paused: so it is."
