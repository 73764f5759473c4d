"""Block Kit's limits and shapes, one by one: the exact edge passes, one step further is refused with its pointer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.workspace import Strictness
from sandbox.workspace.kit.rules import message_problems, too_large, view_problems
from tests.sandbox.workspace.support import (
    CHANNEL,
    actions,
    button,
    call,
    marked,
    modal,
    plain,
    reason,
    rich,
    running,
    section,
    story,
)

STRICT = Strictness()


def _option(value="a"):
    return {"text": plain("x"), "value": value}


def _select(**more):
    return {"type": "static_select", "action_id": "s", "options": [_option()], **more}


def _confirm(**more):
    return {"title": plain("t"), "text": marked("t"), "confirm": plain("y"), "deny": plain("n"), **more}


def _table(rows, **more):
    return {"type": "table", "rows": rows, **more}


def _cell(text="x"):
    return {"type": "raw_text", "text": text}


def _container(*children, **more):
    return {"type": "container", "title": plain("t"), "child_blocks": list(children) or [section()], **more}


def _context(count):
    return {"type": "context", "elements": [marked("x")] * count}


def _pre(text="x", **more):
    part = {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": text}], **more}
    return {"type": "rich_text", "elements": [part]}


FINE = [
    section("x" * 3_000),
    {"type": "section", "fields": [marked("x" * 2_000)] * 10},
    section(accessory=button()),
    section(accessory=_select()),
    section(accessory={"type": "image", "image_url": "https://example.org/a.png", "alt_text": "a"}),
    section(expand=True),
    {"type": "header", "text": plain("x" * 150)},
    {"type": "divider"},
    {"type": "image", "image_url": "https://example.org/a.png", "alt_text": "a", "title": plain("t")},
    _context(10),
    actions(*[button(f"b{number}") for number in range(25)]),
    actions(button(value="x" * 2_000, style="danger", confirm=_confirm(style="danger"), accessibility_label="x")),
    actions(button("x" * 255, visible_to_user_ids=["U0ADA"]) | {"text": plain("x" * 75)}),
    actions({"type": "static_select", "option_groups": [{"label": plain("g"), "options": [_option()]}]}),
    reason(multiline=True, min_length=1, max_length=3_000, focus_on_load=True, placeholder=plain("p")),
    rich({"type": "link", "url": "https://example.org", "text": "x"}, {"type": "user", "user_id": "U0ADA"}),
    rich({"type": "date", "timestamp": 1, "format": "{date}"}, {"type": "emoji", "name": "wave"}),
    rich({"type": "broadcast", "range": "here"}, {"type": "text", "text": "x", "style": {"bold": True}}),
    _pre("- a\n+ b", language="diff", border=0),
    {
        "type": "rich_text",
        "elements": [
            {
                "type": "rich_text_list",
                "style": "ordered",
                "indent": 1,
                "offset": 2,
                "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": "x"}]}],
            },
            {"type": "rich_text_quote", "elements": [{"type": "text", "text": "x"}]},
        ],
    },
    _table([[_cell()] * 20] * 100, column_settings=[{"align": "right", "is_wrapped": True}]),
    _table([[_cell(), rich(), {"type": "raw_number", "value": 1.5}]]),
    _container(*[section() for _ in range(10)], is_collapsible=True, default_collapsed=True, subtitle=marked("s")),
    _container(_table([[_cell()]]), width="full", has_header_divider=True),
    {"type": "container", "rich_text_title": rich(), "child_blocks": [section()]},
]


@pytest.mark.parametrize("block", FINE, ids=[f"{number} {block['type']}" for number, block in enumerate(FINE)])
def test_what_slack_accepts_is_accepted(block):
    """A block at the exact edge of every limit is no problem."""
    assert message_problems([block], STRICT) == []


LIMITS = [
    (section("x" * 3_001), "/blocks/0/text/text", "must be less than 3001 characters"),
    ({"type": "section", "fields": [marked("x")] * 11}, "/blocks/0/fields", "no more than 10 items allowed"),
    (
        {"type": "section", "fields": [marked("x" * 2_001)]},
        "/blocks/0/fields/0/text",
        "must be less than 2001 characters",
    ),
    ({"type": "header", "text": plain("x" * 151)}, "/blocks/0/text/text", "must be less than 151 characters"),
    (_context(11), "/blocks/0/elements", "no more than 10 items allowed"),
    (
        actions(*[button(f"b{number}") for number in range(26)]),
        "/blocks/0/elements",
        "no more than 25 items allowed",
    ),
    (
        actions(button() | {"text": plain("x" * 76)}),
        "/blocks/0/elements/0/text/text",
        "must be less than 76 characters",
    ),
    (actions(button(value="x" * 2_001)), "/blocks/0/elements/0/value", "must be less than 2001 characters"),
    (actions(button(url="x" * 3_001)), "/blocks/0/elements/0/url", "must be less than 3001 characters"),
    (actions(button("x" * 256)), "/blocks/0/elements/0/action_id", "must be less than 256 characters"),
    (section(block_id="x" * 256), "/blocks/0/block_id", "must be less than 256 characters"),
    (
        actions(button(confirm=_confirm(title=plain("x" * 101)))),
        "/blocks/0/elements/0/confirm/title/text",
        "must be less than 101 characters",
    ),
    (
        actions(button(confirm=_confirm(text=marked("x" * 301)))),
        "/blocks/0/elements/0/confirm/text/text",
        "must be less than 301 characters",
    ),
    (
        actions(button(confirm=_confirm(confirm=plain("x" * 31)))),
        "/blocks/0/elements/0/confirm/confirm/text",
        "must be less than 31 characters",
    ),
    (_table([[_cell()]] * 101), "/blocks/0/rows", "no more than 100 items allowed"),
    (_table([[_cell()] * 21]), "/blocks/0/rows/0", "no more than 20 items allowed"),
    (_container(*[section() for _ in range(11)]), "/blocks/0/child_blocks", "no more than 10 items allowed"),
    (_container() | {"title": plain("x" * 151)}, "/blocks/0/title/text", "must be less than 151 characters"),
    (
        actions(_select(options=[_option(str(number)) for number in range(101)])),
        "/blocks/0/elements/0/options",
        "no more than 100 items allowed",
    ),
]


@pytest.mark.parametrize(("block", "pointer", "text"), LIMITS, ids=[f"{text} {at}" for _, at, text in LIMITS])
def test_one_step_over_a_limit_is_refused(block, pointer, text):
    """Slack's limit is enforced where it is exceeded, and only the switch for limits forgives it."""
    assert f"[ERROR] {text} [json-pointer:{pointer}]" in message_problems([block], STRICT)
    assert message_problems([block], Strictness(block_limits=False)) == []


