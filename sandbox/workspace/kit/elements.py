"""Rules for interactive elements and images, each as it may appear inside a block."""

from sandbox.workspace.kit.checks import Check, array, boolean, integer, record, string, typed
from sandbox.workspace.kit.checks import also as all_of
from sandbox.workspace.kit.texts import (
    ACTION_ID,
    CONFIRM,
    OPTION,
    OPTION_GROUPS,
    OPTIONS,
    URL,
    literal,
    options_given,
    plain_text,
)

PLACEHOLDER = plain_text(150)

BUTTON = record(
    {"type": literal("button"), "text": plain_text(75)},
    {
        "action_id": ACTION_ID,
        "url": URL,
        "value": string(most=2_000),
        "style": string(choices=("primary", "danger")),
        "confirm": CONFIRM,
        "accessibility_label": string(most=75),
        "visible_to_user_ids": array(string()),
    },
)

STATIC_SELECT = all_of(
    record(
        {"type": literal("static_select")},
        {
            "action_id": ACTION_ID,
            "options": OPTIONS,
            "option_groups": OPTION_GROUPS,
            "initial_option": OPTION,
            "confirm": CONFIRM,
            "focus_on_load": boolean,
            "placeholder": PLACEHOLDER,
        },
    ),
    options_given,
)

PLAIN_TEXT_INPUT = record(
    {"type": literal("plain_text_input")},
    {
        "action_id": ACTION_ID,
        "initial_value": string(least=0, most=3_000),
        "multiline": boolean,
        "min_length": integer(least=0, most=3_000),
        "max_length": integer(least=1, most=3_000),
        "dispatch_action_config": record(
            {}, {"trigger_actions_on": array(string(choices=("on_enter_pressed", "on_character_entered")))}
        ),
        "focus_on_load": boolean,
        "placeholder": PLACEHOLDER,
    },
)

IMAGE = record({"type": literal("image"), "image_url": URL, "alt_text": string(most=2_000)})

IN_ACTIONS: Check = typed({"button": BUTTON, "static_select": STATIC_SELECT})
IN_ACCESSORY: Check = typed({"button": BUTTON, "static_select": STATIC_SELECT, "image": IMAGE})
IN_INPUT: Check = typed({"plain_text_input": PLAIN_TEXT_INPUT, "static_select": STATIC_SELECT})
