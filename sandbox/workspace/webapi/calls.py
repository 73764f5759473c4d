"""Reading a Web API call and answering it: bodies, tokens, arguments, and Slack's way of saying no."""

import json
from collections.abc import Mapping
from urllib.parse import parse_qsl

from aiohttp import web

from sandbox.workspace.core import Core
from sandbox.workspace.jsontypes import JsonObject

# Arguments that Slack takes as JSON inside a form field.
_JSON_ARGUMENTS = frozenset({"blocks", "attachments", "view", "metadata"})
# Bolt's client sends the team with every call; Slack reads it for organisation-wide tokens only.
_EVERYWHERE = frozenset({"team_id"})


class Refused(Exception):
    """A call that Slack would answer with ``ok: false``.

    Attributes:
        error: Slack's error name.
        messages: What ``response_metadata.messages`` says.
        extra: Further fields of the answer.
        retry_after: Seconds for the Retry-After header; makes the status 429.
    """

    def __init__(
        self, error: str, *, messages: list[str] | None = None, retry_after: int | None = None, **extra: str
    ) -> None:
        super().__init__(error)
        self.error = error
        self.messages = messages or []
        self.retry_after = retry_after
        self.extra = extra

    def answer(self) -> JsonObject:
        """Return the body of the answer."""
        made: JsonObject = {"ok": False, "error": self.error, **self.extra}
        if self.messages:
            bare = [message.removeprefix("[ERROR] ") for message in self.messages]
            made |= {"errors": bare, "response_metadata": {"messages": self.messages}}
        return made


async def read_arguments(request: web.Request) -> JsonObject:
    """Return a call's arguments from query, form or JSON body.

    Raises:
        Refused: The body is not what its content type says.
    """
    arguments: JsonObject = dict(request.query)
    if request.method == "POST" and request.can_read_body:
        if request.content_type == "application/json":
            arguments |= _json_object(await request.read())
        elif request.content_type == "application/x-www-form-urlencoded":
            arguments |= dict(parse_qsl((await request.read()).decode(errors="replace"), keep_blank_values=True))
        else:
            raise Refused("invalid_post_type")
    return arguments


def _json_object(raw: bytes) -> JsonObject:
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        raise Refused("invalid_json") from None
    if not isinstance(body, dict):
        raise Refused("json_not_object")
    return body


def check_token(core: Core, token: str, *, wanted: str, scopes: tuple[str, ...]) -> None:
    """Refuse a call whose token is missing, unknown, of the wrong kind, or lacks all of *scopes*.

    Args:
        wanted: ``bot`` or ``app``.
        scopes: One of these is enough; none needed when empty.
    """
    if not token:
        raise Refused("not_authed")
    held = {core.tokens.bot: "bot", core.tokens.app: "app"}.get(token)
    if held is None:
        raise Refused("invalid_auth")
    if held != wanted:
        raise Refused("not_allowed_token_type")
    granted = core.seed.bot_scopes if held == "bot" else core.seed.app_scopes
    if scopes and core.strictness.scopes and not set(scopes) & set(granted):
        raise Refused("missing_scope", needed=scopes[0], provided=",".join(granted))


def bearer(request: web.Request, arguments: JsonObject) -> str:
    """Return the token of a call and take it out of its *arguments*."""
    held = arguments.pop("token", "")
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        return token.strip()
    return held if isinstance(held, str) else ""


def check_arguments(core: Core, arguments: JsonObject, *, required: tuple[str, ...], known: frozenset[str]) -> None:
    """Refuse missing arguments, and unknown ones while that is switched on."""
    problems = [f"[ERROR] missing required field: {name}" for name in required if arguments.get(name) in (None, "")]
    if core.strictness.known_arguments_only:
        unknown = sorted(set(arguments) - known - set(required) - _EVERYWHERE)
        problems += [f"[ERROR] no such argument: {name}" for name in unknown]
    if problems:
        raise Refused("invalid_arguments", messages=problems)


def text_argument(arguments: Mapping[str, object], name: str) -> str:
    """Return a string argument, empty when it was not given."""
    value = arguments.get(name, "")
    if not isinstance(value, str):
        raise Refused("invalid_arguments", messages=[f"[ERROR] must be a string [json-pointer:/{name}]"])
    return value


def flag_argument(arguments: Mapping[str, object], name: str) -> bool:
    """Return a boolean argument in any of the spellings clients send."""
    return arguments.get(name, False) in (True, 1, "1", "true", "True")


def json_argument(arguments: Mapping[str, object], name: str, *, error: str) -> object:
    """Return an argument that is JSON, from a form field or a JSON body; None when it was not given."""
    value = arguments.get(name)
    if isinstance(value, str) and name in _JSON_ARGUMENTS:
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            raise Refused(error) from None
    return value