SHAPES = [
    ({"type": "carousel"}, "/blocks/0/type", "unsupported type: carousel"),
    ({"text": marked("x")}, "/blocks/0/type", "unsupported type: None"),
    ("words", "/blocks/0", "must be an object"),
    (section() | {"txt": "typo"}, "/blocks/0", "additional property: txt"),
    ({"type": "section"}, "/blocks/0", "missing required field: text or fields"),
    ({"type": "section", "text": plain("x") | {"verbatim": True}}, "/blocks/0/text", "additional property: verbatim"),
    ({"type": "section", "text": "x"}, "/blocks/0/text", "must be an object"),
    ({"type": "header", "text": marked("x")}, "/blocks/0/text/type", "unsupported type: mrkdwn"),
    (actions(button(style="green")), "/blocks/0/elements/0/style", "must be one of: primary, danger"),
    (actions(button() | {"text": marked("x")}), "/blocks/0/elements/0/text/type", "unsupported type: mrkdwn"),
    (actions({"type": "checkboxes"}), "/blocks/0/elements/0/type", "unsupported type: checkboxes"),
    (actions({"type": "image"}), "/blocks/0/elements/0/type", "unsupported type: image"),
    (
        actions(button(confirm={"title": plain("t")})),
        "/blocks/0/elements/0/confirm",
        "missing required field: confirm",
    ),
    (
        actions({"type": "static_select"}),
        "/blocks/0/elements/0",
        "exactly one of options, option_groups is required",
    ),
    (
        rich({"type": "text", "text": "x", "mrkdwn": True}),
        "/blocks/0/elements/0/elements/0",
        "additional property: mrkdwn",
    ),
    (rich({"type": "user", "id": "U1"}), "/blocks/0/elements/0/elements/0", "missing required field: user_id"),
    (_pre() | {"text": "x"}, "/blocks/0", "additional property: text"),
    (_table([[_cell()], [_cell(), _cell()]]), "/blocks/0/rows", "all rows must have the same number of cells"),
    (_container(_container()), "/blocks/0/child_blocks/0/type", "unsupported type: container"),
    (
        {"type": "container", "child_blocks": [section()]},
        "/blocks/0",
        "missing required field: title or rich_text_title",
    ),
    (_container(default_collapsed=True), "/blocks/0", "default_collapsed requires is_collapsible"),
    (
        _container(is_collapsible=True, has_header_divider=True),
        "/blocks/0",
        "has_header_divider cannot be set when is_collapsible is true",
    ),
    (section(expand="yes"), "/blocks/0/expand", "must be a boolean"),
    (_table([[{"type": "raw_number", "value": "1"}]]), "/blocks/0/rows/0/0/value", "must be a number"),
    (
        rich({"type": "date", "timestamp": "1", "format": "x"}),
        "/blocks/0/elements/0/elements/0/timestamp",
        "must be an integer",
    ),
    (
        actions(button() | {"text": {"type": "plain_text", "text": 1}}),
        "/blocks/0/elements/0/text/text",
        "must be a string",
    ),
    ({"type": "actions", "elements": {}}, "/blocks/0/elements", "must be an array"),
]


