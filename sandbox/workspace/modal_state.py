"""The inputs of a modal: what a person filled in, what may not be submitted, and the state the app is sent."""

from collections.abc import Iterator, Mapping

from sandbox.workspace.jsontypes import JsonObject
from sandbox.workspace.payloads import option_of
from sandbox.workspace.records import View

_INPUT_MOST = 3_000


def filled(view: View, values: Mapping[str, JsonObject]) -> dict[str, str]:
    """Return what stands in each input by block_id: *values*, or what the app put there at first."""
    made = {}
    for block in _inputs(view):
        element = block["element"]
        first = element.get("initial_value", element.get("initial_option", {}).get("value", ""))
        made[block["block_id"]] = values.get(block["block_id"], {}).get(element["action_id"], first) or ""
    return made


def problems(view: View, given: Mapping[str, str]) -> dict[str, str]:
    """Return what Slack's own client would not let a person submit, in words, by block_id."""
    found = {block["block_id"]: _problem(block, given[block["block_id"]]) for block in _inputs(view)}
    return {block_id: problem for block_id, problem in found.items() if problem is not None}


def state(view: View, given: Mapping[str, str]) -> JsonObject:
    """Return ``state.values`` as a payload carries it."""
    made: JsonObject = {}
    for block in _inputs(view):
        element, value = block["element"], given[block["block_id"]]
        entry: JsonObject = {"type": element["type"]}
        if element["type"] == "static_select":
            entry["selected_option"] = option_of(element, value)
        else:
            entry["value"] = value or None
        made[block["block_id"]] = {element["action_id"]: entry}
    return made


def input_ids(view: View) -> set[str]:
    """Return the block_ids of the inputs, which are all that an answer may put an error under."""
    return {block["block_id"] for block in _inputs(view)}


def _inputs(view: View) -> Iterator[JsonObject]:
    return (block for block in view.content["blocks"] if block["type"] == "input")


def _problem(block: JsonObject, value: str) -> str | None:
    element = block["element"]
    if not value:
        return None if block.get("optional") else "Please complete this required field."
    if element["type"] == "static_select":
        return None if option_of(element, value) else "Choose one of the options."
    least, most = element.get("min_length", 0), element.get("max_length", _INPUT_MOST)
    if not least <= len(value) <= most:
        return f"Between {least} and {most} characters, please; this has {len(value)}."
    return None
