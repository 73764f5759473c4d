"""The server: HTTP/1.1 on a connection, the journal, and the faults on the way.

What a request means is :mod:`sandbox.cluster.api`.
"""

import json
import socket
import threading
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any, Final

from sandbox.cluster import refusals
from sandbox.cluster.api import BODY_MOST, Answer, Api, Request
from sandbox.cluster.faults import Answered, Cut, Delay, Fault, Faults, Garbage, Hold, Meanwhile, Reset
from sandbox.cluster.journal import Entry, Journal
from sandbox.cluster.jsontypes import JsonObject
from sandbox.cluster.listener import reset_on_close
from sandbox.cluster.refusals import Refused

_IDLE_SECONDS: Final = 90.0
_LOOK_UP_SECONDS: Final = 0.05
_CHUNK: Final = 1 << 16
_DISCARD_MOST: Final = 16 * 1024 * 1024


class Server:
    """Serves connections of one stand-in.

    Args:
        api: What answers.
        journal: Where requests are noted.
        faults: What goes wrong on the way.
    """

    def __init__(self, api: Api, journal: Journal, faults: Faults) -> None:
        self.api = api
        self.journal = journal
        self.faults = faults
        self.stopping = threading.Event()

    def serve(self, connection: socket.socket) -> None:
        """Serve one connection until it ends."""
        _Exchange(connection, connection.getpeername(), self)


class _Broken(Exception):
    """The connection ends here, on purpose."""


class _Exchange(BaseHTTPRequestHandler):
    """The requests of one connection, one after another."""

    protocol_version = "HTTP/1.1"
    timeout = _IDLE_SECONDS
    disable_nagle_algorithm = True

    def __init__(self, connection: socket.socket, address: tuple[str, int], server: Server) -> None:
        self._owner = server
        # The base class wants a socketserver and only hands it on.
        super().__init__(connection, address, server)  # type: ignore[arg-type]

    def _serve(self) -> None:
        try:
            request = self._read()
        except Refused as refused:
            self.close_connection = True
            self._send(refused.code, refused.body)
            return
        entry = self._owner.journal.arrived(request, self._owner.api.user_of(request))
        try:
            self._carry_out(self._owner.faults.taken(entry), request, entry)
        except _Broken:
            self.close_connection = True

    # The base class finds its methods by these names; the methods that are not offered get a Status, too.
    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve  # noqa: N815

    def _read(self) -> Request:
        if "transfer-encoding" in self.headers:
            raise refusals.not_offered("bodies without a length")
        length = self.headers.get("content-length", "0")
        if not length.isascii() or not length.isdecimal() or int(length) > _DISCARD_MOST:
            raise refusals.bad_request("the length of the body cannot be read")
        # One byte too much is enough to know; the rest is read and dropped, so that the client gets to its answer.
        body = self.rfile.read(min(int(length), BODY_MOST + 1))
        left = int(length) - len(body)
        while left > 0 and (chunk := self.rfile.read(min(left, _CHUNK))):
            left -= len(chunk)
        headers = {name.lower(): value for name, value in self.headers.items()}
        return Request(method=self.command, target=self.path, headers=headers, body=body)

    def _carry_out(self, fault: Fault | None, request: Request, entry: Entry) -> None:
        match fault:
            case None:
                self._send_answer(self._answer(request, entry))
            case Delay(applied=True) | Hold(applied=True):
                answer = self._answer(request, entry)
                self._wait(fault)
                self._send_answer(answer)
            case Delay() | Hold():
                self._wait(fault)
                self._send_answer(self._answer(request, entry))
            case Meanwhile():
                fault.action()
                self._send_answer(self._answer(request, entry))
            case Answered():
                if fault.applied:
                    self._answer(request, entry)
                self._send(fault.refusal.code, fault.refusal.body, headers=fault.refusal.headers)
            case Reset() | Cut() | Garbage():
                self._break(fault, request, entry)

    def _break(self, fault: Reset | Cut | Garbage, request: Request, entry: Entry) -> None:
        if isinstance(fault, Reset):
            if fault.applied:
                self._answer(request, entry)
            reset_on_close(self.connection)
            raise _Broken
        reply = self._reply_to(self._answer(request, entry))
        if isinstance(fault, Garbage):
            self._send_bytes(200, b'<html>upstream said {"kind":"Dep', {})
            return
        self.wfile.write(reply[: len(reply) - len(reply) // 4])
        self.wfile.flush()
        raise _Broken

    def _wait(self, fault: Delay | Hold) -> None:
        stopping = self._owner.stopping
        if isinstance(fault, Delay):
            stopping.wait(fault.seconds)
        else:
            fault.reached.set()
            while not (fault.released.wait(_LOOK_UP_SECONDS) or stopping.is_set()):
                pass
        if stopping.is_set():
            raise _Broken

    def _answer(self, request: Request, entry: Entry) -> Answer:
        answer = self._owner.api.answer(request)
        self._owner.journal.answered(entry, answer)
        return answer

    def _send_answer(self, answer: Answer) -> None:
        self.wfile.write(self._reply_to(answer))

    def _send(self, status: int, body: JsonObject, *, headers: Mapping[str, str] | None = None) -> None:
        self._send_bytes(status, json.dumps(body, separators=(",", ":")).encode(), headers or {})

    def _send_bytes(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.wfile.write(_reply(status, [*headers.items()], body, with_body=self.command != "HEAD"))

    def _reply_to(self, answer: Answer) -> bytes:
        headers = [("Audit-Id", answer.audit_id), *answer.headers.items()]
        headers += [("Warning", f"299 - {json.dumps(warning)}") for warning in answer.warnings]
        body = json.dumps(answer.body, separators=(",", ":")).encode()
        return _reply(answer.status, headers, body, with_body=self.command != "HEAD")

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what is no HTTP, or a method nobody knows, with a Status as well."""
        del explain
        self.close_connection = True
        refused = refusals.not_offered("this method") if code == HTTPStatus.NOT_IMPLEMENTED else None
        status = refused or Refused(code, "BadRequest", message or HTTPStatus(code).phrase)
        self._send(code, status.body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class calls it so
        """Say nothing: the journal has it, without tokens."""


def _reply(status: int, headers: list[tuple[str, str]], body: bytes, *, with_body: bool) -> bytes:
    fixed = [
        ("Cache-Control", "no-cache, private"),
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
    ]
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        *(f"{name}: {value}" for name, value in (*headers, *fixed)),
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + (body if with_body else b"")
