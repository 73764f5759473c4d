"""``/api/<method>``: finds the method, checks token, scope, arguments and rate, calls it, answers.

The table names every method the stand-in offers, its token, its scope and its
arguments. Any other method is ``unknown_method``.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field

from aiohttp import web

from sandbox.workspace.core import Call, Core
from sandbox.workspace.ids import opaque
from sandbox.workspace.jsontypes import JsonObject
from sandbox.workspace.webapi import chat, reads, views
from sandbox.workspace.webapi.calls import Refused, bearer, check_arguments, check_token, read_arguments

Handler = Callable[[Core, JsonObject], JsonObject]

_CONTENT = frozenset({"text", "blocks", "attachments", "metadata", "parse", "link_names"})
_POSTING = _CONTENT | {"thread_ts", "reply_broadcast", "unfurl_links", "unfurl_media", "mrkdwn"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One method: what it needs and who carries it out."""

    handler: Handler
    token: str = "bot"
    scopes: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    optional: frozenset[str] = field(default_factory=frozenset)


def methods(open_connection: Handler) -> dict[str, Method]:
    """Return the table; *open_connection* answers ``apps.connections.open`` and belongs to the transport."""
    write, read_users, read_groups = ("chat:write",), ("users:read",), ("usergroups:read",)
    return {
        "auth.test": Method(handler=reads.auth_test),
        "apps.connections.open": Method(handler=open_connection, token="app", scopes=("connections:write",)),
        "chat.postMessage": Method(
            handler=chat.post_message, scopes=write, required=("channel",), optional=frozenset(_POSTING)
        ),
        "chat.update": Method(
            handler=chat.update_message,
            scopes=write,
            required=("channel", "ts"),
            optional=_CONTENT | {"reply_broadcast", "as_user", "unfurl_links", "unfurl_media"},
        ),
        "chat.postEphemeral": Method(
            handler=chat.post_ephemeral,
            scopes=write,
            required=("channel", "user"),
            optional=_CONTENT | {"thread_ts"},
        ),
        "chat.getPermalink": Method(handler=chat.get_permalink, required=("channel", "message_ts")),
        "views.open": Method(handler=views.open_view, required=("trigger_id", "view")),
        "views.update": Method(
            handler=views.update_view, required=("view",), optional=frozenset({"view_id", "external_id", "hash"})
        ),
        "users.info": Method(
            handler=reads.users_info, scopes=read_users, required=("user",), optional=frozenset({"include_locale"})
        ),
        "usergroups.users.list": Method(
            handler=reads.usergroups_users_list,
            scopes=read_groups,
            required=("usergroup",),
            optional=frozenset({"include_disabled"}),
        ),
        "conversations.info": Method(
            handler=reads.conversations_info,
            scopes=("channels:read", "groups:read", "im:read"),
            required=("channel",),
            optional=frozenset({"include_locale", "include_num_members"}),
        ),
    }


class WebApi:
    """Serves the methods."""

    def __init__(self, core: Core, open_connection: Handler) -> None:
        self._core = core
        self._methods = methods(open_connection)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one call; always JSON, status 200 unless the caller is too fast or Slack is "down"."""
        name = request.match_info["method"]
        faults = self._core.faults
        if faults.outage:
            return web.json_response({"ok": False, "error": "service_unavailable"}, status=503)
        answer, retry_after = await self._answer(name, request)
        if delay := faults.delay_of(name):
            await asyncio.sleep(delay)
        if faults.takes_reply(name):
            return _lose(request)
        if faults.cuts_reply(name):
            return await _cut(request, answer)
        headers = {"x-oauth-scopes": ",".join(self._core.seed.bot_scopes), "x-slack-req-id": opaque()}
        if retry_after is not None:
            return web.json_response(answer, status=429, headers={**headers, "Retry-After": str(retry_after)})
        return web.json_response(answer, headers=headers)

    async def _answer(self, name: str, request: web.Request) -> tuple[JsonObject, int | None]:
        arguments: JsonObject = {}
        retry_after = None
        try:
            arguments = await read_arguments(request)
            token = bearer(request, arguments)
            answer = {"ok": True, **self._call(name, token, arguments)}
        except Refused as refused:
            answer, retry_after = refused.answer(), refused.retry_after
        self._core.calls.append(Call(method=name, arguments=arguments, answer=answer, at=self._core.now()))
        return answer, retry_after

    def _call(self, name: str, token: str, arguments: JsonObject) -> JsonObject:
        method = self._methods.get(name)
        if method is None:
            raise Refused("unknown_method", req_method=name)
        check_token(self._core, token, wanted=method.token, scopes=method.scopes)
        check_arguments(self._core, arguments, required=method.required, known=method.optional)
        self._pace(name)
        faults = self._core.faults
        if planned := faults.next_error(name, str(arguments.get("channel", ""))):
            raise Refused(planned, retry_after=faults.retry_after_seconds if planned == "ratelimited" else None)
        return method.handler(self._core, arguments)

    def _pace(self, name: str) -> None:
        per_minute = self._core.strictness.method_rates.get(name)
        if per_minute is None:
            return
        wait = self._core.rates.wait_for(name, per_second=per_minute / 60, burst=per_minute)
        if wait:
            raise Refused("ratelimited", retry_after=wait)


def _lose(request: web.Request) -> web.StreamResponse:
    # The call took effect; closing the connection leaves the caller without an answer, as a broken network does.
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=502)


async def _cut(request: web.Request, answer: JsonObject) -> web.StreamResponse:
    # The call took effect; the status and half of the body arrive, and then nothing more.
    body = json.dumps(answer).encode()
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": str(len(body))})
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return response
