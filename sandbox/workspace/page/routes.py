"""The page and its calls: one HTML file, its static files, a live feed, and the acts of the person one plays.

The calls are exactly what the page needs. Groups, accounts, faults and the like
are changed in Python only.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from aiohttp import web

from sandbox.workspace.core import Core
from sandbox.workspace.desk import Desk, NotThere
from sandbox.workspace.feed import Subscription
from sandbox.workspace.jsontypes import JsonObject
from sandbox.workspace.page import guard, state
from sandbox.workspace.records import Outcome

STATIC = Path(__file__).parent.parent / "static"
_HEARTBEAT_SECONDS = 15.0
_TEXT_MOST = 4_000
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}

_Act = Callable[[JsonObject], Awaitable[Outcome]]


class BadCall(Exception):
    """The page's script sent something the page would not send."""


class Page:
    """Serves the page."""

    def __init__(self, core: Core, desk: Desk) -> None:
        self._core = core
        self._desk = desk
        # Read at start, from a fixed list: no request ever names a file.
        self._files = {file.name: file.read_bytes() for file in STATIC.iterdir() if file.suffix in _TYPES}
        self._html = (STATIC / "index.html").read_text("utf-8")
        self._acts: dict[str, _Act] = {
            "click": self._click,
            "view-click": self._view_click,
            "submit": self._submit,
            "close": self._close,
            "command": self._command,
            "say": self._say,
        }

    def add_to(self, app: web.Application) -> None:
        """Add the page's routes."""
        app.router.add_get("/", self.html)
        app.router.add_get("/archives/{channel}/{message}", self.html)
        app.router.add_get("/static/{name}", self.static)
        app.router.add_post("/page/feed", self.feed)
        app.router.add_post("/page/act/{act}", self.act)

    async def html(self, request: web.Request) -> web.StreamResponse:
        """Answer the page to whoever has the key, and a plain refusal to everybody else."""
        if not guard.opens_page(self._core, request):
            told = "This page opens only with the key of this run: use the whole address printed at its start.\n"
            return web.Response(status=403, text=told, headers=guard.HEADERS)
        return web.Response(text=self._html, content_type="text/html", headers=guard.HEADERS)

    async def static(self, request: web.Request) -> web.StreamResponse:
        """Answer one of the page's files; they hold no secret, and a link element cannot send the key."""
        name = request.match_info["name"]
        body = self._files.get(name)
        if body is None:
            return web.Response(status=404, text="No such file.", headers=guard.HEADERS)
        return web.Response(body=body, content_type=_TYPES[Path(name).suffix], charset="utf-8", headers=guard.HEADERS)

    async def feed(self, request: web.Request) -> web.StreamResponse:
        """Stream the whole state to a viewer, then every change, as server-sent events."""
        body, refused = await self._read(request)
        if refused is not None:
            return refused
        response = web.StreamResponse(headers={**guard.HEADERS, "Content-Type": "text/event-stream"})
        await response.prepare(request)
        subscription = self._core.feed.subscribe(body["viewer"])
        try:
            await _send(response, state.whole(self._core, subscription.viewer))
            # A reader that left is no fault.
            with suppress(ConnectionError):
                await self._stream(response, subscription)
        finally:
            self._core.feed.unsubscribe(subscription)
        return response

    async def act(self, request: web.Request) -> web.StreamResponse:
        """Do one thing in the viewer's place and answer its outcome."""
        body, refused = await self._read(request)
        if refused is not None:
            return refused
        act = self._acts.get(request.match_info["act"])
        if act is None:
            return _refuse(404, "No such act.")
        try:
            outcome = await act(body)
        except (NotThere, BadCall) as problem:
            return _refuse(409, str(problem))
        # What the app answered is between the app and Slack; the page is told the outcome only.
        shown = {name: value for name, value in asdict(outcome).items() if name != "response"}
        return web.json_response(shown, headers=guard.HEADERS)

    async def _stream(self, response: web.StreamResponse, subscription: Subscription) -> None:
        while True:
            try:
                async with asyncio.timeout(_HEARTBEAT_SECONDS):
                    change = await subscription.next()
            except TimeoutError:
                await response.write(b": still here\n\n")
                continue
            if change is None:
                return
            await _send(response, state.changed(self._core, subscription.viewer, change))

    async def _read(self, request: web.Request) -> tuple[JsonObject, web.Response | None]:
        if (refused := guard.refusal(self._core, request)) is not None:
            return {}, _refuse(403, refused)
        try:
            body = json.loads(await request.read())
        except (ValueError, RecursionError):
            return {}, _refuse(400, "That is no JSON.")
        viewer = (body.get("viewer") or self._first()) if isinstance(body, dict) else None
        if not any(person["id"] == viewer for person in state.people(self._core)):
            return {}, _refuse(400, "Nobody here has that id.")
        return {**body, "viewer": viewer}, None

    def _first(self) -> str:
        # A page that was never told otherwise acts as the first person of the seed.
        return str(state.people(self._core)[0]["id"])

    async def _click(self, body: JsonObject) -> Outcome:
        return await self._desk.click(
            body["viewer"],
            _string(body, "channel"),
            _string(body, "ts"),
            _string(body, "action_id"),
            chosen=_string(body, "chosen") or None,
        )

    async def _view_click(self, body: JsonObject) -> Outcome:
        return await self._desk.click_in_view(
            body["viewer"],
            _string(body, "action_id"),
            values=_values(body),
            chosen=_string(body, "chosen") or None,
        )

    async def _submit(self, body: JsonObject) -> Outcome:
        return await self._desk.submit_view(body["viewer"], _values(body))

    async def _close(self, body: JsonObject) -> Outcome:
        return await self._desk.close_view(body["viewer"])

    async def _command(self, body: JsonObject) -> Outcome:
        return await self._desk.run_command(
            body["viewer"], _string(body, "channel"), _string(body, "command"), _string(body, "text")
        )

    async def _say(self, body: JsonObject) -> Outcome:
        text = _string(body, "text")
        if not text.strip():
            raise BadCall("There is nothing to say.")
        self._desk.say(body["viewer"], _string(body, "channel"), text, thread_ts=_string(body, "thread_ts") or None)
        return Outcome(acked=True)


def _string(body: JsonObject, name: str) -> str:
    value = body.get(name) or ""
    if not isinstance(value, str) or len(value) > _TEXT_MOST:
        raise BadCall(f"{name} is no short text.")
    return value


def _values(body: JsonObject) -> JsonObject:
    values = body.get("values") or {}
    if not isinstance(values, dict) or not all(isinstance(each, dict) for each in values.values()):
        raise BadCall("values are texts by block and action.")
    return values


def _refuse(status: int, told: str) -> web.Response:
    return web.json_response({"refused": told}, status=status, headers=guard.HEADERS)


async def _send(response: web.StreamResponse, change: JsonObject) -> None:
    await response.write(b"data: " + json.dumps(change, ensure_ascii=False).encode() + b"\n\n")
