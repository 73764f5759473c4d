"""The HTTP listener: one port on 127.0.0.1 for the Web API, Socket Mode, response URLs and the page.

Every request must name this very listener in its Host header: a page from
elsewhere that makes its own name resolve to 127.0.0.1 would name itself there.
The app's side answers no browser at all: whatever carries an Origin is refused.
"""

import socket
from collections.abc import Awaitable, Callable

from aiohttp import web

from sandbox.workspace.core import Core
from sandbox.workspace.desk import Desk
from sandbox.workspace.page.routes import Page
from sandbox.workspace.replies import Replies
from sandbox.workspace.transport.sockets import SocketHub
from sandbox.workspace.webapi.dispatch import WebApi

ADDRESS = "127.0.0.1"
_BODY_BYTES_MOST = 1_048_576
_APP_SIDE = ("/api/", "/link/", "/actions/")

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Listener:
    """Binds the port and routes requests."""

    def __init__(self, core: Core, *, hub: SocketHub, desk: Desk, replies: Replies, port: int) -> None:
        self._core = core
        self._hub = hub
        self._desk = desk
        self._replies = replies
        self._port = port
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Bind and serve; from here on the core knows its own address."""
        bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((ADDRESS, self._port))
        except OSError:
            bound.close()
            raise
        self._core.origin = f"http://{ADDRESS}:{bound.getsockname()[1]}"
        # Open page feeds and sockets are ended by their owners before; nothing is worth a longer wait.
        self._runner = web.AppRunner(self._app(), access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.SockSite(self._runner, bound).start()

    async def stop(self) -> None:
        """Close the port and every connection."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def _app(self) -> web.Application:
        app = web.Application(middlewares=[self._guard], client_max_size=_BODY_BYTES_MOST)
        api = WebApi(self._core, self._hub.open_connection)
        app.router.add_route("*", "/api/{method}", api.handle)
        app.router.add_get("/link/", self._hub.handle)
        app.router.add_post("/actions/{token}", self._replies.handle)
        Page(self._core, self._desk).add_to(app)
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        own = self._core.origin.removeprefix("http://")
        port = own.rpartition(":")[2]
        if request.headers.getall("Host", []) not in ([own], [f"localhost:{port}"]):
            return web.Response(status=403, text="This Host is not served here.")
        if request.path.startswith(_APP_SIDE) and "Origin" in request.headers:
            return web.Response(status=403, text="The app's side does not answer web pages.")
        return await handler(request)