@pytest.mark.parametrize(("block", "pointer", "text"), SHAPES, ids=[f"{text} {at}" for _, at, text in SHAPES])
def test_what_slack_does_not_know_is_refused(block, pointer, text):
    """Unknown types, elements and fields, wrong types and missing fields are named; the switch forgives them."""
    assert f"[ERROR] {text} [json-pointer:{pointer}]" in message_problems([block], STRICT)
    assert message_problems([block], Strictness(block_shape=False)) == []


@pytest.mark.parametrize(
    ("block", "pointer"),
    [
        (section(""), "/blocks/0/text/text"),
        ({"type": "header", "text": plain("")}, "/blocks/0/text/text"),
        ({"type": "section", "fields": []}, "/blocks/0/fields"),
        ({"type": "actions", "elements": []}, "/blocks/0/elements"),
        (rich({"type": "text", "text": ""}), "/blocks/0"),
        ({"type": "rich_text", "elements": []}, "/blocks/0"),
        (_table([[_cell("")]]), "/blocks/0/rows/0/0/text"),
    ],
    ids=["section", "header", "fields", "actions", "rich text of nothing", "rich text", "cell"],
)
def test_empty_text_is_refused(block, pointer):
    """What the SDK's models let through empty, Slack refuses; the switch forgives it."""
    assert any(problem.endswith(f"[json-pointer:{pointer}]") for problem in message_problems([block], STRICT))
    assert message_problems([block], Strictness(block_empty_text=False)) == []


def test_ids_are_unique():
    """A block_id twice in a message, also inside a container, and an action_id twice in one block are refused."""
    twice = [section(block_id="b"), _container(section(block_id="b"))]
    same_action = [actions(button("a"), button("a"))]
    far_apart = [actions(button("a")), actions(button("a"))]

    assert message_problems(twice, STRICT) == [
        "[ERROR] duplicate block_id: b [json-pointer:/blocks/1/child_blocks/0/block_id]"
    ]
    assert message_problems(same_action, STRICT) == [
        "[ERROR] duplicate action_id: a [json-pointer:/blocks/0/elements/1/action_id]"
    ]
    assert message_problems(far_apart, STRICT) == []
    assert message_problems(twice + same_action, Strictness(block_unique_ids=False)) == []


