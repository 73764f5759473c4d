"""A tiny HTTP server on loopback that answers as a test tells it: for faults that no real API server shows on demand.

It knows nothing of Kubernetes. Every connection carries one request; what arrived is kept, bytes and all.
"""

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

_PATIENCE_S = 10.0


@dataclass(frozen=True, kw_only=True)
class Received:
    """One request as it arrived."""

    method: str
    target: str
    headers: Mapping[str, str]
    """By lower-case name."""
    body: bytes

    @property
    def path(self) -> str:
        """The address without its parameters, not decoded."""
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        """The address's parameters."""
        return {name: values[0] for name, values in parse_qs(urlsplit(self.target).query).items()}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An HTTP answer; *body* is sent as JSON unless it is bytes."""

    status: int = 200
    body: Any = field(default_factory=dict)
    headers: tuple[tuple[str, str], ...] = ()
    cut_after: int | None = None
    """Close the connection after so many bytes of the body."""

    def data(self) -> bytes:
        """Return the bytes of the body."""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass(frozen=True)
class Verbatim:
    """Send these bytes instead of an answer, and close the connection."""

    data: bytes


class Reset:
    """Reset the connection instead of answering."""


class Silence:
    """Never answer."""


class Trickle:
    """Answer one byte at a time, for ever."""


Outcome = Answer | Verbatim | Reset | Silence | Trickle
Script = Callable[[Received], Outcome]


def status(code: int, reason: str = "", **details: Any) -> Answer:
    """Return a refusal in the API server's own form; its message is a text that must never be shown."""
    body = {
        "kind": "Status",
        "status": "Failure",
        "code": code,
        "reason": reason,
        "message": "the whole pod, secrets too",
    }
    return Answer(status=code, body={**body, **({"details": details} if details else {})})


class Server:
    """Answers by *script*, one connection after the other."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.received: list[Received] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        """Stop listening, and let go of whoever still waits."""
        self._ended.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        while not self._ended.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                connection.settimeout(_PATIENCE_S)
                self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        received = _receive(connection)
        if received is None:
            return
        self.received.append(received)
        answer = self.script(received)
        match answer:
            case Answer():
                connection.sendall(_head(answer) + answer.data()[: answer.cut_after])
            case Verbatim():
                connection.sendall(answer.data)
            case Reset():
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            case Silence():
                self._ended.wait(_PATIENCE_S)
            case Trickle():
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
                while not self._ended.wait(0.02):
                    connection.sendall(b" ")


@contextmanager
def serving(script: Script | Outcome) -> Iterator[Server]:
    """Give a server that answers by *script*, or always the same."""
    server = Server(script if callable(script) else lambda _: script)
    try:
        yield server
    finally:
        server.close()


def _head(answer: Answer) -> bytes:
    lines = [f"HTTP/1.1 {answer.status} X", f"Content-Length: {len(answer.data())}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in answer.headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def _receive(connection: socket.socket) -> Received | None:
    with connection.makefile("rb") as stream:
        words = stream.readline().decode("latin-1").split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/"):
            return None  # nothing, or the beginning of TLS, which is random bytes: two of them may be spaces
        method, target, _ = words
        headers: dict[str, str] = {}
        while (line := stream.readline().decode().strip()) != "":
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        body = stream.read(int(headers.get("content-length", "0")))
    return Received(method=method, target=target, headers=headers, body=body)
