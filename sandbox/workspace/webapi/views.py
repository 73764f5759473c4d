"""The methods that open and change modals."""

from sandbox.workspace.core import Core
from sandbox.workspace.ids import opaque
from sandbox.workspace.jsontypes import JsonObject
from sandbox.workspace.kit import rules
from sandbox.workspace.records import View
from sandbox.workspace.webapi.calls import Refused, json_argument, text_argument


def open_view(core: Core, arguments: JsonObject) -> JsonObject:
    """Exchange a trigger for a modal."""
    trigger_id = text_argument(arguments, "trigger_id")
    content = read_view(core, arguments)
    user, error = core.tickets.redeem_trigger(trigger_id)
    if error == "invalid_trigger_id":
        raise Refused("invalid_arguments", messages=["[ERROR] invalid `trigger_id`"])
    if error is not None:
        raise Refused(error)
    external_id = content.get("external_id")
    if external_id and any(view.content.get("external_id") == external_id for view in core.store.views.values()):
        raise Refused("duplicate_external_id")
    view = View(
        id=opaque("V"),
        user=user,
        content=content,
        hash=_new_hash(core),
        app_id=core.seed.app_id,
        bot_id=core.seed.bot_id,
        team_id=core.seed.team_id,
    )
    core.store.put_view(view)
    return {"view": view.as_slack()}


def update_view(core: Core, arguments: JsonObject) -> JsonObject:
    """Change an open modal; a *hash* that is not the current one is refused."""
    content = read_view(core, arguments)
    view = _find(core, arguments)
    wanted = text_argument(arguments, "hash")
    if wanted and wanted != view.hash:
        raise Refused("hash_conflict")
    replace_content(core, view, content)
    return {"view": view.as_slack()}


def replace_content(core: Core, view: View, content: JsonObject) -> None:
    """Put checked *content* into an open view and tell its page."""
    view.content = content
    view.hash = _new_hash(core)
    core.store.put_view(view)


def read_view(core: Core, arguments: JsonObject) -> JsonObject:
    """Return the checked view of a call, with ids where the app gave none.

    Raises:
        Refused: It is no modal that Slack would open.
    """
    content = json_argument(arguments, "view", error="invalid_arguments")
    problems = rules.view_problems(content, core.strictness)
    if problems or not isinstance(content, dict):
        raise Refused("invalid_arguments", messages=problems or ["[ERROR] must be an object [json-pointer:/view]"])
    if core.strictness.block_limits and rules.too_large(content):
        raise Refused("view_too_large")
    return {**content, "blocks": rules.with_ids(content.get("blocks", []), lambda: opaque(size=3))}


def _find(core: Core, arguments: JsonObject) -> View:
    view_id, external_id = text_argument(arguments, "view_id"), text_argument(arguments, "external_id")
    for view in core.store.views.values():
        if view.id == view_id or (external_id and view.content.get("external_id") == external_id):
            return view
    raise Refused("not_found")


def _new_hash(core: Core) -> str:
    return f"{core.now():.0f}.{opaque(size=4).lower()}"