def test_a_message_has_fifty_blocks_and_a_modal_a_hundred():
    """The number of blocks is limited by where they stand."""
    assert message_problems([{"type": "divider"}] * 50, STRICT) == []
    assert message_problems([{"type": "divider"}] * 51, STRICT) == [
        "[ERROR] no more than 50 items allowed [json-pointer:/blocks]"
    ]
    assert view_problems(modal(*[{"type": "divider"}] * 100), STRICT) == []
    assert view_problems(modal(*[{"type": "divider"}] * 101), STRICT) == [
        "[ERROR] no more than 100 items allowed [json-pointer:/view/blocks]"
    ]


VIEWS = [
    (modal(title=plain("x" * 25)), "must be less than 25 characters [json-pointer:/view/title/text]"),
    (modal(submit=plain("x" * 25)), "must be less than 25 characters [json-pointer:/view/submit/text]"),
    (modal(close=plain("x" * 25)), "must be less than 25 characters [json-pointer:/view/close/text]"),
    (modal(private_metadata="x" * 3_001), "must be less than 3001 characters [json-pointer:/view/private_metadata]"),
    (modal(callback_id="x" * 256), "must be less than 256 characters [json-pointer:/view/callback_id]"),
    (modal(type="home"), "must be one of: modal [json-pointer:/view/type]"),
    (modal(state={}), "additional property: state [json-pointer:/view]"),
    (modal(_table([[_cell()]])), "unsupported type: table [json-pointer:/view/blocks/0/type]"),
    (modal(_container()), "unsupported type: container [json-pointer:/view/blocks/0/type]"),
    (
        modal(section(block_id="b"), section(block_id="b")),
        "duplicate block_id: b [json-pointer:/view/blocks/1/block_id]",
    ),
    (
        {"type": "modal", "title": plain("t"), "blocks": [reason()]},
        "missing required field: submit [json-pointer:/view/submit]",
    ),
    ([], "must be an object [json-pointer:/view]"),
]


@pytest.mark.parametrize(("view", "problem"), VIEWS, ids=[problem for _, problem in VIEWS])
def test_what_no_modal_may_be(view, problem):
    """A modal's own limits, and the blocks that only messages may have."""
    assert f"[ERROR] {problem}" in view_problems(view, STRICT)


def test_a_view_may_have_250_kilobytes():
    """The size limit counts bytes."""
    assert not too_large({"x": "y" * 249_000})
    assert too_large({"x": "é" * 125_000})


_NAMES = st.sampled_from(
    ["type", "text", "elements", "fields", "block_id", "action_id", "child_blocks", "accessory", "rows", "style", "x"]
)
_KINDS = st.sampled_from(["section", "actions", "rich_text", "container", "table", "button", "plain_text", "mrkdwn"])
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | _KINDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=4),
    max_leaves=12,
)


@given(_JSON)
def test_no_value_breaks_the_checks(value):
    """Whatever stands where blocks or a view should, the answer is a list of problems or none, never an exception."""
    for problems in (message_problems(value, STRICT), message_problems([value], STRICT), view_problems(value, STRICT)):
        assert all(problem.startswith("[ERROR] ") for problem in problems)


@story
async def test_the_api_answers_with_pointers():
    """A refused message carries Slack's error and every problem, twice, as Slack writes them."""
    async with running() as workspace:
        answer = await call(
            workspace, "chat.postMessage", channel=CHANNEL, text="x", blocks=[section(""), {"type": "x"}]
        )

        assert answer == {
            "ok": False,
            "error": "invalid_blocks",
            "errors": [
                "must be more than 0 characters [json-pointer:/blocks/0/text/text]",
                "unsupported type: x [json-pointer:/blocks/1/type]",
            ],
            "response_metadata": {
                "messages": [
                    "[ERROR] must be more than 0 characters [json-pointer:/blocks/0/text/text]",
                    "[ERROR] unsupported type: x [json-pointer:/blocks/1/type]",
                ]
            },
        }
        assert workspace.messages(CHANNEL) == []
