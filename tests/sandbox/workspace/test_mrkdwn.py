"""Slack's markup: what each mark becomes, and that escaped or verbatim text can never become live."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.workspace.mrkdwn import live, parse, unescape


def _t(text):
    return {"t": "text", "s": text}


@pytest.mark.parametrize(
    ("text", "nodes"),
    [
        ("plain", [_t("plain")]),
        ("a\nb", [_t("a"), {"t": "br"}, _t("b")]),
        (
            "*b* and _i_ and ~s~",
            [
                {"t": "bold", "c": [_t("b")]},
                _t(" and "),
                {"t": "italic", "c": [_t("i")]},
                _t(" and "),
                {"t": "strike", "c": [_t("s")]},
            ],
        ),
        ("*a _b_*", [{"t": "bold", "c": [_t("a "), {"t": "italic", "c": [_t("b")]}]}]),
        ("2*3*4 snake_case_name", [_t("2*3*4 snake_case_name")]),
        ("* not bold *", [_t("* not bold *")]),
        ("`*c*`", [{"t": "code", "c": [_t("*c*")]}]),
        ("x ```a\n*b*``` y", [_t("x "), {"t": "pre", "c": [_t("a"), {"t": "br"}, _t("*b*")]}, _t(" y")]),
        ("&gt; said\n> so\nend", [{"t": "quote", "c": [_t("said"), {"t": "br"}, _t("so")]}, _t("end")]),
        ("<@U1|ada>", [{"t": "user", "id": "U1"}]),
        ("<!subteam^S1|@team>", [{"t": "group", "id": "S1"}]),
        ("<#C1|general>", [{"t": "channel", "id": "C1"}]),
        (
            "<!here> <!channel> <!everyone>",
            [
                {"t": "broadcast", "s": "here"},
                _t(" "),
                {"t": "broadcast", "s": "channel"},
                _t(" "),
                {"t": "broadcast", "s": "everyone"},
            ],
        ),
        (
            "<https://a.example/?x=1&amp;y=2|go &lt;on&gt;>",
            [{"t": "link", "url": "https://a.example/?x=1&y=2", "c": [_t("go <on>")]}],
        ),
        ("<javascript:alert(1)|x>", [_t("<javascript:alert(1)|x>")]),
        ("`<!channel>`", [{"t": "code", "c": [{"t": "broadcast", "s": "channel"}]}]),
        (
            "<!date^1700000000^{date} {time}|then>",
            [{"t": "date", "ts": 1700000000, "format": "{date} {time}", "fallback": "then"}],
        ),
        (
            "<!date^1^{date}^https://a.example/|x>",
            [{"t": "date", "ts": 1, "format": "{date}", "fallback": "x", "url": "https://a.example/"}],
        ),
        ("<!date^x^{date}|then>", [_t("<!date^x^{date}|then>")]),
        ("&lt;!channel&gt;", [_t("<!channel>")]),
        ("&amp;lt;", [_t("&lt;")]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_mark_becomes_its_node(text, nodes):
    """Slack's marks, tokens and escapes are read once, in Slack's way."""
    assert parse(text) == nodes


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("@here now", [("broadcast", "here")]),
        ("mail me@here.example", []),
        ("look at #general", [("channel", "#general")]),
        ("go to https://a.example/x?y=1, then", [("link", "https://a.example/x?y=1")]),
        ("http://[broken", []),
    ],
)
def test_bare_text_becomes_live_unless_it_is_verbatim(text, found):
    """Without verbatim a bare name or URL becomes the live thing; with it, never."""
    assert list(live(parse(text))) == found
    assert list(live(parse(text, bare_links=False, bare_names=False))) == []


@given(st.text())
def test_escaped_verbatim_text_is_never_live(text):
    """Whatever a stranger writes, three escapes and verbatim keep it dead."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

    assert list(live(parse(escaped, bare_links=False, bare_names=False))) == []


@given(st.text(alphabet="<>@!#*_~`|&; \nabchere^{}:/.\U000f0000"))
def test_any_text_can_be_read(text):
    """Reading always ends, and never makes a node that is not in the list."""
    kinds = {"text", "br", "bold", "italic", "strike", "code", "pre", "quote", "link", "user", "group"}
    kinds |= {"channel", "broadcast", "date"}

    def walk(nodes):
        for node in nodes:
            assert node["t"] in kinds
            walk(node.get("c", []))

    walk(parse(text))


@given(st.text())
def test_escaping_is_undone_exactly_once(text):
    """Unescaping is the inverse of Slack's three escapes."""
    assert unescape(text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")) == text
